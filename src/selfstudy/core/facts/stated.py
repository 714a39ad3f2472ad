"""The facts of a text: its numbers with their units, its dates and its denials, in one spelling."""

from __future__ import annotations

import re
import unicodedata

from selfstudy.core.facts.numerals import HANZI, hanzi_number, roman_number
from selfstudy.core.facts.units import CURRENCY, is_measure, unit
from selfstudy.core.hanzi import simplified
from selfstudy.core.text import STOP_WORDS

Facts = tuple[str, ...]

_NUMBERS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half double twice"""
_DATES = """january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept
oct nov dec monday tuesday wednesday thursday friday saturday sunday"""
_NEGATIONS = "not no never none neither nor without cannot nothing nobody"
_KINDS = {word: word for word in (_NUMBERS + " " + _DATES).split()} | dict.fromkeys(_NEGATIONS.split(), "not")
_WORDS = {
    word: str(number)
    for number, word in (
        *enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2),
        *zip(range(20, 100, 10), "twenty thirty forty fifty sixty seventy eighty ninety".split(), strict=True),
    )
}
_NOT = "[不没沒無无未非勿莫否别]"
_UNIT = rf"[%‰°]?[^\W\d_\u3040-\u9fff]+|[%‰°€$£¥₹]|(?!{_NOT})[\u3040-\u9fff]"
_FACT = re.compile(
    rf"(?=[-−\da-z$€£¥₹{HANZI}{_NOT[1:]})(?:(?P<share>百分之)?(?P<currency>(?:{CURRENCY})[^\S\n]?)?"
    r"(?P<number>(?:(?<![\w)])[-−])?[a-z]{0,8}\d+(?:[.,:/-]?\d+)*(?:\^-?\d+)?)"
    rf"(?P<size>[万亿])?[^\S\n]?(?P<unit>{_UNIT})?"
    rf"|(?P<part>百分之)?(?P<hanzi>[{HANZI}]+)(?P<after>(?!{_NOT})[\u3040-\u9fff])?"
    r"|(?P<division>(?<![a-z])(?:version|part|section|chapter|phase|class|type|stage|grade|level|category|article|title|volume|annex|appendix"
    r"|schedule|tier|step|rule|exhibit))s?[^\S\n](?P<label>[ivxlc]+|[a-z])(?![\w'’])"
    rf"|(?P<negation>{_NOT}|[a-z]+n['’]t\b)|(?P<word>[a-z]+))",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(rf"[^\S\n-]?-?({_UNIT})?")
_RAISED = re.compile(r"(?<=\d)[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_CENTS = re.compile(r"(\d+)\.0{1,2}")
_DECIMALS = re.compile(r"(\d+\.\d)0")
_PLAIN = re.compile(r"\d{1,9}(?:\.\d{1,4})?")
_SIZES = {"万": 10**4, "亿": 10**8}
_MAGNITUDES = ("thousand", "million", "billion", "mio", "bn", "k", "m", "M")
_DAY = re.compile(r",?\s+\d")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def same_facts(a: str, b: str) -> bool:
    """Whether `a` and `b` state the same numbers with the same units, dates and negations, in the same order: "30 s" is not "60 s"."""
    return facts_of(a) == facts_of(b)


def facts_of(text: str) -> Facts:
    """Numbers, each followed by its unit or "", dates, and "not" for every denial, in the order of `text`.

    Case, width, number words and spellings of units are folded: thirty days, 30 days and 30 Days are one, and so are 三十天 and 30天.
    """
    facts: list[str] = []
    text = cased(text)
    end = 0
    for match in _FACT.finditer(text):
        if match.start() < end:
            continue  # the unit of a number word
        word = (match["word"] or "").lower()
        if match["number"]:
            facts += _quantity(match)
        elif match["hanzi"]:
            facts += [str(hanzi_number(match["hanzi"])), "%" if match["part"] else unit(match["after"] or "")]
        elif match["division"]:
            facts += _label(match["label"])
        elif match["negation"]:
            facts.append("not")
        elif word == "may" and not _DAY.match(text, match.end()):
            continue  # what is allowed, and no month
        elif word in _WORDS or word == "one":
            follows = _FOLLOWS.match(text, match.end())
            after = unit(follows[1]) if follows and follows[1] else ""
            if word == "one" and not is_measure(after):
                facts.append(word)  # one of them
                continue
            bare = (follows[1] if follows and follows[1] else "").lower() in STOP_WORDS or after in _KINDS or after in _WORDS
            facts += [_WORDS.get(word, "1"), "" if bare else after]
            end = follows.end() if follows and not bare else 0
        elif word in _KINDS:
            facts.append(_KINDS[word])
    return tuple(facts)


def fact_word(word: str) -> str:
    """The fact that a word of a text is a part of: its number as figures, its unit in the one spelling; else a word that is no fact."""
    return _WORDS.get(word) or unit(word)


def cased(text: str) -> str:
    """The same with its case, and as long as `folded`; 10⁶ is 10^6."""
    if text.isascii():
        return text
    raised = _RAISED.sub(lambda match: "^" + unicodedata.normalize("NFKC", match[0]).replace("−", "-"), text)
    return simplified(unicodedata.normalize("NFKC", raised)).replace("İ", "I")


def _quantity(match: re.Match[str]) -> list[str]:
    """A number and its unit, with the denial in it or after it that looks like one."""
    number = _THOUSANDS.sub("", match["number"].lower()).replace("−", "-")
    written, before = match["unit"] or "", (match["currency"] or "").strip()
    bare = written.lower() in STOP_WORDS and len(written) > 1
    after = "" if bare else unit(written)
    if before:
        after = f"{unit(before)} {after}" if written.lower() in _MAGNITUDES or written in _MAGNITUDES else unit(before)
    if match["share"]:
        after = "%"
    if match["size"] and _PLAIN.fullmatch(number):
        number = f"{float(number) * _SIZES[match['size']]:.0f}"
    if cents := _CENTS.fullmatch(number):
        number = cents[1]
    elif is_measure(after) and (decimals := _DECIMALS.fullmatch(number)):
        number = decimals[1]
    denial = _KINDS.get(written.lower()) if bare else None
    return [number, after, *([denial] if denial else [])]


def _label(label: str) -> list[str]:
    """What tells one part, class or version from another: part II is part 2, and class A is no class B."""
    if label.isupper() or len(label) > 1:
        number = roman_number(label.lower())
        return [str(number), ""] if number else [label.lower(), ""] if len(label) == 1 else []
    return []
