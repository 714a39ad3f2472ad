"""The one way in: the Python call, the command line and whatever else there will be all use an Engine over a home."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from selfstudy.core import config
from selfstudy.core.errors import BadInput, HomeError
from selfstudy.core.files import Lock, make_folder, read_json, write_atomic, write_json
from selfstudy.core.plugs import LLMS, resolve
from selfstudy.core.ports import LLM, Judge, Reader
from selfstudy.core.records import Answer, Hit, Message, Term
from selfstudy.core.run import Lazy, Planned, Quiet, Reporter, Run, Stop
from selfstudy.corpus.set_aside import SetAside
from selfstudy.evals.gate import Verdict
from selfstudy.index.cached import Rankings
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.store import Store
from selfstudy.models.api import Meter
from selfstudy.models.hf import HF
from selfstudy.models.starter.shared import SHIPPED
from selfstudy.recipes import asking, evaluate, ingest, int8
from selfstudy.recipes.adapt import Study
from selfstudy.recipes.bysentence import SentenceStudy
from selfstudy.recipes.caches import rankings_of, vectors_of
from selfstudy.recipes.decisions import Decisions
from selfstudy.recipes.drift import Drifted, drifted
from selfstudy.recipes.embedding import without_vector
from selfstudy.recipes.generator import SCHEME, GeneratorStudy, checked, folder_of
from selfstudy.recipes.glossary import Expansion, Terms, expansion_of
from selfstudy.recipes.history import Event, History
from selfstudy.recipes.imitation import ImitationStudy
from selfstudy.recipes.ingest import Added
from selfstudy.recipes.int8 import Int8Study
from selfstudy.recipes.ledger import NAME as LEDGER
from selfstudy.recipes.ledger import Ledger, Vote
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.pointer import Pointer
from selfstudy.recipes.reflected import Mode
from selfstudy.recipes.reflection import critic_of
from selfstudy.recipes.reranking import RerankerStudy
from selfstudy.recipes.rulings import Rulings
from selfstudy.recipes.serving import Opening, Serving
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.settle import settle, terms_of
from selfstudy.recipes.system import Remembering, System, converted, load_embedder, reranked, served
from selfstudy.recipes.votes import key_of, votes_of
from selfstudy.recipes.watching import EVERY, watch

if TYPE_CHECKING:
    from selfstudy.evals.audit import Audit
    from selfstudy.evals.intents import Intent
    from selfstudy.train.student import Student


class Engine:
    """Everything that can be done with a home. Made by `Engine.open`.

    engine = Engine.open(Path("home"), create=True)
    engine.add([Path("documents")])
    engine.adapt()
    print(engine.ask("How long is the warranty?").text)
    """

    def __init__(
        self, home: Path, store: Store, settings: Settings, origins: dict[str, str], reporter: Reporter, eager: bool = False
    ) -> None:
        self.home = home
        self.store = store
        self.settings = settings
        self._origins = origins
        self._reporter = reporter
        self.meter = Meter(settings.budget, settings.api.prices)
        self._loaded: dict[str, Remembering] = {}
        self._generators: dict[str, HF] = {}
        self._loading = threading.RLock()
        self._votes: list[Vote] | None = None
        self._pointer = Pointer(home, store, settings, self._embedder, reporter)
        hot = settings.cache.hot
        self._opening = Opening(store, self._pointer.live, self._embedder, lambda: self._rankings, self._expansion, eager, hot)

    @classmethod
    def open(
        cls, home: Path, *, create: bool = False, sets: Sequence[str] = (), reporter: Reporter | None = None, eager: bool = False
    ) -> Self:
        """The engine over the folder `home`, made where `create` is set; `sets` are `a.b=c`. Raises BadConfig, HomeError.

        `eager` is for a service: everything is loaded before it serves, and many threads may ask at once.
        """
        if home.exists() and not home.is_dir():
            raise HomeError(f"{home} is a file; a home is a folder.", "Give another --home, or move the file away.")
        settings, origins = config.load(Settings, home / "config.toml", sets)
        return cls(home, Store.open(home, create), settings, origins, reporter or Quiet(), eager)

    # Documents

    def add(self, paths: Sequence[Path], *, sync: bool = False) -> Added:
        """Read files and folders into the index; only what is new or changed is read again. With `sync`, what is gone is removed."""
        return ingest.add(self.store, self.settings, self._embedders, paths, sync, self._reporter)

    def watch(self, paths: Sequence[Path], told: Callable[[Added], None], every: float = EVERY) -> NoReturn:
        """`add` with `sync` now and after every change in `paths`, until Ctrl-C; `told` gets what each did."""
        watch(lambda: self.add(paths, sync=True), paths, told, every)

    def remove(self, documents: Sequence[str]) -> Added:
        """Take documents out of the index. Raises BadInput for an id that is not there."""
        return ingest.remove(self.store, self.settings, self._embedders, documents, self._reporter)

    def audit(self, *, keep: Sequence[str] = (), drop: Sequence[str] = (), current: Sequence[str] = (), judge: bool = False) -> Audit:
        """What is wrong with the documents, and what to do; before that, what a person says of some (ids) is noted and acted on.

        With `judge` the model of the settings says of each contradiction whether it is one: two calls each. Raises BadInput, Busy.
        """
        from selfstudy.answer.judged import Judging
        from selfstudy.recipes.audit import audit

        rulings, known = Rulings(self.home), self.store.snapshot().documents
        rulings.say("keep", keep, known)
        rulings.say("drop", drop, known)
        rulings.say("current", current, known)
        embedders, stop = self._embedders, Stop()
        with self.store.writing("settling", wait=30) as writer, stop.on_interrupt():
            settle(self.home, writer, self.settings, embedders, self._reporter, stop)
        if judge and self.llm is None:
            raise BadInput("No model is set that could judge.", "Name one: --set llm=openai:<model>, or leave --judge out.")
        critic = Judging(self.llm) if judge and self.llm is not None else None
        return audit(self.home, self.store.snapshot(), self.settings, embedders[0], self.set_aside(), critic)

    def glossary(self, *, add: Sequence[tuple[str, str]] = (), strike: Sequence[str] = ()) -> list[Term]:
        """Which names mean the same, as the documents explain it and people gave it; before that, terms are added and struck.

        `add` are pairs of a name and what it means, `strike` names, or "name=means" for one meaning. Raises BadInput.
        """
        terms = Terms(self.home)
        if not terms.there:
            terms.found(terms_of(self.store.snapshot()) if self.settings.glossary.on else ())
        for name, means in add:
            terms.add(name, means)
        for name in strike:
            terms.strike(name)
        return terms.all()

    def set_aside(self) -> list[SetAside]:
        """What could not be read, and why."""
        return ingest.Readings(self.home).set_aside()

    # Questions

    def serving(self) -> Serving:
        """What answers now: the index and the live system, together and unchanging; `search` and `ask` take it."""
        return self._opening.now()

    def warm(self) -> None:
        """Load what the first question would wait for. Raises BadModel, HomeError."""
        now = self.serving()
        if self.reader is not None and self.settings.llm is None and now.live.generator is None:
            self.reader.read([("warm", "warm")])

    def search(
        self,
        question: str,
        k: int = 10,
        by: str = "hybrid",
        where: str | None = None,
        superseded: bool = False,
        *,
        exact: bool = False,
        around: bool = False,
        serving: Serving | None = None,
    ) -> list[Hit]:
        """The best `k` passages; near duplicates fold into the best of them, parts into what holds them. Raises BadInput.

        `superseded`: of outdated versions too. With `exact` every hit cites its sentence or clause that says most about the question; with
        `around` the section of that too.
        """
        return asking.search(serving or self.serving(), self.settings, question, k, by, where, superseded, exact, around)

    def ask(
        self,
        question: str,
        where: str | None = None,
        superseded: bool = False,
        *,
        mode: Mode | None = None,
        choices: Sequence[str] = (),
        conversation: Sequence[Message] = (),
        around: bool = False,
        serving: Serving | None = None,
    ) -> Answer:
        """An answer with citations, or that the documents do not hold one; with `superseded`, outdated versions too; with `around`, each
        citation with the section that it stands in.

        In the settings' `reflect.mode` unless one is given. With `conversation`, the turns before, a model first rewrites the question so
        that it stands alone. Raises BadInput.
        """
        now = serving or self.serving()
        llm = self._generator(now.live.generator) if now.live.generator else self.llm
        reader = self.reader if llm is None else None
        return asking.ask(now, self.settings, llm, reader, question, where, superseded, mode, choices, conversation, self.critic, around)

    @cached_property
    def ledger(self) -> Ledger:
        """Who asked what through a service, and how people judged the answers."""
        return Ledger(self.home)

    def drift(self) -> Drifted:
        """Whether people are content, whether they ask about other things than before, and whether to study again."""
        judged = [event.when for event in self.history_of.events() if event.event == "judged"]
        return drifted(self.home, self.settings.drift, datetime.fromisoformat(judged[-1]).timestamp() if judged else 0.0)

    # Study

    def plan(self) -> list[Planned]:
        """What `adapt` would run and what is kept. Loads and writes nothing."""
        if self.settings.tuning.base is not None:
            checked(self.settings.tuning, self.llm)
        study = self._study(planning=True)
        planned = study.plan(self.history_of.judged)
        if self.settings.imitation.on:
            planned += ImitationStudy(study, True, self.settings.imitation.shares[0]).plan()
        if self.settings.int8 == "auto":
            planned += Int8Study(study).plan()
        if self.settings.sentences.on:
            planned += self._sentence_study(study, self.live).plan()
        if self._reranks:
            planned += self._reranker_study(study).plan()
        if self.settings.tuning.base is not None:
            before = len(study.run.planned)
            planned += self._generator_study(study).plan(len(study.snapshot))[before:]
        return planned

    def adapt(self) -> Outcome:
        """Study the documents and, if the gate opens, let the tuned system serve. Stages that are finished are kept.

        Words, imitated by vectors, come beside the tuned embedder or, where that was refused, beside what serves; then passages are put in
        order by their sentences and by a reranker. Where the settings want int8, or name a generator to be tuned, these follow. Each has a
        gate of its own.
        Raises NotEnough, Busy, Stopped, MissingExtra; then nothing that serves was changed.
        """
        if self.settings.int8 == "auto":
            int8.check()
        if self.settings.tuning.base is not None:
            checked(self.settings.tuning, self.llm)
        with Lock(self.home / "adapt.lock", "adapting"):
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
                if self.settings.tuning.base is None:
                    return outcome
                return replace(outcome, generator=self._adapt_generator().json())
            finally:
                self._votes = None

    def _adapt_search(self, began: float) -> Outcome:
        study = self._study(planning=False)
        study.check()
        self._pointer.fill(self.base, "embed")
        self._pointer.fill(self.live, "embed")
        self._study(planning=False).check_questions()
        for share in (1.0, *self.settings.average.nearer):
            study = self._study(planning=False, share=share)
            judged = self.history_of.judged(study.key) or self._judge(study, began)
            outcome = Outcome.load(judged.details)
            if not outcome.fails_only("guard"):
                break
        if not self._promoted(judged) and self.live.key is None and self.live.abstention is None:
            calibrated = replace(self.base, abstention=read_json(study.base_calibrated.path / "calibration.json"))
            self._pointer.serve("calibrated", calibrated, "the base goes on serving, and has learned when to abstain")
        outcome = replace(outcome, votes=study.votes_told())
        system = judged.system
        if judged.promote and system is not None and (system.embedder, system.weight) != (self.live.learned, self.live.weight):
            told = f"Nothing changed since {judged.key} was judged and promoted, and something else was chosen after that."
            return replace(outcome, promoted=False, reason=f"{told} `selfstudy promote {judged.key}` lets it serve again.")
        return outcome

    def _promoted(self, judged: Event) -> bool:
        """Let a candidate serve whose judgement says so, if nothing was decided since: a kill may have come between the two."""
        later = [event for event in self.history_of.events() if event.number > judged.number and event.event != "judged"]
        if judged.promote and not later and judged.system is not None:
            self._pointer.serve("promoted", judged.system, judged.reason)
            return True
        return False

    def _judged(self, key: str, exam: str | None, judge: Callable[[], tuple[Verdict, Outcome, System | None]]) -> Outcome:
        """What was, or now is, said of the candidate `key`; one that passes serves from then on. `exam` counts the candidates it judged."""
        judged, began = self.history_of.judged(key), time.monotonic()
        if judged is None:
            verdict, outcome, system = judge()
            outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
            judged = self.history_of.add(
                "judged", key, verdict.reason, system, before=self.live, promote=verdict.promote, exam=exam, details=outcome.json()
            )
        self._promoted(judged)
        return Outcome.load(judged.details)

    def _adapt_imitation(self) -> Outcome:
        search = self._study(planning=False)
        exam = f"words {search.content}"
        for share in self.settings.imitation.shares:
            study = ImitationStudy(search, False, share)
            outcome = self._judged(study.key, exam, partial(self._words_judged, study, exam))
            if not outcome.fails_only("guard"):
                break
        return outcome

    def _words_judged(self, study: ImitationStudy, exam: str) -> tuple[Verdict, Outcome, System | None]:
        system = replace(self.live, key=study.key, imitation=study.name, sentences=None)  # which count otherwise beside words
        return *study.judge(self.settings.gate, self.history_of.examined(exam) + 1), system

    def _adapt_int8(self) -> Outcome:
        study = Int8Study(self._study(planning=False))
        if not study.possible:
            return study.judge(self.settings.gate)[1]
        self._pointer.fill(study.full, "embed")
        return self._judged(study.key, None, lambda: (*study.judge(self.settings.gate), study.system()))

    def _adapt_sentences(self) -> Outcome | None:
        search, live = self._study(planning=False), self.live
        study = self._sentence_study(search, live)
        if live.sentences == study.after.sentences:  # they serve, and whatever was judged over them stays
            judged = self.history_of.judged(study.key)
            return Outcome.load(judged.details) if judged is not None else None
        if study.refusal:
            return study.judge(self.settings.gate)[1]
        return self._judged(study.key, None, lambda: self._by_sentence(search, study))

    def _by_sentence(self, search: Study, study: SentenceStudy) -> tuple[Verdict, Outcome, System]:
        """Whether the first passages are put in order by their sentences, and the system that does so."""
        verdict, outcome = study.judge(self.settings.gate)
        return verdict, outcome, self._calibrated(search, study.after) if verdict.promote else study.after

    def _sentence_study(self, study: Study, system: System) -> SentenceStudy:
        return SentenceStudy(study, system, lambda system: self._retrievers(study.snapshot, system), self._widened)

    @property
    def _widened(self) -> str:
        """How questions are widened by the glossary."""
        expansion = self._expansion()
        return f" {expansion.key}" if expansion is not None else ""

    @staticmethod
    def _calibrated(search: Study, system: System) -> System:
        """`system`, whose first passages are put in order anew, with its own sense of when to abstain."""
        return replace(system, abstention=read_json(search.recalibrated(system).path / "calibration.json"))

    def _adapt_reranker(self) -> Outcome:
        search = self._study(planning=False)
        study, exam = self._reranker_study(search), f"reranked {search.content}"

        def judge() -> tuple[Verdict, Outcome, System | None]:
            unseen = set(self.settings.questions.unseen)
            verdict, outcome = study.judge(self.settings.gate, unseen, self.history_of.examined(exam) + 1, search.own_beside)
            system = study.system() if study.weight else None
            if verdict.promote and system is not None:
                system = self._calibrated(search, system)
            return verdict, outcome, system

        return self._judged(study.key, exam, judge)

    @property
    def _reranks(self) -> bool:
        """Whether a reranker is looked for: where nobody wants the starter's reader, one that is trained here."""
        trained = self.settings.reranking.minutes or self.settings.reranking.max_steps
        return self.settings.reranker == "auto" and (self.settings.reader or bool(trained))

    def _reranker_study(self, study: Study) -> RerankerStudy:
        live = replace(self.live, reranking=None)
        embedder, base = self._embedder(live.embedder), self._embedder(self.base.embedder)
        name = f"hybrid {live.weight:.3f}{f' {live.sentences}' if live.sentences else ''}{self._widened}"
        searched = study.lazy(name, live.fingerprint, lambda: self._retrievers(study.snapshot, live)["hybrid"])
        return RerankerStudy(
            study.run, self.settings.rerank, self.settings.reranking, study.mined, searched,
            Lazy(live.fingerprint, lambda: embedder), Lazy(self.base.fingerprint, lambda: base.model_folder), live,
        )  # fmt: skip

    def _adapt_generator(self) -> Outcome:
        study = self._generator_study(self._study(planning=False))
        study.check(self.settings.gate.minimum_exam)
        exam = f"answers {study.content}"
        serving = folder_of(self.live.generator or str(self.settings.tuning.base), self.home / "artifacts")
        candidates = self.history_of.examined(exam) + 1
        return self._judged(study.key, exam, lambda: (*study.judge(serving, self.settings.gate, candidates), study.system()))

    def _generator_study(self, study: Study) -> GeneratorStudy:
        live = self.live
        searched = study.lazy(f"live hybrid {live.ranks}", live.fingerprint, lambda: self._retrievers(study.snapshot, live)["hybrid"])
        settings = self.settings
        return GeneratorStudy(study.run, settings.tuning, settings.reflect, study.mined, searched, live, study.content, self.llm)

    def _judge(self, study: Study, began: float) -> Event:
        candidates = self.history_of.examined(study.content) + 1
        verdict, outcome = study.judge(candidates)
        system = study.system(verdict.promote)
        if verdict.promote and self.settings.imitation.on:  # both go live at once, so that one rollback takes both back
            for share in self.settings.imitation.shares:
                words = ImitationStudy(study, True, share)
                _, told = words.judge(self.settings.gate, candidates)
                if not told.fails_only("guard"):
                    break
            system = replace(system, imitation=words.name) if told.promoted else system
            outcome = replace(outcome, imitation=told.json())
        if verdict.promote and self.settings.sentences.on:
            self._pointer.fill(system, "embed")
            holding = self._study(planning=False, share=study.share)  # over an index with these vectors
            sentences = self._sentence_study(holding, system)
            if holding.content == study.content and not sentences.refusal:  # else they are tried by themselves
                _, told, finer = self._by_sentence(holding, sentences)
                system = replace(finer, key=system.key) if told.promoted else system
                outcome = replace(outcome, sentences=told.json())
        outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
        return self.history_of.add(
            "judged", study.key, verdict.reason, system, before=self.live,
            promote=verdict.promote, exam=study.content, details=outcome.json(),
        )  # fmt: skip

    def _study(self, planning: bool, share: float = 1.0) -> Study:
        run = Run(self.home / "artifacts", self._reporter, planning)
        votes = self._counted_votes() if self._votes is None else self._votes
        return Study(
            self.home, run, self.settings, self.store.snapshot(), self.base, self.live, self._embedder, self.llm, share, votes,
            self._known_votes(),
        )  # fmt: skip

    def _counted_votes(self) -> list[Vote]:
        """The votes that a study looks at: all, or none where they are too few to prove anything."""
        wanted = self.settings.votes
        votes = votes_of(self.home, wanted.clicks) if wanted.on else []
        return votes if len({vote.asked.question for vote in votes}) >= wanted.minimum else []

    def _known_votes(self) -> list[str]:
        """The ids of people's questions that what serves has learned from, or where these very votes made it, what served before had."""
        learned = self.live.learned  # what serves may have a reranker since then, or be in int8
        judged = (event for event in reversed(self.history_of.events()) if event.event == "judged" and event.details.get("votes"))
        told: dict[str, Any] = next((one.details["votes"] for one in judged if one.system and one.system.embedder == learned), {})
        return list(told.get("known" if told.get("key") == key_of(self._votes or self._counted_votes()) else "learned", []))

    def evaluate(self, queries: Path, qrels: Path, scope: str | None = None, out: Path | None = None) -> dict[str, Any]:
        """Metrics with intervals on labelled questions, base and live, and their paired differences. `out` gets the rows too.

        `set_aside` lists the ids of questions without words, where there are any.
        """
        self._pointer.fill(self.base, "embed")
        snapshot = self.store.snapshot()
        questions = evaluate.labelled(snapshot, queries, qrels, scope)
        base = evaluate.measure(self._retrievers(snapshot, self.base), questions, scope)
        live = evaluate.measure(self._retrievers(snapshot), questions, scope) if self.live.key is not None else base
        found = evaluate.compared(base, live)
        if blank := evaluate.blank(queries):
            found["set_aside"] = blank
        if out is not None:
            make_folder(out)
            write_json(out / "evaluate.json", found)
            lines = (json.dumps(row, ensure_ascii=False) for row in evaluate.rows(questions[0], base, live))
            write_atomic(out / "questions.jsonl", "\n".join(lines) + "\n")
        return found

    def questions(
        self,
        sample: int = 20,
        *,
        writer: str | None = None,
        dropped: bool = False,
        seed: int = 0,
        strike: Sequence[str] = (),
        keep: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Some questions of the last study, to read; before that, those of `strike` and `keep` (ids) are noted for the next one.

        Raises BadInput.
        """  # fmt: skip
        decisions = Decisions(self.home)
        decisions.say("strike", strike)
        decisions.say("keep", keep)
        return decisions.sample(sample, writer, dropped, seed)

    def intents(self) -> list[Intent]:
        """What the questions of the last study want: groups that are asked alike, whatever they are about. Raises BadInput."""
        from selfstudy.evals.intents import intents

        return intents(Decisions(self.home).kept(), self._embedder(self.live.embedder))

    def inspect(
        self,
        candidate: str | None = None,
        queries: Path | None = None,
        qrels: Path | None = None,
        questions: int = 300,
        out: Path | None = None,
    ) -> dict[str, Any]:
        """The space of the base beside that of a candidate (else of what is live, else of the last one judged), and where answers are lost.

        Over the exam's questions of the last study, or labelled ones. The page is `out`, else in `reports`. Raises BadInput, NotEnough.
        """
        from selfstudy.evals.inside import write_inside
        from selfstudy.recipes import inspection
        from selfstudy.recipes.look import look, sides_of

        if (queries is None) != (qrels is None):
            raise BadInput("Labelled questions are two files, and one was given.", "Give --queries and --qrels together.")
        snapshot = self.store.snapshot()
        sides = sides_of(self.base, self.live, self.history_of, candidate)
        if queries is not None and qrels is not None:
            asked = inspection.labelled(snapshot, queries, qrels, questions)
        else:
            asked = inspection.held_out(self.home, snapshot, questions)
        run = Run(self.home / "artifacts", self._reporter)
        found = look(self.home, snapshot, run, sides, self._embedder, asked, queries is not None, self.settings.extract)
        path = out if out is not None else make_folder(self.home / "reports") / f"inside-{sides[-1][1].fingerprint[:12]}.html"
        write_inside(path, found)
        return found.json() | {"page": str(path)}

    def distil(self, out: Path, student: Student | None = None) -> dict[str, Any]:
        """A smaller embedder that imitates the one that serves, in the new folder `out` (use it as `st:<out>`), beside its teacher.

        Returns dense MRR@10 of both over the exam's questions, and the ratios of size and speed. Raises BadInput, NotEnough.
        """
        from selfstudy.recipes.distilling import distil
        from selfstudy.train.student import Student

        study = self._study(planning=False)
        study.check()
        return distil(study, student or Student(), out)

    # What serves

    @cached_property
    def llm(self) -> LLM | None:
        """The model that the settings name, None where they name none. It is asked nothing yet. Raises UnknownPlugin, BadModel."""
        if self.settings.llm is None:
            return None
        model = self.settings.llm.partition(":")[2]
        if self.settings.budget.money is not None and model not in self.settings.api.prices:
            raise BadInput(
                f"A budget in money was given, and no price of {model!r} is known.",
                f"Say it: --set 'api.prices={{\"{model}\"={{input=1.0,output=4.0}}}}' (a million tokens), or give --budget tokens=N.",
            )
        found: LLM = resolve(self.settings.llm, LLMS, api=self.settings.api, cache=self.home / "paid", meter=self.meter)
        return found

    @cached_property
    def critic(self) -> Judge | None:
        """Who judges reflective answers, None where the model that writes them does. Raises BadInput."""
        if self.settings.critic is None:
            return None
        if not self.settings.critic.startswith(SCHEME):
            raise BadInput(
                f"The critic {self.settings.critic!r} is no model of transformers.", "Name one as hf:<folder> or hf:artifact:<key>."
            )
        return critic_of(self._generator(self.settings.critic))

    @property
    def reader(self) -> Reader | None:
        """The starter's reader, loaded when it is first used; None where the settings want none."""
        return SHIPPED.kept_in(converted(self.home)) if self.settings.reader else None

    @property
    def base(self) -> System:
        """The system before anything was learned."""
        return self._pointer.base()

    @property
    def live(self) -> System:
        """The system that answers now."""
        return self._pointer.live()

    @property
    def history_of(self) -> History:
        """What was judged, promoted and rolled back."""
        return History(self.home)

    def history(self) -> list[dict[str, Any]]:
        """Every event, oldest first, as plain data."""
        return [event.json() for event in self.history_of.events()]

    def promote(self, key: str, force: bool = False) -> dict[str, Any]:
        """Let a judged candidate serve. Raises BadInput for one that was refused, unless `force`, which is recorded."""
        return self._pointer.promote(key, force).json()

    def rollback(self) -> dict[str, Any]:
        """Let what served before the last promotion serve again. Raises BadInput where nothing was promoted."""
        return self._pointer.rollback().json()

    # Looking

    def status(self) -> dict[str, Any]:
        """What the home holds and what serves; `people`: how content they are and why to study again, where anybody was asked."""
        snapshot = self.store.snapshot()
        live = self.live
        near, inside = ingest.repeated_in(snapshot)
        people = {"people": self.drift().json()} if (self.home / LEDGER).exists() else {}
        return people | {
            "documents": len(snapshot.documents),
            "passages": len(snapshot),
            "near_duplicates": near,
            "contained": inside,
            "set_aside": [one.json() for one in self.set_aside()],
            "live": live.json(),
            "index_version": snapshot.version,
            "missing_vectors": len(without_vector(snapshot, self._embedders)),
        }

    def config_rows(self) -> list[config.Setting]:
        """Every setting, its value, and where that came from."""
        return config.describe(self.settings, self._origins)

    def _retrievers(self, snapshot: Snapshot, system: System | None = None) -> dict[str, Any]:
        system = system or self.live
        ways = served(snapshot, system, self._embedder, self._expansion())
        return reranked(ways, system, self.home, self._embedder(system.embedder))

    def _expansion(self) -> Expansion | None:
        return expansion_of(self.home, self.settings.glossary)

    @cached_property
    def _rankings(self) -> Rankings | None:
        return rankings_of(self.settings.cache)

    def _generator(self, name: str) -> HF:
        """A generator that was tuned here, loaded once."""
        with self._loading:
            if name not in self._generators:
                self._generators[name] = HF(folder_of(name, self.home / "artifacts"))
            return self._generators[name]

    @property
    def _embedders(self) -> list[Remembering]:
        """Those whose vectors every passage must have."""
        return [self._embedder(name) for name in self.live.embedders]

    def _embedder(self, name: str) -> Remembering:
        with self._loading:
            if name not in self._loaded:
                embedder = load_embedder(name, self.home, self.settings.api, self.meter)
                # What was paid for has a place of its own, where nothing is ever thrown away, and what is cheap is made again.
                apart = getattr(embedder, "paid", False) or getattr(embedder, "cheap", False)
                kept = None if apart else vectors_of(self.home, self.settings.cache)
                self._loaded[name] = Remembering(embedder, kept)
            return self._loaded[name]
