"""The order of a study: search first, then what comes beside it, each judged by a gate of its own, and what passes serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from selfstudy.core.files import Lock, read_json
from selfstudy.core.records import digest
from selfstudy.core.run import Lazy, Planned, Reporter, Run
from selfstudy.index.store import Store
from selfstudy.recipes import int8
from selfstudy.recipes.bysentence import SentenceStudy
from selfstudy.recipes.bysentence import embedded as sentences_embedded
from selfstudy.recipes.costs import costed, guessed
from selfstudy.recipes.examples import Examples
from selfstudy.recipes.generator import GeneratorStudy
from selfstudy.recipes.history import Event, History
from selfstudy.recipes.imitation import ImitationStudy
from selfstudy.recipes.int8 import Int8Study
from selfstudy.recipes.ledger import Vote
from selfstudy.recipes.loaded import Loaded
from selfstudy.recipes.outcome import Outcome, PartStudy, paid
from selfstudy.recipes.pointer import Pointer
from selfstudy.recipes.pruning import Pruned, prune, serving_since
from selfstudy.recipes.reranking import RerankerStudy
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.study import Study
from selfstudy.recipes.system import System
from selfstudy.recipes.tuning import checked
from selfstudy.recipes.votes import key_of, votes_of

_OTHER_TERMS = (
    "It was judged before the gate and your own questions were set as they are now, and nothing is judged twice: "
    "`selfstudy evaluate` compares base and live on your own questions."
)
Part = Callable[[System], object]
"""A part of a system: its embedder, say, or its reranker; false where it has none."""


class Studies:
    """All that `adapt` does with a home, part by part."""

    def __init__(self, home: Path, store: Store, settings: Settings, loaded: Loaded, pointer: Pointer, reporter: Reporter) -> None:
        self.home = home
        self.store = store
        self.settings = settings
        self.loaded = loaded
        self._pointer = pointer
        self._reporter = reporter
        self._history = History(home)
        self._votes: list[Vote] | None = None

    @property
    def _base(self) -> System:
        return self._pointer.base()

    @property
    def _live(self) -> System:
        return self._pointer.live()

    def plan(self, share: float = 1.0) -> list[Planned]:
        """What `adapt` would run and what is kept; `share` as in `study`. Loads and writes nothing."""
        if self.settings.tuning.base is not None:
            checked(self.settings.tuning, self.settings.gate, self.loaded.llm)
        study = self.study(planning=True, share=share)
        study.plan(self._history.judged)
        parts = {name: make(study) for name, make, _ in self._parts()}
        for part in parts.values():
            part.plan()
        return [self._costed(one, study, parts.get("generator")) for one in study.run.planned]

    def _costed(self, planned: Planned, study: Study, generator: PartStudy | None) -> Planned:
        priced = costed(planned, study.snapshot, self.settings, self._base.embedder, self.loaded.llm)
        told = guessed(priced, len(study.snapshot), self.settings)
        return generator.costed(told, len(study.snapshot)) if isinstance(generator, GeneratorStudy) else told

    def _parts(self) -> Iterator[tuple[str, Callable[[Study], PartStudy], Callable[[], Outcome | None]]]:
        """What the settings want beside the search, in its order: its name in the Outcome, how it is planned, and how it is adapted."""
        wanted, shares = self.settings, self.settings.imitation.shares
        if wanted.imitation.on:
            yield "imitation", lambda study: ImitationStudy(study, True, shares[0]), self._adapt_imitation
        if wanted.sentences.on:
            yield "sentences", lambda study: self._sentence_study(study, self._live), self._adapt_sentences
        if wanted.int8.on:
            yield "int8", Int8Study, self._adapt_int8
        if self._reranks:
            yield "reranker", self._reranker_study, self._adapt_reranker
        if wanted.tuning.base is not None:
            yield "generator", self._generator_study, self._adapt_generator

    def adapt(self) -> Outcome:
        """Study the documents and, if the gate opens, let the tuned system serve. Stages that are finished are kept.

        Words, imitated by vectors, come beside the tuned embedder or, where that was refused, beside what serves; then passages are put in
        order by their sentences and by a reranker. Where the settings want int8, or name a generator to be tuned, these follow. Each has a
        gate of its own.
        Raises NotEnough, Busy, Stopped, MissingExtra; what passed its gate before that serves all the same.
        """
        if self.settings.int8.on:
            int8.check()
        if self.settings.tuning.base is not None:
            checked(self.settings.tuning, self.settings.gate, self.loaded.llm)
        with self._alone("adapting"):
            self._votes = self._counted_votes()  # those that come meanwhile wait for the next study
            try:
                outcome = self._adapt_search(time.monotonic())
                for name, _, adapt in self._parts():
                    if getattr(outcome, name) is None and (told := adapt()) is not None:  # else it was judged with the search
                        beside: dict[str, Any] = {name: told.json()}
                        outcome = replace(outcome, **beside)
                return replace(outcome, paid=paid(self.loaded.meter))
            finally:
                self._votes = None

    def prune(self, keep: int, remove: bool) -> Pruned:
        """As `Engine.prune`."""
        with self._alone("pruning"):
            systems = serving_since(self._live, self._history.events(), keep)
            planned = (stage.key for share in (1.0, *self.settings.average.nearer) for stage in self.plan(share))
            return prune(self.home / "artifacts", systems, planned, remove)

    def _alone(self, doing: str) -> Lock:
        return Lock(self.home / "adapt.lock", doing)

    def study(self, *, planning: bool = False, share: float = 1.0) -> Study:
        """The study of what is indexed now; `share` below 1 is its candidate nearer to the base. A planning one runs nothing."""
        run = Run(self.home / "artifacts", self._reporter, planning)
        votes = self._counted_votes() if self._votes is None else self._votes
        examples = Examples(
            self.home, run, self.settings, self.store.snapshot(), self._base,
            embedder=self.loaded.embedder, llm=self.loaded.llm, votes=votes, known_votes=self._known_votes(),
        )  # fmt: skip
        return Study(examples, self._live, share)

    def ready(self, share: float = 1.0) -> Study:
        """As `study`, with the base's vectors of every passage: what is added while another system serves has only those of that."""
        self._pointer.fill(self._base, "embed")
        return self.study(share=share)

    def _adapt_search(self, began: float) -> Outcome:
        self.study().check()
        self._pointer.fill(self._live, "embed")
        self.ready().examples.check_questions()
        for share in (1.0, *self.settings.average.nearer):
            study = self.ready(share)
            judged = self._history.judged(study.key) or self._judge(study, began)
            outcome = Outcome.load(judged.details)
            if not outcome.fails_only("guard", "unseen writers"):
                break
        if not self._promoted(judged) and self._live.key is None and self._live.abstention is None:
            calibrated = replace(self._base, abstention=read_json(study.base_calibrated.path / "calibration.json"))
            self._pointer.serve("calibrated", calibrated, "the base goes on serving, and has learned when to abstain")
        told = self._told(judged, lambda system: (system.learned, system.weight) if system.learned != self._base.embedder else None)
        return replace(told, votes=study.examples.votes_told)

    def _judge(self, study: Study, began: float) -> Event:
        candidates = self._history.examined(study.examples.content) + 1
        verdict, outcome = study.judge(candidates)
        system = study.system(verdict.promote)
        if verdict.promote:  # what comes beside it goes live at once, so that one rollback takes all of it back
            system, outcome = self._with_words(study, candidates, system, outcome)
            system, outcome = self._with_sentences(study, system, outcome)
        outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
        return self._history.add(
            "judged", study.key, verdict.reason, system, before=self._live,
            promote=verdict.promote, exam=study.examples.content, terms=self._terms, details=outcome.json(),
        )  # fmt: skip

    def _with_words(self, study: Study, candidates: int, system: System, outcome: Outcome) -> tuple[System, Outcome]:
        if not self.settings.imitation.on:
            return system, outcome
        for share in self.settings.imitation.shares:
            words = ImitationStudy(study, True, share)
            _, told = words.judge(self.settings.gate, candidates)
            if not told.fails_only("guard"):
                break
        return replace(system, imitation=words.name) if told.promoted else system, replace(outcome, imitation=told.json())

    def _with_sentences(self, study: Study, system: System, outcome: Outcome) -> tuple[System, Outcome]:
        if not self.settings.sentences.on:
            return system, outcome
        self._pointer.fill(system, "embed")
        holding = self.ready(study.candidate.share)  # over an index with these vectors
        sentences = self._sentence_study(holding, system)
        if holding.examples.content != study.examples.content or sentences.refusal:  # then they are tried by themselves
            return system, outcome
        _, told = sentences.judge(self.settings.gate)
        if told.promoted:
            system = replace(self._calibrated(holding, sentences.system()), key=system.key)
        return system, replace(outcome, sentences=told.json())

    def _adapt_imitation(self) -> Outcome:
        search = self.ready()
        exam = f"words {search.examples.content}"
        for share in self.settings.imitation.shares:
            study = ImitationStudy(search, False, share)
            outcome = self._judged(study, lambda system: system.imitation, exam=exam)
            if not outcome.fails_only("guard"):
                break
        return outcome

    def _adapt_sentences(self) -> Outcome | None:
        search, live = self.ready(), self._live
        study = self._sentence_study(search, live)
        if live.sentences == study.finer:  # they serve, and whatever was judged over them stays
            judged = self._history.judged(study.key)
            return Outcome.load(judged.details) if judged is not None else None
        if study.refusal:
            return study.judge(self.settings.gate)[1]
        return self._judged(study, lambda system: system.sentences, finished=partial(self._calibrated, search))

    def _sentence_study(self, study: Study, system: System) -> SentenceStudy:
        return SentenceStudy(study, system, lambda system: self.loaded.retrievers(study.snapshot, system), self._widened)

    @property
    def _widened(self) -> str:
        """How questions are widened by the glossary."""
        expansion = self.loaded.expansion()
        return f" {expansion.key}" if expansion is not None else ""

    @staticmethod
    def _calibrated(search: Study, system: System) -> System:
        """`system`, whose first passages are put in order anew, with its own sense of when to abstain."""
        return replace(system, abstention=read_json(search.recalibrated(system).path / "calibration.json"))

    def _adapt_int8(self) -> Outcome:
        search = self.ready()
        study = Int8Study(search)
        if not study.possible:
            return study.judge(self.settings.gate)[1]
        self._pointer.fill(study.full, "embed")

        def with_sentences(system: System) -> System:
            if system.sentences is not None:
                by_int8 = Lazy(system.fingerprint, lambda: self.loaded.embedder(system.embedder))
                search.run.stage(sentences_embedded, None, search.examples.corpus, by_int8)
            return system

        return self._judged(study, lambda system: system.whole and system.embedder, finished=with_sentences)

    def _adapt_reranker(self) -> Outcome:
        search = self.ready()
        study, calibrated = self._reranker_study(search), partial(self._calibrated, search)
        exam = f"reranked {search.examples.content}"
        return self._judged(study, lambda system: system.reranking, exam=exam, finished=calibrated)

    @property
    def _reranks(self) -> bool:
        """Whether a reranker is looked for: where nobody wants the starter's reader, one that is trained here."""
        wanted = self.settings.reranker
        trained = wanted.training.minutes or wanted.training.max_steps
        return wanted.on and (self.settings.reader.on or bool(trained))

    def _reranker_study(self, study: Study) -> RerankerStudy:
        live = replace(self._live, reranking=None)
        embedder, base = self.loaded.embedder(live.embedder), self.loaded.embedder(self._base.embedder)
        name = f"hybrid {live.weight:.3f}{f' {live.sentences}' if live.sentences else ''}{self._widened}"
        searched = study.examples.lazy(name, live.fingerprint, lambda: self.loaded.retrievers(study.snapshot, live)["hybrid"])
        return RerankerStudy(
            study.run, self.settings.reranker, study.examples.mined, searched,
            Lazy(live.fingerprint, lambda: embedder), Lazy(self._base.fingerprint, lambda: base.model_folder), live,
            set(self.settings.questions.unseen), study.own_beside,
        )  # fmt: skip

    def _adapt_generator(self) -> Outcome:
        study = self._generator_study(self.ready())
        study.check(self.settings.gate.minimum_exam)
        return self._judged(study, lambda system: system.generator, exam=f"answers {study.content}")

    def _generator_study(self, study: Study) -> GeneratorStudy:
        live, examples, settings = self._live, study.examples, self.settings
        hybrid = f"live hybrid {live.ranks}"
        searched = examples.lazy(hybrid, live.fingerprint, lambda: self.loaded.retrievers(study.snapshot, live)["hybrid"])
        return GeneratorStudy(
            study.run, settings.tuning, settings.reflect, examples.mined, searched, live, examples.content, self.loaded.llm
        )

    def _judged(
        self, study: PartStudy, part: Part, *, exam: str | None = None, finished: Callable[[System], System] = lambda system: system
    ) -> Outcome:
        """What was, or now is, said of the candidate of `study`; one that passes serves from then on, once `finished`. `exam` counts the
        candidates it judged, `part` is that of a system which this is about.
        """
        judged, began = self._history.judged(study.key), time.monotonic()
        if judged is None:
            candidates = self._history.examined(exam) + 1 if exam is not None else 1
            verdict, outcome = study.judge(self.settings.gate, candidates)
            system = study.system()
            if verdict.promote and system is not None:
                system = finished(system)
            outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
            judged = self._history.add(
                "judged",
                study.key,
                verdict.reason,
                system,
                before=self._live,
                promote=verdict.promote,
                exam=exam,
                terms=self._terms,
                details=outcome.json(),
            )
        self._promoted(judged)
        return self._told(judged, part)

    @property
    def _terms(self) -> str:
        """What a candidate is judged by besides the exam: the gate's settings and the user's own questions."""
        own = (path for path in (self.settings.own.queries, self.settings.own.qrels) if path is not None and path.is_file())
        read = (path.read_text(encoding="utf-8", errors="replace") for path in own)
        return digest("terms", self.settings.gate.model_dump_json(), *read)

    def _told(self, judged: Event, part: Part) -> Outcome:
        """What was said of a candidate, and what became of that: another may have been chosen since, or serve from before."""
        outcome, serves = Outcome.load(judged.details), part(self._live)
        if judged.terms != self._terms:
            outcome = replace(outcome, note=f"{outcome.note} {_OTHER_TERMS}".strip())
        if judged.promote and judged.system is not None and part(judged.system) != serves:
            told = f"Nothing changed since {judged.key} was judged and promoted, and something else was chosen after that."
            return outcome.withdrawn(f"{told} `selfstudy promote {judged.key}` lets it serve again.")
        if not judged.promote and serves:
            return replace(outcome, reason=f"{outcome.reason} What was promoted before goes on serving.")
        return outcome

    def _promoted(self, judged: Event) -> bool:
        """Let a candidate serve whose judgement says so, if nothing was decided since: a kill may have come between the two."""
        later = [event for event in self._history.events() if event.number > judged.number and event.event != "judged"]
        if judged.promote and not later and judged.system is not None:
            self._pointer.serve("promoted", judged.system, judged.reason)
            return True
        return False

    def _counted_votes(self) -> list[Vote]:
        """The votes that a study looks at: all, or none where they are too few to prove anything."""
        wanted = self.settings.votes
        votes = votes_of(self.home, wanted.clicks) if wanted.on else []
        return votes if len({vote.asked.question for vote in votes}) >= wanted.minimum else []

    def _known_votes(self) -> list[str]:
        """The ids of people's questions that what serves has learned from, or where these very votes made it, what served before had."""
        learned = self._live.learned  # what serves may have a reranker since then, or be in int8
        judged = (event for event in reversed(self._history.events()) if event.event == "judged" and event.details.get("votes"))
        told: dict[str, Any] = next((one.details["votes"] for one in judged if one.system and one.system.embedder == learned), {})
        return list(told.get("known" if told.get("key") == key_of(self._votes or self._counted_votes()) else "learned", []))
