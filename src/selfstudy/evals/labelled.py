"""Labelled questions from files: queries.jsonl and qrels.tsv as BEIR has them (Thakur et al. 2021), or the qrels of TREC."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Record

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Query(Record):
    """A labelled question. `fields` holds whatever else its row holds, that of "metadata" or "meta" included.

    The text may be blank, as it is in some published sets; then it cannot be asked.
    """

    id: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


def read_queries(path: Path) -> list[Query]:
    """The questions of a file of JSON rows {"_id" or "id", "text", ...}, in order.

    Raises BadInput with the place of every fault (the first few are named): no JSON, no id, no text, an id twice; or no question at all.
    """
    found: dict[str, Query] = {}

    def add(line: str) -> None:
        query = _query(line)
        if query.id in found:
            raise ValueError(f"the id {query.id!r} stands here a second time")
        found[query.id] = query

    _each_line(path, add, 'Each line is one JSON object: {"_id": "q1", "text": "a question"}.')
    return list(found.values())


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """The judgements of a file, by question and document; its columns are query-id, corpus-id, score, or TREC's query, 0, document, score.

    A header is passed over. Columns are set off by tabs, or by white space where a line has no tab.
    Raises BadInput with the place of every fault (the first few are named), or where there is no judgement at all.
    """
    found: dict[str, dict[str, int]] = {}
    lines = 0

    def add(line: str) -> None:
        nonlocal lines
        lines += 1
        columns = _columns(line)
        if lines == 1 and columns[-1].lower() in ("score", "relevance", "rel", "label"):
            return
        question, document, score = columns[0], columns[-2], _score(columns[-1])
        before = found.setdefault(question, {}).setdefault(document, score)
        if before != score:
            raise ValueError(f"{question!r} and {document!r} have the score {score} here and {before} above")

    _each_line(path, add, "Each line is query-id, corpus-id and score, set off by tabs; the score is a whole number, 0 or more.")
    if not found:
        raise BadInput(f"{path} holds a header and nothing else.", "Give a file with one judgement on each line.")
    return found


def _each_line(path: Path, add: Callable[[str], None], mend: str) -> None:
    """Hand each line that is not empty to `add`; the ValueErrors that it raises become one BadInput."""
    faults, good = [], 0
    for number, line in _lines(path):
        try:
            add(line)
            good += 1
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}")
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise BadInput(f"{len(faults)} bad line{'s' if len(faults) > 1 else ''}: {'; '.join(faults[:_SHOWN])}{more}.", mend)
    if not good:
        raise BadInput(f"{path} is empty.", mend)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", "Give the path of a file that is there and readable.") from error
    except UnicodeDecodeError as error:
        place = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{place}: not UTF-8.", "Save the file as UTF-8.") from error
    for number, line in enumerate(text.split("\n"), start=1):  # no other sign ends a line: JSON text may hold U+2028
        if line.strip():
            yield number, line.rstrip("\r")


def _query(line: str) -> Query:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from error
    if not isinstance(row, dict):
        raise ValueError("no JSON object")
    id = row.get("_id", row.get("id"))
    if isinstance(id, bool) or not isinstance(id, str | int) or not str(id).strip():
        raise ValueError('no "_id" or "id"')
    text = row.get("text")
    if not isinstance(text, str):
        raise ValueError('no "text"')
    nested = [value for name in ("metadata", "meta") if isinstance(value := row.get(name), dict)]
    own = {name: value for name, value in row.items() if name not in ("_id", "id", "text", "metadata", "meta")}
    return Query(str(id), text, {name: value for fields in (*nested, own) for name, value in fields.items()})


def _columns(line: str) -> list[str]:
    columns = [column.strip() for column in line.split("\t")] if "\t" in line else line.split()
    if len(columns) == 4 and not (columns[1].isdecimal() or columns[1].upper() == "Q0"):
        raise ValueError(f"of four columns the second must be 0, not {columns[1]!r}")
    if len(columns) not in (3, 4):
        raise ValueError(f"{len(columns)} column{'s' if len(columns) > 1 else ''} instead of 3 (or TREC's 4)")
    if not all(columns):
        raise ValueError("an empty column")
    return columns


def _score(column: str) -> int:
    try:
        score = float(column)
    except ValueError:
        score = math.nan
    if not score.is_integer():
        raise ValueError(f"the score {column!r} is no whole number")
    return int(score)
