"""What a letter repeats of the one that it answers: kept once."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable

from selfstudy.core.text import letters

_MARK = re.compile(r"^(?:[ \t]*>)+[ \t]?", re.MULTILINE)
_REMEMBERED = 1000  # letters
_LONGEST = 100_000  # letters and digits of one of them
# The line above a quotation, sometimes cut in two: "On 3 May Ann wrote:". An answer that ends with a colon is none.
_INTRODUCTION = re.compile(
    r"(?:^|\n)(?:(?:On|Am|Le|El|Il|Em|Op|Den) [^\n>]*\d[^\n>]*\n)?"
    r"(?=[^\n]*(?:\d|@|wrote|writes|said|schrieb|écrit|escribió|写道))[^\n>]+[:：][ \t]*\n*$"
)


class Thread:
    """The letters of one mailbox, as far as they are remembered: the last thousand."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, str] = OrderedDict()

    def take(self, body: str, id: str, answers: Iterable[str]) -> str:
        """The plain text `body` of the letter `id` without the quotation at its end, if a letter that it `answers` has every word of it.

        Quotations between the lines of an answer stay: the answer is not understood without them.
        """
        if id:
            self._said[id] = letters(_MARK.sub("", body))[:_LONGEST]
            while len(self._said) > _REMEMBERED:
                self._said.popitem(last=False)
        lines = body.rstrip().split("\n")
        first = len(lines)
        while first and (not lines[first - 1].strip() or lines[first - 1].lstrip().startswith(">")):
            first -= 1
        quoted = letters(_MARK.sub("", "\n".join(lines[first:])))
        if not quoted or not any(quoted in self._said.get(one, "") for one in answers if one != id):
            return body
        rest = "\n".join(lines[:first]) + "\n"
        introduced = _INTRODUCTION.search(rest)
        return (rest[: introduced.start()] if introduced else rest).rstrip()
