"""Which of the answers that are possible a text gives: a choice, or the verdict on a claim. What it denies it does not give.

Here since answering and measuring must read alike and may not import each other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from selfstudy.core.hanzi import simplified
from selfstudy.core.text import contains, normal

_LETTERS = "ABCDEFGHIJ"
_LED = r"(?i:(?:the )?(?:(?:correct|right) )?(?:answer|option|choice)(?: is)?)\W*|(?:答案[是为為]?|选项|選項)\W*"
_LETTER = re.compile(rf"\W*(?:{_LED})?(?:([A-J])(?:[).:：、,，]|\W*$)|([a-j])\W*$)")
_DENIED = re.compile(
    r"(?:\b(?:not|never|no|cannot be|(?:is|was|are|were|do|does)n['’]t)"
    r"(?: (?:a|an|the|at all|really|entirely|quite|fully|exactly|actually|necessarily|longer|hold))?|没有|沒有|[不没沒無无未非])\s*$",
    re.IGNORECASE,
)
_ENDS = r"(?=\s*(?:$|[^\w\s'’-]))"
_VERDICT = re.compile(
    rf"(?P<true>\b(?:true|correct|yes)\b|\bright\b{_ENDS}|正确|属实|(?<![^\W是不没])[对是真](?:的)?{_ENDS})"
    rf"|(?P<false>\b(?:false|untrue|incorrect)\b|\bwrong\b{_ENDS}|\bno\b(?:{_ENDS}|(?= (?:it|this|that|the claim)\b))"
    rf"|错误|不实|有误|(?<![^\W是不没])[错假否](?:的)?{_ENDS})",
    re.IGNORECASE,
)
"""A single character, "no" or "right" is a verdict only where nothing else hangs on it: not in "no contradiction", "对于", "是每周"."""


def matched(text: str, choices: Sequence[str]) -> str | None:
    """The choice that `text` names, by its words or by its letter; None for none or several, and for one that it denies."""
    said = normal(text)
    named = [choice for choice in choices if contains(said, normal(choice))]
    longest = [one for one in named if not any(one != other and normal(one) in normal(other) for other in named)]
    if not longest:
        letter = _LETTER.match(text)
        place = _LETTERS.index((letter[1] or letter[2]).upper()) if letter is not None else len(choices)
        return choices[place] if place < len(choices) else None
    denied = _DENIED.search(said.partition(normal(longest[0]))[0]) is not None
    return longest[0] if len(longest) == 1 and not denied else None


def affirmed(text: str) -> bool | None:
    """Whether `text` says of a claim that it is true, by its first verdict in English or Chinese; None where it gives none."""
    said = simplified(unicodedata.normalize("NFKC", text))
    found = _VERDICT.search(said)
    return None if found is None else (found["true"] is not None) != (_DENIED.search(said[: found.start()]) is not None)
