"""Files parsed in processes of their own, within limits of time and memory: a parser that crashes, hangs or swells costs one file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from tempfile import TemporaryDirectory
from typing import Any, Self

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile
from selfstudy.corpus.parse import Parse
from selfstudy.corpus.set_aside import SetAside

_AHEAD = 8
"""Files that a worker is given before it is asked for the first, so that it never waits for small ones."""


_RECORDS: dict[str, type[Document] | type[SetAside]] = {"document": Document, "aside": SetAside}


class Workers:
    """Parses `files` ahead of whoever asks, in order; nothing starts where there are none.

        with Workers(files, cfg) as workers:
            for file, found in workers:
                for one in found:                       # Document | SetAside
                    ...

    What a worker has found waits in its pipe, and the worker with it, until it is asked for: memory stays bounded. A worker that dies is
    replaced; the file that it was at is set aside with the reason, what it had found in it before is kept. Raises RuntimeError where no
    worker can be started at all.
    """

    def __init__(self, files: Sequence[SourceFile], cfg: Parse) -> None:
        self._files = files
        self._cfg = cfg
        self._scratch = TemporaryDirectory(prefix="selfstudy-")
        self._workers = [self._started(first) for first in range(min(cfg.workers, len(files)))]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._scratch.cleanup()

    def __iter__(self) -> Iterator[tuple[SourceFile, Iterator[Document | SetAside]]]:
        for number, file in enumerate(self._files):
            found = self._found(number)
            yield file, found
            for _ in found:  # what was not asked for
                pass

    def _started(self, first: int) -> _Worker:
        """A worker that is given the files `first`, `first` + number of workers, ..., as many as it may have ahead."""
        worker = _Worker(self._cfg, self._scratch.name)
        step = min(self._cfg.workers, len(self._files))
        for file in self._files[first : first + _AHEAD * step : step]:
            worker.give(file)
        return worker

    def _found(self, number: int) -> Iterator[Document | SetAside]:
        step = len(self._workers)
        worker = self._workers[number % step]
        for kind, value in worker.answers():
            if kind in _RECORDS:
                yield value
            elif kind == "done":
                if (ahead := number + _AHEAD * step) < len(self._files):
                    worker.give(self._files[ahead])
                return
            elif kind == "last":
                break
        else:
            yield SetAside(str(self._files[number].path), worker.why())
        worker.end()
        if number + step < len(self._files):
            self._workers[number % step] = self._started(number + step)


class _Worker:
    """One process and the line to it. It leads a group of its own: Ctrl-C is not for it, and what it starts ends with it."""

    def __init__(self, cfg: Parse, scratch: str) -> None:
        self._cfg = cfg
        self._ready = False
        self._line, theirs = Pipe()
        with theirs:
            paths = os.pathsep.join(path for path in sys.path if path)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "selfstudy.corpus.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths, "TMPDIR": scratch},
                process_group=0,
            )
        self._say(cfg.model_dump_json(round_trip=True))

    def give(self, file: SourceFile) -> None:
        self._say(json.dumps(file.json()))

    def answers(self) -> Iterator[tuple[str, Any]]:
        """What the worker says, records as such, until it dies or raves. Raises RuntimeError where it never began."""
        with suppress(EOFError, ConnectionError, ValueError):
            while True:
                kind, value = json.loads(self._line.recv_bytes())
                if kind == "ready":
                    self._ready = True
                else:
                    yield kind, _RECORDS[kind].load(value) if kind in _RECORDS else value
        if not self._ready:
            raise RuntimeError(f"The process that parses files did not start (exit code {self.end()}).")

    def why(self) -> str:
        """Why the worker died, as a reason to set a file aside."""
        code = self.end()
        if code in (-signal.SIGALRM, -signal.SIGPROF):
            return f"slow: a part of it took its parser more than {self._cfg.seconds:g} seconds (parse.seconds)"
        if code == -signal.SIGKILL:
            return "broken: its parser was killed, as the system does where memory is short, or said what makes no sense"
        return f"broken: its parser crashed ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"

    def end(self) -> int:
        """End the worker and whatever it has started. Returns its exit code, which is its own where it was dead already."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._line.close()
        return self._process.wait()

    def _say(self, text: str) -> None:
        with suppress(ConnectionError):  # a dead worker is noticed when it is asked
            self._line.send_bytes(text.encode())
