"""A study as a process of its own: the service stays quick, a kill costs little, and every worker sees how far it is.

The process holds `study.lock` and tells in `study.json` how far it is; a file `study.stop` is the wish that it stop.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from selfstudy.apps.server.settings import sets_of
from selfstudy.core import config
from selfstudy.core.errors import Busy, HomeError, SelfstudyError, Stopped
from selfstudy.core.files import Lock, home_errors, read_json, write_json
from selfstudy.core.records import digest

_STARTING = 60.0
_EVERY = 0.5
_NEVER = float("inf")


class Job:
    """The study of one home, as a worker starts it and looks at it."""

    def __init__(self, home: Path, sets: tuple[str, ...] = ()) -> None:
        self._home = home
        self._sets = sets
        self._started: subprocess.Popen[bytes] | None = None

    def state(self) -> dict[str, Any]:
        """`state` (none, running, stopping, done, stopped, failed, interrupted), and what the process said last."""
        told = self._told()
        if told["state"] != "running":
            return told
        if self._held():
            return told | {"state": "stopping"} if (self._home / "study.stop").exists() else told
        last = self._told()  # it may have ended, and another begun, since it was read
        return last | {"state": "interrupted"} if (last["state"], last.get("id")) == ("running", told["id"]) else last

    def _told(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = read_json(self._home / "study.json")
        except FileNotFoundError:
            return {"state": "none"}
        return told

    def start(self) -> dict[str, Any]:
        """Begin, and return once the process has said so. Raises Busy where one is under way, HomeError where it ends at once."""
        if self._held():
            raise Busy("A study of these documents is under way.", "Wait until it has ended, or cancel it.")
        id = digest(str(self._home), str(time.time_ns()))[:16]
        command = [sys.executable, "-m", "selfstudy.apps.server.job", str(self._home), id, *self._sets]
        self._started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + _STARTING
        while time.monotonic() < until:
            ended = self._started.poll()
            told = self.state()
            if told.get("id") == id:
                return told
            if ended is not None and self._held():
                raise Busy("The study did not start: another one is under way.", "Wait until it has ended, or cancel it.")
            if ended is not None:
                raise HomeError(f"The study ended at once, with exit status {ended}.", "The service's log says why.")
            time.sleep(0.05)
        raise Busy("The study has not started yet.", "Look again in a moment.")

    def cancel(self) -> dict[str, Any]:
        """Ask the study to stop at the next place where it can go on later."""
        if self._held():
            (self._home / "study.stop").touch()
        return self.state()

    def close(self) -> None:
        """Stop a study that this worker started."""
        if self._started is not None and self._started.poll() is None:
            self.cancel()

    def _held(self) -> bool:
        """Whether a study is under way. Those who look share the lock, so that none takes another for a study."""
        path = self._home / "study.lock"
        try:
            with home_errors(path), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


class _Telling:
    """The reporter that writes how far the study is, and raises Stopped where somebody wished it."""

    def __init__(self, home: Path, id: str) -> None:
        self._home = home
        self._last = 0.0
        self.told: dict[str, Any] = {
            "id": id, "state": "running", "started": time.time(), "stage": "", "done": 0, "total": 0, "stages": []
        }  # fmt: skip

    def stage_started(self, name: str, resumed: bool) -> None:
        self.tell(stage=name, done=0, total=0)

    def progress(self, name: str, done: int, total: int) -> None:
        if (self._home / "study.stop").exists():
            raise Stopped("The study was stopped.", "What is finished is kept; start it again to go on.")
        if time.monotonic() - self._last >= _EVERY:
            self.tell(stage=name, done=done, total=total)

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None:
        self.tell(stages=[*self.told["stages"], {"stage": name, "seconds": round(seconds, 1), "kept": kept}])

    def tell(self, **more: Any) -> None:
        self._last = time.monotonic()
        self.told |= more | {"updated": time.time()}
        write_json(self._home / "study.json", self.told)


def looked(home: Path, sets: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
    """Look why to study `home` again, if its settings want that and the last look is long enough ago.

    Returns for how many seconds none is due, and the reasons that were found.
    """
    from selfstudy.recipes.engine import Engine
    from selfstudy.recipes.settings import Settings

    sets = sets_of(home, sets)
    every = 3600 * config.load(Settings, home / "config.toml", sets)[0].drift.every
    if not every:
        return _NEVER, ()
    try:
        left = read_json(home / "looked.json")["at"] + every - time.time()
    except FileNotFoundError:
        left = 0.0
    if left > 0:
        return left, ()
    write_json(home / "looked.json", {"at": time.time()})  # before, so that another worker looks at other homes
    return every, Engine.open(home, sets=sets).drift().reasons


def study(home: Path, id: str, sets: list[str]) -> None:
    """Adapt `home`, telling how it goes. Raises Busy where another study is under way."""
    from selfstudy.recipes.engine import Engine

    with Lock(home / "study.lock", "studying", wait=1.0):  # whoever looks holds it for a moment
        (home / "study.stop").unlink(missing_ok=True)
        telling = _Telling(home, id)
        telling.tell()
        try:
            outcome = Engine.open(home, sets=sets_of(home, sets), reporter=telling).adapt().json()
        except Stopped as stopped:
            telling.tell(state="stopped", problem=stopped.problem, mend=stopped.mend)
        except SelfstudyError as error:
            telling.tell(state="failed", problem=error.problem, mend=error.mend)
        except BaseException as error:
            telling.tell(state="failed", problem=f"Something went wrong that should not: {type(error).__name__}.", mend="")
            raise
        else:
            telling.tell(state="done", outcome=outcome)


if __name__ == "__main__":
    study(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
