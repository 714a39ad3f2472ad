"""The order of a study: search first, then what comes beside it, each judged by a gate of its own, and what passes serves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from selfstudy.core.files import Lock, read_json
from selfstudy.core.run import Lazy, Planned, Reporter, Run
from selfstudy.evals.gate import Verdict
from selfstudy.index.store import Store
from selfstudy.recipes import int8
from selfstudy.recipes.bysentence import SentenceStudy
from selfstudy.recipes.bysentence import embedded as sentences_embedded
from selfstudy.recipes.costs import costed, guessed
from selfstudy.recipes.generator import GeneratorStudy, checked
from selfstudy.recipes.history import Event, History
from selfstudy.recipes.imitation import ImitationStudy
from selfstudy.recipes.int8 import Int8Study
from selfstudy.recipes.ledger import Vote
from selfstudy.recipes.loaded import Loaded
from selfstudy.recipes.outcome import Outcome, paid
from selfstudy.recipes.pointer import Pointer
from selfstudy.recipes.pruning import Pruned, prune, serving_since
from selfstudy.recipes.reranking import RerankerStudy
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.study import Study
from selfstudy.recipes.system import System
from selfstudy.recipes.votes import key_of, votes_of

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
        if self.settings.imitation.on:
            ImitationStudy(study, True, self.settings.imitation.shares[0]).plan()
        if self.settings.int8 == "auto":
            Int8Study(study).plan()
        if self.settings.sentences.on:
            self._sentence_study(study, self._live).plan()
        if self._reranks:
            self._reranker_study(study).plan()
        if self.settings.tuning.base is None:
            return [self._costed(one, study) for one in study.run.planned]
        generator = self._generator_study(study)
        generator.plan()
        return [generator.costed(self._costed(one, study), len(study.snapshot)) for one in study.run.planned]

    def _costed(self, planned: Planned, study: Study) -> Planned:
        priced = costed(planned, study.snapshot, self.settings, self._base.embedder, self.loaded.llm)
        return guessed(priced, len(study.snapshot), self.settings)

    def adapt(self) -> Outcome:
        """Study the documents and, if the gate opens, let the tuned system serve. Stages that are finished are kept.

        Words, imitated by vectors, come beside the tuned embedder or, where that was refused, beside what serves; then passages are put in
        order by their sentences and by a reranker. Where the settings want int8, or name a generator to be tuned, these follow. Each has a
        gate of its own.
        Raises NotEnough, Busy, Stopped, MissingExtra; what passed its gate before that serves all the same.
        """
        if self.settings.int8 == "auto":
            int8.check()
        if self.settings.tuning.base is not None:
            checked(self.settings.tuning, self.settings.gate, self.loaded.llm)
        with self._alone("adapting"):
            self._votes = self._counted_votes()  # those that come meanwhile wait for the next study
            try:
                outcome = self._adapt_search(time.monotonic())
                if self.settings.imitation.on and outcome.imitation is None:
                    outcome = replace(outcome, imitation=self._adapt_imitation().json())
                if self.settings.sentences.on and outcome.sentences is None and (told := self._adapt_sentences()) is not None:
                    outcome = replace(outcome, sentences=told.json())
                if self.settings.int8 == "auto":
                    outcome = replace(outcome, int8=self._adapt_int8().json())
                if self._reranks:
                    outcome = replace(outcome, reranker=self._adapt_reranker().json())
                if self.settings.tuning.base is not None:
                    outcome = replace(outcome, generator=self._adapt_generator().json())
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
        return Study(
            self.home, run, self.settings, self.store.snapshot(), self._base, self._live, self.loaded.embedder, self.loaded.llm,
            share, votes, self._known_votes(),
        )  # fmt: skip

    def ready(self, share: float = 1.0) -> Study:
        """As `study`, with the base's vectors of every passage: what is added while another system serves has only those of that."""
        self._pointer.fill(self._base, "embed")
        return self.study(share=share)

    def _adapt_search(self, began: float) -> Outcome:
        self.study().check()
        self._pointer.fill(self._live, "embed")
        self.ready().check_questions()
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
        return replace(told, votes=study.votes_told())

    def _judge(self, study: Study, began: float) -> Event:
        candidates = self._history.examined(study.content) + 1
        verdict, outcome = study.judge(candidates)
        system = study.system(verdict.promote)
        if verdict.promote:  # what comes beside it goes live at once, so that one rollback takes all of it back
            system, outcome = self._with_words(study, candidates, system, outcome)
            system, outcome = self._with_sentences(study, system, outcome)
        outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
        return self._history.add(
            "judged", study.key, verdict.reason, system, before=self._live,
            promote=verdict.promote, exam=study.content, details=outcome.json(),
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
        holding = self.ready(study.share)  # over an index with these vectors
        sentences = self._sentence_study(holding, system)
        if holding.content != study.content or sentences.refusal:  # then they are tried by themselves
            return system, outcome
        _, told, finer = self._by_sentence(holding, sentences)
        return replace(finer, key=system.key) if told.promoted else system, replace(outcome, sentences=told.json())

    def _adapt_imitation(self) -> Outcome:
        search = self.ready()
        exam = f"words {search.content}"
        for share in self.settings.imitation.shares:
            study = ImitationStudy(search, False, share)
            outcome = self._judged(study.key, exam, lambda system: system.imitation, partial(self._words_judged, study, exam))
            if not outcome.fails_only("guard"):
                break
        return outcome

    def _words_judged(self, study: ImitationStudy, exam: str) -> tuple[Verdict, Outcome, System | None]:
        system = replace(self._live, key=study.key, imitation=study.name, sentences=None)  # which count otherwise beside words
        return *study.judge(self.settings.gate, self._history.examined(exam) + 1), system

    def _adapt_sentences(self) -> Outcome | None:
        search, live = self.ready(), self._live
        study = self._sentence_study(search, live)
        if live.sentences == study.after.sentences:  # they serve, and whatever was judged over them stays
            judged = self._history.judged(study.key)
            return Outcome.load(judged.details) if judged is not None else None
        if study.refusal:
            return study.judge(self.settings.gate)[1]
        return self._judged(study.key, None, lambda system: system.sentences, lambda: self._by_sentence(search, study))

    def _by_sentence(self, search: Study, study: SentenceStudy) -> tuple[Verdict, Outcome, System]:
        """Whether the first passages are put in order by their sentences, and the system that does so."""
        verdict, outcome = study.judge(self.settings.gate)
        return verdict, outcome, self._calibrated(search, study.after) if verdict.promote else study.after

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

        def judge() -> tuple[Verdict, Outcome, System | None]:
            verdict, outcome = study.judge(self.settings.gate)
            system = study.system()
            if verdict.promote and system.sentences is not None:
                by_int8 = Lazy(system.fingerprint, lambda: self.loaded.embedder(system.embedder))
                search.run.stage(sentences_embedded, None, search.corpus, by_int8)
            return verdict, outcome, system

        return self._judged(study.key, None, lambda system: system.whole and system.embedder, judge)

    def _adapt_reranker(self) -> Outcome:
        search = self.ready()
        study, exam = self._reranker_study(search), f"reranked {search.content}"

        def judge() -> tuple[Verdict, Outcome, System | None]:
            unseen = set(self.settings.questions.unseen)
            verdict, outcome = study.judge(self.settings.gate, unseen, self._history.examined(exam) + 1, search.own_beside)
            system = study.system() if study.weight else None
            if verdict.promote and system is not None:
                system = self._calibrated(search, system)
            return verdict, outcome, system

        return self._judged(study.key, exam, lambda system: system.reranking, judge)

    @property
    def _reranks(self) -> bool:
        """Whether a reranker is looked for: where nobody wants the starter's reader, one that is trained here."""
        trained = self.settings.reranking.minutes or self.settings.reranking.max_steps
        return self.settings.reranker == "auto" and (self.settings.reader or bool(trained))

    def _reranker_study(self, study: Study) -> RerankerStudy:
        live = replace(self._live, reranking=None)
        embedder, base = self.loaded.embedder(live.embedder), self.loaded.embedder(self._base.embedder)
        name = f"hybrid {live.weight:.3f}{f' {live.sentences}' if live.sentences else ''}{self._widened}"
        searched = study.lazy(name, live.fingerprint, lambda: self.loaded.retrievers(study.snapshot, live)["hybrid"])
        return RerankerStudy(
            study.run, self.settings.rerank, self.settings.reranking, study.mined, searched,
            Lazy(live.fingerprint, lambda: embedder), Lazy(self._base.fingerprint, lambda: base.model_folder), live,
        )  # fmt: skip

    def _adapt_generator(self) -> Outcome:
        study = self._generator_study(self.ready())
        study.check(self.settings.gate.minimum_exam)
        exam = f"answers {study.content}"
        candidates = self._history.examined(exam) + 1

        def judge() -> tuple[Verdict, Outcome, System | None]:
            return *study.judge(self.settings.gate, candidates), study.system()

        return self._judged(study.key, exam, lambda system: system.generator, judge)

    def _generator_study(self, study: Study) -> GeneratorStudy:
        live = self._live
        searched = study.lazy(f"live hybrid {live.ranks}", live.fingerprint, lambda: self.loaded.retrievers(study.snapshot, live)["hybrid"])
        settings = self.settings
        return GeneratorStudy(study.run, settings.tuning, settings.reflect, study.mined, searched, live, study.content, self.loaded.llm)

    def _judged(self, key: str, exam: str | None, part: Part, judge: Callable[[], tuple[Verdict, Outcome, System | None]]) -> Outcome:
        """What was, or now is, said of the candidate `key`; one that passes serves from then on. `exam` counts the candidates it judged,
        `part` is that of a system which this is about.
        """
        judged, began = self._history.judged(key), time.monotonic()
        if judged is None:
            verdict, outcome, system = judge()
            outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
            judged = self._history.add(
                "judged", key, verdict.reason, system, before=self._live, promote=verdict.promote, exam=exam, details=outcome.json()
            )
        self._promoted(judged)
        return self._told(judged, part)

    def _told(self, judged: Event, part: Part) -> Outcome:
        """What was said of a candidate, and what became of that: another may have been chosen since, or serve from before."""
        outcome, serves = Outcome.load(judged.details), part(self._live)
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
