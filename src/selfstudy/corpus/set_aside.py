"""What could not be read, and why."""

from __future__ import annotations

from dataclasses import dataclass

from selfstudy.core.records import Record


@dataclass(frozen=True, slots=True)
class SetAside(Record):
    """An input that was left out. `source` is its path, with `:line` for a row of a stream; `reason` says what is wrong with it.

    `again`: what is missing is not in the file but here, so that the file is worth reading again as it is.
    """

    source: str
    reason: str
    again: bool = False
