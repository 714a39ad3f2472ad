"""Markdown: the text as it is written, its headings as sections, its front matter as meta."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from selfstudy.core.facts.dates import first_date
from selfstudy.core.records import Document
from selfstudy.corpus.formats.decode import read_text
from selfstudy.corpus.formats.meta import scalars
from selfstudy.corpus.structure.headings import LONGEST, Heading, plain_heading, sections

_FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_HASHES = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_NO_TITLE = re.compile(r"\s*(?:[-*+>|]|\d+[.)]\s|#)|    ")
_MERGE = re.compile(r"(?:^|[\s{,])<<[\s:]|[!:]merge")  # tables put into tables: a few lines of it can grow beyond all memory
_DATA = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]{100,}")


class Markdown:
    """Reads a Markdown file as one document. YAML (---) and TOML (+++) front matter is taken out of the text into meta.

    Title: that of the front matter, else the first heading of level 1. Headings: ATX (#) and one-line Setext (underlined), not inside code.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        text = _DATA.sub("data:", read_text(path))
        front, text = _front_matter(text)
        headings = list(_headings(text))
        meta = scalars(front)
        title = str(meta.pop("title", "")) or next((heading.title for heading in headings if heading.level == 1), "")
        updated = first_date(*(str(meta[key]) for key in ("updated", "lastmod", "last_modified", "modified", "date") if key in meta))
        if updated:
            meta["updated"] = updated
        yield Document(path.name, text, " ".join(title.split()), str(path), meta, sections(text, headings))


def _front_matter(text: str) -> tuple[dict[str, object], str]:
    """The front matter and the text after it. What does not parse as a table of names and values stays in the text."""
    match = _FRONT.match(text)
    if not match:
        return {}, text
    data: object
    if match[1] == "---":
        import yaml

        if _MERGE.search(match[2]):
            return {}, text
        try:
            data = yaml.safe_load(match[2])
        except (yaml.YAMLError, ValueError, RecursionError):
            return {}, text
    else:
        import tomllib

        try:
            data = tomllib.loads(match[2])
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}, text
    if not isinstance(data, dict):
        return {}, text
    return {str(key): value for key, value in data.items()}, text[match.end() :]


def _headings(text: str) -> Iterator[Heading]:
    fence, comment = "", False
    lines, above, above_start = 0, "", 0  # the paragraph so far: its number of lines, its last line and where that begins
    at = 0
    for line in text.splitlines(keepends=True):
        start, at = at, at + len(line)
        opening = _FENCE.match(line)
        hashes = _HASHES.match(line)
        underline = _UNDERLINE.match(line)
        if fence:
            if opening and opening[1].startswith(fence) and not line[opening.end() :].strip():
                fence = ""
        elif comment or line.lstrip().startswith("<!--"):
            comment = "-->" not in line
        elif opening:
            fence = opening[1]
        elif hashes and _fits(title := plain_heading(line)):
            yield Heading(len(hashes[1]), title, start, at)
        elif underline and lines == 1 and not _NO_TITLE.match(above) and _fits(title := plain_heading(above)):
            yield Heading(1 if underline[1][0] == "=" else 2, title, above_start, at)
        elif line.strip():
            lines, above, above_start = lines + 1, line, start
            continue
        lines = 0


def _fits(title: str) -> bool:
    return 0 < len(title) <= LONGEST
