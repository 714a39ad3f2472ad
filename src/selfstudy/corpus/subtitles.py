"""Subtitles and transcripts of meetings (vtt, srt): who said what, and when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document, Scalar
from selfstudy.corpus.blocks import Block, join, marks
from selfstudy.corpus.decode import read_text

LONGEST_TURN = 600  # characters; a longer one goes on in a new paragraph after the next sentence
_TIME = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?(?:[a-z]+|\d)[^<>]*>|\{\\[^{}]*\}", re.IGNORECASE)
# "Ann Lee: words", ">> ANN (2): words": up to four words, none of them in small letters, which leaves out most clauses.
_SPEAKER = re.compile(r"(?:>>\s*|-\s*)?([^\W\d_a-z][\w.'’-]*(?: (?:(?:de|da|der|van|von|la) )?\(?[^\W_a-z][\w.'’()-]*){0,3}):\s+(?=\S)")
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

    Lines of one speaker are put together, and where nobody is named all are, up to some length. What rolling captions show twice is
    there once. meta has `minutes` and, where they are named, `speakers`. Raises BadInput where there is no timed line.
    """

    def parse(self, path: Path) -> Iterator[Document]:
        text = read_text(path)
        if not text.strip():
            yield Document(path.name, "", source=str(path))
            return
        lines = list(_lines(text))
        if not lines:
            raise BadInput("broken: no line with times (00:01:05.000 --> 00:01:07.000) and words under it", "Export it anew.")
        turns: list[_Line] = []
        for line in lines:
            last = turns[-1] if turns else None
            goes_on = last is not None and line.speaker in (last.speaker, "")
            if last is None or not goes_on or (len(last.words) > LONGEST_TURN and last.words.endswith(_ENDS)):
                turns.append(line if line.speaker or last is None else _Line(line.start, last.speaker, line.words))
            else:
                turns[-1] = _Line(last.start, last.speaker, f"{last.words} {line.words}")
        meta: dict[str, Scalar] = {"minutes": round(lines[-1].start / 60)}
        if speakers := list(dict.fromkeys(turn.speaker for turn in turns if turn.speaker)):
            meta["speakers"] = ", ".join(speakers)
        blocks = [Block(_shown(turn), at=spoken(turn.start, turn.speaker)) for turn in turns]
        yield Document(path.name, join(blocks)[0], source=str(path), meta=meta, marks=marks(blocks))


def spoken(seconds: int | None, speaker: str) -> str:
    """Where something was said, as a person would look it up: "14:03, Anna"."""
    minutes, rest = divmod(seconds or 0, 60)
    hours, minutes = divmod(minutes, 60)
    time = "" if seconds is None else f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
    return ", ".join(filter(None, (time, speaker)))


def _shown(turn: _Line) -> str:
    minutes, seconds = divmod(turn.start, 60)
    hours, minutes = divmod(minutes, 60)
    who = f"{turn.speaker}: " if turn.speaker else ""
    return f"[{hours:02}:{minutes:02}:{seconds:02}] {who}{turn.words}"


def _lines(text: str) -> Iterator[_Line]:
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
        yield from _said(int(start), fresh)


def _seconds(hours: str | None, minutes: str, seconds: str, parts: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{parts}")


def _said(start: int, rows: list[str]) -> Iterator[_Line]:
    speaker, words = "", ""
    for row in rows:
        voice = _VOICE.search(row)
        bare = _bare(row)
        named = _SPEAKER.match(bare)
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
