"""Words and sentences, English and Chinese, without a downloaded model: what several rooms must see alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

STOP_WORDS = frozenset(
    """a about above after again against all also am an and any are as at be because been before being below between both but by can
    cannot could did do does doing don down during each either else etc ever every few for from further had has have having he her here
    hers herself him himself his how however i if in into is it its itself just let may me might more most must my myself no nor not of
    off on once one only or other our ours ourselves out over own per same shall she should since so some such than that the their theirs
    them themselves then there these they this those through thus to too under until up upon us very via was we were what when where
    whether which while who whom whose why will with within without would yet you your yours yourself yourselves s t re ve ll d m""".split()
)
CJK_FUNCTION = frozenset("的了和与或在是有为于之以及其而且但被把对从到将等也都就还又很这那个们吗呢吧啊么什谁何哪如")

CJK = "㐀-䶿一-鿿豈-﫿぀-ヿ가-힯"
"""Characters of scripts that set no spaces between words, as a class of a regular expression has them."""
_CJK = re.compile(f"[{CJK}]")
_TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:['’.\-/][^\W_{CJK}]+)*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|fig|figs|eq|eqs|no|nos|vol|pp|p|sec|ch|art|par|inc|ltd|corp|co|llc|plc|dr|mr|mrs|ms|prof|st|jr|sr|"
    r"approx|dept|est|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|u\.s|u\.k|v)|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:\A|\n)[^\S\n]*\d{1,3}\.$")
MARKS = re.compile(r"\s*(?:\[\d+\])+")
"""The marks [1] of an answer, each run of them with the white space before it."""
_USER = re.compile(r"(?<=://)[^/?#\s\"]*@")
_KEY = re.compile(r"(?i)([?&][\w.-]*(?:key|token|secret|password|sig|signature)=)[^&#\s\"]+")
_ROW = re.compile(r"^([^\n:;]{1,60}: ).*\n(?=\1)", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<![.!?])[.!?]+[\"'”’)\]]*(?=\s|$)|[。！？；]+[”’」』）]*|\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)")


def is_cjk(char: str) -> bool:
    """Whether `char` is written without spaces between words (Chinese, Japanese, Korean)."""
    return _CJK.match(char) is not None


def cjk_share(text: str) -> float:
    """The share of CJK characters among the letters of `text`; 0 for a text without letters."""
    letters = sum(char.isalpha() for char in text)
    return len(_CJK.findall(text)) / letters if letters else 0.0


def tokens(text: str) -> list[str]:
    """Words in the order of the text, casing kept; every CJK character is one token."""
    return _TOKEN.findall(text)


def model_tokens(text: str) -> int:
    """How many tokens a language model makes of `text`, about: one of each CJK character, one of four letters else."""
    dense = sum(map(is_cjk, text))
    return dense + (len(text) - dense + 3) // 4


def token_spans(text: str) -> list[tuple[int, int]]:
    """Where the `tokens` of `text` stand."""
    return [match.span() for match in _TOKEN.finditer(text)]


def spaced_words(text: str) -> list[str]:
    """What white space sets apart, signs and all; every CJK character is one."""
    return "".join(f" {char} " if is_cjk(char) else char for char in text).split()


def letters(text: str) -> str:
    """The letters and digits of `text` alone: the same wherever its lines are broken."""
    return "".join(char for char in text if char.isalnum())


def without_user(text: str) -> str:
    """`text` without the user, the password and the keys that stand in its URLs."""
    return _KEY.sub(r"\1[key]", _USER.sub("", text))


def content_words(text: str) -> list[str]:
    """Lower-cased tokens that carry meaning: no stop words, no lone letters, no CJK function characters."""
    found = (token.lower() for token in tokens(text))
    return [
        word for word in found if word not in STOP_WORDS and word not in CJK_FUNCTION and (len(word) > 1 or is_cjk(word) or word.isdigit())
    ]


def stem(word: str) -> str:
    """A light English stem (plural and -ed/-ing endings): enough to say that two words are one, not for indexing."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + instead
    return word


def stems(text: str) -> set[str]:
    """The set of light stems of the content words of `text`."""
    return {stem(word) for word in content_words(text)}


def normal(text: str) -> str:
    """Text as compared when an answer is looked up: width and case folded, words set off by one space, other signs dropped."""
    return " " + " ".join(tokens(unicodedata.normalize("NFKC", text).lower())) + " "


def contains(passage: str, answer: str) -> bool:
    """Whether the words of `answer` stand in `passage` side by side; both in `normal` form. An empty answer is in nothing."""
    return bool(answer.strip()) and answer in passage


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans of the sentences of `text`, in order, without surrounding white space.

    List items and paragraphs end one too, and so does a row of a table that was read as "header: value; header: value".
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*sorted({*_ends(text), *_rows(text)}), len(text)]:
        left, right = start, end
        while left < right and text[left].isspace():
            left += 1
        while right > left and text[right - 1].isspace():
            right -= 1
        if right > left:
            spans.append((left, right))
        start = end
    return spans


def _ends(text: str) -> Iterable[int]:
    for match in _SENTENCE_END.finditer(text):
        if match.group().startswith(".") and _ABBREVIATION.search(text, max(0, match.start() - 12), match.start() + 1):
            follows = text[match.end() : match.end() + 2].strip()
            if not follows or not follows[0].isupper() or len(match.group()) == 1:
                continue
        if match.group() == "." and _NUMBERED.search(text, max(0, match.start() - 8), match.start() + 1):
            continue  # of the item that it numbers
        yield match.end()


def _rows(text: str) -> Iterable[int]:
    """Where lines end that begin with the same header as the next one."""
    return (match.end() for match in _ROW.finditer(text)) if "\n" in text and ": " in text else ()
