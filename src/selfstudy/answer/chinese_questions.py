"""What a Chinese question asks for, beside what it is about: the words that ask, and what a sentence that answers holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfstudy.core.facts.numerals import HANZI
from selfstudy.core.hanzi import simplified

_FIGURE = rf"[\d{HANZI}半]"
_COUNTED = "个|台|份|次|名|位|岁|级|种|家|条|件|人|层|座|块|元"
_SPAN = r"(?:年|月|日|天|小时|分钟?|秒|周|星期|世纪)"
_TIME = (
    r"什么时[候间]|何时|何年何月|何[年月日]|哪一?[年天日]|几月几日|几[月号点]",
    rf"{_FIGURE}\s?(?:年|月|日|号|世纪|时|点|周|星期)|之[日后前]",
)
_DURATION = (rf"[是为有]?(?:多久|多长时间)|几个?{_SPAN}", rf"{_FIGURE}\s?个?{_SPAN}")
_NUMBER = (rf"[是为有]?多[长高大重远深快宽厚少]|几(?:{_COUNTED})?", _FIGURE)
_BODY = (
    r"由?哪一?[个家]?(?:机构|公司|单位|法院|机关|组织|部门|银行|大学)",
    r"公司|机构|法院|委员会|[局院部会行]|中心|协会|大学|集团|组织|政府",
)
_KINDS = tuple((re.compile(asks), re.compile(holds)) for asks, holds in (_TIME, _DURATION, _NUMBER, _BODY))
"""What asks for a time, a duration, another number or an organisation, and what each of them looks like."""
_GAP = "的"
_OTHERWISE = re.compile(r"什么(?:样的)?|哪一?[个些位里儿家种]?|谁|何[处地人种]|为什么|为何|如何|怎么[办样]?|怎样的?|是否")
"""Words that ask for what no form tells."""
_AMOUNT = re.compile(rf"(?:{_DURATION[0]}|{_NUMBER[0]})\W*$")
_NAME = re.compile(r"([㐀-鿿]{2,}?)[是为有共达约]*$")


def about(question: str) -> str:
    """`question` without the words that ask, as no passage need hold them; 的 in their place, lest what is around them be one term."""
    left, _ = _left(question)
    return "".join(_GAP if now == _GAP else was for was, now in zip(question, left, strict=True))


def lacking(question: str, texts: Sequence[str]) -> list[tuple[bool, bool]]:
    """Whether each of `texts` lacks the kind of answer that `question` asks for, and whether it does not speak of the amount by name.

    A price that is asked for is told by 总价为, and not by 总价的, where it is an attribute of something else. What all of them lack, none
    does, and nothing is lacking where two things are asked for.
    """
    asked = simplified(question)
    if _left(question)[1] > 1:
        return [(False, False)] * len(texts)
    said = [simplified(text) for text in texts]
    kind, subject = ([form is not None and not form.search(text) for text in said] for form in (_kind(asked), _subject(asked)))
    return [(one and not all(kind), other and not all(subject)) for one, other in zip(kind, subject, strict=True)]


def _left(question: str) -> tuple[str, int]:
    """`question`, simplified, with a gap for every word that asks, and how many do."""
    text, count = simplified(question), 0
    for asks in (*(asks for asks, _ in _KINDS), _OTHERWISE):
        text, more = asks.subn(lambda match: _GAP * len(match[0]), text)
        count += more
    return text, count


def _kind(asked: str) -> re.Pattern[str] | None:
    return next((holds for asks, holds in _KINDS if asks.search(asked)), None)


def _subject(asked: str) -> re.Pattern[str] | None:
    """What speaks of the amount that is asked for by its name or the end of it."""
    amount = _AMOUNT.search(asked)
    name = _NAME.search(asked[: amount.start()]) if amount else None
    if name is None:
        return None
    ends = "|".join(name[1][at:] for at in range(len(name[1]) - 1))
    return re.compile(rf"(?:{ends})(?:[是为共达约:：]|\s?{_FIGURE})")
