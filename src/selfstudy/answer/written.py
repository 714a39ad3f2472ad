"""An answer that a model wrote: its sentences kept where a passage bears them out, each cited to the passage's best sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from selfstudy.answer.reading import pieces
from selfstudy.answer.terms import is_cjk_text, terms
from selfstudy.core.errors import BadModel
from selfstudy.core.ports import LLM, Entailment, Vectors
from selfstudy.core.prompts import grounded, says_not_here
from selfstudy.core.records import Citation, Hit, Passage
from selfstudy.core.text import normal, sentences

_MARKS = re.compile(r"\s*[\[【［](\d{1,3}(?:\s*[-–,;，、]\s*\d{1,3})*)[\]】］]")
_MOVED = re.compile(r"([.!?。！？]+)((?:\s*[\[【［]\d[\d,;，、–\- ]*[\]】］])+)")
_RANGE = re.compile(r"(\d+)(?:\s*[-–]\s*(\d+))?")
_GLUED = re.compile(r"\w+$")
_ITEM = re.compile(r"^\s*\d{1,3}[.)、](?!\d)\s*")
_REASONED = re.compile(r'^Passage \[\d+\] says: ".*?" So the answer is: ', re.DOTALL)
"""The reasoning that generators are taught to put before an answer: it quotes, and the citation does that too."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_WORDS = "two three four five six seven eight nine ten eleven twelve".split()
_COUNTS = dict(zip(_WORDS, map(str, range(2, 13)), strict=True)) | dict(
    zip("二两兩三四五六七八九十", "2 2 2 3 4 5 6 7 8 9 10".split(), strict=True)
)
_COUNTED = re.compile(
    rf"(?<![\w-])(?:{'|'.join(_WORDS)})\b"
    r"|(?<![一二三四五六七八九十百千万萬点點])[二两兩三四五六七八九十](?![一二三四五六七八九十百千万萬点點])",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:not|never|no(?!\.\s*\d)|none|nobody|nothing|cannot|without|neither|nor|\w+n['’]t)\b"
    r"|不(?![同仅僅但只管论論断斷过過久少锈鏽])|没(?!收)|沒(?!收)|[无無](?![论論线線数數锡錫])|未(?![来來])|(?<!除)非(?![常洲])",
    re.IGNORECASE,
)
"""Not what only looks like a denial: "No. 5", 不同 (differing), 无论 (whatever), 未来 (future), 非常 (very)."""
_VERDICTS = frozenset({"true", "false", "yes", "no", "是", "否", "对", "错"})
_BORNE_OUT = 0.34
"""The least share of a sentence's terms that the sentence of the passage must hold, else the citation proves nothing."""
_UNSUPPORTED = 0.5
_LONGEST = 420


Cited = tuple[str, list[tuple[float, Passage, tuple[int, int]]]]
"""A sentence without its marks, and for each passage that bears it out how well, and by which span."""


def write(llm: LLM, question: str, hits: Sequence[Hit], max_tokens: int = 400) -> str:
    """What the model answers out of the passages, for `cited` to check. Raises BadModel where it gives no reply."""
    (reply,) = llm.chat([grounded(question, [hit.passage for hit in hits])], max_tokens=max_tokens)
    if reply.fault:
        raise BadModel(f"{llm.name} gave no answer: {reply.fault}", "Ask again, or without a model for an answer in the documents' words.")
    return whole(reply.text) if reply.cut else reply.text


def whole(text: str) -> str:
    """`text` without its last sentence: of a reply that was cut off nobody knows how that would have gone on."""
    return text[: sentences(text)[-1][0]] if text.strip() else ""


def cited(
    text: str, hits: Sequence[Hit], question: str = "", entailment: Entailment | None = None
) -> tuple[str, tuple[Citation, ...]] | None:
    """The sentences of `text` that passages bear out, with a mark for each citation; None where there are none, or `text` says so.

    A sentence that names no passage is looked for in all of them; one that none bears out is left out. Where a passage is named and there
    is `entailment`, that says whether it does, and else the words: a citation that it finds no support in is left out, and one that it
    supports may be in other words than the passage's, or in another language. A bare verdict ("Yes [1].") is cited to what its passage
    says about `question`. Raises what `entailment` raises.
    """
    if says_not_here(text):
        return None
    text = _MOVED.sub(r"\2\1", _REASONED.sub("", text))  # "It is red. [1]" -> "It is red [1]."
    told: list[Cited] = []
    for start, end in sentences(text):
        said = text[start:end]
        bare, named = _unmarked(said, hits)
        if not any(char.isalnum() for char in bare):
            continue
        verdict = normal(bare).strip() in _VERDICTS and bool(named)
        wanted = question if verdict else bare
        judged = entailment is not None and bool(named)
        found = [best for at in named or range(len(hits)) if (best := _borne_out(wanted, hits[at].passage, verdict, judged)) is not None]
        if not found:
            continue
        told.append((bare, found if named else [max(found, key=lambda one: one[0])]))
    parts: list[str] = []
    citations: list[Citation] = []
    for bare, chosen in _judged(entailment, question, told):
        first = len(citations) + 1
        citations.extend(passage.citation(*span, first + place) for place, (_, passage, span) in enumerate(chosen))
        parts.append(f"{bare} {''.join(f'[{citation.number}]' for citation in citations[first - 1 :])}")
    return (("" if is_cjk_text(text) else " ").join(parts), tuple(citations)) if parts else None


def _unmarked(said: str, hits: Sequence[Hit]) -> tuple[str, list[int]]:
    """A sentence without its marks, and the places of the hits that these name. "argv[1]" is none where a passage says just that."""
    marks = [match for match in _MARKS.finditer(said) if not _stands(said, match, hits)]
    bare = said
    for match in reversed(marks):
        bare = bare[: match.start()] + bare[match.end() :]
    ranges = [(int(first) - 1, int(last or first)) for match in marks for first, last in _RANGE.findall(match[1])]
    named = dict.fromkeys(at for first, last in ranges for at in range(first, min(last, len(hits))) if at >= 0)
    return bare.strip(), list(named)


def _stands(said: str, mark: re.Match[str], hits: Sequence[Hit]) -> bool:
    """Whether a mark is glued to a word, and a passage has both side by side, too."""
    word = _GLUED.search(said, 0, mark.start())
    return word is not None and any(said[word.start() : mark.end()] in hit.passage.text for hit in hits)


def _judged(entailment: Entailment | None, question: str, told: Sequence[Cited]) -> list[Cited]:
    """The sentences with those citations that rather support them than not."""
    if entailment is None or not told:
        return list(told)
    triples = [(question, bare, passage.indexed) for bare, chosen in told for _, passage, _ in chosen]
    rows = iter(entailment.supported(triples))
    left = [(bare, [one for one in chosen if _stays(one[0], next(rows))]) for bare, chosen in told]
    return [(bare, chosen) for bare, chosen in left if chosen]


def _stays(share: float, supported: Vectors) -> bool:
    """Whether a citation stays by what entailment says of it: where the words speak for it already, unless that finds no support."""
    return bool(supported[0] <= _UNSUPPORTED if share >= _BORNE_OUT else max(supported[1:]) > supported[0])


def _borne_out(said: str, passage: Passage, verdict: bool = False, judged: bool = False) -> tuple[float, Passage, tuple[int, int]] | None:
    """The sentence of `passage` that holds most of what is said, if it holds enough, every number of it, and denies what is denied.

    Words prove no more than that; whether the sentence follows from them is for entailment to say. Where that is asked (`judged`) they need
    not hold anything, but a number that is not there, or another denial in the sentence that they point at, still speaks against it.
    """
    said = _ITEM.sub("", said)
    share, span = _nearest(said, passage)
    if share < _BORNE_OUT and not judged:
        return None
    if verdict:
        return share, passage, span
    if not _numbers(said) <= _numbers(passage.indexed) | _counted(passage.indexed):
        return None
    if share >= _BORNE_OUT and denies(said) != denies(passage.text[slice(*span)]):
        return None
    return share, passage, span


def _nearest(said: str, passage: Passage) -> tuple[float, tuple[int, int]]:
    """The share of what is said that the sentence of `passage` with most of it holds, and where that stands; all of it for none."""
    wanted = set(terms(said))
    wanted = wanted - set(terms(passage.title)) or wanted  # what the title says already need not be said again
    spans = pieces(passage.text, _LONGEST)
    shares = [len(wanted & set(terms(passage.text[start:end]))) / len(wanted) for start, end in spans] if wanted else []
    if not any(shares):
        return 0.0, (0, len(passage.text))
    best = shares.index(max(shares))
    return shares[best], spans[best]


def _numbers(text: str) -> set[str]:
    """The numbers in `text`, whatever their width and with or without a sign between thousands."""
    return set(_NUMBER.findall(_THOUSANDS.sub("", unicodedata.normalize("NFKC", text))))


def _counted(text: str) -> set[str]:
    """The small numbers that `text` says in a word."""
    return {_COUNTS[word.lower()] for word in _COUNTED.findall(text)}


def denies(text: str) -> bool:
    """Whether a sentence says that something is not so."""
    return _DENIAL.search(text) is not None


def proof(said: str, passage: Passage, number: int) -> Citation:
    """The citation of a sentence that a judge found supported: the passage's sentence that holds most of what is said.

    All of the passage where none holds any of it: what is said in another language supports it somewhere, and words cannot tell where.
    """
    return passage.citation(*_nearest(said, passage)[1], number)


def bears_out(said: str, passage: Passage, question: str = "") -> bool:
    """Whether the words, numbers and denials of `said` stand in the passage: what can be told without a judge.

    Of a bare verdict ("Yes.") whether those of `question` do.
    """
    verdict = bool(question) and normal(said).strip() in _VERDICTS
    return _borne_out(question if verdict else said, passage, verdict) is not None
