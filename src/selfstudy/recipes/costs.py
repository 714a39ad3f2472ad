"""What a planned step would ask of models behind an API: calls, tokens and money, about."""

from __future__ import annotations

from dataclasses import replace

from selfstudy.core.ports import LLM
from selfstudy.core.run import Planned
from selfstudy.index.snapshot import Snapshot
from selfstudy.models.openai_embedder import TEXTS_A_CALL
from selfstudy.recipes.settings import Settings
from selfstudy.synth.modelled import cost_of, modelled

_SECONDS_A_CALL = 3.0
_TEXTS = {"synth.round_trip": (0, 16), "study.guard_vectors": (5400, 30), "study.calibration": (6000, 30)}
"""Stages that embed what an API would be paid for: how many texts (0: as many as there may be questions), and the tokens of one, about."""


def costed(planned: Planned, snapshot: Snapshot, settings: Settings, embedder: str, llm: LLM | None) -> Planned:
    """`planned` with its costs, where it has any: what was kept from before costs nothing again."""
    if planned.state == "kept":
        return planned
    if planned.stage == modelled.name and llm is not None:
        return _written(planned, snapshot, settings, llm)
    if planned.stage in _TEXTS and embedder.startswith("openai:"):
        return _embedded(planned, snapshot, settings, embedder)
    return planned


def _embedded(planned: Planned, snapshot: Snapshot, settings: Settings, embedder: str) -> Planned:
    """The calls and tokens of embedding questions, the guard's texts, or sentences that may answer."""
    most, tokens = _TEXTS[planned.stage]
    wanted = settings.questions
    texts = most or min(wanted.most, wanted.per_passage * len(snapshot))
    money = _money(settings, embedder, texts * tokens, 0)
    return replace(planned, calls=-(-texts // TEXTS_A_CALL), tokens=texts * tokens, money=money)


def _written(planned: Planned, snapshot: Snapshot, settings: Settings, llm: LLM) -> Planned:
    """What the model that writes questions would be asked."""
    cost = cost_of(snapshot.passages, settings.modelled)
    money = _money(settings, llm.name, cost.prompt_tokens, cost.completion_tokens)
    seconds = planned.seconds if planned.seconds is not None else cost.calls * _SECONDS_A_CALL / settings.api.concurrency
    return replace(planned, seconds=seconds, calls=cost.calls, tokens=cost.prompt_tokens + cost.completion_tokens, money=money)


def _money(settings: Settings, name: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    """What so many tokens cost of the model behind `name`; None where no price is known."""
    price = settings.api.prices.get(name.partition(":")[2])
    return price.of(prompt_tokens, completion_tokens) if price is not None else None
