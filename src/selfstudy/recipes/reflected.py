"""Reflective answers over a home: which speaker a model is, and a Ctrl-C that leaves what is finished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from selfstudy.answer.bounded import Bounded, Calls
from selfstudy.answer.prompted_critic import PromptedCritic
from selfstudy.answer.reflective import Reflect, reflect
from selfstudy.answer.speaking import Chatting, Served, Speaker, Tuned
from selfstudy.answer.standalone import reworded
from selfstudy.core.ports import LLM, Critic, Retriever
from selfstudy.core.records import Answer, Mode
from selfstudy.core.reflection import TOKENS
from selfstudy.models.decoder import HFDecoder
from selfstudy.models.hf import HF


def reflects(llm: LLM) -> TypeGuard[HF]:
    """Whether the model was tuned with reflection tokens, and so answers only through them."""
    return isinstance(llm, HF) and HFDecoder(llm).knows(TOKENS)


def plainly(mode: Mode) -> Mode:
    """Plain counts as always where it cannot be: choices are summed over passages, and a model with tokens answers through them."""
    return "always" if mode == "plain" else mode


def speaker_of(llm: LLM, cfg: Reflect, critic: Critic | None = None) -> Speaker:
    """A model with reflection tokens judges itself; any other is judged by `critic`, or by itself when asked."""
    if critic is None and reflects(llm):
        return Tuned(HFDecoder(llm))
    if cfg.tokens and critic is None:
        return Served(llm)
    return Chatting(llm, critic or PromptedCritic(llm))


def reflected(
    question: str,
    retriever: Retriever,
    llm: LLM,
    cfg: Reflect,
    where: str | None = None,
    choices: Sequence[str] = (),
    critic: Critic | None = None,
) -> Answer:
    """As `answer.reflective.reflect`, in a mode that is `plainly` there. Ctrl-C ends it early."""
    calls = Calls(cfg.calls)
    asked = llm if critic is None and reflects(llm) else Bounded(llm, calls)
    speaker = speaker_of(asked, cfg, critic)
    cfg = cfg.model_copy(update={"mode": plainly(cfg.mode)})
    with calls.stop.on_interrupt():
        again = (lambda said: reworded(asked, said)) if isinstance(speaker, Chatting) else None
        return reflect(question, retriever, speaker, cfg, where, choices, again, calls)
