"""The glossary of a home: a file that people edit, filled with what the documents explain, and used to widen what is searched for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.errors import BadInput, nearest
from selfstudy.core.files import make_folder, write_atomic
from selfstudy.core.records import Term, digest
from selfstudy.core.text import contains, is_cjk, normal

_FILE = "glossary.tsv"
_HEAD = "# name\tmeans\tkind\tpassages\tstate   (set off by tabs; write struck as the state of what is wrong: it stays struck)\n"
_SIGN = re.compile(r"\\*#")  # a line that begins with # is a note, so that of a name like #MeToo begins with \#
_STATES = {"": False, "struck": True}
_MOST = 3
"""Names that are added to a question for one of its terms."""


class Glossary(BaseModel):
    """Which names mean the same."""

    model_config = ConfigDict(extra="forbid")

    on: bool = Field(True, description="whether the documents are searched for abbreviations, aliases and translations")
    expand: bool = Field(False, description="whether words are searched for under their other names too")


class Terms:
    """The file `glossary.tsv` of a home. What a person gives or strikes stays; what documents explain comes and goes with them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / _FILE

    def all(self) -> list[Term]:
        """Every term, those that most passages explain first. Raises BadInput for a line that a person wrote and that is none."""
        if not self._path.is_file():
            return []
        lines = self._path.read_text(encoding="utf-8").split("\n")
        return [self._term(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]

    @property
    def used(self) -> list[Term]:
        """Those that nobody struck."""
        return [term for term in self.all() if not term.struck]

    @property
    def there(self) -> bool:
        return self._path.is_file()

    @property
    def stamp(self) -> tuple[int, ...]:
        """Another one after every change of the file."""
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return ()
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def found(self, mined: Sequence[Term]) -> None:
        """Take what the documents explain now: what they no longer explain goes, what a person gave or struck stays as it is."""
        before = {_key(term): term for term in self.all()}
        now = {_key(term): term for term in mined}
        kept = [
            replace(now.get(key, replace(term, seen=0)), kind=term.kind, struck=term.struck)
            for key, term in before.items()
            if term.struck or term.kind == "given"
        ]
        self._write([*kept, *(term for key, term in now.items() if key not in {_key(one) for one in kept})])

    def add(self, name: str, means: str) -> Term:
        """Note that `name` means `means`. Raises BadInput where one of them is empty or both are one."""
        name, means = (" ".join(words.split()) for words in (name, means))
        if not normal(name).strip() or not normal(means).strip() or normal(name) == normal(means):
            raise BadInput(f"{name!r} and {means!r} are no two names of one thing.", "Give two, like MI='myocardial infarction'.")
        term = Term(name, means)
        self._write([term, *(one for one in self.all() if _key(one) != _key(term))])
        return term

    def strike(self, name: str) -> list[Term]:
        """Strike every meaning of `name`, or the one of `name=means`. Raises BadInput for a name that is not there."""
        wanted, _, means = name.partition("=")
        every = self.all()
        gone = [term for term in every if _same(term.name, wanted) and (not means or _same(term.means, means))]
        if not gone:
            raise BadInput(
                f"There is no term {name!r} in the glossary{nearest(wanted, {term.name for term in every}) or '.'}",
                "`selfstudy glossary` shows the terms.",
            )
        self._write([replace(term, struck=True) if term in gone else term for term in every])
        return gone

    def _write(self, terms: Iterable[Term]) -> None:
        rows = sorted(terms, key=lambda term: (term.kind != "given", -term.seen, term.name, term.means))
        lines = (f"{_line_name(term)}\t{term.means}\t{term.kind}\t{term.seen}\t{'struck' if term.struck else ''}\n" for term in rows)
        make_folder(self._home)
        write_atomic(self._path, _HEAD + "".join(lines))

    def _term(self, number: int, line: str) -> Term:
        cells = [cell.strip() for cell in line.split("\t")]
        name, means, kind, seen, state = (cells + [""] * 5)[:5]
        if not name or not means or len(cells) > 5 or state not in _STATES or not (seen or "0").isdecimal():
            raise BadInput(
                f"{self._path}, line {number} is no term of the glossary.",
                "A line is: name, means, kind, passages, and nothing or struck, set off by tabs; the last three may be left out.",
            )
        return Term(name.removeprefix("\\") if _SIGN.match(name) else name, means, kind or "given", int(seen or 0), _STATES[state])


class Expansion:
    """What a question is searched for besides its own words: the other names of the terms that it names.

    An abbreviation counts as written, in capitals; everything else in any. A name of several meanings is passed over: nobody knows which.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        others: dict[str, dict[str, str]] = defaultdict(dict)
        for term in terms:
            for one, other in ((term.name, term.means), (term.means, term.name)):
                others[_as_asked(one)].setdefault(normal(other), other)
        self._others = {one: list(names.values()) for one, names in others.items() if len(names) <= _MOST}
        self.key = digest("expansion", *(f"{one}\t{names}" for one, names in sorted(self._others.items())))

    def __call__(self, question: str) -> str:
        """The names to search for as well, set off by spaces; "" for none."""
        asked, written = normal(question), " " + " ".join(question.split()) + " "
        stands = [one for one in self._others if (_in_capitals(one, written) if one.isupper() else contains(asked, one))]
        named = dict.fromkeys(other for one in stands for other in self._others[one] if not contains(asked, normal(other)))
        return " ".join(named)


def _line_name(term: Term) -> str:
    return "\\" + term.name if _SIGN.match(term.name) else term.name


def _key(term: Term) -> tuple[str, str]:
    return (term.name if term.kind == "abbreviation" else term.name.casefold(), term.means.casefold())


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _as_asked(name: str) -> str:
    return name if name.isupper() and not any(map(is_cjk, name)) else normal(name)


def _in_capitals(name: str, written: str) -> bool:
    at = written.find(name)
    while at >= 0:
        if not written[at - 1].isalnum() and not written[at + len(name)].isalnum():
            return True
        at = written.find(name, at + 1)
    return False
