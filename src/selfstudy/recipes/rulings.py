"""What a person decided about documents: keep it, drop it, or take it for the current version. Nothing that is found overrules it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from selfstudy.core.errors import BadInput, nearest
from selfstudy.core.files import make_folder, read_json, write_json

Ruling = Literal["keep", "drop", "current"]


def ruled(keep: Collection[str], drop: Collection[str], current: Collection[str]) -> dict[str, Ruling]:
    """The ruling on each document. Raises BadInput for one of which two things are said."""
    rulings: dict[str, Ruling] = {**dict.fromkeys(keep, "keep"), **dict.fromkeys(drop, "drop"), **dict.fromkeys(current, "current")}
    for id, ruling in rulings.items():
        said = [f"--{name}" for name, ids in (("keep", keep), ("drop", drop), ("current", current)) if id in ids]
        if len(said) > 1:
            raise BadInput(f"{' and '.join(said)} both name the document {id!r}.", f"Say one thing of it, such as --{ruling} {id} alone.")
    return rulings


class Rulings:
    """The file `rulings.json` of a home: ids of documents with what was said of them. A document that comes back is still ruled on."""

    def __init__(self, home: Path) -> None:
        self._path = home / "rulings.json"
        self._home = home

    def all(self) -> dict[str, Ruling]:
        """Every ruling, by the document's id."""
        found: dict[str, Ruling] = read_json(self._path) if self._path.is_file() else {}
        return found

    def say(self, rulings: Mapping[str, Ruling], known: Collection[str]) -> None:
        """Note a ruling for each id; a later one of the same document takes its place. Raises BadInput for an id that is not `known`, and
        then none is noted.
        """
        for id in rulings:
            if id not in known:
                raise BadInput(
                    f"There is no document {id!r} here{nearest(id, known) or '.'}", "`selfstudy audit` shows the documents' ids."
                )
        if rulings:
            make_folder(self._home)
            write_json(self._path, dict(sorted({**self.all(), **rulings}.items())))
