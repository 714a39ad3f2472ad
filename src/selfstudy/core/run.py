"""Memoised steps. A recipe is an ordinary function that calls `run.stage(...)` for each of them.

    @stage("synth.questions", version=2)
    def questions(work: Work, config: Questions, passages: Artifact, writer: Writer) -> dict[str, int]:
        with work.log("asked") as log:
            for done, passage in enumerate(everything):
                if passage.id not in log:
                    log.append(passage.id, ask(passage))
                work.progress(done + 1, len(everything))
        write_records(work.folder / "questions.jsonl", ...)
        return {"questions": 812}                       # kept in the manifest

    asked = run.stage(questions, cfg.questions, passages, writer)
    asked.path / "questions.jsonl"

A step runs once for each key: the hash of its name, version and config and of what it was given. Its folder appears by one rename
after the manifest is on disk, so that a folder without a manifest was never finished.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeVar

from pydantic import BaseModel

from selfstudy.core.artifacts import MANIFEST, WORK, Manifest, artifacts, complete, manifest
from selfstudy.core.errors import Stopped
from selfstudy.core.files import Lock, Log, home_errors, make_folder, sync, sync_tree, write_json
from selfstudy.core.records import Artifact, Record, digest

_log = logging.getLogger("selfstudy")
P = ParamSpec("P")
T = TypeVar("T")
Estimate = Callable[..., float | None]
"""Called with the stage's config and inputs; gives seconds, or None. An input artifact may not exist yet."""


class Stage(Generic[P, T]):
    """A function that `Run.stage` can keep the output of. Calling it calls the function."""

    def __init__(self, function: Callable[P, T], name: str, version: int, kind: str, estimate: Estimate | None) -> None:
        self.function = function
        self.name = name
        self.version = version
        self.kind = kind
        self.estimate = estimate
        self.__doc__ = function.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.function(*args, **kwargs)


def stage(
    name: str, version: int = 1, kind: str | None = None, estimate: Estimate | None = None
) -> Callable[[Callable[P, T]], Stage[P, T]]:
    """Make a function `(work, config, *inputs, **named)` a stage. Raise `version` whenever its output changes for equal input.

    `kind` begins the folder's name; it is the last part of `name` unless given. What the function returns (plain JSON data, or
    nothing) is kept in the manifest as `result`.
    """

    def made(function: Callable[P, T]) -> Stage[P, T]:
        return Stage(function, name, version, kind or name.rpartition(".")[2], estimate)

    return made


@dataclass(frozen=True, slots=True)
class Lazy:
    """An input that is loaded only if the stage truly runs: neither a plan nor a kept stage loads a model."""

    key: str
    load: Callable[[], Any]


class Reporter(Protocol):
    """Is told how a run goes on."""

    def stage_started(self, name: str, resumed: bool) -> None: ...

    def progress(self, name: str, done: int, total: int) -> None: ...

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None:
        """`kept`: the stage had been finished before and did not run (nor start)."""
        ...


class Quiet:
    """The reporter of work that nobody watches."""

    def stage_started(self, name: str, resumed: bool) -> None: ...

    def progress(self, name: str, done: int, total: int) -> None: ...

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None: ...


class Stop:
    """The user's wish to stop, kept until the work comes to a place where it can stop cleanly."""

    def __init__(self) -> None:
        self.requested = False

    def check(self) -> None:
        """Raise Stopped if the user wished to stop."""
        if self.requested:
            raise Stopped("Stopped.", "What is finished is kept; run the same command again to go on.")

    @contextmanager
    def on_interrupt(self) -> Iterator[None]:
        """Inside the block a first Ctrl-C is a wish to stop; a second one interrupts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread receives signals
            return

        def interrupted(number: int, frame: FrameType | None) -> None:
            if self.requested:
                raise KeyboardInterrupt
            self.requested = True
            _log.warning("Stopping once what is under way has ended; Ctrl-C once more stops at once.")

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


class Work:
    """What a running stage works with: its folder, its logs of finished items, and whoever watches."""

    def __init__(self, folder: Path, name: str, reporter: Reporter, stop: Stop) -> None:
        self.folder = folder
        self._name = name
        self._reporter = reporter
        self._stop = stop

    def log(self, name: str) -> Log:
        """The durable log of finished items `<name>.log.jsonl`; after a kill it holds what was finished before."""
        return Log(self.folder / f"{name}.log.jsonl")

    def progress(self, done: int, total: int) -> None:
        """Tell how far the stage is. Raises Stopped if the user wished to stop."""
        self._reporter.progress(self._name, done, total)
        self._stop.check()


@dataclass(frozen=True, slots=True)
class Planned(Record):
    """A stage as a plan shows it: kept (nothing to do), resume (partly done) or run; `seconds` is None where nobody knows.

    `done` counts the items in the logs of a stage that was begun: they are not done again.
    `calls` and `tokens` are what a model behind an API would be asked; `money` is None where no price is known, `memory_gib` where it
    is nothing to speak of.
    """

    stage: str
    key: str
    state: Literal["kept", "resume", "run"]
    seconds: float | None
    calls: int = 0
    tokens: int = 0
    money: float | None = None
    memory_gib: float | None = None
    done: int = 0


class Run:
    """Runs stages and keeps what they make under `folder`.

    With `planning` nothing runs and nothing is written: `stage` gives the artifact that would be made (its folder may not exist),
    and `planned` lists what was asked for. `made` lists the artifacts in the order in which they were asked for.
    """

    def __init__(self, folder: Path, reporter: Reporter | None = None, planning: bool = False) -> None:
        self.folder = folder
        self.reporter: Reporter = reporter or Quiet()
        self.planning = planning
        self._planned: dict[str, Planned] = {}
        self.made: list[Artifact] = []
        self.stop = Stop()

    @property
    def planned(self) -> list[Planned]:
        """What was asked for in a plan, each once, in order."""
        return list(self._planned.values())

    def stage(self, made_by: Stage[..., Any], config: BaseModel | None, /, *inputs: Any, **named: Any) -> Artifact:
        """The artifact that `made_by` makes of `config` and the inputs: the one kept from before, or else made now.

        Inputs are artifacts, records, configs, plain JSON data, lists, tuples or dicts of these, objects with a `fingerprint` or
        `key`, and Lazy. Raises Stopped on Ctrl-C, Busy where another process makes the same artifact, TypeError for an input that
        cannot be told from another. What does not change the output (threads, say) stays out of the key by pydantic's
        `Field(exclude=True)` in the config.
        """
        described = {"config": _describe(config), "inputs": [_describe(value) for value in inputs], "named": _describe(named)}
        key = digest("stage", made_by.name, str(made_by.version), json.dumps(described, sort_keys=True, ensure_ascii=False))
        artifact = Artifact(key, made_by.kind, self.folder / f"{made_by.kind}-{key}")
        if self.planning:
            if key not in self._planned:
                self._planned[key] = self._plan(made_by, artifact, config, inputs, named)
        elif complete(artifact.path) is not None:
            self.reporter.stage_finished(made_by.name, 0.0, kept=True)
        else:
            self.stop.check()
            self._make(made_by, artifact, config, inputs, named, described)
        self.made.append(artifact)
        return artifact

    def result(self, artifact: Artifact) -> Any:
        """What the stage that made `artifact` returned."""
        return manifest(artifact).result

    def _make(
        self, made_by: Stage[..., Any], artifact: Artifact, config: BaseModel | None, inputs: Any, named: Any, described: dict[str, Any]
    ) -> None:
        locks = make_folder(self.folder / ".locks")
        with Lock(locks / artifact.path.name, f"making {made_by.kind}"):
            if complete(artifact.path) is not None:  # another process finished it while this one came here
                self.reporter.stage_finished(made_by.name, 0.0, kept=True)
                return
            folder = artifact.path.with_name(artifact.path.name + WORK)
            finished = complete(folder)  # killed between manifest and rename: only the rename is left
            if finished is None:
                resumed = folder.exists()
                make_folder(folder)
                self.reporter.stage_started(made_by.name, resumed)
                began = time.monotonic()
                with self.stop.on_interrupt():
                    work = Work(folder, made_by.name, self.reporter, self.stop)
                    result = made_by.function(work, config, *_load(inputs), **_load(named))
                finished = Manifest(
                    key=artifact.key,
                    kind=artifact.kind,
                    stage=made_by.name,
                    version=made_by.version,
                    config=described["config"],
                    inputs={"inputs": described["inputs"], "named": described["named"]},
                    result=result,
                    files=_sync(folder),
                    seconds=round(time.monotonic() - began, 3),
                    resumed=resumed,
                    created=datetime.now(UTC).isoformat(timespec="microseconds"),
                )
                write_json(folder / MANIFEST, finished.json())
            with home_errors(artifact.path):
                if artifact.path.exists():  # not finished, whatever it is: a damaged copy
                    shutil.rmtree(artifact.path)
                os.rename(folder, artifact.path)
                sync(self.folder)
        self.reporter.stage_finished(made_by.name, finished.seconds, kept=False)

    def _plan(self, made_by: Stage[..., Any], artifact: Artifact, config: BaseModel | None, inputs: Any, named: Any) -> Planned:
        if complete(artifact.path) is not None:
            return Planned(made_by.name, artifact.key, "kept", 0.0)
        seconds = made_by.estimate(config, *inputs, **named) if made_by.estimate else None
        if seconds is None:
            earlier = [m.seconds for a in artifacts(self.folder) if (m := manifest(a)).stage == made_by.name and not m.resumed]
            seconds = statistics.median(earlier) if earlier else None
        begun = artifact.path.with_name(artifact.path.name + WORK)
        done = sum(path.read_bytes().count(b"\n") for path in begun.glob("*.log.jsonl"))
        return Planned(made_by.name, artifact.key, "resume" if begun.exists() else "run", seconds, done=done)


def _describe(value: Any) -> Any:
    """Plain JSON data that is equal for equal inputs and different for different ones."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Artifact | Lazy):
        return {"key": value.key}
    if isinstance(value, Record):
        return {type(value).__name__: value.json()}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError(f"A stage's input may be a dict with names (str) as keys, not {value!r}.")
        return {name: _describe(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    for attribute in ("fingerprint", "key"):
        if isinstance(found := getattr(value, attribute, None), str):
            return {attribute: found}
    raise TypeError(
        f"A stage cannot tell {type(value).__name__} inputs apart: give an artifact, a record, plain data, "
        "an object with a `fingerprint` or `key`, or Lazy(key, load)."
    )


def _load(value: Any) -> Any:
    """`value` with every Lazy in it loaded."""
    if isinstance(value, Lazy):
        return value.load()
    if isinstance(value, Mapping):
        return {name: _load(item) for name, item in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_load(item) for item in value)
    return value


def _sync(folder: Path) -> dict[str, int]:
    """Make every file of `folder` durable, whoever wrote it, and give their sizes by path; drop what a kill left half-written."""
    with home_errors(folder):
        for half in [path for path in folder.rglob(".*.part") if not path.is_dir()]:
            half.unlink()
        sync_tree(folder)
        files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
        return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
