"""From documents to examples: questions about one snapshot, what of them comes back, what people voted for, and negatives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from selfstudy.core.artifacts import manifest, write_records
from selfstudy.core.errors import BadInput, NotEnough, nearest
from selfstudy.core.files import read_json, write_json
from selfstudy.core.ports import LLM, Retriever
from selfstudy.core.records import Artifact, Passage, digest
from selfstudy.core.run import Lazy, Run, Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.evals.gate import BeforeAfter, Verdict, judge_votes
from selfstudy.index.snapshot import Snapshot
from selfstudy.recipes.calibrate import calibration
from selfstudy.recipes.decisions import Decisions
from selfstudy.recipes.glossary import Terms
from selfstudy.recipes.ledger import Vote
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.rulings import Rulings
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.settle import graded, weights
from selfstudy.recipes.system import ARTIFACT, System, retrievers
from selfstudy.recipes.vectors import body_vectors
from selfstudy.recipes.votes import key_of, voted
from selfstudy.recipes.votes_proof import votes_proof
from selfstudy.synth.modelled import PROMPTS, modelled
from selfstudy.synth.negatives import negatives
from selfstudy.synth.prompting import prompt
from selfstudy.synth.questions import GLOSSARY, questions
from selfstudy.synth.round_trip import round_trip

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


class Examples:
    """What is learned from one snapshot; each stage is asked for when it is needed.

    `base` is the system before anything was learned, `embedder` gives the embedder of a name, loaded once; `llm` writes questions beside
    the rules. `votes` are those that this study looks at, `known_votes` the ids of people's questions that what serves has learned from.
    """

    def __init__(
        self,
        home: Path,
        run: Run,
        settings: Settings,
        snapshot: Snapshot,
        base: System,
        *,
        embedder: Callable[[str], Remembering],
        llm: LLM | None = None,
        votes: Sequence[Vote] = (),
        known_votes: Sequence[str] = (),
    ) -> None:
        self.home = home
        self.run = run
        self.settings = settings
        self.snapshot = snapshot
        self.base = base
        self.embedder = embedder
        self.llm = llm
        self.votes = votes
        self.known_votes = known_votes
        self._decisions = Decisions(home)

    # Documents

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

    @property
    def weights(self) -> dict[str, float]:
        """How much is asked about each passage."""
        grades = graded(self.home, self.snapshot, self.settings, self.embedder(self.base.embedder))
        return weights(self.snapshot, grades, Rulings(self.home).all())

    @cached_property
    def corpus(self) -> Artifact:
        return self.run.stage(
            corpus, None, self.content, Lazy(self.content, lambda: (list(self.snapshot.passages), self.groups, self.weights))
        )

    def lazy(self, what: str, fingerprint: str, load: Any) -> Lazy:
        """Something that is made of the snapshot and an embedder."""
        return Lazy(digest(what, self.content, fingerprint), load)

    def embedder_of(self, body: Artifact | None) -> Lazy:
        """The embedder of an artifact that holds a `model/`, or the base."""
        if body is None:
            return Lazy(self.base.fingerprint, lambda: self.embedder(self.base.embedder))
        return Lazy(body.key, lambda: self.embedder(f"{ARTIFACT}{body.key}"))

    def vectors_of(self, body: Artifact | None) -> Artifact:
        """The vectors of the corpus by that embedder; where it is the base still, those that the store has."""
        stored = self.lazy("vectors", self.base.fingerprint, lambda: (self.base.fingerprint, self.snapshot.vectors(self.base.fingerprint)))
        return self.run.stage(body_vectors, None, self.corpus, self.embedder_of(body), stored)

    @cached_property
    def retrievers(self) -> dict[str, Retriever]:
        """The base's three ways to search."""
        return retrievers(self.snapshot, self.embedder(self.base.embedder), self.base.weight)

    # Questions

    @cached_property
    def modelled(self) -> Artifact | None:
        """What a model wrote; None where there is none."""
        if self.llm is None:
            return None
        return self.run.stage(modelled, self.settings.modelled, self.corpus, {name: prompt(name) for name in PROMPTS}, self.llm)

    @cached_property
    def asked(self) -> Artifact:
        said = self._decisions.said("strike"), self._decisions.said("keep")
        terms = (Terms(self.home).used,) if GLOSSARY in self.settings.questions.writers else ()
        return self.run.stage(questions, self.settings.questions, self.corpus, self.modelled, *said, *terms)

    @cached_property
    def back(self) -> Artifact:
        """What came back of what was written."""
        hybrid = self.lazy(f"hybrid {self.base.weight:.3f}", self.base.fingerprint, lambda: self.retrievers["hybrid"])
        return self.run.stage(round_trip, self.settings.round_trip, self.asked, hybrid, self._decisions.said("keep"))

    @property
    def came(self) -> dict[str, dict[str, int]]:
        """By writer how many questions came back, and how many were dropped by reason: of a model's also those that were not taken."""
        came = {writer: Counter(counts) for writer, counts in manifest(self.back).result.items()}
        for writer, counts in (manifest(self.modelled).result["dropped"] if self.modelled is not None else {}).items():
            came.setdefault(writer, Counter()).update(counts)
        return {writer: dict(counts) for writer, counts in came.items()}

    @cached_property
    def kept(self) -> Artifact:
        """What is learned from: what came back and, where votes are proven to teach, people's questions."""
        if not self.votes or (self.votes_verdict is not None and not self.votes_verdict.promote):
            return self.back
        return self.run.stage(voted, self.settings.votes, self.back, self.corpus, self.settings.questions.seed, self._cast)

    # Votes

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
            self.known_votes, self.embedder_of(None), stored,
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

    @property
    def votes_proof(self) -> BeforeAfter | None:
        """What `votes_verdict` was said of, where votes are learned from."""
        found = self._votes_found if self.kept is not self.back else None
        return (found["before"], found["after"]) if found else None

    @property
    def votes_told(self) -> dict[str, Any] | None:
        """What came of the votes: the verdict, what was learned from and left out, and the ids that were learned from."""
        found, verdict = (self._votes_found, self.votes_verdict) if self.votes else (None, None)
        if found is None or verdict is None:
            return None
        learned = {"report": manifest(self.kept).result, "learned": found["ids"]} if verdict.promote else {"report": {}, "learned": []}
        told = {"key": key_of(self.votes), "cast": len(self.votes), "known": list(self.known_votes)}
        return told | {"promote": verdict.promote, "reason": verdict.reason} | learned

    # Examples

    @cached_property
    def mined(self) -> Artifact:
        """What is kept, with the base's mistakes as negatives."""
        return self.mined_by(self.lazy("dense", self.base.fingerprint, lambda: self.retrievers["dense"]))

    def mined_by(self, dense: Lazy) -> Artifact:
        """The examples, with negatives that the base's lexical search or this dense one takes for evidence."""
        lexical = self.lazy("lexical", "", lambda: self.retrievers["lexical"])
        return self.run.stage(negatives, self.settings.negatives, self.kept, self.corpus, lexical, dense)

    def calibrated(self, system: Lazy) -> Artifact:
        """When a system, its retriever and its embedder, should abstain, as the tuning questions say."""
        return self.run.stage(calibration, self.settings.abstain, self.mined, self.settings.extract, system)

    def check_passages(self) -> None:
        """Raise NotEnough for a corpus about which nothing can be proved."""
        if len(self.snapshot) < _FEWEST:
            raise NotEnough(
                f"The index holds {len(self.snapshot)} passages: too little to prove anything, and nothing was changed.",
                f"Add more documents; {_FEWEST} passages are the least, some hundred are a good beginning.",
            )

    def check_questions(self) -> None:
        """Raise NotEnough where hardly a question about the training documents came back."""
        about = {example.evidence[0].passage.id for example in examples_of(self.mined, "train")}
        if len(about) < _FEWEST_ASKED:
            raise NotEnough(
                f"Of all questions that were written, those that came back are about {len(about)} training passages: too few to learn from,"
                " and nothing was changed.",
                "Add documents with whole sentences, or let more questions through: --set round_trip.k=20.",
            )
        if not examples_of(self.mined, "exam"):
            raise NotEnough(
                "Of the questions about the documents that are kept for the exam none came back: nothing could be proven, and nothing was"
                " changed.",
                "Add documents with whole sentences, or let more questions through: --set round_trip.k=20.",
            )
