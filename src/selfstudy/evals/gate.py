"""The gate: whether a tuned model may go live. It must be proven better on the exam and proven not to be worse elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.records import Difference, Record
from selfstudy.evals import wording
from selfstudy.evals.paired import compare

BeforeAfter = tuple[ArrayLike, ArrayLike]
"""One value per question, before and after, for the same questions in the same order."""


class Gate(BaseModel):
    """What a tuned model must prove. Margins are differences of MRR@10."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alpha: float = Field(0.05, gt=0, lt=1, description="how likely a gain by chance may be, over all candidates that one exam judges")
    guard_margin: float = Field(0.03, ge=0, description="how much worse the guard, unseen writers and own questions may be at most")
    hybrid_margin: float = Field(0.03, ge=0, description="how much worse hybrid search may be at most")
    unanswerable_margin: float = Field(
        0.1, ge=0, description="how much less often a generator may say so where passages hold no answer, at most (0 to 1)"
    )
    int8_margin: float = Field(0.005, ge=0, description="how much nDCG@10 of the exam a model in int8 may lose at most")
    minimum_exam: int = Field(30, ge=2, description="fewer exam questions prove nothing")
    minimum_unseen: int = Field(20, ge=2, description="fewer exam questions of writers that training never saw prove nothing")
    minimum_general: int = Field(20, ge=2, description="fewer general conversations prove nothing")
    minimum_own: int = Field(20, ge=2, description="fewer questions of the user's own are shown and not judged")


@dataclass(frozen=True, slots=True)
class Check(Record):
    """One condition: what was needed, the difference that was found (None where there are too few questions), and whether it holds."""

    name: str
    passed: bool
    difference: Difference | None
    needed: str


@dataclass(frozen=True, slots=True)
class Verdict(Record):
    """Whether the model goes live, why in a sentence, and every condition that was looked at."""

    promote: bool
    reason: str
    checks: tuple[Check, ...]


def judge(
    gate: Gate,
    *,
    dense: BeforeAfter,
    hybrid: BeforeAfter,
    writers: Sequence[str],
    unseen: Collection[str],
    guard: BeforeAfter,
    own: BeforeAfter | None = None,
    votes: BeforeAfter | None = None,
    candidates: int = 1,
) -> Verdict:
    """The verdict on a candidate from reciprocal ranks (cut at 10) per question, before and after.

    `dense`, `hybrid` and `writers` speak of the same exam questions; `unseen` names the writers that training never saw; `own` are the
    user's labelled questions; `votes`, for a candidate that learned from them, what `judge_votes` judged: where people's own questions
    prove the gain, the exam's, which rules wrote, need only hold. `candidates` is the number of candidates that this exam has judged, this
    one included: the k-th may spend alpha / (k (k + 1)), which sums to alpha over however many will come.
    An exam below `gate.minimum_exam` refuses at once. Raises ValueError where lengths do not fit.
    """
    n = len(writers)
    if any(len(np.asarray(side)) != n for side in (*dense, *hybrid)):
        raise ValueError("dense, hybrid and writers must speak of the same exam questions")
    if candidates < 1:
        raise ValueError("candidates counts the one that is judged now, so it is 1 or more")

    def proofs() -> Iterator[Check]:
        gain = _gain("gain", dense, gate, candidates)
        people = _gain("votes", votes, gate, candidates) if votes is not None and not gain.passed else None
        by_people = people is not None and people.passed
        yield _not_worse("gain", dense, gate.hybrid_margin) if by_people else gain
        if people is not None and people.passed:
            yield people
        yield _not_worse("hybrid", hybrid, gate.hybrid_margin)
        yield _unseen(gate, dense, writers, unseen, by_people)
        yield _not_worse("guard", guard, gate.guard_margin)
        yield from _own(gate, own)

    kept = f"are not worse by {max(gate.hybrid_margin, gate.guard_margin):g} or more"

    def promoted(found: Mapping[str, str]) -> str:
        if votes is not None and "votes" in found:
            people = f"on {len(np.asarray(votes[0]))} questions of people what votes teach changes {_OUTRANKED.lower()} by {found['votes']}"
            return f"Promoted: {people}, and the exam and the guard {kept}."
        rest = ", the guard and your own questions" if own is not None else " and the guard"
        gain = f"on {n} exam questions dense MRR@10 changes by {found['gain']}"
        return f"Promoted: {gain}, and hybrid search, unseen writers{rest} {kept}."

    return _verdict(_size(gate, n), proofs(), promoted)


def judge_votes(gate: Gate, votes: BeforeAfter, minimum: int) -> Verdict:
    """Whether votes are learned from: for each question how far above chance the passage that people chose stands among those that they
    were shown, without and with what other people's votes taught.

    It must stand above chance with them (people who are wrong in the same way teach one another, too), and higher than without. Fewer
    than `minimum` prove nothing.
    """
    n = len(np.asarray(votes[0]))
    size = Check("votes size", n >= minimum, None, f"at least {minimum} questions that people agree on are needed, and there are {n}")

    def proofs() -> Iterator[Check]:
        yield _gain("votes", votes, gate, 1)
        chosen = compare(np.zeros(n), votes[1])
        yield Check("choices", chosen.low > 0, chosen, "an interval wholly above 0")

    def promoted(found: Mapping[str, str]) -> str:
        return f"Votes teach: {_OUTRANKED.lower()} changes by {found['votes']}."

    return _verdict(size, proofs(), promoted, _OUTRANKED, "Votes are kept and not learned from")


def judge_answers(gate: Gate, *, answers: BeforeAfter, unanswerable: BeforeAfter, general: BeforeAfter, candidates: int = 1) -> Verdict:
    """The verdict on a tuned generator from the score of each answer (0 to 1), before and after, both over the same passages.

    `answers` are those to exam questions about the documents; `unanswerable` is 1 where the passages that hold the answer were kept from
    the generator and it said that there is none, which one that is tuned to answer forgets; `general` are those of conversations that
    were kept out of its training: what it must not have forgotten. `candidates` as for `judge`.
    """
    n, there = len(np.asarray(answers[0])), len(np.asarray(general[0]))

    def proofs() -> Iterator[Check]:
        yield _gain("answers", answers, gate, candidates)
        yield _not_worse("unanswerable", unanswerable, gate.unanswerable_margin)
        needed = f"at least {gate.minimum_general} of them are needed, and there are {there}"
        enough = there >= gate.minimum_general
        yield _not_worse("general", general, gate.guard_margin) if enough else Check("general", False, None, needed)

    def promoted(found: Mapping[str, str]) -> str:
        kept = "unanswerable questions and general conversations hold"
        return f"Promoted: on {n} exam questions the score of answers changes by {found['answers']}, and {kept}."

    return _verdict(_size(gate, n), proofs(), promoted, "The score of answers")


def judge_reranker(
    gate: Gate,
    *,
    hybrid: BeforeAfter,
    writers: Sequence[str],
    unseen: Collection[str],
    guard: BeforeAfter,
    own: BeforeAfter | None = None,
    candidates: int = 1,
    trained: bool = True,
) -> Verdict:
    """The verdict on a reranker from reciprocal ranks of hybrid search without and with it; the rest as for `judge`.

    One that was `trained` here must be proven to pay. What the starter's is worth was measured on people's questions about other documents
    (LOG.md), and written questions hardly show it: it need only be proven to lose less than the margins.
    """
    n = len(writers)

    def proofs() -> Iterator[Check]:
        if trained:
            yield _gain("reranked", hybrid, gate, candidates)
            yield _unseen(gate, hybrid, writers, unseen)
        else:
            yield _not_worse("reranked", hybrid, gate.hybrid_margin)
        yield _not_worse("guard", guard, gate.guard_margin)
        yield from _own(gate, own)

    def promoted(found: Mapping[str, str]) -> str:
        return f"Promoted: on {n} exam questions MRR@10 of hybrid search changes by {found['reranked']}, and the rest holds."

    return _verdict(_size(gate, n), proofs(), promoted)


def judge_int8(gate: Gate, *, dense: BeforeAfter, hybrid: BeforeAfter, guard: BeforeAfter) -> Verdict:
    """The verdict on the embedder in int8 from nDCG@10 per question, in full precision and in int8: it need only be proven to lose little.

    `dense` and `hybrid` are of the exam's questions, `guard` of everyday ones.
    """
    n = len(np.asarray(dense[0]))

    def proofs() -> Iterator[Check]:
        yield _not_worse("dense", dense, gate.int8_margin)
        yield _not_worse("hybrid", hybrid, gate.int8_margin)
        yield _not_worse("guard", guard, gate.guard_margin)

    def promoted(found: Mapping[str, str]) -> str:
        lost = f"nDCG@10 of dense search over {n} exam questions changes by {found['dense']}"
        return f"Promoted: in int8, {lost}, and the rest holds."

    return _verdict(_size(gate, n), proofs(), promoted, "In int8, nDCG@10")


def judge_imitation(gate: Gate, *, dense: BeforeAfter, guard: BeforeAfter, candidates: int = 1) -> Verdict:
    """The verdict on imitated words beside meaning from reciprocal ranks of dense search without and with them; the rest as for `judge`.

    They learn from no question, so that no writer's are more foreign to them than another's.
    """
    n = len(np.asarray(dense[0]))

    def proofs() -> Iterator[Check]:
        yield _gain("gain", dense, gate, candidates)
        yield _not_worse("guard", guard, gate.guard_margin)

    def promoted(found: Mapping[str, str]) -> str:
        return f"Promoted: on {n} exam questions MRR@10 of dense search changes by {found['gain']}, and the guard holds."

    return _verdict(_size(gate, n), proofs(), promoted)


def judge_sentences(gate: Gate, *, dense: BeforeAfter, hybrid: BeforeAfter, guard: BeforeAfter, own: BeforeAfter | None = None) -> Verdict:
    """The verdict on putting passages in order by their sentences from reciprocal ranks without and with that.

    Nothing is learned here that could be wrong about these documents alone: that it finds more was measured on people's questions about
    others (LOG.md), and written questions, most of which are answered first anyway, hardly show it. So it need only be proven to lose
    less than the margins.
    """
    n = len(np.asarray(dense[0]))

    def proofs() -> Iterator[Check]:
        yield _not_worse("dense", dense, gate.hybrid_margin)
        yield _not_worse("hybrid", hybrid, gate.hybrid_margin)
        yield _not_worse("guard", guard, gate.guard_margin)
        yield from _own(gate, own)

    def promoted(found: Mapping[str, str]) -> str:
        told = f"MRR@10 changes by {found['dense']} in dense and by {found['hybrid']} in hybrid search"
        return f"Promoted: on {n} exam questions {told}, and the guard holds."

    return _verdict(_size(gate, n), proofs(), promoted)


def by_writer(before: ArrayLike, after: ArrayLike, writers: Sequence[str]) -> dict[str, Difference]:
    """The paired difference on the questions of each writer, by name: a gain only on trained writers is not a gain."""
    names = np.asarray(writers, object)
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    return {name: compare(first[names == name], second[names == name]) for name in sorted(set(writers))}


def _verdict(
    size: Check, proofs: Iterable[Check], promoted: Callable[[Mapping[str, str]], str], metric: str = "MRR@10", refused: str = "Refused"
) -> Verdict:
    """Every check must hold; of too few questions none but `size` is looked at. `promoted` is told each difference in words, by check."""
    checks = (size, *proofs) if size.passed else (size,)
    if failed := [check for check in checks if not check.passed]:
        return Verdict(False, f"{refused}: {_failing(failed, metric)}.", checks)
    return Verdict(True, promoted({check.name: wording.difference(check.difference) for check in checks if check.difference}), checks)


def _unseen(gate: Gate, ranks: BeforeAfter, writers: Sequence[str], unseen: Collection[str], by_people: bool = False) -> Check:
    """No loss, proven, on the questions of writers that training never saw; a gain too, unless people's questions prove one."""
    mask = np.fromiter((writer in unseen for writer in writers), bool, len(writers))
    count = int(mask.sum())
    if count < gate.minimum_unseen:
        needed = f"at least {gate.minimum_unseen} of them in the exam are needed, and there are {count}"
        return Check("unseen writers", False, None, needed)
    foreign = compare(np.asarray(ranks[0])[mask], np.asarray(ranks[1])[mask])
    held = foreign.low > -gate.guard_margin
    needed = f"an interval above {wording.signed(-gate.guard_margin)}"
    if by_people:
        return Check("unseen writers", held, foreign, needed)
    return Check("unseen writers", held and foreign.value > 0, foreign, f"a mean above 0 and {needed}")


def _size(gate: Gate, n: int) -> Check:
    """Whether there are enough exam questions to prove anything."""
    return Check("exam size", n >= gate.minimum_exam, None, f"at least {gate.minimum_exam} questions are needed, and there are {n}")


def _own(gate: Gate, own: BeforeAfter | None) -> Iterator[Check]:
    if own is not None and len(np.asarray(own[0])):
        check = _not_worse("own questions", own, gate.guard_margin)
        few = len(np.asarray(own[0])) < gate.minimum_own
        yield Check(check.name, True, check.difference, f"shown only: fewer than {gate.minimum_own}") if few else check


def _gain(name: str, pair: BeforeAfter, gate: Gate, candidates: int) -> Check:
    """Proven to be better; later candidates of one exam need more."""
    found = compare(*pair)
    alpha = gate.alpha / (candidates * (candidates + 1))  # sums to gate.alpha over however many candidates will come
    over = f" (candidate {candidates} of this exam)" if candidates > 1 else ""
    return Check(name, found.low > 0 and found.p <= alpha, found, f"an interval wholly above 0 and p <= {alpha:.3g}{over}")


def _not_worse(name: str, pair: BeforeAfter, margin: float) -> Check:
    """Proven not to be worse by `margin` or more: 'not significantly worse' is also what too few questions look like."""
    found = compare(*pair)
    return Check(name, found.low > -margin, found, f"an interval above {wording.signed(-margin)}")


_PLACES = {
    "exam size": "the exam",
    "gain": "dense search over the exam",
    "dense": "dense search over the exam",
    "hybrid": "hybrid search over the exam",
    "unseen writers": "questions of writers that training never saw",
    "guard": "everyday questions (the guard)",
    "own questions": "your own questions",
    "votes size": "questions that people voted on",
    "votes": "questions that people voted on",
    "choices": "these, beside a choice by place alone,",
    "reranked": "reranked search over the exam",
    "answers": "questions of the exam",
    "unanswerable": "questions whose answer was withheld",
    "general": "general conversations",
}


_OUTRANKED = "The share of passages shown that the chosen one outranks"


def _failing(failed: Sequence[Check], metric: str) -> str:
    told = [f"on {_PLACES[one.name]} by {wording.difference(one.difference)}, and needs {one.needed}" for one in failed if one.difference]
    told[:1] = [f"{metric} changes {first}" for first in told[:1]]
    told += [f"{_PLACES[one.name]} can prove nothing: {one.needed}" for one in failed if not one.difference]
    return "; ".join(told)
