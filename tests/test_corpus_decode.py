"""Encodings found by evidence, control characters dropped."""

from __future__ import annotations

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.corpus.decode import clean, decode

GERMAN = "Die Prüfung dauert höchstens 30 Minuten. Für Gäste kostet der Eintritt 5 €, für Kinder die Hälfte."
CHINESE = "合同自双方签字之日起生效，有效期三年。任何一方可以提前三十天书面通知对方解除合同。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_western_text_in_any_encoding(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == GERMAN


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "gb2312"])
def test_chinese_text_in_any_encoding(encoding: str) -> None:
    assert decode(CHINESE.encode(encoding)) == CHINESE


def test_a_mark_of_utf16_either_way_round() -> None:
    assert decode(b"\xfe\xff" + GERMAN.encode("utf-16-be")) == GERMAN
    assert decode(b"\xff\xfe" + GERMAN.encode("utf-16-le")) == GERMAN


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("条款和条件，双方应当遵守。規定を守ること。", "shift_jis"),
        ("雙方應於簽約後三十日內交付貨物。", "big5"),
        ("Договор вступает в силу.", "koi8-r"),
        ("Договор вступает в силу.", "cp1251"),
    ],
)
def test_other_encodings_are_refused_and_not_read_as_gibberish(text: str, encoding: str) -> None:
    with pytest.raises(BadInput, match="wrongly encoded"):
        decode(text.encode(encoding, "ignore"))


def test_a_false_mark_is_named() -> None:
    with pytest.raises(BadInput, match="UTF-16"):
        decode(b"\xff\xfea")


def test_utf8_with_a_cut_end_is_read() -> None:
    assert decode((CHINESE * 5).encode()[:-1]).startswith(CHINESE * 4)


def test_binary_is_refused_and_a_stray_nul_is_not() -> None:
    with pytest.raises(BadInput, match="binary"):
        decode(bytes(range(256)) * 10)
    assert clean(decode(b"a line\x00 of text" + b" and more" * 50)) == "a line of text" + " and more" * 50


def test_clean_makes_line_ends_one_and_drops_what_nobody_sees() -> None:
    assert clean("a\r\nb\rc\x0cd\u2028e") == "a\nb\nc\nd\ne"
    assert clean("\ufeffzero\u200bwidth soft\xadhyphen \u202eturned\x07") == "zerowidth softhyphen turned"
    assert clean("cafe\u0301 \ud800") == "café \ufffd"


def test_clean_keeps_joined_emoji() -> None:
    family = "👩\u200d👩\u200d👧 👍🏽 🇫🇷"
    assert clean(family) == family
