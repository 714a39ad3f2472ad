"""The one way in: the Python call, the command line and whatever else there will be all use an Engine over a home."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from selfstudy.core import config
from selfstudy.core.errors import BadInput, HomeError
from selfstudy.core.files import make_folder, write_atomic, write_json
from selfstudy.core.records import Answer, Hit, Message, Mode, Term
from selfstudy.core.run import Planned, Quiet, Reporter, Run, Stop
from selfstudy.corpus.set_aside import SetAside
from selfstudy.index.cached import Rankings
from selfstudy.index.store import Store
from selfstudy.recipes import asking, evaluate, ingest
from selfstudy.recipes.caches import rankings_of
from selfstudy.recipes.decisions import Decisions
from selfstudy.recipes.drift import Drifted, drifted
from selfstudy.recipes.embedding import without_vector
from selfstudy.recipes.glossary import Terms
from selfstudy.recipes.history import History
from selfstudy.recipes.ingest import Added
from selfstudy.recipes.ledger import NAME as LEDGER
from selfstudy.recipes.ledger import Ledger
from selfstudy.recipes.loaded import Loaded
from selfstudy.recipes.outcome import Outcome
from selfstudy.recipes.pointer import Pointer
from selfstudy.recipes.pruning import Pruned
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.rulings import Rulings, ruled
from selfstudy.recipes.serving import Opening, Serving
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.settle import settle, terms_of
from selfstudy.recipes.studies import Studies
from selfstudy.recipes.system import System
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

    def __init__(self, home: Path, store: Store, settings: Settings, reporter: Reporter, eager: bool = False) -> None:
        self.home = home
        self.store = store
        self.settings = settings
        self._reporter = reporter
        self.loaded = Loaded(home, settings)
        self._pointer = Pointer(home, store, settings, self.loaded.embedder, reporter)
        self.studies = Studies(home, store, settings, self.loaded, self._pointer, reporter)
        self._opening = Opening(
            store, self._pointer.live, self.loaded.embedder,
            rankings_of=lambda: self._rankings, expansion_of=self.loaded.expansion, eager=eager, hot=settings.cache.hot,
        )  # fmt: skip

    @classmethod
    def open(
        cls, home: Path, *, create: bool = False, sets: Sequence[str] = (), reporter: Reporter | None = None, eager: bool = False
    ) -> Self:
        """The engine over the folder `home`, made where `create` is set; `sets` are `a.b=c`. Raises BadConfig, HomeError.

        `eager` is for a service: everything is loaded before it serves, and many threads may ask at once.
        """
        if home.exists() and not home.is_dir():
            raise HomeError(f"{home} is a file; a home is a folder.", "Give another --home, or move the file away.")
        settings, _ = config.load(Settings, home / "config.toml", sets)
        return cls(home, Store.open(home, create), settings, reporter or Quiet(), eager)

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
        from selfstudy.answer.prompted_critic import PromptedCritic
        from selfstudy.recipes.audit import audit

        rulings, known = Rulings(self.home), self.store.snapshot().documents
        rulings.say(ruled(keep, drop, current), known)
        embedders, stop = self._embedders, Stop()
        with self.store.writing("settling", wait=30) as writer, stop.on_interrupt():
            settle(self.home, writer, self.settings, embedders, self._reporter, stop)
        if judge and self.loaded.llm is None:
            raise BadInput(
                "No model is set that could judge.",
                "Name one: selfstudy audit --judge --set llm=openai:<model>, or leave --judge out.",
            )
        entailment = PromptedCritic(self.loaded.llm) if judge and self.loaded.llm is not None else None
        return audit(self.home, self.store.snapshot(), self.settings, embedders[0], self.set_aside(), entailment)

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
        if self.loaded.reader is not None and self.settings.llm is None and now.live.generator is None:
            self.loaded.reader.read([("warm", "warm")])

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
        now = serving or self.serving()
        return asking.search(now, self.settings, question, k=k, by=by, where=where, superseded=superseded, exact=exact, around=around)

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
        now, loaded = serving or self.serving(), self.loaded
        llm = loaded.generator(now.live.generator) if now.live.generator else loaded.llm
        return asking.ask(
            now, self.settings, question, llm=llm, reader=loaded.reader if llm is None else None, critic=loaded.critic,
            where=where, superseded=superseded, mode=mode, choices=choices, conversation=conversation, around=around,
        )  # fmt: skip

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
        return self.studies.plan()

    def adapt(self) -> Outcome:
        """Study the documents and, if the gate opens, let the tuned system serve. Stages that are finished are kept.

        Raises NotEnough, Busy, Stopped, MissingExtra; what passed its gate before that serves all the same.
        """
        return self.studies.adapt()

    def evaluate(self, queries: Path, qrels: Path, scope: str | None = None, out: Path | None = None) -> dict[str, Any]:
        """Metrics with intervals on labelled questions, base and live, and their paired differences. `out` gets the rows too.

        Where there are any, `set_aside` lists the ids of questions without words, and `unlabelled` counts those without a relevant
        document here.
        """
        self._pointer.fill(self.base, "embed")
        snapshot = self.store.snapshot()
        questions = evaluate.labelled(snapshot, queries, qrels, scope)
        base = evaluate.measure(self.loaded.retrievers(snapshot, self.base), questions, scope)
        live = evaluate.measure(self.loaded.retrievers(snapshot, self.live), questions, scope) if self.live.key is not None else base
        found = evaluate.compared(base, live) | evaluate.left_out(queries, questions[0])
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
        decisions.say(strike, keep)
        return decisions.sample(sample, writer, dropped, seed)

    def intents(self) -> list[Intent]:
        """What the questions of the last study want: groups that are asked alike, whatever they are about. Raises BadInput."""
        from selfstudy.evals.intents import intents

        return intents(Decisions(self.home).kept(), self.loaded.embedder(self.live.embedder))

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
        found = look(
            self.home, snapshot, run, sides, load=self.loaded.embedder, asked=asked, own=queries is not None,
            cfg=self.settings.extract, expand=self.loaded.expansion(),
        )  # fmt: skip
        path = out if out is not None else make_folder(self.home / "reports") / f"inside-{sides[-1][1].fingerprint[:12]}.html"
        write_inside(path, found)
        return found.json() | {"page": str(path)}

    def distil(self, out: Path, student: Student | None = None) -> dict[str, Any]:
        """A smaller embedder that imitates the one that serves, in the new folder `out` (use it as `st:<out>`), beside its teacher.

        Returns dense MRR@10 of both over the exam's questions, and the ratios of size and speed. Raises BadInput, NotEnough.
        """
        from selfstudy.recipes.distilling import distil
        from selfstudy.train.student import Student

        self.studies.study().check()
        return distil(self.studies.ready(), student or Student(), out)

    # What serves

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

    def prune(self, keep: int = 1, *, remove: bool = False) -> Pruned:
        """What trained models and half-finished stages nothing needs; with `remove` they are removed. Raises Busy during a study.

        Kept are what serves, what the last `keep` other models served with, all that `adapt` can use again over the documents as they are,
        and the questions of the last study.
        """
        return self.studies.prune(keep, remove)

    # Looking

    def status(self) -> dict[str, Any]:
        """What the home holds and what serves. `waiting`: what was promoted with an embedder that is not what its name loads now;
        `people`: how content they are and why to study again, where anybody was asked.
        """
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
            **({"waiting": promoted} if (promoted := snapshot.state.live) and promoted["key"] != live.key else {}),
            "index_version": snapshot.version,
            "missing_vectors": len(without_vector(snapshot, self._embedders)),
        }

    @cached_property
    def _rankings(self) -> Rankings | None:
        return rankings_of(self.settings.cache)

    @property
    def _embedders(self) -> list[Remembering]:
        """Those whose vectors every passage must have."""
        return [self.loaded.embedder(name) for name in self.live.embedders]
