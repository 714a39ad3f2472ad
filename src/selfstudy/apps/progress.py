"""Progress on standard error: bars with an estimate on a terminal, a line per stage elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from selfstudy.apps.output import console, say

EVERY = 30.0  # seconds between two lines about one stage where nobody's terminal shows a bar


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Lines:
    """A line for each stage as it ends, and for a long one how far it is."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._first: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def stage_started(self, name: str, resumed: bool) -> None:
        self._since[name] = self._told[name] = time.monotonic()
        if resumed:
            say(f"{name}: goes on where it was stopped")

    def progress(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        since = self._since.setdefault(name, now)
        first = self._first.setdefault(name, done)
        if now - self._told.setdefault(name, now) >= EVERY and total > 0:
            self._told[name] = now
            left = (now - since) / (done - first) * (total - done) if done > first else None
            say(f"{name}: {done} of {total}, {duration(left)} left" if left is not None else f"{name}: {done} of {total}")

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None:
        say(f"{name}: kept" if kept else f"{name}: {duration(seconds)}")


class Bars:
    """One bar for the stage at work, above it a line for each that has ended."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console(sys.stderr),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage_started(self, name: str, resumed: bool) -> None:
        self._drop(name)
        self._tasks[name] = self._bars.add_task(f"{name} (goes on)" if resumed else name, total=None)

    def progress(self, name: str, done: int, total: int) -> None:
        if name not in self._tasks:
            self.stage_started(name, resumed=False)
        self._bars.update(self._tasks[name], completed=done, total=total or None)

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None:
        self._drop(name)
        self._bars.print(f"{name}: kept" if kept else f"{name}: {duration(seconds)}", style="dim" if kept else "")

    def _drop(self, name: str) -> None:
        if name in self._tasks:
            self._bars.remove_task(self._tasks.pop(name))


@contextmanager
def watching() -> Iterator[Lines | Bars]:
    """Tells the user how the work inside the block goes on. What libraries print goes to standard error; the result alone to the other."""
    with redirect_stdout(sys.stderr), Bars() if sys.stderr.isatty() else Lines() as reporter:
        yield reporter
