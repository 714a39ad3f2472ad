"""What other passages say otherwise than an answer does: it is told with the answer, and not left out as a repetition."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.answer.reading import Read, Sentence, Span
from selfstudy.answer.terms import terms
from selfstudy.core.facts.otherwise import changes, differ, saying

OTHERWISE = ("But another passage says otherwise:", "但另一处说法不同：")
"""What stands before it, in English and in Chinese."""


def disagree(one: str, other: str) -> bool:
    """Whether two sentences about the same thing differ in one number, one date or a denial.

    Sentences that differ in more are about different cases: the population of one year, and that of another.
    """
    said, against = saying(one), saying(other)
    if said is None or against is None or differ(said, against) is None:
        return False
    return max(map(len, changes(said, against))) == 1


def contrary(read: Read, said: Span, told: Sequence[Span]) -> list[Span]:
    """The sentences of other hits, best first, that disagree with one of `said` and with each other; none that is `told` already.

    What the question names and the title of the hit of `said` too, the other passage must name: the manual of another pump may well say
    something else.
    """
    mine = [read.text(one) for one in read.sentences if _within(one, said)]
    named = read.weights.keys() & terms(read.hits[said[0]].passage.title)
    found: list[Sentence] = []
    for other in sorted(read.saying, key=lambda sentence: -sentence.score):
        if other.hit == said[0] or not named <= read.found[other.hit] or any(_within(other, span) for span in told):
            continue
        theirs = read.text(other)
        if any(disagree(one, theirs) for one in mine) and all(disagree(read.text(one), theirs) for one in found):
            found.append(other)
    return [(one.hit, one.start, one.end) for one in found]


def _within(sentence: Sentence, span: Span) -> bool:
    hit, start, end = span
    return sentence.hit == hit and start <= sentence.start < end
