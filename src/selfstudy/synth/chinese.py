"""Questions about Chinese passages by rule: what is asked for is taken out of its clause and replaced by the question word of its type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from selfstudy.core.records import Example, Passage
from selfstudy.core.text import cjk_share, is_cjk, sentences
from selfstudy.synth.chinese_facts import amounts, dates
from selfstudy.synth.draft import draft, pick

_DEFINITION = re.compile(r"^(?P<term>[^，。；：\s]{2,16}?)(?:是指|指的是|是一种|是由|是)(?P<body>[^。]{6,})")
_POINTS = re.compile(
    r"[这這那此该該其他她它牠我你您但虽雖若而被且另]|在(?![线線])|由[于於]|因[为為]|所以|因此|如果|假[设設如]|即使|除了|首先|最[后後]|同[时時]|例如|譬如"
    r"|不[论論过過但仅僅]|[以之]下|上述|下列|[据據]|只有|有[些的]|一[般些种種个個次]|第[一二三四五六七八九十]|目前|[现現][在时時]|近年|本[剧劇书書届屆院身人文]"
)
_BREAKS_OFF = re.compile(
    r"(?:[不但也亦仍曾乃若既又的了于於被把只仅僅而或]|(?<![规規原法准準守细細总總])[则則]|(?<![首成古京旧舊帝])都|(?<![合兼])[并並]|(?<![变變])更"
    r"|(?<![许許认認])可|(?<![平人])均|(?<![偿償归歸返])[还還]|(?<![校修更改纠糾])正|(?<![成造])就|(?<![冷忘了])[却卻]|(?<!方)便|(?<!立)即"
    r"|主要|通常|一般|特[别別]|分[别別]|原本|本[来來]|自己|[当當][时時]|[现現]在|目前|其[实實中]|一直|不再|最初|起初|首先|可能|仍然|曾[经經]|上述|下列"
    r"|[以之][来來前后後]|以[上下]|之一|[实實][际際]上|基本上|[认認][为為]|[据據][说說]|因[为為]|[虽雖]然|[总總])$"
)
"""How what stands before 是 begins and ends where it is no term: 这, 但; 则 (but not of 规则), 主要."""
_CAUSE = re.compile(r"^(?:由于|因为|因(?![此而]))(?P<cause>[^，。]{4,}?)，(?:所以|因此|因而|从而|于是)?(?P<effect>[^。]{6,60})")
_FEWEST = 6
"""The characters of a clause besides what is asked for, below which it says too little to be searched with."""
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
    spans = [(start, end, "什么时候", "date") for start, end in dates(text)]
    spans += [(start, end, word, "number") for start, end, word in amounts(text)]
    for start, end, word, kind in spans:
        left = max((match.end() for match in _CLAUSES.finditer(text, 0, start)), default=0)
        right = next((match.start() for match in _CLAUSES.finditer(text, end)), len(text))
        before, after = text[left:start].strip(), text[end:right].strip()
        if sum(map(is_cjk, before + after)) >= _FEWEST and len(before + word + after) <= 60:
            yield f"{before}{word}{after}？", text[start:end], kind
    if (definition := _DEFINITION.match(text)) and not (_POINTS.match(definition["term"]) or _BREAKS_OFF.search(definition["term"])):
        yield f"什么是{definition['term']}？", definition["body"], "text"
    if cause := _CAUSE.match(text):
        yield f"为什么{cause['effect']}？", cause["cause"], "text"
