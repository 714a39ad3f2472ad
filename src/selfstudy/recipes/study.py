"""The loop: questions -> round trip -> negatives -> training -> exam -> verdict, over one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.core.artifacts import complete, manifest, read_records, write_records
from selfstudy.core.errors import NotEnough
from selfstudy.core.files import make_folder, read_json, write_json
from selfstudy.core.ports import LLM, Embedder, Retriever
from selfstudy.core.records import Artifact, Example, Passage, digest
from selfstudy.core.run import Lazy, Run, Work, stage
from selfstudy.evals.bootstrap import Values
from selfstudy.evals.gate import Verdict, by_writer, judge, judge_votes
from selfstudy.evals.report import write_report
from selfstudy.index.dense import Dense, Flat
from selfstudy.index.snapshot import Snapshot
from selfstudy.recipes import candidate as c
from selfstudy.recipes.adapted import adapted
from selfstudy.recipes.caches import vectors_of
from selfstudy.recipes.calibrate import calibration
from selfstudy.recipes.decisions import Decisions
from selfstudy.recipes.drift import satisfaction
from selfstudy.recipes.evaluate import own_ranks
from selfstudy.recipes.fitting import head
from selfstudy.recipes.glossary import Terms
from selfstudy.recipes.ledger import Vote
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.page import page_of
from selfstudy.recipes.rounds import gain, proven
from selfstudy.recipes.rulings import Rulings
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.settle import graded, weights
from selfstudy.recipes.system import Remembering, System, reranked, retrievers
from selfstudy.recipes.votes import key_of, voted
from selfstudy.recipes.votes_proof import votes_proof
from selfstudy.synth.modelled import PROMPTS, modelled
from selfstudy.synth.negatives import negatives
from selfstudy.synth.prompting import prompt
from selfstudy.synth.questions import GLOSSARY, questions
from selfstudy.synth.round_trip import round_trip
from selfstudy.train import embedder as training
from selfstudy.train import pretraining
from selfstudy.train.embedder import average, joined, nearer
from selfstudy.train.embedder import embedder as train_embedder
from selfstudy.train.pretraining import pretrained

_FEWEST = 30
"""Passages below which nothing can be proved."""
_FEWEST_ASKED = 8
"""Passages with training questions below which nothing can be learned."""


@stage("study.corpus", version=2)
def corpus(work: Work, config: None, content: str, source: tuple[list[Passage], dict[str, str], dict[str, float]]) -> int:
    """The snapshot that is studied: `passages.jsonl`; `groups.json` and `weights.json` with the group and the weight of every passage."""
    passages, groups, weights = source
    write_records(work.folder / "passages.jsonl", passages)
    write_json(work.folder / "weights.json", weights)
    write_json(work.folder / "groups.json", groups)
    return len(passages)


def _model_of(made: Artifact) -> Path:
    return made.path / "model"


class Study:
    """One adapt: the stages, each asked for when it is needed, over one snapshot. `share` below 1 is a candidate nearer to the base."""

    def __init__(
        self,
        home: Path,
        run: Run,
        settings: Settings,
        snapshot: Snapshot,
        base: System,
        live: System,
        embedder_of: Callable[[str], Remembering],
        llm: LLM | None = None,
        share: float = 1.0,
        votes: Sequence[Vote] = (),
        known_votes: Sequence[str] = (),
    ) -> None:
        self.home = home
        self.run = run
        self.settings = settings
        self.snapshot = snapshot
        self.base = base
        self.live = live
        self._embedder_of = embedder_of
        self.llm = llm
        self.share = share
        self.votes = votes
        self.known_votes = known_votes
        self.decisions = Decisions(home)

    def embedder(self, name: str) -> Remembering:
        """The embedder called `name`, loaded once."""
        return self._embedder_of(name)

    @cached_property
    def content(self) -> str:
        """The same for equal passages in equal groups, wherever and whenever they were added, of documents that are equally good."""
        groups = self.groups
        facts = sorted(
            f"{id} {card.facts}" for id, card in self.snapshot.documents.items() if card.hidden or card.facts.get("trust", 1) != 1
        )
        ruled = sorted(Rulings(self.home).all().items())
        quality = self.settings.quality.model_dump_json()
        return digest("content", *(f"{id} {groups[id]}" for id in self.snapshot.ids), repr(facts), repr(ruled), quality)

    @cached_property
    def groups(self) -> dict[str, str]:
        """The group of every passage: the named field, else the document, else (one document alone) the section."""
        field = self.settings.group
        cards = self.snapshot.documents
        if field is not None and field not in self.snapshot.fields:
            from selfstudy.core.errors import BadInput, nearest

            raise BadInput(
                f"No document has the field {field!r}{nearest(field, self.snapshot.fields) or '.'}", "Name a field that documents have."
            )
        alone = len({passage.places[0].document for passage in self.snapshot.passages if not passage.repeats}) == 1
        found: dict[str, str] = {}
        for passage in self.snapshot.passages:
            document = passage.places[0].document
            if field is not None:
                found[passage.id] = str(cards[document].fields.get(field, document))
            else:
                found[passage.id] = passage.title if alone and " > " in passage.title else passage.id if alone else document
        for passage in self.snapshot.passages:  # what repeats a passage belongs to its group: no sibling may sit in the exam
            if passage.repeats and (first := (*passage.within, passage.near)[0]) in found:
                found[passage.id] = found[str(first)]
        return found

    @cached_property
    def corpus(self) -> Artifact:
        return self.run.stage(
            corpus, None, self.content, Lazy(self.content, lambda: (list(self.snapshot.passages), self.groups, self.weights))
        )

    @property
    def weights(self) -> dict[str, float]:
        """How much is asked about each passage."""
        grades = graded(self.home, self.snapshot, self.settings, self.embedder(self.base.embedder))
        return weights(self.snapshot, grades, Rulings(self.home).all())

    def lazy(self, what: str, fingerprint: str, load: Any) -> Lazy:
        """Something that is made of the snapshot and an embedder."""
        return Lazy(digest(what, self.content, fingerprint), load)

    @cached_property
    def modelled(self) -> Artifact | None:
        """What a model wrote; None where there is none."""
        if self.llm is None:
            return None
        return self.run.stage(modelled, self.settings.modelled, self.corpus, {name: prompt(name) for name in PROMPTS}, self.llm)

    @cached_property
    def asked(self) -> Artifact:
        said = self.decisions.said("strike"), self.decisions.said("keep")
        terms = (Terms(self.home).used,) if GLOSSARY in self.settings.questions.writers else ()
        return self.run.stage(questions, self.settings.questions, self.corpus, self.modelled, *said, *terms)

    @cached_property
    def base_retrievers(self) -> dict[str, Any]:
        return retrievers(self.snapshot, self.embedder(self.base.embedder), self.base.weight)

    @cached_property
    def back(self) -> Artifact:
        """What came back of what was written."""
        return self.run.stage(round_trip, self.settings.round_trip, self.asked, self._base_hybrid(), self.decisions.said("keep"))

    @cached_property
    def kept(self) -> Artifact:
        """What is learned from: what came back and, where votes are proven to teach, people's questions."""
        if not self.votes or (self.votes_verdict is not None and not self.votes_verdict.promote):
            return self.back
        return self.run.stage(voted, self.settings.votes, self.back, self.corpus, self.settings.questions.seed, self._cast)

    @property
    def _cast(self) -> Lazy:
        votes = self.votes
        return Lazy(key_of(votes), lambda: votes)

    @cached_property
    def _votes_found(self) -> dict[str, Any] | None:
        """What the votes teach one another; None in a plan that has not come so far."""
        stored = self.lazy("vectors", self.base.fingerprint, lambda: self.snapshot.vectors(self.base.fingerprint))
        proof = self.run.stage(
            votes_proof, self.settings.votes, self.settings.head, self.back, self.corpus, self.settings.questions.seed, self._cast,
            self.known_votes, self._of(None), stored,
        )  # fmt: skip
        path = proof.path / "choices.json"
        return read_json(path) if path.exists() else None

    @cached_property
    def votes_verdict(self) -> Verdict | None:
        """Whether votes are learned from; None where there are none, or in a plan that has not come so far."""
        found = self._votes_found if self.votes else None
        if found is None:
            return None
        return judge_votes(self.settings.gate, (found["before"], found["after"]), self.settings.votes.minimum)

    def votes_told(self) -> dict[str, Any] | None:
        """What came of the votes: the verdict, what was learned from and left out, and the ids that were learned from."""
        found, verdict = (self._votes_found, self.votes_verdict) if self.votes else (None, None)
        if found is None or verdict is None:
            return None
        learned = {"report": manifest(self.kept).result, "learned": found["ids"]} if verdict.promote else {"report": {}, "learned": []}
        told = {"key": key_of(self.votes), "cast": len(self.votes), "known": list(self.known_votes)}
        return told | {"promote": verdict.promote, "reason": verdict.reason} | learned

    def _base_hybrid(self) -> Lazy:
        return self.lazy(f"hybrid {self.base.weight:.3f}", self.base.fingerprint, lambda: self.base_retrievers["hybrid"])

    @cached_property
    def mined(self) -> Artifact:
        lexical = self.lazy("lexical", "", lambda: self.base_retrievers["lexical"])
        dense = self.lazy("dense", self.base.fingerprint, lambda: self.base_retrievers["dense"])
        return self.run.stage(negatives, self.settings.negatives, self.kept, self.corpus, lexical, dense)

    def _mined_by(self, body: Artifact) -> Artifact:
        """The examples again, with negatives that the tuned `body` itself takes for evidence."""
        lexical = self.lazy("lexical", "", lambda: self.base_retrievers["lexical"])
        dense = self.lazy("dense", body.key, lambda: Dense(self.snapshot, *self._searched(body)))
        return self.run.stage(negatives, self.settings.negatives, self.kept, self.corpus, lexical, dense)

    def _searched(self, body: Artifact) -> tuple[Embedder, Flat]:
        embedder = self._of(body).load()
        return embedder, Flat(np.load(self._vectors_of(body).path / "vectors.npy"), embedder.fingerprint)

    @cached_property
    def trained(self) -> Artifact | None:
        """What the trainer made; None where it has no time, or the weights are out of reach, behind an API."""
        wanted = self.settings.training
        if not (wanted.minutes or wanted.max_steps) or self.embedder(self.base.embedder).model_folder is None:
            return None
        start = self._base_folder()
        if self.settings.pretraining.method != "off":
            used = self.run.stage(pretrained, self.settings.pretraining, self.corpus, start)
            start = Lazy(used.key, partial(_model_of, used))
        return self._trained(self.mined, start)

    def _trained(self, mined: Artifact, start: Lazy) -> Artifact:
        teacher = self.lazy(
            "teacher", self.base.fingerprint, lambda: c.Teacher(self.snapshot, self.base_retrievers, self.embedder(self.base.embedder))
        )
        return self.run.stage(train_embedder, self.settings.training, mined, start, teacher)

    def _base_folder(self) -> Lazy:
        return Lazy(self.base.fingerprint, lambda: self.embedder(self.base.embedder).model_folder)

    @cached_property
    def averaged(self) -> Artifact | None:
        """`model/`: as far from the base as the tuning questions would have it, without a head; None: the base's own weights.

        A further round goes on from there, with negatives that are mined anew, as long as the one before is proven to have gained on the
        tuning questions; it too is kept only as far as they want it.
        """
        if self.trained is None:
            return None
        start = self._base_folder()
        best = self._averaged(self.trained, start)
        for _ in range(1, self.settings.rounds):
            if not self._gained(start, best):
                break
            start = Lazy(best.key, partial(_model_of, best))
            best = self._averaged(self._trained(self._mined_by(best), start), start)
        return best

    def _gained(self, start: Lazy, best: Artifact) -> bool:
        """Whether a round that led from `start` to `best` is proven to have gained; a plan reckons with it."""
        if complete(best.path) is not None and manifest(best).result["share"] == 0:
            return False
        told = self.run.stage(gain, None, start, Lazy(best.key, partial(_model_of, best)), self._tuned_by(c.tune_ranks))
        return complete(told.path) is None or proven(told, self.settings.gate.alpha)

    def _averaged(self, trained: Artifact, start: Lazy) -> Artifact:
        return self.run.stage(average, self.settings.average, trained, start, self._tuned_by(c.tune_score))

    def _tuned_by(self, judge: Callable[..., Any]) -> Lazy:
        """What the tuning questions say of a model folder."""
        return Lazy(digest("tune score", self.mined.key), lambda: judge(self.mined, list(self.snapshot.passages), self._folder))

    def _folder(self, folder: Path) -> Embedder:
        from selfstudy.models.sentence import SentenceEmbedder

        return Remembering(SentenceEmbedder(folder), vectors_of(self.home, self.settings.cache))

    def _of(self, body: Artifact | None) -> Lazy:
        """The embedder of an artifact that holds a `model/`, or the base."""
        if body is None:
            return Lazy(self.base.fingerprint, lambda: self.embedder(self.base.embedder))
        return Lazy(body.key, lambda: self.embedder(f"artifact:{body.key}"))

    def _vectors_of(self, body: Artifact | None) -> Artifact:
        """The vectors of the corpus by that embedder; where it is the base still, those that the store has."""
        stored = self.lazy("vectors", self.base.fingerprint, lambda: (self.base.fingerprint, self.snapshot.vectors(self.base.fingerprint)))
        return self.run.stage(c.body_vectors, None, self.corpus, self._of(body), stored)

    @cached_property
    def fitted(self) -> Artifact:
        """The head, fitted on the vectors of `averaged`."""
        asked = self.run.stage(c.question_vectors, None, self.kept, self._of(self.averaged))
        return self.run.stage(head, self.settings.head, self.mined, asked, self._vectors_of(self.averaged), self.corpus)

    @cached_property
    def body(self) -> Artifact | None:
        if self.share == 1 or self.averaged is None:
            return self.averaged
        return self.run.stage(nearer, None, self.share, self.averaged, self._base_folder())

    @cached_property
    def model(self) -> Artifact:
        """The candidate: `model/` is a sentence-transformers folder, or for an embedder behind an API its name and the head."""
        if self.embedder(self.base.embedder).model_folder is None:
            return self.run.stage(adapted, None, self.share, self.settings.embedder, self.fitted)
        return self.run.stage(joined, None, self.share, self.body or self._base_folder(), self.trained, self.fitted)

    @property
    def tuned_name(self) -> str:
        return f"artifact:{self.model.key}"

    def tuned(self) -> Remembering:
        return self.embedder(self.tuned_name)

    @cached_property
    def tuned_vectors(self) -> Artifact:
        return self.run.stage(
            c.passage_vectors, None, self.corpus, self._vectors_of(self.body), self.fitted, self.share, self._of(self.model)
        )

    def tuned_retrievers(self, weight: float) -> dict[str, Any]:
        lexical, dense, hybrid = c.system_of(self.snapshot, self.tuned(), np.load(self.tuned_vectors.path / "vectors.npy"), weight)
        return {"lexical": lexical, "dense": dense, "hybrid": hybrid}

    @cached_property
    def weighed(self) -> Artifact:
        share = self.base.weight  # none where the base cannot read these documents: its tuned self may, and has to prove it
        hybrid = Lazy(digest("tuned hybrid", self.tuned_vectors.key, repr(share)), lambda: self.tuned_retrievers(share)["hybrid"])
        return self.run.stage(c.weight, None, self.mined, hybrid)

    @property
    def weight(self) -> float:
        """The dense share of the candidate's hybrid search."""
        return float(read_json(self.weighed.path / "weight.json")["weight"])

    @cached_property
    def calibrated(self) -> Artifact:
        def load() -> tuple[Any, Embedder]:
            return self.tuned_retrievers(self.weight)["hybrid"], self.tuned()

        return self.run.stage(
            calibration, self.settings.abstain, self.mined, self.settings.extract, Lazy(digest("tuned system", self.weighed.key), load)
        )

    @cached_property
    def base_calibrated(self) -> Artifact:
        """When the base should abstain: what a home needs whose candidates were all refused."""

        def load() -> tuple[Any, Embedder]:
            return self.base_retrievers["hybrid"], self.embedder(self.base.embedder)

        system = self.lazy(f"base system {self.base.weight:.3f}", self.base.fingerprint, load)
        return self.run.stage(calibration, self.settings.abstain, self.mined, self.settings.extract, system)

    @cached_property
    def examined(self) -> Artifact:
        live = self.lazy(f"live {self.live.weight:.3f}", self.live.fingerprint, self.live_retrievers)
        after = Lazy(digest("tuned", self.weighed.key), lambda: self.tuned_retrievers(self.weight))
        return self.run.stage(c.exam, None, self.mined, live, after)

    def live_retrievers(self) -> dict[str, Any]:
        """What serves, by meaning and by words apart."""
        return retrievers(self.snapshot, self.embedder(self.live.embedder), self.live.weight)

    @cached_property
    def guards(self) -> tuple[Artifact, Artifact]:
        before, after = self.guard_seen(tuned=False), self.guard_seen(tuned=True)
        return self.run.stage(c.guard_ranks, None, before), self.run.stage(c.guard_ranks, None, after, self.fitted, self.share)

    def guard_seen(self, tuned: bool) -> Artifact:
        """The guard's vectors by the candidate without its head, or by what serves."""
        live = Lazy(self.live.fingerprint, lambda: self.embedder(self.live.embedder))
        return self.run.stage(c.guard_vectors, None, self._of(self.body) if tuned else live)

    @property
    def key(self) -> str:
        """The candidate: its model and its share in hybrid search. It sits the exam once, beside what serves then."""
        return digest("candidate", self.model.key, self.weighed.key)

    def system(self, calibrated: bool) -> System:
        """The candidate as it would serve; one that was refused is not calibrated, and abstains by the default if forced to serve."""
        abstention = read_json(self.calibrated.path / "calibration.json") if calibrated else None
        return System(self.tuned_name, self.tuned().fingerprint, self.weight, self.key, abstention, self.live.generator)

    def plan(self, judged: Callable[[str], Any]) -> None:
        """Ask for what a candidate needs; `judged` says of a key whether there is a judgement: then nothing is left to be done for one."""
        self.check_training()
        for _ in (self.mined, self.model, self.tuned_vectors, self.weighed):
            pass
        if not judged(self.key):
            _ = self.guards, self.calibrated

    def judge(self, candidates: int) -> tuple[Verdict, Outcome]:
        """The verdict, and all that the user should see; `candidates` counts those that this exam judged, this one included."""
        rows = c.read_rows(self.examined)
        writers = [row["writer"] for row in rows]
        dense, hybrid = c.sides(rows, "dense_"), c.sides(rows, "hybrid_")
        guard = (np.load(self.guards[0].path / "ranks.npy"), np.load(self.guards[1].path / "ranks.npy"))
        pairs = {"dense": dense, "hybrid": hybrid, "guard": guard}
        own = self.own_beside(self.tuned_retrievers(self.weight)["hybrid"]) if self.settings.own.queries else None
        verdict = judge(
            self.settings.gate,
            dense=dense,
            hybrid=hybrid,
            writers=writers,
            unseen=set(self.settings.questions.unseen),
            guard=guard,
            own=own,
            votes=(self._votes_found["before"], self._votes_found["after"]) if self.kept is not self.back and self._votes_found else None,
            candidates=candidates,
        )
        outcome = Outcome.of(
            self.key, verdict, pairs,
            writers=by_writer(*dense, writers),
            questions=manifest(self.asked).result,
            round_trip=self._came(),
            negatives=manifest(self.mined).result,
            weight=self.weight,
            report=f"reports/{self.key}.html",
            note=" ".join([*self._notes(), *self._people()]),
            votes=self.votes_told(),
        )  # fmt: skip
        make_folder(self.home / "reports")
        write_report(
            self.home / outcome.report,
            page_of(self.home.resolve().name, self.settings, outcome, rows, own, self._losses()),
        )
        return verdict, outcome

    def _came(self) -> dict[str, dict[str, int]]:
        """By writer how many questions came back, and how many were dropped by reason: of a model's also those that were not taken."""
        came = {writer: Counter(counts) for writer, counts in manifest(self.back).result.items()}
        for writer, counts in (manifest(self.modelled).result["dropped"] if self.modelled is not None else {}).items():
            came.setdefault(writer, Counter()).update(counts)
        return {writer: dict(counts) for writer, counts in came.items()}

    def own_beside(self, after: Retriever, before: Retriever | None = None) -> tuple[Values, Values] | None:
        """MRR@10 of the user's own questions by `before`, else by the embedder that serves, and by `after`; None where there are none."""
        if not (self.settings.own.queries and self.settings.own.qrels):
            return None
        before = before or self.live_retrievers()["hybrid"]
        return own_ranks(self.snapshot, self.settings.own.queries, self.settings.own.qrels, before, after)

    def recalibrated(self, system: System) -> Artifact:
        """When `system`, whose first passages are put in order anew, should abstain."""

        def load() -> tuple[Any, Embedder]:
            embedder = self.embedder(system.embedder)
            return reranked(retrievers(self.snapshot, embedder, system.weight), system, self.home, embedder)["hybrid"], embedder

        ranked = self.lazy(f"reranked {system.ranks}", system.fingerprint, load)
        return self.run.stage(calibration, self.settings.abstain, self.mined, self.settings.extract, ranked)

    def _notes(self) -> Iterator[str]:
        if self.share < 1:
            yield f"This candidate stands at {self.share:g} of the distance from the base: the one at full distance failed only the guard."
        if self.modelled is not None and (count := (told := manifest(self.modelled).result)["suspicious"]):
            path = self.modelled.path.relative_to(self.home) / "suspicious.jsonl"
            silent = f" ({told['unanswered']} of them never got a reply)" if told["unanswered"] else ""
            yield f"{count} passages speak to models, or nothing of use was written about them{silent}; {path} lists them."

    def _people(self) -> Iterator[str]:
        """What people said, for the report."""
        if self.votes and self.votes_verdict is not None:
            yield self.votes_verdict.reason
        if (points := satisfaction(self.votes)) is not None:
            yield f"Satisfaction, votes up less votes down: {points.value:+.0f} points [{points.low:+.0f}, {points.high:+.0f}]."

    def _losses(self) -> list[float]:
        path = (self.trained or self.fitted).path / "losses.json"
        losses: list[float] = read_json(path) if path.exists() else []
        return losses

    def check_questions(self) -> None:
        """Raise NotEnough where hardly a question about the training documents came back."""
        examples = list(read_records(self.mined.path / "mined.jsonl", Example))
        about = {example.evidence[0].passage.id for example in examples if example.split == "train"}
        if len(about) < _FEWEST_ASKED:
            raise NotEnough(
                f"Of all questions that were written, those that came back are about {len(about)} training passages: too few to learn from,"
                " and nothing was changed.",
                "Add documents with whole sentences, or let more questions through: --set round_trip.k=20.",
            )
        if not any(example.split == "exam" for example in examples):
            raise NotEnough(
                "Of the questions about the documents that are kept for the exam none came back: nothing could be proven, and nothing was"
                " changed.",
                "Add documents with whole sentences, or let more questions through: --set round_trip.k=20.",
            )

    def check_training(self) -> None:
        """Raise BadConfig for settings of the training that do not fit the base."""
        if (folder := self.embedder(self.base.embedder).model_folder) is not None:
            training.check(self.settings.training, folder)
            pretraining.check(self.settings.pretraining, folder)

    def check(self) -> None:
        """Raise NotEnough for a corpus about which nothing can be proved, BadConfig for settings that do not fit the base."""
        self.check_training()
        if len(self.snapshot) < _FEWEST:
            raise NotEnough(
                f"The index holds {len(self.snapshot)} passages: too little to prove anything, and nothing was changed.",
                f"Add more documents; {_FEWEST} passages are the least, some hundred are a good beginning.",
            )
