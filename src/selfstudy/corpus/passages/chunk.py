"""Documents to passages: along headings first, then paragraphs, then sentences; every span exact."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.core.records import Document, Passage, Place, Section, passage_id
from selfstudy.core.text import sentences
from selfstudy.corpus.passages.language import with_languages
from selfstudy.corpus.structure.columns import columns, is_amount
from selfstudy.corpus.structure.headings import LONGEST, plain_heading

# Scripts that set no space between words, their signs, and pictographs: a character counts as 0.6 of a word.
_DENSE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2600-\u27bf\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U0001f000-\U0003ffff"
_MARKS = "\u0300-\u036f\u200d\u20e3\ufe00-\ufe0f\U0001f3fb-\U0001f3ff"
_DENSE_CHAR = re.compile(f"[{_DENSE}]")
# 24 characters without a space count as one word: a number of a thousand digits is no single word to a model.
_RUN = re.compile(r"\S{1,24}")
_ATOM = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|[{_DENSE}][{_MARKS}]*(?:(?<=\u200d)[{_DENSE}\u2640\u2642][{_MARKS}]*)*|[^\\s{_DENSE}]{{1,24}}[{_MARKS}]*"
)
_ROW = re.compile(r"^(?:[^\S\n]*\|.*|.* \| .*)$", re.MULTILINE)
_CLAUSE = re.compile(r"[,;:)\]](?=\s)|(?<=[\u3400-\u9fff])[,;:]|[，、；：）]|\s[–—-](?=\s)")
_ADORNMENT = re.compile(r"\s*([!-/:-@\[-`{-~])\1{2,}\s*$")
_DASHES = re.compile(r":?-+:?$")
_FIRST_ROWS = 50
_TABLES = ("csv", "tsv", "xlsx")

_PARAGRAPH, _SENTENCE, _PART, _WORD = 3, 2, 1, 0


class Chunk(BaseModel):
    """How long passages are. `words` is the most that one is packed with; pieces under `min_words` are merged into a neighbour.

    A CJK character counts as 0.6 of a word. A passage is longer than `words` by less than twice `min_words`, except that a document without
    sections of up to one and a half times `words` stays whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: int = Field(default=160, ge=8)
    min_words: int = Field(default=20, ge=0)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A stretch that is not split further; `rank` says what begins with it: paragraph, sentence, part of a sentence, word."""

    start: int
    end: int
    rank: int
    words: float


def chunk(document: Document, cfg: Chunk = Chunk(), left_out: Sequence[tuple[int, int]] = ()) -> list[Passage]:  # noqa: B008
    """The passages of `document` in order. They cover all of its text but headings, white space and the spans `left_out`, once each.

    A passage's title is the document's title and the headings above it, joined by " > ", and where it begins inside a table, the names of
    its columns; its text is `document.text[start:end]` of each of its places. Where the same text comes again under the same title, one
    passage has both places.
    """
    found: dict[str, Passage] = {}
    tables = [] if document.meta.get("format") in _TABLES else list(_tables(document.text))
    regions = list(_without(_regions(document), document.text, sorted(left_out)))
    for path, start, end in regions:
        for left, right in _pieces(document, start, end, cfg, whole=len(regions) == 1):
            title = _title(document.title, (*path, *_header(tables, left)))
            text = document.text[left:right]
            key = passage_id(title, text)
            places = found[key].places if key in found else ()
            found[key] = Passage(key, title, text, (*places, Place(document.id, left, right)))
    return with_languages(found.values())


def word_count(text: str) -> float:
    """The length of `text` in words, a CJK character or pictograph counting 0.6."""
    if text.isascii():
        return float(len(_RUN.findall(text)))
    dense = len(_DENSE_CHAR.findall(text))
    return 0.6 * dense + len(_RUN.findall(_DENSE_CHAR.sub(" ", text) if dense else text))


def _title(title: str, path: tuple[str, ...]) -> str:
    names = [" ".join(name.split()) for name in (title, *path)]
    names = [name for name in names if name]
    return " > ".join(name for before, name in pairwise(["", *names]) if name.casefold() != before.casefold())


def _header(tables: list[tuple[int, int, str]], at: int) -> list[str]:
    """The names of the columns of the table that goes on at this place."""
    before = bisect_left(tables, (at,)) - 1
    return [tables[before][2]] if before >= 0 and at < tables[before][1] else []


def _tables(text: str) -> Iterator[tuple[int, int, str]]:
    """The tables with bars between their cells that have a header: where its line ends, where the table ends, and what it says."""
    rows: list[re.Match[str]] = []
    for row in chain(_ROW.finditer(text) if "|" in text else (), [None]):
        if rows and (row is None or row.start() > rows[-1].end() + 1):
            names = _names([_cells(one[0]) for one in rows[:_FIRST_ROWS]])
            if 0 < len(names) <= LONGEST:
                yield rows[0].end(), rows[-1].end(), names
            rows = []
        rows += [row] if row is not None else []


def _names(rows: list[list[str]]) -> str:
    """The names of the columns: what stands above a line of dashes, or a row that names them by itself."""
    ruled = len(rows) > 2 and all(_DASHES.match(cell) for cell in rows[1])
    names = rows[0] if ruled else columns(rows)[0]
    if len(names) < 2 or not any(names) or (not ruled and any(map(is_amount, names))):
        return ""
    return " | ".join(plain_heading(name) for name in names)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().removeprefix("|").removesuffix("|").split("|")]


def _regions(document: Document) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """The stretches of the text, each with its headings: those of the innermost section, none where no section is."""
    at = 0
    opened: list[Section] = []
    length = len(document.text)
    inside = (Section(section.path, max(section.start, 0), min(section.end, length)) for section in document.sections)
    for section in sorted((section for section in inside if section.start < section.end), key=lambda found: (found.start, -found.end)):
        while opened and opened[-1].end <= section.start:
            inner = opened.pop()
            if at < inner.end:
                yield inner.path, at, inner.end
                at = inner.end
        if at < section.start:
            if opened:
                yield opened[-1].path, at, section.start
            else:
                yield from _gap(document, at, section.start, section.path)
            at = section.start
        opened.append(section)
    while opened:
        inner = opened.pop()
        if at < inner.end:
            yield inner.path, at, inner.end
            at = inner.end
    if at < length:
        yield from _gap(document, at, length, ())


def _without(
    regions: Iterable[tuple[tuple[str, ...], int, int]], text: str, left_out: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """The regions less the spans `left_out`, which ascend: a passage ends before such a span and another begins after it."""
    for path, start, end in regions:
        for left, right in left_out:
            if left < end and right > start:
                if text[start:left].strip():
                    yield path, start, left
                start = max(start, right)
        if not left_out or text[start:end].strip():
            yield path, start, end


def _gap(document: Document, start: int, end: int, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """What stands between two sections, without the lines of the headings that the next one stands under."""
    text = document.text
    if not document.sections:
        yield (), start, end
        return
    names = {name.strip() for name in (document.title, *path)}
    names |= {plain_heading(name) for name in names}
    names.discard("")
    lines = [(match.start(), match.end()) for match in re.compile(r"[^\n]+").finditer(text, start, end)]
    heads = [_is_heading(text[left:right], names) for left, right in lines]
    adorned = any(heads)
    kept = start
    for (left, right), head in zip(lines, heads, strict=True):
        if head or (adorned and _ADORNMENT.match(text, left, right)):
            if text[kept:left].strip():
                yield (), kept, left
            kept = right
    if text[kept:end].strip():
        yield (), kept, end


def _is_heading(line: str, names: set[str]) -> bool:
    return len(line) <= 4 * LONGEST and not names.isdisjoint((line.strip(), plain_heading(line)))


def _pieces(document: Document, start: int, end: int, cfg: Chunk, whole: bool) -> Iterator[tuple[int, int]]:
    """The spans of the passages of one region, without white space around them."""
    text = document.text
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return
    if whole and word_count(text[start:end]) <= 1.5 * cfg.words:
        yield start, end
        return
    units = list(_units(text, start, end, cfg.words, rows=document.meta.get("format") in _TABLES))
    cuts = _pack(units, cfg)
    for first, last in pairwise(cuts):
        yield units[first].start, units[last - 1].end


def _units(text: str, start: int, end: int, limit: int, rows: bool) -> Iterator[_Unit]:
    """Sentences and table rows; parts of those that are longer than `limit` words."""
    before = start
    for left, right in _spans(text, start, end, rows):
        rank = _PARAGRAPH if text.count("\n", before, left) > 1 or before == start else _SENTENCE
        yield from _parts(text, left, right, rank, limit, 0)
        before = right


def _spans(text: str, start: int, end: int, rows: bool) -> Iterator[tuple[int, int]]:
    if rows:
        for line in re.compile(r"\S.*").finditer(text, start, end):
            yield line.start(), line.start() + len(line[0].rstrip())
        return
    at = start
    for row in _ROW.finditer(text, start, end) if "|" in text else ():
        yield from _sentences(text, at, row.start())
        yield from _trimmed(text, row.start(), row.end())
        at = row.end()
    yield from _sentences(text, at, end)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for left, right in sentences(text[start:end]):
        yield start + left, start + right


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    if part.strip():
        yield start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _parts(text: str, start: int, end: int, rank: int, limit: int, depth: int) -> Iterator[_Unit]:
    """One unit, or where it is too long its lines, else its clauses, else its words, else pieces of words."""
    words = word_count(text[start:end])
    if words <= limit or depth == 4:
        yield _Unit(start, end, rank, words)
        return
    for index, (left, right) in enumerate(_cut(text, start, end, depth)):
        yield from _parts(text, left, right, (_PART if depth < 2 else _WORD) if index else rank, limit, depth + 1)


def _cut(text: str, start: int, end: int, depth: int) -> Iterator[tuple[int, int]]:
    if depth == 0:
        yield from (span for line in re.compile(r".+").finditer(text, start, end) for span in _trimmed(text, *line.span()))
    elif depth == 1:
        ends = [match.end() for match in _CLAUSE.finditer(text, start, end)]
        yield from (span for left, right in pairwise([start, *ends, end]) for span in _trimmed(text, left, right))
    elif depth == 2:
        yield from (match.span() for match in re.compile(r"\S+").finditer(text, start, end))
    else:
        yield from (match.span() for match in _ATOM.finditer(text, start, end))


def _pack(units: list[_Unit], cfg: Chunk) -> list[int]:
    """Where the passages begin, as indices of `units`, with the end last: as long as `words` allows, preferably whole paragraphs.

    A passage ends where the next unit would overfill it; or before the last unit of a higher rank, where half of `words` stands before it.
    """
    cuts = [0]
    size = 0.0
    sums = [0.0]
    better: dict[int, int] = {}
    for index, unit in enumerate(units):
        sums.append(sums[-1] + unit.words)
        while size + unit.words > cfg.words and size >= max(cfg.min_words, 1) and index > cuts[-1]:
            cut = next((better[rank] for rank in (_PARAGRAPH, _SENTENCE, _PART) if rank > unit.rank and rank in better), index)
            cuts.append(cut)
            better.clear()
            size = sums[index] - sums[cut]
        if size >= cfg.words / 2:
            better[unit.rank] = index
        size += unit.words
    if len(cuts) > 1 and size < cfg.min_words:
        cuts.pop()
    return [*cuts, len(units)]
