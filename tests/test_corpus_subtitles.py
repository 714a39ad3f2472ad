"""Subtitles: turns with their speaker and time, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import parse
from selfstudy.corpus.set_aside import SetAside


def read(folder: Path, name: str, data: str | bytes) -> Document | SetAside:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    (file,) = walk([path])
    assert isinstance(file, SourceFile)
    (found,) = parse(file)
    return found


def text(folder: Path, name: str, data: str) -> str:
    found = read(folder, name, data)
    assert isinstance(found, Document), found
    return found.text


MEETING = """WEBVTT - weekly

STYLE
::cue { color: red }

NOTE
not said

intro
00:00:01.000 --> 00:00:04.000 align:start
<v Ann Lee>Good morning. <i>Shall</i> we start?</v>

00:00:04.000 --> 00:00:06.500
<v Ann Lee>The pump &amp; the valve.</v>

1:05.000 --> 1:07.000
<v.loud Bob>I looked at <00:01:06.000>it.

01:00:05.000 --> 01:00:07.000
Yes.
"""


def test_voices_become_turns_with_their_start(tmp_path: Path) -> None:
    found = read(tmp_path, "a.vtt", MEETING)
    assert isinstance(found, Document)
    assert found.text == ("[00:00:01] Ann Lee: Good morning. Shall we start? The pump & the valve.\n\n[00:01:05] Bob: I looked at it. Yes.")
    assert found.meta == {"format": "vtt", "minutes": 60, "speakers": "Ann Lee, Bob"}


def test_names_before_a_colon_are_speakers_and_other_colons_are_not(tmp_path: Path) -> None:
    srt = (
        "1\r\n00:00:01,000 --> 00:00:02,000\r\nAnn Lee: It is simple:\r\nclose it.\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n"
        "- BOB: Then\r\n- Ann Lee: No.\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\n{\\an8}It is at 10:30 and only then: go.\r\n"
    )
    assert text(tmp_path, "a.srt", srt) == (
        "[00:00:01] Ann Lee: It is simple: close it.\n\n[00:00:03] BOB: Then\n\n[00:00:03] Ann Lee: No. It is at 10:30 and only then: go."
    )


def test_rolling_captions_are_there_once(tmp_path: Path) -> None:
    rolling = (
        "WEBVTT\n\n00:01.000 --> 00:01.990\nwe close the\n\n00:01.990 --> 00:02.000\nwe close the\n \n\n"
        "00:02.000 --> 00:03.000\nwe close the\nmain valve\n\n"
        "00:03.000 --> 00:04.000\nmain valve\nfirst\n"
    )
    assert text(tmp_path, "a.vtt", rolling) == "[00:00:01] we close the main valve first"
    said_twice = "WEBVTT\n\n00:01.000 --> 00:02.000\nNo.\n\n00:02.000 --> 00:03.000\nNo.\n"
    assert text(tmp_path, "b.vtt", said_twice) == "[00:00:01] No. No."


def test_long_talk_is_cut_after_a_sentence(tmp_path: Path) -> None:
    cues = "".join(
        f"{n}\n00:{n:02}:00,000 --> 00:{n:02}:09,000\nThis is sentence {n} of a talk that goes on and on.\n\n" for n in range(40)
    )
    turns = text(tmp_path, "a.srt", cues).split("\n\n")
    assert 2 < len(turns) < 10
    assert all(turn.endswith("on.") and len(turn) < 700 for turn in turns)
    assert turns[1].startswith("[00:1")


def captions(*words: str, every: int = 5) -> str:
    cues = (f"{n * every // 60:02}:{n * every % 60:02}" for n in range(len(words)))
    return "WEBVTT\n\n" + "\n\n".join(f"{at}.000 --> {at}.900\n{said}" for at, said in zip(cues, words, strict=True)) + "\n"


@pytest.mark.parametrize("said", ["and so we come to item {}", "然后我们来看第{}项内容"])
def test_captions_without_a_full_stop_are_cut_and_every_line_has_its_time(tmp_path: Path, said: str) -> None:
    found = read(tmp_path, "a.vtt", captions(*(said.format(n) for n in range(1000, 1240))))
    assert isinstance(found, Document)
    assert all(len(turn) < 900 for turn in found.text.split("\n\n"))
    for n in (0, 7, 100, 230):
        words = said.format(1000 + n)
        assert found.where(found.text.index(words)) == f"{n * 5 // 60:02}:{n * 5 % 60:02}"
        (mark,) = [mark for mark in found.marks if mark.label == found.where(found.text.index(words))]
        assert found.text[mark.start :].removeprefix(f"[00:{mark.label}] ").startswith(words)


def test_chinese_names_are_speakers_where_they_come_back(tmp_path: Path) -> None:
    found = read(
        tmp_path, "a.vtt", captions("张三：大家好。", "李四：预算是五百万。", "对。", "主持人 1: 请说。", "张三：好的。", "API：很快。")
    )
    assert isinstance(found, Document)
    assert found.text.split("\n\n") == [
        "[00:00:00] 张三: 大家好。", "[00:00:05] 李四: 预算是五百万。 对。", "[00:00:15] 主持人 1: 请说。", "[00:00:20] 张三: 好的。",
        "[00:00:25] API: 很快。",
    ]  # fmt: skip
    assert found.meta["speakers"] == "张三, 李四, 主持人 1, API"
    clauses = ["例如：大家好。", "他说：好。", "例如：再见。", *("今天讨论预算。",) * 9, "API：很快。"]
    assert text(tmp_path, "b.vtt", captions(*clauses)).count("\n\n") == 0, "clauses are none"


def test_times_without_milliseconds(tmp_path: Path) -> None:
    assert text(tmp_path, "a.vtt", "WEBVTT\n\n00:01:10 --> 00:01:12\n<v Ann>Yes.\n\n00:02:00 --> 00:02:01.5\n<v Bob>No.\n") == (
        "[00:01:10] Ann: Yes.\n\n[00:02:00] Bob: No."
    )


def test_numbered_speakers_and_times_that_are_no_names(tmp_path: Path) -> None:
    srt = captions("Speaker 1: Good.", "SPEAKER 2 (IT): Yes.", "Anna 10:30: is no name.").replace("WEBVTT\n\n", "")
    assert text(tmp_path, "a.srt", srt) == "[00:00:00] Speaker 1: Good.\n\n[00:00:05] SPEAKER 2 (IT): Yes. Anna 10:30: is no name."


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.vtt", "WEBVTT\n\nNOTE nothing\n", "broken: no line with times"),
        ("a.srt", "just words\n", "broken: no line with times"),
        ("a.srt", " \n", "empty: no text in it"),
        ("a.srt", bytes(range(256)), "unknown format: binary data, no text"),
    ],
)
def test_reasons_are_true_and_specific(tmp_path: Path, name: str, data: str | bytes, expected: str) -> None:
    found = read(tmp_path, name, data)
    assert isinstance(found, SetAside)
    assert found.reason.startswith(expected)
