"""Transcripts in plain text: who speaks from where on, and when, as far as the text says it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from selfstudy.core.records import Mark
from selfstudy.corpus.formats.subtitles import HAN_NAME, NAME, spoken
from selfstudy.corpus.passages.chunk import word_count

_CLOCK = re.compile(r"(?:(\d{1,2})[:：])?(\d{1,2})[:：](\d{2})(?:[.,]\d{1,3})?(\s?[AaPp]\.?[Mm]\b\.?)?")
_DATE = r"(?:\d{4}[-./年]\d{1,2}[-./月]\d{1,2}日?|\d{1,2}[-./]\d{1,2}[-./]\d{2,4})"
_TIME = rf"[\[(（【]?(?:{_DATE}[,，]?\s+)?(?:\d{{1,2}}[:：])?\d{{1,2}}[:：]\d{{2}}(?:[.,]\d{{1,3}})?(?:\s?[AaPp]\.?[Mm]\b\.?)?[\])）】]?"
_NAME = rf"(?=\w[\w.'’-]){NAME}|{HAN_NAME}"
# "[00:14:03] Anna: words", "Anna (14:03): words", "Anna: words", "**Anna:** words"; and a name and a time that stand alone above the words.
_TURN = re.compile(
    rf"^(?:\*\*)?(?:({_TIME})(?:\*\*)?\s?[-–—]?\s?)?(?:\*\*)?({_NAME})(?:\*\*)?(?:[,，]?\s{{0,4}}({_TIME}))?[ \t]*"
    r"(?:[:：](?:\*\*)?[^\S\n]*(\S[^\n]*)|(?:\*\*)?$)",
    re.MULTILINE,
)
_LEAST_TURNS = 6
_MOST_LINES = 8  # of a turn, on average
_LEAST_SPEECH = 0.35
_SPEECH_WORDS = 5
_SPEECH_ENDS = tuple('.!?…。！？"”」')
_IN_ORDER = 0.9
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _Turn:
    """Where it begins, who speaks, when ("" for unsaid), and the rest of its line."""

    start: int
    speaker: str
    time: str
    words: str


def turns(text: str) -> tuple[tuple[Mark, ...], list[str]]:
    """A mark "14:03, Anna" for each turn, and the speakers in the order in which they first speak; nothing where `text` is no transcript.

    A transcript has six turns or more, by two or more speakers who come back, and turns are most of it. A form has such lines as well.
    """
    found = list(_turns(text))
    counts = Counter(turn.speaker for turn in found)
    again = sum(count > 1 for count in counts.values())
    lines = sum(1 for line in text.split("\n") if line.strip())
    if len(found) < _LEAST_TURNS or again < max(2, len(counts) / 2) or lines > _MOST_LINES * len(found) or _is_form(found):
        return (), []
    return tuple(Mark(turn.start, _label(turn)) for turn in found), list(counts)


def _turns(text: str) -> Iterator[_Turn]:
    for match in _TURN.finditer(text):
        before, speaker, after, words = match.groups()
        time = before or after or ""
        if time or words:
            yield _Turn(match.start(), speaker, time, (words or "").rstrip())


def _is_form(found: Sequence[_Turn]) -> bool:
    """Whether these are fields, not speakers: few times, and a word or two after most, or three and more that come in one order again."""
    if 2 * sum(bool(turn.time) for turn in found) > len(found):
        return False
    speech = sum(turn.words.endswith(_SPEECH_ENDS) or word_count(turn.words) >= _SPEECH_WORDS for turn in found)
    follows: dict[str, Counter[str]] = defaultdict(Counter)
    for one, other in pairwise(found):
        follows[one.speaker][other.speaker] += 1
    usual = [counts.most_common(1)[0] for counts in follows.values()]
    in_order = 2 < len(usual) <= len(found) / _ROUNDS and len({after for after, _ in usual}) == len(usual)
    always = sum(count for _, count in usual) >= _IN_ORDER * (len(found) - 1)
    return speech < _LEAST_SPEECH * len(found) or (in_order and always)


def _label(turn: _Turn) -> str:
    """ "14:03, Anna"; with a date or "PM" the time as it is written."""
    clock = _CLOCK.search(turn.time)
    if clock is None:
        return turn.speaker
    if clock[4] or re.search(_DATE, turn.time):
        return f"{turn.time.strip('[](（）)【】')}, {turn.speaker}"
    return spoken(int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3]), turn.speaker)
