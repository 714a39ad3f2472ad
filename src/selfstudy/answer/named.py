"""Things of one name that a number tells apart: HydroMax 200 and HydroMax 300, Article 7 and Article 9, version 2.1 and version 2.2."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from selfstudy.core.facts.dates import MONTH
from selfstudy.core.facts.numerals import HANZI, hanzi_number, roman_number
from selfstudy.core.facts.stated import cased, fact_word
from selfstudy.core.facts.units import is_measure, unit
from selfstudy.core.records import Hit
from selfstudy.core.text import STOP_WORDS

_DIVISIONS = frozenset(
    """version release model type section article chapter part clause paragraph phase stage level step appendix annex schedule exhibit
    table figure rule form season episode volume generation class grade tier""".split()
)
_SPELLED = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_NUMBER = rf"(?:\d+(?:\.\d+)*(?![A-Za-z%°€$£]|[.,:]?\d)|[IVXL]+(?!\w)|(?i:{_SPELLED})(?!\w))"
_LIST = rf"{_NUMBER}(?:\s*(?:,|/|&|-|–|and|or|to|through|及|和|至|、)\s*{_NUMBER})*"
_LATIN = "A-Za-zÀ-ɏ"
_NAMED = re.compile(rf"(?<![{_LATIN}\d.])(?P<name>[{_LATIN}]+)(?P<joint>[ -]?)(?P<number>{_NUMBER})(?:\s(?P<unit>[^\W\d_]+))?")
_CHINESE = re.compile(rf"第\s*([\d{HANZI}]+)\s*([条章节款项版期届季集])")
_HEAD = re.compile(r"(?:^|[>›»|§]\s*)(\d+(?:\.\d+)*)[.)]?\s", re.MULTILINE)
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")


def of_what_is_named(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """`hits` without those about another thing of a name of the question: the title says so, and nowhere stands the question's own number.

    None is left where none states that number, and one the name with another. A number of which the question's is a part, or that is a part
    of it, is its own: Section 7.2 and Section 7. Of questions with such names none of 619 whose answer is there are refused for that, of
    the unanswerable ones 8 of 197 (squad_dev, cjrc_zh_legal, clapnq).
    """
    asked = named(question)
    if not asked:
        return list(hits)
    stated = [_stated(hit.passage.indexed, asked) for hit in hits]
    entitled = [_stated(hit.passage.title, asked) for hit in hits]
    another = [False] * len(hits)
    for name, numbers in asked.items():
        own = [_any(numbers, of[name]) for of in stated]
        if not any(own) and any(of[name] for of in stated):
            return []
        another = [told or bool(of[name] and not mine) for told, of, mine in zip(another, entitled, own, strict=True)]
    return [hit for hit, told in zip(hits, another, strict=True) if not told]


def named(question: str) -> dict[str, set[str]]:
    """The names of `question` with the numbers behind them; no quantities, dates or years."""
    found: dict[str, set[str]] = defaultdict(set)
    text = cased(question)
    for match in _NAMED.finditer(text):
        name, number = match["name"], match["number"]
        word = name.lower()
        spaced = match["joint"] == " " and (len(name) == 1 or not name[0].isupper()) and word not in _DIVISIONS
        counted = number[0].isalpha() and not number.isupper() and word not in _DIVISIONS
        if spaced or counted or word in STOP_WORDS or _YEAR.fullmatch(number):
            continue
        follows = match["unit"] or ""
        if re.fullmatch(MONTH, word) or is_measure(unit(name)) or (follows.lower() not in STOP_WORDS and is_measure(unit(follows))):
            continue
        found[word].add(_figures(number))
    for figures, name in _CHINESE.findall(text):
        found[name].add(_figures(figures))
    return dict(found)


def _stated(text: str, names: Collection[str]) -> dict[str, set[str]]:
    """The numbers that stand behind each of `names` in `text`."""
    text = cased(text)
    found: dict[str, set[str]] = {name: set() for name in names}
    for name in names:
        written = rf"(?i:{re.escape(name)})(?:s?[\s-])?" if len(name) > 1 else f"(?i:{name})-?"
        for numbers in re.findall(rf"(?<![{_LATIN}\d]){written}({_LIST})", text):
            found[name].update(map(_figures, re.findall(_NUMBER, numbers)))
        if name in _DIVISIONS:
            found[name].update(_HEAD.findall(text))
            for ordinal in re.findall(rf"(?i)\b(\d+(?=st|nd|rd|th)|{'|'.join(_ORDINALS)})\w*\s{name}", text):
                found[name].add(ordinal if ordinal.isdigit() else str(_ORDINALS.index(ordinal.lower()) + 1))
    for figures, name in _CHINESE.findall(text):
        if name in found:
            found[name].add(_figures(figures))
    return found


def _figures(number: str) -> str:
    if number[0].isdigit():
        return number
    value = hanzi_number(number) if number[0] in HANZI else roman_number(number.lower()) if number.isupper() else None
    return str(value) if value is not None else "1" if number.lower() == "one" else fact_word(number.lower())


def _any(numbers: Collection[str], stated: Collection[str]) -> bool:
    return any(f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.") for one in numbers for other in stated)
