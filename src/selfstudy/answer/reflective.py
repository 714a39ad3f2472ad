"""Self-reflective answering (Self-RAG, arXiv 2310.11511): one sentence at a time, each weighed beside its passage, by a beam over sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.answer import beam
from selfstudy.answer.ask import not_found
from selfstudy.answer.assembled import assembled
from selfstudy.answer.bounded import Calls, Ended
from selfstudy.answer.scoring import Weights, closed, needs_search, score
from selfstudy.answer.speaking import NO_ROOM, Decision, Next, Proposal, Segment, Speaker
from selfstudy.core.choices import matched
from selfstudy.core.errors import Stopped
from selfstudy.core.fold import fold
from selfstudy.core.injection import aimed_at_models
from selfstudy.core.ports import Retriever
from selfstudy.core.records import Answer, Candidate, Critique, Hit, Mode, Passage, Step, Tree
from selfstudy.core.text import normal

Path = beam.Path[Segment]
_LEVELS = ("nothing", "partly", "fully")
_AGAIN = "nothing relevant was found, so that other words were searched for"


class Reflect(BaseModel):
    """How an answer is weighed while it is written; the defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field("plain", description="reflective: search where it is needed; always; never; plain: one answer over one search")
    threshold: float = Field(0.2, ge=0, le=1, description="search where the probability that it is needed is above this; 0: always")
    beam: int = Field(2, ge=1, description="paths that are kept")
    passages: int = Field(5, ge=1, description="passages that each sentence is tried with")
    max_segments: int = Field(7, ge=1, description="most sentences")
    max_tokens: int = Field(100, ge=8, description="most tokens of a sentence; a longer one is not said")
    weights: Weights = Field(default_factory=Weights)
    require: Literal["nothing", "partly", "fully"] = Field("nothing", description="a sentence with less support is not said")
    unsupported: Literal["mark", "leave out"] = Field("mark", description="what becomes of a sentence that no passage supports")
    calls: int = Field(
        100,
        ge=1,
        description="most calls of `llm` for one answer, judgements included; then what is finished is said. A model with "
        "reflection tokens that is loaded here has no such limit",
    )
    rewrites: int = Field(1, ge=0, description="how often a question that found nothing relevant is searched for in other words")
    tokens: bool = Field(False, description="`llm` behind an endpoint was tuned with reflection tokens and continues a begun reply")


def reflect(
    question: str,
    retriever: Retriever,
    speaker: Speaker,
    cfg: Reflect,
    where: str | None = None,
    choices: Sequence[str] = (),
    reword: Callable[[str], str] | None = None,
    calls: Calls | None = None,
) -> Answer:
    """The answer of the best path, with the whole tree; or an abstention where nothing may be said. With `choices` one of them.

    After a wish to stop, and where no more `calls` may be made: what was finished. Raises Stopped where nothing was, and what retriever and
    speaker raise.
    """
    calls = calls or Calls()
    growing = _Growing(question, retriever, speaker, cfg, where, choices, reword, calls)
    path = beam.search(growing.expand, cfg.beam, 1 if choices else cfg.max_segments)
    if growing.ended is not None and not path.segments:
        raise Stopped(growing.ended.problem, growing.ended.mend)
    notes = [growing.ended.note] if growing.ended is not None else []
    notes += [f"the answer ended: {NO_ROOM}"] if growing.crowded(path) else []
    if choices:
        path, found = _closed(growing, choices)
        notes += found
    text, citations, confidence, more = assembled(question, path.segments, growing.told, cfg.unsupported == "mark")
    if not citations and growing.in_vain:
        text, more = "", [*more, "nothing relevant was found, and nothing that was said is supported"]
    tree = Tree(
        cfg.mode, question, cfg.weights.model_dump(), cfg.threshold, cfg.beam, tuple(growing.steps),
        tuple(one.candidate.id for one in path.segments), calls.made,
    )  # fmt: skip
    return Answer(
        question, text or not_found(question), citations, tuple(growing.hits.values()), confidence, not text, tree=tree,
        notes=(*growing.notes, *notes, *more),
    )  # fmt: skip


class _Growing:
    """The tree as it grows."""

    def __init__(
        self, question: str, retriever: Retriever, speaker: Speaker, cfg: Reflect, where: str | None, choices: Sequence[str],
        reword: Callable[[str], str] | None, calls: Calls,
    ) -> None:  # fmt: skip
        self.question, self.retriever, self.speaker, self.cfg, self.where = question, retriever, speaker, cfg, where
        self.choices, self.reword, self.calls = choices, reword, calls
        self.ended: Ended | None = None
        self.sought = question
        self.searched = self.helped = False
        self.steps: list[Step] = []
        self.told: list[list[Segment]] = []
        self.hits: dict[str, Hit] = {}
        self.notes: list[str] = []
        self.count = 0

    def expand(self, paths: Sequence[Path]) -> list[list[Segment]]:
        """What can be said next behind each path; nothing any more once no call may be made."""
        try:
            return self._grown(paths)
        except Ended as ended:
            self.ended = ended
            return [[] for _ in paths]

    def _grown(self, paths: Sequence[Path]) -> list[list[Segment]]:
        """A search for all paths, then a batch for all."""
        decisions = self._decisions(paths)
        same = [_goes_on(path, decision) for path, decision in zip(paths, decisions, strict=True)]
        wants = [not keeps and self._searches(decision) for keeps, decision in zip(same, decisions, strict=True)]
        queries = [self._query(path) if wanted else "" for path, wanted in zip(paths, wants, strict=True)]
        found = self._search(queries)
        proposed = self._propose(paths, found, same)
        for _ in range(self.cfg.rewrites if self.reword is not None and not self.steps and wants[0] else 0):
            if any(_helps(one) for _, one in proposed[0]):
                break
            assert self.reword is not None
            self._step(paths[0], decisions[0], queries[0], proposed[0], same[0], _AGAIN)
            self.calls.check()
            self.sought = self.reword(self.sought)
            self.notes.append(f"nothing relevant was found; searched again for: {self.sought}")
            queries, found = [self.sought], self._search([self.sought])
            proposed = self._propose(paths, found, same)
        self.searched |= any(wants)
        self.helped |= any(_helps(one) for wanted, ones in zip(wants, proposed, strict=True) if wanted for _, one in ones)
        return [self._step(*one) for one in zip(paths, decisions, queries, proposed, same, strict=True)]

    def _step(
        self, path: Path, decision: Decision | None, query: str, ones: Sequence[tuple[Passage | None, Proposal]], same: bool, why: str = ""
    ) -> list[Segment]:
        """Note how a path could go on; returns what can be said behind it. With `why` not, none of it can."""
        told = [self._told(path, passage, proposal, same, why) for passage, proposal in ones]
        told = told if self.choices else _folded(told)
        complete = sum(proposal.done and bool(proposal.fault) for _, proposal in ones)
        closed = not why and complete * 2 > len(ones)
        parent = path.segments[-1].candidate.id if path.segments else None
        needed, proceed = (None, None) if decision is None else (needs_search(decision), decision[2])
        self.steps.append(Step(parent, needed, proceed, query, tuple(one.candidate for one in told), closed))
        self.told.append([one for one in told if not one.candidate.left_out])
        return [] if closed else self.told[-1]

    @property
    def in_vain(self) -> bool:
        """Whether there were searches, and none found what was thought relevant."""
        return self.searched and not self.helped

    def crowded(self, path: Path) -> bool:
        """Whether nothing could follow for want of room."""
        last = path.segments[-1].candidate.id if path.segments else None
        left_out = [one.left_out for step in self.steps if step.parent == last for one in step.candidates]
        return NO_ROOM in left_out and all(left_out)

    def _decisions(self, paths: Sequence[Path]) -> list[Decision | None]:
        if self.cfg.mode in ("always", "never"):
            return [None] * len(paths)
        known = [path.segments[-1].following if path.segments else None for path in paths]
        open_ones = [path.segments for path, one in zip(paths, known, strict=True) if one is None]
        self.calls.check()
        asked = iter(self.speaker.decide(self.question, open_ones) if open_ones else ())
        return [one if one is not None else next(asked) for one in known]

    def _searches(self, decision: Decision | None) -> bool:
        if self.cfg.mode == "never":
            return False
        return decision is None or self.cfg.threshold == 0 or needs_search(decision) > self.cfg.threshold

    def _query(self, path: Path) -> str:
        return " ".join([self.sought, *(one.candidate.text for one in path.segments[-1:])])

    def _search(self, queries: Sequence[str]) -> list[list[Passage] | None]:
        """The passages for each query; None where nothing was searched."""
        asked = list(dict.fromkeys(query for query in queries if query))
        self.calls.check()
        found = dict(zip(asked, self.retriever.search(asked, 2 * self.cfg.passages, self.where) if asked else [], strict=True))
        shown: dict[str, list[Passage]] = {}
        for query, hits in found.items():
            best = fold(hits, self.cfg.passages)
            for hit in best:
                self.hits.setdefault(hit.passage.id, hit)
            shown[query] = [hit.passage for hit in best]
        return [shown[query] if query else None for query in queries]

    def _propose(
        self, paths: Sequence[Path], found: Sequence[list[Passage] | None], same: Sequence[bool]
    ) -> list[list[tuple[Passage | None, Proposal]]]:
        """For each path a sentence for each of its passages; one without a passage where nothing was searched."""
        wanted: list[list[Next]] = []
        for path, passages, keeps in zip(paths, found, same, strict=True):
            shown: Sequence[Passage | None] = [path.segments[-1].passage] if keeps else [None] if passages is None else passages
            wanted.append([Next(path.segments, passage, keeps) for passage in shown])
        flat = [one for ones in wanted for one in ones]
        self.calls.check()
        made = iter(self.speaker.propose(self.question, flat, self.choices, self.cfg.max_tokens) if flat else ())
        return [[(one.passage, next(made)) for one in ones] for ones in wanted]

    def _told(self, path: Path, passage: Passage | None, one: Proposal, same: bool, why: str) -> Segment:
        left_out = one.fault or why or self._refused(path, passage, one)
        critique = one.critique
        candidate = Candidate(
            self.count, one.text, passage.id if passage is not None else None, one.logprob, critique.relevant, critique.supported,
            critique.useful, score(one.logprob, critique, self.cfg.weights), left_out, one.done,
        )  # fmt: skip
        self.count += 1
        return Segment(candidate, passage, one.following, same)

    def _refused(self, path: Path, passage: Passage | None, one: Proposal) -> str:
        """Why a sentence may not be said; "" where it may."""
        if not any(char.isalnum() for char in one.text):
            return "it says nothing"
        if normal(one.text) in [normal(before.candidate.text) for before in path.segments]:
            return "it was said already"
        if aimed_at_models(one.text):
            return "it speaks to models"
        if self.choices and matched(one.text, self.choices) is None:
            return "it is none of the choices"
        if _LEVELS.index(self.cfg.require) > _level(one.critique, passage):
            return f"it is not {self.cfg.require} supported"
        return ""


def _folded(told: Sequence[Segment]) -> list[Segment]:
    """Equal sentences said once: by the best of them, which has the others in `also`."""
    alike: dict[str, list[Segment]] = {}
    for one in told:
        if not one.candidate.left_out:
            alike.setdefault(" ".join(one.candidate.text.split()), []).append(one)  # not `normal`, to which -5 is 5
    found = {one.candidate.id: one for one in told}
    for ones in alike.values():
        best, *others = sorted(ones, key=lambda one: -one.score)
        found[best.candidate.id] = replace(best, also=tuple(others))
        for one in others:
            note = f"candidate {best.candidate.id} says the same"
            found[one.candidate.id] = replace(one, candidate=replace(one.candidate, left_out=note))
    return list(found.values())


def _level(critique: Critique, passage: Passage | None) -> int:
    """The likeliest support as a place in _LEVELS; without a passage, or without anybody's judgement, none."""
    supported = critique.supported
    if passage is None or supported is None:
        return 0
    return 2 if supported.fully >= max(supported.partly, supported.no) else 1 if supported.partly >= supported.no else 0


def _goes_on(path: Path, decision: Decision | None) -> bool:
    """Whether the evidence of the last sentence goes further: likelier than a search and than none."""
    return bool(path.segments) and path.segments[-1].passage is not None and decision is not None and decision[2] > max(decision[:2])


def _helps(one: Proposal) -> bool:
    return not one.fault and (one.critique.relevant is None or one.critique.relevant >= 0.5)


def _closed(growing: _Growing, choices: Sequence[str]) -> tuple[Path, list[str]]:
    """The choice whose scores have the largest sum over passages, said by its best candidate."""
    said = [(str(matched(one.candidate.text, choices)), one) for ones in growing.told for one in ones]
    sums = closed((choice, one.score) for choice, one in said)
    if not sums:
        return beam.Path(), []
    best = next(iter(sums))
    told = max((one for choice, one in said if choice == best), key=lambda one: one.score)
    return beam.Path((told,)), ["sums over passages: " + ", ".join(f"{choice} {total:.3f}" for choice, total in sums.items())]
