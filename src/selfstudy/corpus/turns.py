"""Transcripts in plain text: who speaks from where on, and when, as far as the text says it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from selfstudy.core.records import Mark
from selfstudy.corpus.subtitles import spoken

_TIME = r"[\[(]?(?:(\d{1,2}):)?(\d{1,2}):(\d{2})(?:[.,]\d{1,3})?[\])]?"
# Up to four words, none in small letters but "de" and the like; or up to six Chinese characters.
_NAME = r"[^\W\d_a-z][\w.'’-]+(?: (?:(?:de|da|der|van|von|la) )?\(?[^\W_a-z][\w.'’()-]*){0,3}|[㐀-鿿·]{1,6}"
# "[00:14:03] Anna: words", "Anna (14:03): words", "Anna: words"; and a name and a time that stand alone above the words.
_ENDS = r"[:：](?=[^\n]*\S)|(?<=[\d\])])$"
_TURN = re.compile(rf"^(?:{_TIME}\s?[-–—]?\s?)?({_NAME})(?:\s{{0,4}}{_TIME})?[ \t]*(?:{_ENDS})", re.MULTILINE)
_LEAST_TURNS = 6
_MOST_LINES = 8  # of a turn, on average


def turns(text: str) -> tuple[tuple[Mark, ...], list[str]]:
    """A mark "14:03, Anna" for each turn, and the speakers in the order in which they first speak; nothing where `text` is no transcript.

    A transcript has six turns or more, by two or more speakers who come back, and turns are most of it.
    """
    found = list(_turns(text))
    counts = Counter(speaker for _, speaker in found)
    again = sum(count > 1 for count in counts.values())
    lines = sum(1 for line in text.split("\n") if line.strip())
    if len(found) < _LEAST_TURNS or again < max(2, len(counts) / 2) or lines > _MOST_LINES * len(found):
        return (), []
    return tuple(mark for mark, _ in found), list(counts)


def _turns(text: str) -> Iterator[tuple[Mark, str]]:
    for match in _TURN.finditer(text):
        hours, minutes, seconds = match.groups()[:3] if match[2] else match.groups()[4:]
        time = None if minutes is None else int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
        yield Mark(match.start(), spoken(time, match[4])), match[4]
