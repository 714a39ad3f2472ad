"""What a segment of an answer is worth (Self-RAG, arXiv 2310.11511, section 3.3): one implementation for every source of probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.ports import SUPPORT, Vectors
from selfstudy.core.records import Critique, Support, Token
from selfstudy.core.reflection import RELEVANT, RETRIEVE, SUPPORTED, TOKENS, USEFUL

MARKS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""What the marks 1 to 5 for usefulness count."""


class Weights(BaseModel):
    """What each judgement counts beside the fluency of a segment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    relevant: float = Field(1.0, ge=0, description="weight of the passage being relevant")
    supported: float = Field(1.0, ge=0, description="weight of the passage supporting the sentence")
    useful: float = Field(0.5, ge=0, description="weight of the sentence being useful")


def score(logprob: float | None, critique: Critique, weights: Weights) -> float:
    """f(segment) = exp(mean log-probability) + weighted judgements; what nobody told counts 0, alike for all."""
    fluent = 0.0 if logprob is None else math.exp(logprob)
    return (
        fluent
        + weights.relevant * (critique.relevant or 0.0)
        + weights.supported * support(critique.supported)
        + weights.useful * usefulness(critique.useful)
    )


def support(supported: Support | None) -> float:
    """s_sup: 1 fully, half partly."""
    return 0.0 if supported is None else supported.fully + 0.5 * supported.partly


def usefulness(useful: Sequence[float] | None) -> float:
    """s_use, from -1 to 1."""
    return 0.0 if useful is None else sum(mark * share for mark, share in zip(MARKS, useful, strict=True))


def needs_search(decision: Sequence[float]) -> float:
    """The probability of a search against none; going on with the evidence at hand is neither. `decision` as `Critic.retrieve` gives it."""
    total = decision[0] + decision[1]
    return decision[0] / total if total > 0 else 0.5


def closed(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """For a choice or a claim: the sum of the scores of equal answers, over passages; the best first."""
    sums: dict[str, float] = {}
    for said, value in scores:
        sums[said] = sums.get(said, 0.0) + value
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def within(logprobs: Mapping[str, float], group: Sequence[str]) -> list[float] | None:
    """Probabilities normalised within `group`: softmax of its log-probabilities. None where no token of it is listed.

    An endpoint lists only the likeliest tokens. One that it does not list has at most the probability of the smallest that it lists.
    """
    if not any(token in logprobs for token in group):
        return None
    least = min(logprobs.values())
    values = [logprobs.get(token, least) for token in group]
    top = max(values)
    if top == -math.inf:
        return None
    raw = [math.exp(value - top) for value in values]
    return [value / sum(raw) for value in raw]


def decision_of(logprobs: Mapping[str, float]) -> tuple[float, float, float] | None:
    """Search, none, go on with the evidence: as `Critic.retrieve`, from the token that stands where that is decided."""
    found = within(_bare(logprobs), RETRIEVE)
    return None if found is None else (found[0], found[1], found[2])


def critique_of(tokens: Sequence[Token]) -> tuple[Critique, float | None]:
    """The judgements in a segment that a model wrote with its reflection tokens, and the mean log-probability of its words.

    Relevance is judged before the words, support and usefulness behind them. Where the model wrote no such token there, or one before
    its time, the group is read at the place where it should stand, if its probabilities are listed.
    """
    words = [place for place, token in enumerate(tokens) if not _is_mark(token.text)]
    if not words:
        return Critique(), None
    first, last = words[0], words[-1]
    relevant = _read(tokens[: first + 1], RELEVANT)
    supported = _read(tokens[last + 1 :], SUPPORTED)
    useful = _read(tokens[last + 1 :][::-1], USEFUL)
    mean = sum(tokens[place].logprob for place in words) / len(words)
    return (
        Critique(
            None if relevant is None else relevant[0],
            None if supported is None else Support(*supported),
            None if useful is None else (useful[0], useful[1], useful[2], useful[3], useful[4]),
        ),
        mean,
    )


def _is_mark(text: str) -> bool:
    return text.strip() in TOKENS or not text


def _read(tokens: Sequence[Token], group: Sequence[str]) -> list[float] | None:
    """The group where one of its tokens was written, else at the first place that lists it."""
    written = [token for token in tokens if token.text.strip() in group]
    for token in (*written, *tokens):
        listed = _bare(token.top)
        if token.text.strip() in group:
            listed.setdefault(token.text.strip(), token.logprob)
        if (found := within(listed, group)) is not None:
            return found
    return None


def _bare(logprobs: Mapping[str, float]) -> dict[str, float]:
    """Without the space that many vocabularies put before a token; of two that are then alike the likelier."""
    found: dict[str, float] = {}
    for text, value in logprobs.items():
        found[text.strip()] = max(value, found.get(text.strip(), -math.inf))
    return found


def supports(rows: Vectors) -> list[Support]:
    """What an `Entailment` says, as records."""
    at = [SUPPORT.index(level) for level in ("fully", "partly", "no")]
    return [Support(*(float(row[place]) for place in at)) for row in rows]
