"""What was judged, promoted and rolled back, one file for each event, never changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from selfstudy.core.errors import BadInput
from selfstudy.core.files import Lock, make_folder, read_json, write_json
from selfstudy.core.records import Record
from selfstudy.recipes.system import System

Kind = Literal["judged", "promoted", "rolled back", "calibrated"]


@dataclass(frozen=True, slots=True)
class Event(Record):
    """`system` is the candidate or what serves from then on (None: the base), `before` what served until then. `terms` tell a judgement's
    gate and own questions from others.
    """

    number: int
    when: str
    event: Kind
    key: str | None
    reason: str
    system: System | None
    before: System | None = None
    promote: bool | None = None
    forced: bool = False
    exam: str | None = None
    terms: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class History:
    """The events of a home, oldest first."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "history"

    def events(self) -> list[Event]:
        """Every event, oldest first."""
        files = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        return [Event.load(read_json(path)) for path in files]

    def add(self, event: Kind, key: str | None, reason: str, system: System | None, **more: Any) -> Event:
        """Write one more event; several processes may do so at once."""
        with Lock(make_folder(self._folder) / ".lock", "noting what happened", wait=30):
            number = 1 + max((old.number for old in self.events()), default=0)
            made = Event(number, datetime.now(UTC).isoformat(timespec="seconds"), event, key, reason, system, **more)
            write_json(self._folder / f"{number:05d}.json", made.json())
        return made

    def judged(self, key: str) -> Event | None:
        """The judgement of the candidate `key`, if there was one."""
        return next((event for event in self.events() if event.event == "judged" and event.key == key), None)

    def candidate(self, key: str) -> Event:
        """The judgement of the candidate whose key begins with `key`. Raises BadInput."""
        found = {event.key: event for event in self.events() if event.event == "judged" and key and (event.key or "").startswith(key)}
        if len(found) != 1:
            what = f"{len(found)} candidates have keys that begin" if found else "No candidate here has a key that begins"
            raise BadInput(f"{what} with {key!r}.", "`selfstudy history` lists the candidates with their keys.")
        return next(iter(found.values()))

    def examined(self, exam: str) -> int:
        """How many candidates the exam of this key has judged."""
        return len({event.key for event in self.events() if event.event == "judged" and event.exam == exam})
