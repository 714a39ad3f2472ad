"""Encodings found by evidence, control characters dropped."""

from __future__ import annotations

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.corpus.formats.decode import clean, decode

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


RUSSIAN = "Договор вступает в силу со дня подписания. Срок гарантии составляет два года со дня покупки."
TRADITIONAL = "雙方應於簽約後三十日內交付貨物。本公司員工手冊規定，每年年假為十五天，請假應於三日前提出申請。"
OTHERS = {
    TRADITIONAL: ["big5", "gb18030", "utf-16"],
    "この製品の保証期間は購入日から二年間です。修理についてはサポート窓口までご連絡ください。": ["shift_jis", "euc_jp"],
    "이 제품의 보증 기간은 구입일로부터 2년입니다. 수리는 고객센터로 연락해 주십시오.": ["euc-kr", "cp949"],
    RUSSIAN: ["cp1251", "koi8-r", "cp866"],
    f"Device manual, revision 5. Keep it at hand. {RUSSIAN}": ["cp1251", "koi8-r"],
    "Η σύμβαση ισχύει από την ημέρα της υπογραφής και για δύο χρόνια.": ["cp1253"],
    "Okres gwarancji wynosi dwa lata od dnia zakupu. Proszę zgłosić się do działu obsługi, jeśli są wątpliwości.": ["cp1250"],
    "Záruční doba činí dva roky ode dne nákupu. Příští údržba proběhne v září, měření teploty je nutné.": ["cp1250"],
    "Garanti süresi satın alma gününden başlar. Değişiklik için müşteri hizmetlerine başvurunuz.": ["cp1254"],
}


@pytest.mark.parametrize(("text", "encoding"), [(text, encoding) for text, encodings in OTHERS.items() for encoding in encodings])
def test_text_of_other_languages_in_their_encodings(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("text", [GERMAN, f"{CHINESE}\n", "Device manual.\r\nPrice: 5 €", RUSSIAN])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "text",
    [
        "È aperta la porta? È chiusa, è già così: la città è più bella.",
        "L'été, la crèche où naît l'élève est fermée ; œuvre à 5 €, déjà créée.",
        "Zurück zum Flüßchen: die größte Straße über die Höhe, zunächst für Gäste.",
        "¿Dónde está el niño? Mañana, señor.",
        "Århus är på ön, sjö å fjäll.",
        "A beam of 5 m² holds 3 µm at 20 °C.",
    ],
)
def test_western_text_is_not_taken_for_another(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("条款和条件，双方应当遵守。規定を守ること。", "shift_jis"), ("สัญญานี้มีผลบังคับใช้", "cp874"), ("Αλφα", "cp737")],
)
def test_what_is_clearly_in_no_encoding_is_refused_and_not_read_as_gibberish(text: str, encoding: str) -> None:
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
    assert clean("Range 10\x9620, \x80500, don\x92t\x81") == "Range 10–20, €500, don’t"
    assert clean("cafe\u0301 \ud800") == "café \ufffd"


def test_clean_keeps_joined_emoji() -> None:
    family = "👩\u200d👩\u200d👧 👍🏽 🇫🇷"
    assert clean(family) == family
