"""Questions about Chinese passages by rule: what is asked for is taken out of its clause and replaced by the question word of its type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from selfstudy.core.records import Example, Passage
from selfstudy.core.text import cjk_share, is_cjk, sentences
from selfstudy.synth.draft import draft, pick

_DATE = re.compile(r"(?:\d{2,4}|[〇零一二三四五六七八九]{4})年(?:\d{1,2}月)?(?:\d{1,2}[日号])?")
_NUMBER = re.compile(r"(?<![\d.])\d[\d,]*(?:\.\d+)?(?:万|亿)?(?P<unit>[元人天年月日次件家个名岁%％米吨克倍]|平方米|公里|小时|公斤)")
_DEFINITION = re.compile(r"^(?P<term>[^，。；：\s]{2,16}?)(?:是指|指的是|是一种|是由|是)(?P<body>[^。]{6,})")
_CAUSE = re.compile(r"^(?:由于|因为|因)(?P<cause>[^，。]{4,}?)，(?:所以|因此)?(?P<effect>[^。]{6,60})")
_CLAUSES = re.compile(r"[，；：。！？\n]")


def chinese(passages: Sequence[Passage]) -> Iterator[Example]:
    """Dates, numbers with their units, definitions and causes in passages that are mostly Chinese."""
    for passage in passages:
        if cjk_share(passage.text) < 0.5:
            continue
        asked = [item for start, end in sentences(passage.text) for item in _questions(passage.text[start:end])]
        for question, answer, kind in pick(asked, 4, passage.id + "chinese"):
            yield draft(passage, question, (answer,), kind, "chinese")


def chinese_clauses(passages: Sequence[Passage]) -> Iterator[Example]:
    """A clause taken out of its passage asks for what stood around it."""
    for passage in passages:
        if cjk_share(passage.text) < 0.5:
            continue
        clauses = [clause.strip() for clause in _CLAUSES.split(passage.text) if 8 <= sum(map(is_cjk, clause)) <= 40]
        for clause in pick(clauses, 2, passage.id + "clauses"):
            yield draft(passage, clause, (), "text", "chinese_clauses")


def chinese_terms(passages: Sequence[Passage]) -> Iterator[Example]:
    """The passage's rarest pairs of characters that occur elsewhere too, joined as people type them into a search box."""
    chinese_ones = [passage for passage in passages if cjk_share(passage.text) >= 0.5]
    counts = Counter(pair for passage in chinese_ones for pair in set(_pairs(passage.text)))
    for passage in chinese_ones:
        known = [pair for pair in dict.fromkeys(_pairs(passage.text)) if 2 <= counts[pair] <= max(3, len(chinese_ones) // 4)]
        chosen = sorted(known, key=lambda pair: counts[pair])[:8]
        if len(chosen) >= 3:
            yield draft(passage, " ".join(pick(chosen, 3, passage.id + "terms")), (), "term", "chinese_terms")


def _pairs(text: str) -> Iterator[str]:
    for first, second in pairwise(text):
        if is_cjk(first) and is_cjk(second):
            yield first + second


def _questions(text: str) -> Iterator[tuple[str, str, str]]:
    for pattern, word, kind in ((_DATE, "什么时候", "date"), (_NUMBER, "多少", "number")):
        for match in pattern.finditer(text):
            start = max((m.end() for m in _CLAUSES.finditer(text, 0, match.start())), default=0)
            stop = next((m.start() for m in _CLAUSES.finditer(text, match.end())), len(text))
            asked = word + (match["unit"] if kind == "number" else "")
            clause = text[start : match.start()] + asked + text[match.end() : stop]
            if 8 <= len(clause) <= 60:
                yield clause.strip() + "？", match.group(), kind
    if definition := _DEFINITION.match(text):
        yield f"什么是{definition['term']}？", definition["body"], "text"
    if cause := _CAUSE.match(text):
        yield f"为什么{cause['effect']}？", cause["cause"], "text"
