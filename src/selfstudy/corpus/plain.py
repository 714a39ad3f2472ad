"""Plain text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from selfstudy.core.records import Document, Scalar, Section
from selfstudy.corpus.decode import read_text
from selfstudy.corpus.turns import turns

LONGEST_TITLE = 80


class Plain:
    """Reads a text file as one document. A short first line that stands alone and is no sentence is its title.

    Where it is a transcript ("[00:14:03] Anna: words"), meta has `speakers`, and the turns are marked.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        text = read_text(path)
        title, body = _title(text)
        marks, speakers = turns(text) if path.suffix.lower() != ".log" else ((), [])
        meta: dict[str, Scalar] = {"speakers": ", ".join(speakers)} if speakers else {}
        yield Document(path.name, text, title, str(path), meta, (Section((), body, len(text)),) if title else (), marks)


def _title(text: str) -> tuple[str, int]:
    """The title and where the text after it begins."""
    start = len(text) - len(text.lstrip())
    line, _, rest = text[start:].partition("\n")
    following, _, _ = rest.partition("\n")
    title = " ".join(line.split())
    alone = not following.strip() and rest.strip() != ""
    sentence = title.endswith((".", "!", "?", ";", ",", ":", "。", "！", "？", "；", "，", "："))
    if alone and not sentence and len(title) <= LONGEST_TITLE and any(char.isalpha() for char in title):
        return title, start + len(line) + 1
    return "", 0
