"""One study: a candidate is trained on examples and sits an exam beside what serves; the gate says whether it goes live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from selfstudy.core.artifacts import manifest
from selfstudy.core.files import make_folder
from selfstudy.core.ports import Embedder, Retriever
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Lazy
from selfstudy.core.text import cjk_share
from selfstudy.evals.bootstrap import Values
from selfstudy.evals.gate import Verdict, by_writer, judge
from selfstudy.recipes.candidate import Candidate
from selfstudy.recipes.drift import satisfaction
from selfstudy.recipes.evaluate import own_ranks
from selfstudy.recipes.exam import exam, guard_ranks, read_rows, sides
from selfstudy.recipes.examples import Examples
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.report import page_of
from selfstudy.recipes.settle import READS
from selfstudy.recipes.system import System, reranked, retrievers
from selfstudy.recipes.vectors import guard_vectors


class Study:
    """A candidate beside what serves, `live`, over the examples of one snapshot. `share` below 1 is a candidate nearer to the base."""

    def __init__(self, examples: Examples, live: System, share: float = 1.0) -> None:
        self.examples, self.candidate, self.live = examples, Candidate(examples, share), live
        self.home, self.run, self.settings, self.snapshot = examples.home, examples.run, examples.settings, examples.snapshot

    @property
    def live_retrievers(self) -> dict[str, Retriever]:
        """What serves, by meaning and by words apart."""
        return retrievers(self.snapshot, self.examples.embedder(self.live.embedder), self.live.weight)

    @cached_property
    def examined(self) -> Artifact:
        """The exam's questions by what serves and by the candidate."""
        candidate = self.candidate
        live = self.examples.lazy(f"live {self.live.weight:.3f}", self.live.fingerprint, lambda: self.live_retrievers)
        after = Lazy(digest("tuned", candidate.weighed.key), lambda: candidate.retrievers)
        return self.run.stage(exam, None, self.examples.mined, live, after)

    @cached_property
    def guards(self) -> tuple[Artifact, Artifact]:
        """Everyday questions by what serves and by the candidate."""
        before, after, candidate = self.guard_seen(tuned=False), self.guard_seen(tuned=True), self.candidate
        return self.run.stage(guard_ranks, None, before), self.run.stage(guard_ranks, None, after, candidate.fitted, candidate.share)

    def guard_seen(self, tuned: bool) -> Artifact:
        """The guard's vectors by the candidate without its head, or by what serves."""
        live = Lazy(self.live.fingerprint, lambda: self.examples.embedder(self.live.embedder))
        return self.run.stage(guard_vectors, None, self.examples.embedder_of(self.candidate.body) if tuned else live)

    @property
    def key(self) -> str:
        """The candidate."""
        return self.candidate.key

    def system(self, calibrated: bool) -> System:
        """The candidate as it would serve; one that was refused is not calibrated, and abstains by the default if forced to serve."""
        return self.candidate.system(calibrated, self.live.generator)

    def check(self) -> None:
        """Raise NotEnough for a corpus about which nothing can be proved, BadConfig for settings that do not fit the base."""
        self.candidate.rounds.check()
        self.examples.check_passages()

    def plan(self, judged: Callable[[str], Any]) -> None:
        """Ask for what a candidate needs; `judged` says of a key whether there is a judgement: then nothing is left to be done for one."""
        self.candidate.rounds.check()
        for _ in (self.examples.mined, self.candidate.model, self.candidate.vectors, self.candidate.weighed):
            pass
        if not judged(self.key):
            _ = self.guards, self.candidate.calibrated

    def judge(self, candidates: int) -> tuple[Verdict, Outcome]:
        """The verdict, and all that the user should see; `candidates` counts those that this exam judged, this one included."""
        examples, candidate = self.examples, self.candidate
        rows = read_rows(self.examined)
        writers = [row["writer"] for row in rows]
        dense, hybrid = sides(rows, "dense_"), sides(rows, "hybrid_")
        guard = (np.load(self.guards[0].path / "ranks.npy"), np.load(self.guards[1].path / "ranks.npy"))
        pairs = {"dense": dense, "hybrid": hybrid, "guard": guard}
        own = self.own_beside(candidate.retrievers["hybrid"]) if self.settings.own.queries else None
        verdict = judge(
            self.settings.gate,
            dense=dense,
            hybrid=hybrid,
            writers=writers,
            unseen=set(self.settings.questions.unseen),
            guard=guard,
            own=own,
            votes=examples.votes_proof,
            candidates=candidates,
        )
        outcome = Outcome.of(
            self.key, verdict, pairs,
            writers=by_writer(*dense, writers),
            questions=manifest(examples.asked).result,
            round_trip=examples.came,
            negatives=manifest(examples.mined).result,
            weight=candidate.weight,
            report=f"reports/{self.key}.html",
            note=" ".join([*self._notes(), *self._foreign(), *self._people()]),
            votes=examples.votes_told,
        )  # fmt: skip
        from selfstudy.evals.report_page import write_report

        make_folder(self.home / "reports")
        write_report(
            self.home / outcome.report,
            page_of(self.home.resolve().name, self.settings, outcome, rows, own, candidate.losses),
        )
        return verdict, outcome

    def own_beside(self, after: Retriever, before: Retriever | None = None) -> tuple[Values, Values] | None:
        """MRR@10 of the user's own questions by `before`, else by the embedder that serves, and by `after`; None where there are none."""
        if not (self.settings.own.queries and self.settings.own.qrels):
            return None
        before = before or self.live_retrievers["hybrid"]
        return own_ranks(self.snapshot, self.settings.own.queries, self.settings.own.qrels, before, after)

    @cached_property
    def base_calibrated(self) -> Artifact:
        """When the base should abstain: what a home needs whose candidates were all refused."""
        examples, base = self.examples, self.examples.base

        def load() -> tuple[Any, Embedder]:
            return examples.retrievers["hybrid"], examples.embedder(base.embedder)

        return examples.calibrated(examples.lazy(f"base system {base.weight:.3f}", base.fingerprint, load))

    def recalibrated(self, system: System) -> Artifact:
        """When `system`, whose first passages are put in order anew, should abstain."""

        def load() -> tuple[Any, Embedder]:
            embedder = self.examples.embedder(system.embedder)
            return reranked(retrievers(self.snapshot, embedder, system.weight), system, self.home, embedder)["hybrid"], embedder

        return self.examples.calibrated(self.examples.lazy(f"reranked {system.ranks}", system.fingerprint, load))

    def _notes(self) -> Iterator[str]:
        share, modelled = self.candidate.share, self.examples.modelled
        if share < 1:
            yield f"This candidate stands at {share:g} of the distance from the base: the one at full distance failed only the guard."
        if modelled is not None and (count := (told := manifest(modelled).result)["suspicious"]):
            path = modelled.path.relative_to(self.home) / "suspicious.jsonl"
            silent = f" ({told['unanswered']} of them never got a reply)" if told["unanswered"] else ""
            yield f"{count} passages speak to models, or nothing of use was written about them{silent}; {path} lists them."

    def _foreign(self) -> Iterator[str]:
        """What is written in signs that the embedder does not know."""
        examples = self.examples
        foreign = [passage.text for passage in examples.snapshot.passages if cjk_share(passage.text) >= 0.5]
        embedder = examples.embedder(examples.base.embedder)
        if foreign and embedder.known(foreign[:: -(-len(foreign) // 50)]) < READS:
            told = "1 passage is" if len(foreign) == 1 else f"{len(foreign)} passages are"
            yield f"{told} written in signs that {embedder.name} does not know: words alone find what stands there."

    def _people(self) -> Iterator[str]:
        """What people said, for the report."""
        votes, verdict = self.examples.votes, self.examples.votes_verdict
        if votes and verdict is not None:
            yield verdict.reason
        if (points := satisfaction(votes)) is not None:
            yield f"Satisfaction, votes up less votes down: {points.value:+.0f} points [{points.low:+.0f}, {points.high:+.0f}]."
