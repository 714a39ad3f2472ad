"""Reflective answers over a home: which speaker a model is, and a Ctrl-C that leaves what is finished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from selfstudy.answer.bounded import Bounded, Calls
from selfstudy.answer.judged import Judging
from selfstudy.answer.reflective import Mode, Reflect, reflect
from selfstudy.answer.speaking import Chatting, Served, Speaker, Tuned
from selfstudy.answer.standalone import reworded
from selfstudy.core.ports import LLM, Judge, Retriever
from selfstudy.core.records import Answer
from selfstudy.core.reflection import TOKENS
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF

__all__ = ["Mode", "plainly", "reflected", "reflects", "speaker_of"]


def reflects(llm: LLM) -> TypeGuard[HF]:
    """Whether the model was tuned with reflection tokens, and so answers only through them."""
    return isinstance(llm, HF) and HFDecoder(llm).knows(TOKENS)


def plainly(mode: Mode) -> Mode:
    """Plain counts as always where it cannot be: choices are summed over passages, and a model with tokens answers through them."""
    return "always" if mode == "plain" else mode


def speaker_of(llm: LLM, cfg: Reflect, judge: Judge | None = None) -> Speaker:
    """A model with reflection tokens judges itself; any other is judged by `judge`, or by itself when asked."""
    if judge is None and reflects(llm):
        return Tuned(HFDecoder(llm))
    if cfg.tokens and judge is None:
        return Served(llm)
    return Chatting(llm, judge or Judging(llm))


def reflected(
    question: str,
    retriever: Retriever,
    llm: LLM,
    cfg: Reflect,
    where: str | None = None,
    choices: Sequence[str] = (),
    judge: Judge | None = None,
) -> Answer:
    """As `answer.reflective.reflect`, in a mode that is `plainly` there. Ctrl-C ends it early."""
    calls = Calls(cfg.calls)
    asked = llm if judge is None and reflects(llm) else Bounded(llm, calls)
    speaker = speaker_of(asked, cfg, judge)
    cfg = cfg.model_copy(update={"mode": plainly(cfg.mode)})
    with calls.stop.on_interrupt():
        again = (lambda said: reworded(asked, said)) if isinstance(speaker, Chatting) else None
        return reflect(question, retriever, speaker, cfg, where, choices, again, calls)
