"""The one pointer file of a home: which version of each table is the index now, and which model is live."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from selfstudy.core.errors import HomeError
from selfstudy.core.files import read_json, write_json
from selfstudy.core.records import Record

FORMAT = 1
NAME = "state.json"
_MEND = "Put back a copy of the file, or start a new home with --home."


@dataclass(frozen=True, slots=True)
class Past(Record):
    """Tables that were the index until `until` (seconds since 1970): a reader may still be looking at them."""

    tables: dict[str, int]
    until: float


@dataclass(frozen=True, slots=True)
class State(Record):
    """What a home is at one moment. `tables` maps a table's name to its version; `live` is the recipes' own and not read here.

    `deleted` counts the rows of passages that went since the full text index was built: their words are counted in it still. None in a
    home of an earlier version, which did not say.
    """

    format: int = FORMAT
    index_version: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    live: dict[str, Any] | None = None
    past: tuple[Past, ...] = ()
    deleted: int | None = None


def read_state(home: Path) -> State:
    """The state of `home`. FileNotFoundError where there is none yet; HomeError where it is damaged or of a newer version."""
    data = read_json(home / NAME)
    if isinstance(data, dict) and isinstance(data.get("format"), int) and data["format"] > FORMAT:
        raise HomeError(
            f"{home} was made by a newer version: its format is {data['format']}, this version reads up to {FORMAT}.",
            "Update selfstudy, or name another home with --home.",
        )
    try:
        if isinstance(data, dict) and "format" not in data:  # whatever it is, nobody wrote it as a state
            raise HomeError(f"{home / NAME} is damaged: it states no format.", _MEND)
        return State.load(data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the whole"
        raise HomeError(f"{home / NAME} is damaged: {where}: {fault['msg']}.", _MEND) from error


def write_state(home: Path, state: State) -> None:
    """Replace the pointer: the commit. Before this returns the old state holds, afterwards the new."""
    write_json(home / NAME, state.json())
