"""Turns of transcripts and chats in plain text: whoever speaks, whenever, as it is written; and what is none."""

from __future__ import annotations

import pytest

from selfstudy.corpus.formats.turns import turns

SAID = ("We begin now.", "The budget is 5 million.", "Fine by me.", "The pump was late.", "Why is that?", "Customs kept it.")
TIMES = ("00:05", "01:10", "02:00", "10:01", "1:04:00", "1:05:09")


def written(line: str, first: str = "Anna", second: str = "Bob", times: tuple[str, ...] = TIMES) -> str:
    """Six turns of two speakers, each as `line` has it."""
    return "".join(
        line.format(name=(first, second)[number % 2], time=time, words=words)
        for number, (time, words) in enumerate(zip(times, SAID, strict=True))
    )


@pytest.mark.parametrize(
    "line",
    [
        "[{time}] {name}: {words}\n", "[{time}] {name}\n{words}\n\n", "{time} - {name}: {words}\n", "{name} {time}\n{words}\n",
        "{name} ({time})\n{words}\n", "{name} ({time}): {words}\n", "{name}（{time}）：{words}\n", "{name}, {time}: {words}\n",
        "**{name}** ({time}): {words}\n", "**[{time}] {name}:** {words}\n", "【{time}】{name}：{words}\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("names", [("Anna Lee", "Bob O'Neil"), ("张三", "李四"), ("Speaker 1", "Speaker 2"), ("说话人1", "发言人 2")])
def test_names_and_times(line: str, names: tuple[str, str]) -> None:
    text = written(line, *names)
    marks, speakers = turns(text)
    assert speakers == list(names)
    assert [mark.label for mark in marks] == [f"{time}, {names[number % 2]}" for number, time in enumerate(TIMES)]
    assert [text[mark.start - 1 : mark.start] for mark in marks] == ["", *"\n" * 5]


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("[12.05.24, {time}] {name}: {words}\n", "12.05.24, 10:01"),
        ("5/12/24, {time} PM - {name}: {words}\n", "5/12/24, 10:01 PM"),
        ("2024-05-12 {time} {name}\n{words}\n", "2024-05-12 10:01"),
        ("{name} 2024年5月12日 {time}\n{words}\n", "2024年5月12日 10:01"),
        ("{name}  {time} AM\n{words}\n", "10:01 AM"),
    ],
)
def test_chats_have_a_date_or_half_of_the_day(line: str, label: str) -> None:
    marks, speakers = turns(written(line))
    assert (speakers, marks[3].label) == (["Anna", "Bob"], f"{label}, Bob")


@pytest.mark.parametrize("line", ["{name}: {words}\n", "**{name}:** {words}\n", "**{name}**: {words}\n", "{name}：{words}\n\n"])
def test_names_alone(line: str) -> None:
    marks, speakers = turns(written(line))
    assert (speakers, [mark.label for mark in marks]) == (["Anna", "Bob"], ["Anna", "Bob"] * 3)


@pytest.mark.parametrize(
    "text",
    [
        "Dear all:\nNote: closed on Friday.\n"
        + "".join(f"Name: {name}\nTitle: Boss\n" for name in ("Anna", "Bob", "Cid"))
        + "Note: end.\n",
        "姓名：张三\n职务：经理\n" * 4,
        "Fault: The pump leaks when it is hot.\nCause: The seal is old and dry.\nRemedy: Put in a new seal.\n\n" * 3,
        "[00:00] Opening\n[02:10] Methods\n[05:00] Results\n[07:00] Discussion\n[09:00] Limits\n[11:00] End\n",
        "10:00 Tea\n10:30 Talk\n11:00 Walk\n12:00 Lunch\n13:00 Sleep\n14:00 Swim\n",
    ],
)
def test_forms_and_programmes_are_no_transcripts(text: str) -> None:
    assert turns(text) == ((), [])


def test_a_moderator_between_two_others_is_no_form() -> None:
    order = ("Mod", "Anna", "Mod", "Bob", "Anna", "Mod", "Bob", "Mod")
    marks, speakers = turns("".join(f"{name}: That is what I say here.\n" for name in order))
    assert (len(marks), speakers) == (8, ["Mod", "Anna", "Bob"])
