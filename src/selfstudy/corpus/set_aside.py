"""What could not be read, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document, Record

_LINE = re.compile(r":\d+$")


@dataclass(frozen=True, slots=True)
class SetAside(Record):
    """An input that was left out. `source` is its path, with `:line` for a row of a stream; `reason` says what is wrong with it.

    `again`: what is missing is not in the file but here, so that the file is worth reading again as it is.
    """

    source: str
    reason: str
    again: bool = False


def file_of(source: str) -> str:
    """The file of a `SetAside.source`, without the line."""
    return _LINE.sub("", source)


def faultless(found: Iterable[Document | SetAside], mend: str) -> Iterator[Document]:
    """The documents of a file without faults. Raises BadInput, with `mend`, at the first part that was set aside."""
    for one in found:
        if isinstance(one, SetAside):
            raise BadInput(f"{one.source}: {one.reason}", mend)
        yield one
