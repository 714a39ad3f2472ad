"""Votes to training examples: what people said of answers, bounded so that nobody alone decides, and kept out of the exam."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.artifacts import write_records
from selfstudy.core.files import read_json
from selfstudy.core.records import Artifact, Example, Hit, Passage, Split, digest
from selfstudy.core.run import Work, stage
from selfstudy.core.studied import kept_of, passages_of
from selfstudy.core.text import MARKS, contains, normal, stems
from selfstudy.recipes.ledger import NAME, Ledger, Vote
from selfstudy.synth.splits import split_groups

PEOPLE = "people"
"""The writer of questions that people asked."""
_NAMED, _CITED, _OPENED = 2, 1, 1
"""What a vote says for a passage that it names or whose words it gives, for the one that an answer voted up rests on; what a click says."""
_COMPARED = 5
"""Questions that others voted on too, below which nothing is said about a user's agreement with them."""
_NEAR = 0.7
"""Jaccard similarity of stems from which two questions are near copies."""


class Votes(BaseModel):
    """How votes become examples."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(True, description="whether `adapt` learns from votes")
    clicks: bool = Field(False, description="whether the sources that people opened count as weak votes")
    minimum: int = Field(40, ge=2, description="fewer questions that people judged are kept and not learned from: they can prove nothing")
    per_user: int = Field(100, ge=1, description="most votes of one user that count, the newest")
    per_passage: int = Field(5, ge=1, description="most votes of one user for one passage that count")
    most_weight: int = Field(3, ge=1, description="how often a question of people comes at most where a written one comes once")
    folds: int = Field(4, ge=2, description="parts of the votes; what is learned from the others must help with each")


@dataclass(frozen=True, slots=True)
class Judged:
    """What votes came to: `examples` of all splits, those of the exam's documents too; `asked`: every question that was voted on.

    By the id of the example, `shown` are the passages that the first who saw the one chosen was shown, in that order, and `voters` who that
    was; nothing where it was not shown.
    """

    examples: tuple[Example, ...]
    shown: dict[str, tuple[str, ...]]
    voters: dict[str, str]
    asked: tuple[str, ...]
    report: dict[str, int]


def votes_of(home: Path, clicks: bool = False) -> list[Vote]:
    """Every vote of a home, oldest first, after its clicks where these are wanted; none where nobody was ever asked."""
    if not (home / NAME).exists():
        return []
    return [*(Ledger(home).clicks() if clicks else ()), *Ledger(home).votes()]


def key_of(votes: Sequence[Vote]) -> str:
    """Equal for equal votes."""
    return digest("votes", *(repr(vote) for vote in votes))


def judged(votes: Sequence[Vote], passages: Mapping[str, Passage], groups: Mapping[str, str], config: Votes, seed: int = 0) -> Judged:
    """One example for each question that people agree on. `groups` are those of all passages; they decide the split, as for any question.

    Evidence is the passage with the largest sum of votes, if that is above 0 and no other has as much; passages that are voted down are its
    distractors. Its `weight` is that sum. What is left out is counted by its reason.
    """
    splits = split_groups(groups, seed)
    report: Counter[str] = Counter()
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    about: dict[str, list[Vote]] = defaultdict(list)
    for vote in _bounded([_named(vote, passages) for vote in votes], config, report):
        question = normal(vote.asked.question)
        about[question].append(vote)
        for passage, weight in _said(vote):
            sums[question][passage] += weight
    examples = []
    shown: dict[str, tuple[str, ...]] = {}
    voters: dict[str, str] = {}
    for question, said in sums.items():
        known = Counter({id: weight for id, weight in said.items() if id in passages})
        ranked = known.most_common(2)
        if not ranked or ranked[0][1] <= 0:
            report["left out: no passage was voted for"] += 1
        elif len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
            report["left out: people disagree"] += 1
        else:
            examples.append(_example(question, about[question], known, passages, groups, splits, config))
            id, right = examples[-1].id, ranked[0][0]
            first = next((vote for vote in reversed(about[question]) if right in vote.asked.passages), about[question][-1])
            seen = tuple(dict.fromkeys(one for one in first.asked.passages if one in passages))
            shown[id], voters[id] = seen if right in seen else (), first.user
            report["learned from" if examples[-1].split != "exam" else "about a document of the exam"] += 1
            if all(vote.verdict == "click" for vote in about[question]):
                report["from clicks alone"] += 1
    return Judged(tuple(examples), shown, voters, tuple(sorted({vote.asked.question for vote in votes})), dict(report))


def _said(vote: Vote) -> Iterator[tuple[str, int]]:
    """What a vote says for and against passages."""
    if vote.verdict == "click":
        yield vote.passage, _OPENED
        return
    if vote.passage:
        yield vote.passage, _NAMED
    elif vote.verdict == "up" and vote.asked.cited:
        yield vote.asked.cited[0], _CITED
    if vote.verdict == "down":
        yield from ((cited, -_CITED) for cited in vote.asked.cited if cited != vote.passage)


def _named(vote: Vote, passages: Mapping[str, Passage]) -> Vote:
    """A vote that corrects the answer and names no passage names the first one found that has those words, if there is any."""
    if vote.passage or not vote.corrected:
        return vote
    wanted = normal(vote.corrected)
    found = (id for id in vote.asked.passages if id in passages and contains(normal(passages[id].indexed), wanted))
    return replace(vote, passage=next(found, ""))


def _bounded(votes: Sequence[Vote], config: Votes, report: Counter[str]) -> Iterator[Vote]:
    """The votes that count, of each user one on each question: no user has too many, none brings up one passage again and again, none
    contradicts most others.
    """
    outliers = _outliers(votes)
    judged = {(normal(vote.asked.question), vote.user) for vote in votes if vote.verdict != "click"}
    before: set[tuple[str, str, str]] = set()
    by_user: Counter[tuple[str, bool]] = Counter()
    by_passage: Counter[tuple[str, str]] = Counter()
    for vote in reversed(votes):  # the newest first
        clicked = vote.verdict == "click"
        question = normal(vote.asked.question)
        if (said := (question, vote.user, vote.passage if clicked else "")) in before:
            report["left out: the same user judged this question again later"] += 1
            continue
        before.add(said)
        by_user[vote.user, clicked] += 1
        by_passage[vote.user, vote.passage] += 1
        if clicked and (question, vote.user) in judged:
            report["left out: a click on an answer that the same user judged"] += 1
        elif vote.user in outliers:
            report["left out: by a user who contradicts most others"] += 1
        elif by_user[vote.user, clicked] > config.per_user:
            report["left out: too many by one user"] += 1
        elif vote.passage and by_passage[vote.user, vote.passage] > config.per_passage:
            report["left out: one passage too often by one user"] += 1
        else:
            yield vote


def _outliers(votes: Sequence[Vote]) -> set[str]:
    """Users whose verdicts on answers with equal words differ from what most others say on more than half of the questions."""
    said: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for vote in votes:
        if vote.verdict != "click":
            said[normal(vote.asked.question), vote.asked.answer][vote.user] = vote.verdict
    compared: Counter[str] = Counter()
    against: Counter[str] = Counter()
    for verdicts in said.values():
        counts = Counter(verdicts.values())
        for user, verdict in verdicts.items():
            same = counts[verdict] - 1
            other = counts.total() - counts[verdict]
            if same != other:  # the others have a mind of their own
                compared[user] += 1
                against[user] += other > same
    return {user for user, count in compared.items() if count >= _COMPARED and against[user] > count / 2}


def _example(
    question: str,
    votes: Sequence[Vote],
    sums: Counter[str],
    passages: Mapping[str, Passage],
    groups: Mapping[str, str],
    splits: Mapping[str, Split],
    config: Votes,
) -> Example:
    (right, weight), *_ = sums.most_common(1)
    corrected = [vote.corrected for vote in votes if vote.corrected]
    praised = [MARKS.sub("", vote.asked.answer).strip() for vote in votes if vote.verdict == "up" and vote.asked.answer]
    source = passages[right]
    down = [id for id, sum in sums.items() if sum < 0 and not passages[id].shares(source)]
    group = groups[right]
    return Example(
        id=digest("people", question),
        question=votes[0].asked.question,
        answers=tuple(dict.fromkeys(corrected or praised)),
        evidence=(Hit(source, 1.0, PEOPLE),),
        distractors=tuple(Hit(passages[id], 0.0, PEOPLE) for id in sorted(down)),
        writer=PEOPLE,
        group=group,
        split=splits[group],
        weight=min(weight, config.most_weight),
    )


@stage("study.voted", version=2)
def voted(work: Work, config: Votes, kept: Artifact, studied: Artifact, seed: int, votes: Sequence[Vote]) -> dict[str, int]:
    """`kept.jsonl`: the questions of `kept` and those of people, in one; `exam.jsonl`: people's about the exam's documents, which nothing
    learns from. A question of the exam that nearly repeats one that was voted on is left out.
    """
    passages = {passage.id: passage for passage in passages_of(studied)}
    found = judged(votes, passages, read_json(studied.path / "groups.json"), config, seed)
    written = kept_of(kept)
    near = near_copies([one.question for one in written if one.split == "exam"], found.asked)
    apart = [one for one in written if one.split != "exam" or one.question not in near]
    write_records(work.folder / "kept.jsonl", [*apart, *(one for one in found.examples if one.split != "exam")])
    write_records(work.folder / "exam.jsonl", [one for one in found.examples if one.split == "exam"])
    return found.report | {"taken out of the exam": len(written) - len(apart)}


def near_copies(questions: Sequence[str], asked: Iterable[str]) -> set[str]:
    """Those of `questions` that say nearly the same as one of `asked`: equal words, or most stems in common."""
    asked = list(asked)
    equal = {normal(one) for one in asked}
    sizes = [len(stems(one)) for one in asked]
    having: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(asked):
        for stem in stems(one):
            having[stem].append(place)

    def repeats(question: str) -> bool:
        words = stems(question)
        shared = Counter(place for stem in words for place in having.get(stem, ()))
        return any(common >= _NEAR * (len(words) + sizes[place] - common) for place, common in shared.items())

    return {question for question in questions if normal(question) in equal or repeats(question)}
