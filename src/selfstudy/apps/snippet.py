"""A passage in a few lines: the stretch that has most of the question's words, and those words emphasised."""

from __future__ import annotations

import unicodedata

from rich.text import Text

from selfstudy.core.text import content_words, stem, tokens

LENGTH = 280


def plain(text: str) -> str:
    """`text` on one line, without signs that would steer a terminal or turn the direction of writing."""
    return " ".join("".join(char for char in text if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf")).split())


def emphasised(text: str, question: str) -> Text:
    """`text` with every word of the question in bold, whatever its ending."""
    shown = Text(text)
    for start, end in _matches(text, _roots(question)):
        shown.stylize("bold yellow", start, end)
    return shown


def snippet(text: str, question: str, length: int = LENGTH) -> Text:
    """At most about `length` characters of `text`: the window with most different words of the question, cut between words."""
    flat = plain(text)
    start, end = _window(flat, question, length)
    cut = emphasised(flat[start:end], question)
    return Text("… " if start else "") + cut + Text(" …" if end < len(flat) else "")


def _window(text: str, question: str, length: int) -> tuple[int, int]:
    if len(text) <= length:
        return 0, len(text)
    wanted = _roots(question)
    found = list(_matches(text, wanted))
    best, start = 0, 0
    for at, _ in found:
        held = {_root(text[left:right]) for left, right in found if at <= left and right <= at + length}
        if len(held) > best:
            best, start = len(held), at
    start = max(0, min(start - length // 6, len(text) - length))
    if start:
        start = text.find(" ", start, start + 30) + 1 or start
    end = min(len(text), start + length)
    if end < len(text):
        end = max(text.rfind(" ", end - 30, end), 0) or end
    return start, end


def _matches(text: str, wanted: set[str]) -> list[tuple[int, int]]:
    """The spans of the words of `text` whose stem is wanted."""
    spans, at = [], 0
    for token in tokens(text):
        start = text.index(token, at)
        at = start + len(token)
        if _root(token) in wanted:
            spans.append((start, at))
    return spans


def _roots(question: str) -> set[str]:
    return {_root(word) for word in content_words(question)}


def _root(word: str) -> str:
    """What the forms of a word share, closely enough to emphasise it: valve and valves, close and closing."""
    return stem(word.lower()).removesuffix("e")
