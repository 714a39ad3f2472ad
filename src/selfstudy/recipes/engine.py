"""The one way in: the Python call, the command line and whatever else there will be all use an Engine over a home."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from selfstudy.core import config
from selfstudy.core.errors import BadInput, HomeError
from selfstudy.core.files import Lock, make_folder, read_json, write_atomic, write_json
from selfstudy.core.plugs import LLMS, resolve
from selfstudy.core.ports import LLM
from selfstudy.core.records import Answer, Citation, Hit
from selfstudy.core.run import Planned, Quiet, Reporter, Run, Stop
from selfstudy.index.fold import fold
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.store import Store
from selfstudy.models.api import Meter
from selfstudy.models.hf import HF
from selfstudy.recipes import evaluate, ingest
from selfstudy.recipes.adapt import Study, known_share
from selfstudy.recipes.decisions import Decisions
from selfstudy.recipes.generator import GeneratorStudy, checked, folder_of
from selfstudy.recipes.history import Event, History
from selfstudy.recipes.ingest import Added
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.system import Remembering, System, load_embedder, retrievers

WAYS = ("lexical", "dense", "hybrid")
_READS = 0.8
"""An embedder that knows fewer of a corpus's tokens cannot search it: what it finds is noise."""


class Engine:
    """Everything that can be done with a home. Made by `Engine.open`.

    engine = Engine.open(Path("home"), create=True)
    engine.add([Path("documents")])
    engine.adapt()
    print(engine.ask("How long is the warranty?").text)
    """

    def __init__(self, home: Path, store: Store, settings: Settings, origins: dict[str, str], reporter: Reporter) -> None:
        self.home = home
        self.store = store
        self.settings = settings
        self._origins = origins
        self._reporter = reporter
        self.meter = Meter(settings.budget, settings.api.prices)
        self._loaded: dict[str, Remembering] = {}
        self._generators: dict[str, HF] = {}
        self._read: tuple[int, float] | None = None

    @classmethod
    def open(cls, home: Path, *, create: bool = False, sets: Sequence[str] = (), reporter: Reporter | None = None) -> Self:
        """The engine over the folder `home`, made where `create` is set; `sets` are `a.b=c`. Raises BadConfig, HomeError."""
        if home.exists() and not home.is_dir():
            raise HomeError(f"{home} is a file; a home is a folder.", "Give another --home, or move the file away.")
        settings, origins = config.load(Settings, home / "config.toml", sets)
        return cls(home, Store.open(home, create), settings, origins, reporter or Quiet())

    # Documents

    def add(self, paths: Sequence[Path], *, sync: bool = False) -> Added:
        """Read files and folders into the index; only what is new or changed is read again. With `sync`, what is gone is removed."""
        return ingest.add(self.store, self.settings, self._embedder(self.live.embedder), paths, sync, self._reporter)

    def remove(self, documents: Sequence[str]) -> Added:
        """Take documents out of the index. Raises BadInput for an id that is not there."""
        return ingest.remove(self.store, documents)

    # Questions

    def search(self, question: str, k: int = 10, by: str = "hybrid", where: str | None = None) -> list[Hit]:
        """The best `k` passages; near duplicates fold into the best of them. Raises BadInput."""
        if by not in WAYS:
            raise BadInput(f"by is {by!r}; it is one of {', '.join(WAYS)}.", "Use hybrid if in doubt.")
        found = self._retrievers(self.store.snapshot())[by].search([question], k + 20 if isinstance(k, int) and k > 0 else k, where)[0]
        return fold(found, k)

    def ask(self, question: str, where: str | None = None) -> Answer:
        """An answer with citations, or that the documents do not hold one. Raises BadInput."""
        from selfstudy.answer.ask import answer
        from selfstudy.answer.judged import Judging
        from selfstudy.recipes.calibrate import calibration_of

        snapshot, live = self.store.snapshot(), self.live
        retriever = self._retrievers(snapshot)["hybrid"]
        llm = self._generator(live.generator) if live.generator else self.llm
        # A generator of one's own is not judged by an API that may be set as well: its passages stay here.
        critic = Judging(llm) if llm is not None and not live.generator and self.settings.judged else None
        embedder, cfg = self._embedder(live.embedder), self.settings.extract
        found = answer(question, retriever, embedder, calibration_of(live), where, cfg, llm, critic)
        return replace(found, citations=tuple(self._placed(snapshot, found.citations)))

    def _placed(self, snapshot: Snapshot, citations: Sequence[Citation]) -> Iterator[Citation]:
        """Citations with what only the documents know: their titles, sources, and where in them a person finds the quotes."""
        cited = {citation.document for citation in citations} & snapshot.documents.keys()
        documents = {document.id: document for document in snapshot.load_documents(sorted(cited))}
        for citation in citations:
            if (document := documents.get(citation.document)) is None:
                yield citation
            else:
                title, where = document.title or citation.title, document.where(citation.start)
                yield replace(citation, title=title, source=document.source, where=where)

    # Study

    def plan(self) -> list[Planned]:
        """What `adapt` would run and what is kept. Loads and writes nothing."""
        if self.settings.tuning.base is not None:
            checked(self.settings.tuning)
        study = self._study(planning=True)
        planned = study.plan(self.history_of.judged)
        if self.settings.tuning.base is not None:
            tuned = self._generator_study(study).plan(len(study.snapshot))
            planned = planned + tuned[len(planned) :]
        return planned

    def adapt(self) -> Outcome:
        """Study the documents and, if the gate opens, let the tuned system serve. Stages that are finished are kept.

        Where the settings name a generator to be tuned, that follows, with a gate of its own. Raises NotEnough, Busy, Stopped; then nothing
        that serves was changed.
        """
        if self.settings.tuning.base is not None:
            checked(self.settings.tuning)
        with Lock(self.home / "adapt.lock", "adapting"):
            outcome = self._adapt_search(time.monotonic())
            if self.settings.tuning.base is None:
                return outcome
            return replace(outcome, generator=self._adapt_generator(time.monotonic()).json())

    def _adapt_search(self, began: float) -> Outcome:
        study = self._study(planning=False)
        study.check()
        self._fill(self.base, "embed")
        self._fill(self.live, "embed")
        self._study(planning=False).check_questions()
        for share in (1.0, *self.settings.average.nearer):
            study = self._study(planning=False, share=share)
            judged = self.history_of.judged(study.key) or self._judge(study, began)
            outcome = Outcome.load(judged.details)
            if not outcome.fails_only("guard"):
                break
        if not self._promoted(judged) and self.live.key is None and self.live.abstention is None:
            calibrated = replace(self.base, abstention=read_json(study.base_calibrated.path / "calibration.json"))
            self._serve("calibrated", calibrated, "the base goes on serving, and has learned when to abstain")
        system = judged.system
        if judged.promote and system is not None and (system.embedder, system.weight) != (self.live.embedder, self.live.weight):
            told = f"Nothing changed since {judged.key} was judged and promoted, and something else was chosen after that."
            return replace(outcome, promoted=False, reason=f"{told} `selfstudy promote {judged.key}` lets it serve again.")
        return outcome

    def _promoted(self, judged: Event) -> bool:
        """Let a candidate serve whose judgement says so, if nothing was decided since: a kill may have come between the two."""
        later = [event for event in self.history_of.events() if event.number > judged.number and event.event != "judged"]
        if judged.promote and not later and judged.system is not None:
            self._serve("promoted", judged.system, judged.reason)
            return True
        return False

    def _adapt_generator(self, began: float) -> Outcome:
        study = self._generator_study(self._study(planning=False))
        study.check(self.settings.gate.minimum_exam)
        judged = self.history_of.judged(study.key)
        if judged is None:
            exam = f"answers {study.content}"
            serving = folder_of(self.live.generator or str(self.settings.tuning.base), self.home / "artifacts")
            verdict, outcome = study.judge(serving, self.settings.gate, self.history_of.examined(exam) + 1)
            outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
            judged = self.history_of.add(
                "judged", study.key, verdict.reason, study.system(), before=self.live,
                promote=verdict.promote, exam=exam, details=outcome.json(),
            )  # fmt: skip
        self._promoted(judged)
        return Outcome.load(judged.details)

    def _generator_study(self, study: Study) -> GeneratorStudy:
        live = self.live
        searched = study.lazy(f"live hybrid {live.weight:.3f}", live.fingerprint, lambda: self._retrievers(study.snapshot, live)["hybrid"])
        return GeneratorStudy(study.run, self.settings.tuning, study.mined, searched, live, study.content)

    def _judge(self, study: Study, began: float) -> Event:
        verdict, outcome = study.judge(self.history_of.examined(study.content) + 1)
        system = study.system(verdict.promote)
        outcome = replace(outcome, seconds=round(time.monotonic() - began, 1))
        return self.history_of.add(
            "judged", study.key, verdict.reason, system, before=self.live,
            promote=verdict.promote, exam=study.content, details=outcome.json(),
        )  # fmt: skip

    def _study(self, planning: bool, share: float = 1.0) -> Study:
        run = Run(self.home / "artifacts", self._reporter, planning)
        return Study(self.home, run, self.settings, self.store.snapshot(), self.base, self.live, self._embedder, self.llm, share)

    def evaluate(self, queries: Path, qrels: Path, scope: str | None = None, out: Path | None = None) -> dict[str, Any]:
        """Metrics with intervals on labelled questions, base and live, and their paired differences. `out` gets the rows too.

        `set_aside` lists the ids of questions without words, where there are any.
        """
        self._fill(self.base, "embed")
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

    @property
    def base(self) -> System:
        """The system before anything was learned."""
        embedder = self._embedder(self.settings.embedder)
        snapshot = self.store.snapshot()
        if self._read is None or self._read[0] != snapshot.version:
            self._read = (snapshot.version, known_share(snapshot, embedder))
        weight = self.settings.weight if self._read[1] >= _READS else 0.0
        return System(self.settings.embedder, embedder.fingerprint, weight)

    @property
    def live(self) -> System:
        """The system that answers now."""
        said = self.store.state.live
        if said is None:
            return self.base
        system = System.load(said)
        if system.key is None:  # the base with its calibration, which holds only for the embedder and share that it was made with
            base = self.base
            return system if replace(system, abstention=None) == base else base
        return system

    @property
    def history_of(self) -> History:
        """What was judged, promoted and rolled back."""
        return History(self.home)

    def history(self) -> list[dict[str, Any]]:
        """Every event, oldest first, as plain data."""
        return [event.json() for event in self.history_of.events()]

    def promote(self, key: str, force: bool = False) -> dict[str, Any]:
        """Let a judged candidate serve. Raises BadInput for one that was refused, unless `force`, which is recorded."""
        judged = self.history_of.candidate(key)
        if not judged.promote and not force:
            raise BadInput(
                f"The candidate {judged.key} was refused: {judged.reason}", "Use --force to let it serve all the same; that is recorded."
            )
        if judged.system is None:
            raise HomeError(f"The candidate {judged.key} is not kept here.", "Run `selfstudy adapt` again.")
        return self._serve("promoted", judged.system, judged.reason, forced=not judged.promote).json()

    def rollback(self) -> dict[str, Any]:
        """Let what served before the last promotion serve again. Raises BadInput where nothing was promoted."""
        live = self.live
        for event in reversed(self.history_of.events()):
            if event.event == "promoted" and event.system == live:
                return self._serve("rolled back", event.before, f"back from {live.key}").json()
        raise BadInput("Nothing was promoted that could be rolled back.", "`selfstudy history` shows what happened here.")

    def _serve(self, event: Any, system: System | None, reason: str, forced: bool = False) -> Event:
        """Swap: embed what the new system lacks, then one replacement of the pointer. Only this holds the writer's lock."""
        before = self.live
        stop = Stop()
        with stop.on_interrupt():
            self._fill(system or self.base, "embed for the swap")  # most of the work, while others may still write
            with self.store.writing("swapping what serves", wait=30) as writer:
                serving = system or self.base
                vectors = self._prepared(serving)
                if vectors is not None:
                    writer.add_vectors(serving.fingerprint, *vectors)
                ingest.embed_missing(
                    writer, writer.snapshot(), self._embedder(serving.embedder), self._reporter, stop, "embed for the swap"
                )
                writer.set_live(system.json() if system is not None else None)
                writer.commit()
        return self.history_of.add(event, serving.key, reason, system, before=before, forced=forced)

    def _fill(self, system: System, name: str) -> None:
        """Give every passage a vector of this system's embedder."""
        if len(self.store.snapshot().missing(system.fingerprint)):
            stop = Stop()
            with self.store.writing("embedding", wait=30) as writer, stop.on_interrupt():
                vectors = self._prepared(system)
                if vectors is not None:
                    writer.add_vectors(system.fingerprint, *vectors)
                ingest.embed_missing(writer, writer.snapshot(), self._embedder(system.embedder), self._reporter, stop, name)

    def _prepared(self, system: System) -> tuple[list[str], Any] | None:
        """Ids and vectors that the study already made with this system's embedder."""
        from selfstudy.recipes.candidate import prepared

        return prepared(self.home / "artifacts", system)

    # Looking

    def status(self) -> dict[str, Any]:
        """What the home holds and what serves."""
        snapshot = self.store.snapshot()
        live = self.live
        return {
            "documents": len(snapshot.documents),
            "passages": len(snapshot),
            "near_duplicates": sum(passage.near is not None for passage in snapshot.passages),
            "set_aside": [one.json() for one in ingest.Readings(self.home).set_aside()],
            "live": live.json(),
            "index_version": snapshot.version,
            "missing_vectors": len(snapshot.missing(live.fingerprint)),
        }

    def config_rows(self) -> list[config.Setting]:
        """Every setting, its value, and where that came from."""
        return config.describe(self.settings, self._origins)

    def _retrievers(self, snapshot: Snapshot, system: System | None = None) -> dict[str, Any]:
        system = system or self.live
        return retrievers(snapshot, self._embedder(system.embedder), system.weight)

    def _generator(self, name: str) -> HF:
        """A generator that was tuned here, loaded once."""
        if name not in self._generators:
            self._generators[name] = HF(folder_of(name, self.home / "artifacts"))
        return self._generators[name]

    def _embedder(self, name: str) -> Remembering:
        if name not in self._loaded:
            self._loaded[name] = Remembering(load_embedder(name, self.home, self.settings.api, self.meter))
        return self._loaded[name]
