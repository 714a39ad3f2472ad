"""Subtitles and transcripts of meetings (vtt, srt): who said what, and when."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document, Mark, Scalar
from selfstudy.core.text import model_tokens
from selfstudy.corpus.formats.decode import read_text

LONGEST_TURN = 150  # tokens; a longer one goes on in a new paragraph after the next sentence
_LONGEST = 200  # and where no sentence ends, as in captions that a machine wrote, after the next line
# Up to four words, none of them in small letters but "de" and the like, nor a part of a time: "Ann Lee", "ANN (2)", "Speaker 1".
_NUMBER = r"\d{1,2}(?!\d|[:：.]\d)"
NAME = (
    r"[^\W\d_a-z㐀-鿿][\w.'’-]*"
    rf"(?: (?:(?:de|da|der|van|von|la) )?(?:[^\W\d_a-z㐀-鿿][\w.'’-]*|{_NUMBER}|\([^\W_a-z][\w.'’-]*\))){{0,3}}"
)
HAN_NAME = rf"[㐀-鿿·]{{1,10}}(?<![说說道是如])(?: ?{_NUMBER})?"
_TIME = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?(?:[a-z]+|\d)[^<>]*>|\{\\[^{}]*\}", re.IGNORECASE)
_SPEAKER = re.compile(rf"(?:>>\s*|[-–—]\s*)?({NAME}):\s+(?=\S)")
_HAN_SPEAKER = re.compile(rf"(?:>>\s*|[-–—]\s*)?({HAN_NAME}(?=[:：])|{NAME}(?=：))[:：]\s*(?=\S)")
_LEAST_NAMED = 0.25  # of the rows: fewer in Chinese are clauses, "例如："
_BRIEF = 0.1  # seconds; rolling captions show each row once more for a moment
_ENDS = (".", "!", "?", "…", "。", "！", "？", '."', ".”")


@dataclass(frozen=True, slots=True)
class _Line:
    """What was said from `start` (seconds) on. `speaker` is "" where it is not said who."""

    start: int
    speaker: str
    words: str


class Subtitles:
    """Reads a file of timed lines as one document, a paragraph for each turn: "[00:01:05] Ann: words".

    Lines of one speaker are put together, and where nobody is named all are, up to some length; each line is marked. What rolling
    captions show twice is there once. meta has `minutes` and, where they are named, `speakers`. Raises BadInput where there is no timed
    line.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        text = read_text(path)
        if not text.strip():
            yield Document(path.name, "", source=str(path))
            return
        lines = list(_lines(text, _named_in_han(text)))
        if not lines:
            raise BadInput("broken: no line with times (00:01:05.000 --> 00:01:07.000) and words under it", "Export it anew.")
        turns: list[list[_Line]] = []
        for line in lines:
            who = turns[-1][0].speaker if turns else ""
            if turns and line.speaker in (who, "") and not _is_full([one.words for one in turns[-1]]):
                turns[-1].append(line)
            else:
                turns.append([line if line.speaker else replace(line, speaker=who)])
        meta: dict[str, Scalar] = {"minutes": round(lines[-1].start / 60)}
        if speakers := list(dict.fromkeys(turn[0].speaker for turn in turns if turn[0].speaker)):
            meta["speakers"] = ", ".join(speakers)
        shown, marks = _shown(turns)
        yield Document(path.name, shown, source=str(path), meta=meta, marks=marks)


def _is_full(words: Sequence[str]) -> bool:
    length = model_tokens(" ".join(words))
    return length > _LONGEST or (length > LONGEST_TURN and words[-1].endswith(_ENDS))


def spoken(seconds: int | None, speaker: str) -> str:
    """Where something was said, as a person would look it up: "14:03, Anna"."""
    minutes, rest = divmod(seconds or 0, 60)
    hours, minutes = divmod(minutes, 60)
    time = "" if seconds is None else f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
    return ", ".join(filter(None, (time, speaker)))


def _shown(turns: Sequence[Sequence[_Line]]) -> tuple[str, tuple[Mark, ...]]:
    """A paragraph for each turn, and a mark for each line, at its words; that of the first is at the beginning of the turn."""
    paragraphs: list[str] = []
    marks: list[Mark] = []
    at = 0
    for turn in turns:
        minutes, seconds = divmod(turn[0].start, 60)
        hours, minutes = divmod(minutes, 60)
        who = turn[0].speaker
        paragraph = f"[{hours:02}:{minutes:02}:{seconds:02}]{f' {who}:' if who else ''}"
        for number, line in enumerate(turn):
            marks.append(Mark(at + len(paragraph) + 1 if number else at, spoken(line.start, who)))
            paragraph += f" {line.words}"
        paragraphs.append(paragraph)
        at += len(paragraph) + 2
    return "\n\n".join(paragraphs), tuple(marks)


def _named_in_han(text: str) -> bool:
    """Whether rows begin with who speaks, in Chinese: many do, and some name comes back."""
    rows = [row for line in text.split("\n") if (row := _bare(line)) and not row.isdecimal() and "-->" not in row]
    names = Counter(match[1] for row in rows if (match := _HAN_SPEAKER.match(row)))
    return names.total() >= _LEAST_NAMED * len(rows) and max(names.values(), default=0) > 1


def _lines(text: str, in_han: bool) -> Iterator[_Line]:
    """What is said in each block of lines under a line of times, the part before a named speaker apart. Other blocks are passed over."""
    last = ""
    for block in re.split(r"\n[^\S\n]*\n\s*", text.strip()):
        rows = block.split("\n")
        at = next((index for index, row in enumerate(rows[:3]) if _TIMES.match(row)), None)
        if at is None:
            continue
        times = _TIMES.match(rows[at])
        assert times is not None
        start, end = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
        now = [row for row in rows[at + 1 :] if _bare(row)]
        rolls = len(now) > 1 or end - start < _BRIEF
        fresh = now[1:] if rolls and last and _bare(now[0]) == last else now
        last = _bare(now[-1]) if now else last
        yield from _said(int(start), fresh, in_han)


def _seconds(hours: str | None, minutes: str, seconds: str, parts: str | None) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{parts or 0}")


def _said(start: int, rows: list[str], in_han: bool) -> Iterator[_Line]:
    speaker, words = "", ""
    for row in rows:
        voice = _VOICE.search(row)
        bare = _bare(row)
        named = _SPEAKER.match(bare) or (_HAN_SPEAKER.match(bare) if in_han else None)
        who = " ".join(unescape(voice[1]).split()) if voice else named[1] if named else ""
        if who and words:
            yield _Line(start, speaker, words)
            words = ""
        speaker = who or speaker
        words = f"{words} {bare[named.end() :] if named and not voice else bare}".strip()
    if words:
        yield _Line(start, speaker, words)


def _bare(row: str) -> str:
    """A row without marks of voices, colours and times."""
    return " ".join(unescape(_TAG.sub("", row)).split())
