"""Texts without headings, parted where their subject changes"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from selfstudy.core.records import Document, Mark, Section
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.corpus.passages.topics import Topics, topics
from selfstudy.index.store import Store

SUBJECTS = {
    "battery": "battery charge voltage cells lithium capacity socket charger solar kinetic power energy",
    "budget": "budget euros profit margin price selling market cost target million production revenue",
    "buttons": "buttons rubber shape colour yellow scroll wheel case plastic curved design fashion",
}
CFG = Topics(on=True, least=300, words=120)


def talk(subjects: list[str], lines: int = 30, seed: int = 0) -> str:
    chooser = random.Random(seed)
    speakers = ("Anna", "Bob")
    return "".join(
        f"{speakers[at % 2]}: So {' '.join(chooser.sample(SUBJECTS[subject].split(), 6))} we think it is so.\n"
        for subject in subjects
        for at in range(lines)
    )


def test_a_talk_is_parted_where_its_subject_changes() -> None:
    text = talk(["battery", "budget", "buttons"])
    marks = (Mark(0, "Anna"),)
    found = topics(Document("m", text, "Kick-off", meta={"speakers": "Anna, Bob"}, marks=marks), CFG)
    assert (found.text, found.marks) == (text, marks)
    cuts = [text[section.start :].count("\n") for section in found.sections]
    assert len(cuts) == 3
    assert abs(cuts[1] - 60) <= 2
    assert abs(cuts[2] - 30) <= 2
    assert [left.end for left in found.sections[:-1]] == [right.start for right in found.sections[1:]]
    assert (found.sections[0].start, found.sections[-1].end) == (0, len(text))
    for section, words in zip(found.sections, SUBJECTS.values(), strict=True):
        assert section.path[0] == "Kick-off"
        told = section.path[1].split(", ")
        assert len(told) == 3
        assert set(told) <= set(words.split())
    assert {passage.title.split(" > ")[0] for passage in chunk(found)} == {"Kick-off"}


def test_what_has_headings_or_is_short_stays_as_it_is() -> None:
    text = talk(["battery", "budget"])
    headed = Document("m", text, "Kick-off", sections=(Section(("Kick-off", "Money"), 0, len(text)),))
    assert topics(headed, CFG) is headed
    short, fine = Document("m", talk(["battery", "budget"], 15), "Kick-off"), CFG.model_copy(update={"words": 50})
    assert topics(short, fine) is not short
    assert topics(short, fine.model_copy(update={"least": 500})) is short
    plain = Document("m", text, "Kick-off")
    assert topics(plain, CFG.model_copy(update={"on": False})) is plain
    assert not Topics().on


def test_who_speaks_is_no_subject_and_the_last_words_belong_to_the_last_part() -> None:
    names = {"battery": "Carlotta", "budget": "Benjamin"}
    text = "".join(talk([subject]).replace("Anna:", f"{name}:").replace("Bob:", f"{name}:") for subject, name in names.items())
    found = topics(Document("m", text + "So it is.\n", meta={"speakers": "Carlotta, Benjamin"}), CFG)
    assert found.sections[-1].end == len(found.text)
    for section, subject in zip(found.sections, names, strict=True):
        assert set(section.path[0].split(", ")) <= set(SUBJECTS[subject].split())


def test_parts_are_long_enough_and_may_go_untitled() -> None:
    text = talk(["battery", "budget", "buttons", "battery", "budget"], 12)
    found = topics(Document("m", text), CFG.model_copy(update={"title": 0}))
    assert {section.path for section in found.sections} == {()}
    assert all(len(text[section.start : section.end].split()) >= 115 for section in found.sections)
    titled = topics(Document("m", "Kick-off\n\n" + text, "Kick-off", sections=(Section((), 9, len(text) + 10),)), CFG)
    assert titled.sections[0].start == 9, "the line of the title belongs to no part"


def test_chinese_notes() -> None:
    chooser = random.Random(0)
    money, rain = "预算利润价格市场成本收入银行贷款", "天气下雨温度湿度台风洪水气象预报"
    text = "".join(f"{''.join(chooser.sample(words, 12))}。\n" for words in (money, rain) for _ in range(40))
    found = topics(Document("n", text), CFG)
    assert len(found.sections) == 2
    for section, said in zip(found.sections, (money, rain), strict=True):
        assert set("".join(section.path).replace(", ", "")) <= set(said)
        assert section.path
    assert abs(text[: found.sections[1].start].count("\n") - 40) <= 2


def test_add_parts_transcripts_where_it_is_set(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text(talk(["battery", "budget"], 40))
    given = ("--set", "embedder=fake:64", "--set", "topics.on=true", "--set", "topics.least=300")
    assert run(*given, "add", "m.txt", "--json")[0] == 0
    document = Store.open(tmp_path / "home").snapshot().document("m.txt")
    assert len(document.sections) == 2
    assert document.marks[0].label == "Anna"
