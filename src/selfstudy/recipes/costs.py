"""What a planned step would cost, about: time, and the calls, tokens and money of models behind an API."""

from __future__ import annotations

from dataclasses import replace

from selfstudy.core.errors import BadModel
from selfstudy.core.ports import LLM, Recalling
from selfstudy.core.run import Planned
from selfstudy.core.text import model_tokens
from selfstudy.index.snapshot import Snapshot
from selfstudy.models.openai_embedder import TEXTS_A_CALL
from selfstudy.recipes.generator import ABOUT_A_PASSAGE
from selfstudy.recipes.generator_exam import BLOCK
from selfstudy.recipes.generator_exam import answers as exam_answers
from selfstudy.recipes.settings import Settings
from selfstudy.synth import labels, reflections
from selfstudy.synth.modelled import Cost, about, cost_of, modelled
from selfstudy.train.generator import Generator, needed

_SECONDS_A_CALL = 3.0
_ASKED, _TOLD = 250, 15
"""Tokens of a judgement, about: instruction, question and answer; reply."""
_TEXTS = {"synth.round_trip": (0, 16), "study.guard_vectors": (5400, 30), "study.calibration": (6000, 30)}
"""Stages that embed what an API would be paid for: how many texts (0: as many as there may be questions), and the tokens of one, about."""
_FIRST = {
    "study.corpus": (0, 2), "synth.questions": (0, 5), "synth.round_trip": (5, 50), "synth.negatives": (3, 20),
    "study.body_vectors": (1, 18), "study.question_vectors": (3, 10), "study.passage_vectors": (0, 1), "train.head": (4, 8),
    "train.average": (12, 17), "study.gain": (8, 0), "train.joined": (1, 0), "train.nearer": (1, 0), "study.weight": (3, 4),
    "study.calibration": (8, 5), "study.exam": (5, 5), "study.guard_vectors": (17, 0), "study.guard": (1, 0), "study.imitation": (0, 1),
    "study.imitation_exam": (1, 0), "study.imitation_guard": (1, 0), "study.sentences": (0, 20), "study.sentences_guard": (12, 0),
    "study.reread": (25, 0), "study.reread_guard": (11, 0),
}  # fmt: skip
"""Seconds of stages that never ran here: always, and for each 1,000 passages; two cores and a small embedder, six collections of 344 to
2,113 passages."""
_EMBEDDER = "train.embedder"


def guessed(planned: Planned, passages: int, settings: Settings) -> Planned:
    """`planned` with a first guess at its seconds where nobody knows them yet: the embedder's training may take all of its minutes."""
    if planned.seconds is not None:
        return planned
    if planned.stage == _EMBEDDER and not settings.training.max_steps:
        return replace(planned, seconds=60.0 * settings.training.minutes)
    if planned.stage not in _FIRST:
        return planned
    always, each = _FIRST[planned.stage]
    return replace(planned, seconds=always + each * passages / 1000)


def costed(planned: Planned, snapshot: Snapshot, settings: Settings, embedder: str, llm: LLM | None) -> Planned:
    """`planned` with its costs, where it has any: what was kept from before costs nothing again."""
    if planned.state == "kept":
        return planned
    if llm is not None and (asked := _asked(planned.stage, snapshot, settings)) is not None:
        cost, items = asked
        cost = cost.times(max(0.0, 1 - planned.done / max(1, items)))
        if planned.stage == modelled.name and isinstance(llm, Recalling) and (kept := llm.remembered()) is not None:
            cost = min(cost, cost_of(snapshot.passages, settings.modelled, kept), key=lambda one: one.calls)
        return _priced(planned, cost, settings, llm)
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


def _asked(stage: str, snapshot: Snapshot, settings: Settings) -> tuple[Cost, int] | None:
    """What a model is asked in a stage: to write questions, to judge, itself or to teach a critic, or to answer an exam; and about how
    many items, as the stage logs them. None where it has no part.
    """
    if stage == modelled.name:
        return cost_of(snapshot.passages, settings.modelled), len(about(snapshot.passages, settings.modelled)[0])
    examples, reflection = ABOUT_A_PASSAGE * len(snapshot), settings.tuning.reflection
    critic = reflection.critic
    if stage == labels.labels.name:
        asked = critic.asked(examples)
        return _judged(snapshot, *asked), sum(asked)
    if stage == reflections.reflections.name and critic.base is None:
        told = min(reflection.data.most, examples)
        return _judged(snapshot, *reflections.expected(reflection.data, examples)), told + round(reflection.data.general * told)
    if stage == exam_answers.name:
        tuning = settings.tuning
        told = min(tuning.exam, examples) + min(tuning.unanswerable, examples)
        read = told * (_ASKED + tuning.mix.passages * _shown(snapshot))
        return Cost(told, read, told * tuning.max_tokens), -(-told // BLOCK)
    return None


def _judged(snapshot: Snapshot, beside: int, alone: int) -> Cost:
    """What so many judgements take, beside a passage of mean length and alone."""
    calls = beside + alone
    return Cost(calls, calls * _ASKED + beside * _shown(snapshot), calls * _TOLD)


def _shown(snapshot: Snapshot) -> int:
    """Tokens of a passage, on average."""
    return sum(model_tokens(passage.indexed) for passage in snapshot.passages) // max(1, len(snapshot))


def _priced(planned: Planned, cost: Cost, settings: Settings, llm: LLM) -> Planned:
    """`planned` with what the model takes for it."""
    money = _money(settings, llm.name, cost.prompt_tokens, cost.completion_tokens)
    seconds = planned.seconds if planned.seconds is not None else _seconds(cost, settings, llm)
    return replace(planned, seconds=seconds, calls=cost.calls, tokens=cost.prompt_tokens + cost.completion_tokens, money=money)


def _seconds(cost: Cost, settings: Settings, llm: LLM) -> float | None:
    """About how long it takes: of a model that runs here by its size, a third of what learning from as many tokens would take (reading
    costs 2 multiply-adds for each weight and token, learning 6, arXiv 2001.08361); None where its size is not known.
    """
    scheme, _, name = llm.name.partition(":")
    if scheme != "hf":
        return cost.calls * _SECONDS_A_CALL / settings.api.concurrency
    tokens = (cost.prompt_tokens + cost.completion_tokens) // max(1, cost.calls)
    try:
        return needed(Generator(num_train_epochs=1, max_length=max(32, tokens)), name, cost.calls, tokens).seconds / 3
    except BadModel:
        return None


def _money(settings: Settings, name: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    """What so many tokens cost of the model behind `name`; None where no price is known."""
    price = settings.api.prices.get(name.partition(":")[2])
    return price.of(prompt_tokens, completion_tokens) if price is not None else None
