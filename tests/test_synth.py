"""Questions by rule, the round trip, hard negatives and splits, on passages written here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import Found
from passages import passage

from selfstudy.core.artifacts import read_records, write_records
from selfstudy.core.errors import NotEnough
from selfstudy.core.records import Artifact, Example, Hit, Passage
from selfstudy.core.run import Run
from selfstudy.synth import chinese, english
from selfstudy.synth.found import found
from selfstudy.synth.negatives import Negatives, negatives
from selfstudy.synth.questions import Questions, questions
from selfstudy.synth.round_trip import Dropped, RoundTrip, round_trip, why_dropped
from selfstudy.synth.splits import split_groups


def asked(examples: Sequence[Example]) -> list[str]:
    return [example.question for example in examples]


def test_a_statement_becomes_its_readers_question() -> None:
    one = passage("We may share your email address with our advertising partners. The lease will end in March.")
    assert asked(list(english.statements([one]))) == [
        "Can you share my email address with your advertising partners?",
        "Will the lease end in March?",
    ]


def test_purposes_conditions_and_permissions_are_asked_for() -> None:
    one = passage("To reset the alarm clock, press both buttons. If the battery is empty, the red light blinks twice.")
    said = asked(list(english.reasons([one])))
    assert "How do I reset the alarm clock?" in said
    assert "What happens if the battery is empty?" in said
    other = passage("You can change the delivery address by writing to the office.")
    assert asked(list(english.reasons([other]))) == ["How can I change the delivery address?"]


def test_a_number_and_a_date_are_asked_for_by_their_type() -> None:
    one = passage("The warranty covers the compressor unit for 60 months. The agreement was signed by both parties on March 3, 2019.")
    found_ones = {example.kind: example for example in english.cloze([one])}
    assert found_ones["number"].answers == ("60 months",)
    assert found_ones["number"].question.startswith("How many months")
    assert found_ones["date"].answers == ("March 3, 2019",)
    assert found_ones["date"].question.startswith("When was the agreement signed")
    assert all(answer not in example.question for example in found_ones.values() for answer in example.answers)


def test_a_question_of_the_text_is_asked_as_it_is_and_not_turned_once_more() -> None:
    said = "The old pump of the northern mill was sold to the town of Utrecht in 1973"
    for writer in (english.cloze, english.statements, english.reasons, english.definitions):
        asking = "May we share your data with the mill if the pump is sold in 1973?"
        assert list(writer([passage(f"{asking} Is a centrifugal pump a machine that moves water by turning?")])) == []
    assert asked(list(english.cloze([passage(f"{said}?")]))) == []
    assert asked(list(english.cloze([passage(f"{said}.")]))) != []


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (
            "7.1 The franchise was granted to North Wind Traders for three further years.",
            "Who or what the franchise was granted for three further years?",
        ),
        (
            "(a) The supplier delivers the spare parts within 14 days of the written order.",
            "How many days the supplier delivers the spare parts within of the written order?",
        ),
        (
            "The meeting closed, and; (b) the supplier delivers 20 pumps to the northern site.",
            "How many pumps the supplier delivers to the northern site?",
        ),
        (
            "2.5 million people of the whole northern region drink the water of this lake.",
            "How many million people of the whole northern region drink the water of this lake?",
        ),
    ],
)
def test_the_number_of_an_item_is_no_part_of_its_question(text: str, question: str) -> None:
    assert asked(list(english.cloze([passage(text)]))) == [question]


@pytest.mark.parametrize(
    "text",
    [
        "Delivery of the whole water pump to the northern mill, 14 kilometres, by lorry.",
        "Northern Pumps Limited, quarterly report on the market, form 10-K, 3/30/2016.",
        "The rules for the return of spare parts are set forth in Section 12 of the agreement.",
        "The region (Western Pump District) is served by two workshops and one office.",
        "The winter of 1973-74 was colder than all others that the northern office saw.",
    ],
)
def test_of_no_verb_of_a_part_of_a_number_and_of_what_stands_in_brackets_nothing_is_asked(text: str) -> None:
    assert asked(list(english.cloze([passage(text)]))) == []


def test_a_definition_is_asked_for_and_a_pointer_is_not() -> None:
    said = list(
        english.definitions([passage("A torque wrench is a tool that limits the force on a bolt. It is a very useful thing to own.")])
    )
    assert len(said) == 1
    assert "torque wrench" in said[0].question
    assert said[0].answers[0].startswith("a tool that limits")


def test_headings_that_many_passages_share_ask_nothing() -> None:
    shared = [passage(f"Text number {n} about several things.", "Annual report") for n in range(5)]
    own = passage("Descale it every month with vinegar.", "Kettle > Cleaning the kettle")
    assert asked(list(english.headings([*shared, own]))) == ["Cleaning the kettle", "Kettle: Cleaning the kettle"]
    table = passage("Seal | 9", "Kettle > Part number | Price")
    assert asked(list(english.headings([own, table]))) == ["Cleaning the kettle", "Kettle: Cleaning the kettle"], "no header of a table"


def test_questions_in_the_documents_are_found() -> None:
    text = "Q: Can I return a damaged parcel? Yes, within thirty days of delivery, at our cost. Really?"
    said = asked(list(found([passage(text), passage("Send it to the depot named above.", "FAQ > Where do I send a broken kettle?")])))
    assert said == ["Can I return a damaged parcel?", "Where do I send a broken kettle?"]


def test_chinese_dates_and_numbers_are_asked_for() -> None:
    one = passage("原告于2015年3月8日向被告支付货款5000元，被告至今没有交付货物。")
    said = {example.kind: example for example in chinese.chinese([one])}
    assert said["date"].answers == ("2015年3月8日",)
    assert "什么时候" in said["date"].question
    assert said["number"].answers == ("5000元",)
    assert "多少元" in said["number"].question
    assert list(chinese.chinese([passage("The lease of 2015 costs 5000 euros a year.")])) == []


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("双方于2014年9月2日在本市签订了租赁合同。", {"2014年9月2日"}),
        ("双方于二〇一四年九月二日在本市签订了租赁合同。", {"二〇一四年九月二日"}),
        ("被告人王某于2014年9月19日晚22时30分许离开了自己的住处。", {"2014年9月19日晚22时30分许"}),
        ("民国103年1月起本校开始招收女生入学。", {"民国103年1月"}),
        ("该公司于1990年代末迁入新建的工业园区。", {"1990年代末"}),
        ("这家工厂在20世纪80年代初迁入新建的工业园区。", {"20世纪80年代初"}),
        ("4.2017年1月17日被告人王某离开了自己的住处。", {"2017年1月17日"}),
        ("201x年1月17日被告人王某离开了自己的住处。", set()),
        ("这家工厂在2007年年底迁入新建的工业园区。", {"2007年年底"}),
        ("承租人应当于3月8日以前交付全部押金。", {"3月8日"}),
        ("房屋的租赁期限为5年，期满可以续签合同。", {"5年"}),
        ("法院判处被告人王某有期徒刑3年6个月并处罚金。", {"3年6个月"}),
        ("收到通知书之日起15日内可以提出书面异议。", {"15日"}),
        ("双方约定租金为每月5000元，租金按季度支付。", {"5000元"}),
        ("当月25日被告人又来到位于北街的商店。", set()),
        ("合同于9月1日生效。", set()),
    ],
)
def test_chinese_dates_and_spans_of_time_are_asked_for_whole(text: str, answers: set[str]) -> None:
    made = list(chinese.chinese([passage(text)]))
    assert {example.answers[0] for example in made} == answers
    for example in made:
        assert any(word in example.question for word in ("什么时候", "多少", "多久"))
        assert not any(f"多少{unit}" in example.question for unit in ("月", "日晚", "年9"))


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("会计准则是指规范会计工作的一整套制度和规定。", "会计准则"),
        ("行政许可是依法准予从事特定活动的行为和决定。", "行政许可"),
        ("離心泵是一種靠葉輪旋轉來輸送液體的機械。", "離心泵"),
        ("离心泵则是靠叶轮旋转来输送液体的一种机械。", None),
        ("据说是靠叶轮旋转来输送液体的一种机械。", None),
        ("下列就是靠叶轮旋转来输送液体的各种机械。", None),
        ("它的作用主要是靠叶轮旋转来输送各种液体。", None),
        ("這些機械並不是靠葉輪旋轉來輸送液體的。", None),
    ],
)
def test_chinese_terms_are_asked_for_and_pointers_and_half_clauses_are_not(text: str, term: str | None) -> None:
    said = asked([example for example in chinese.chinese([passage(text)]) if example.kind == "text"])
    assert said == ([f"什么是{term}？"] if term else [])


def test_rules_of_english_ask_nothing_of_chinese_passages() -> None:
    texts = [
        "承租人 应当 在 每月五日 之前 支付 租金，共计 2000 元，由 Zhang San 收取。",
        "出租人应当按照约定将租赁物交付承租人，租金为每月两千元。",
    ]
    chinese_ones = [passage(text * 2, document=str(n)) for n, text in enumerate([*texts, *texts])]
    for writer in (english.terms, english.cloze, english.statements, english.reasons, english.definitions):
        assert asked(list(writer(chinese_ones))) == []
    mixed = [passage(f"The tenant named {name} pays the yearly deposit of the flat to 王", document=name) for name in ("Ann", "Bob")]
    assert all("deposit" in one.question or "yearly" in one.question or "flat" in one.question for one in english.terms(mixed))
    assert not any("王" in one.question for one in english.terms(mixed))


@pytest.mark.parametrize(
    ("text", "answer", "begins"),
    [
        ("The working pressure of the valve is 10 to be safe in winter.", "10", "What number"),
        ("The yearly membership fee of the club is $1,180 and includes a locker.", "$1,180", "How much"),
        ("The warranty of the large compressor unit covers 60 months of service.", "60 months", "How many months"),
        ("The video output of the small receiver is limited to 1080i signals.", "1080i", "What number"),
        ("The longest cable of the home cinema set is 3 m between both boxes.", "3 m", "What number"),
        ("The three largest customers paid for 12 per cent of all yearly sales.", "12 per cent", "What percentage"),
    ],
)
def test_no_stop_word_is_the_unit_of_a_number(text: str, answer: str, begins: str) -> None:
    (made,) = [example for example in english.cloze([passage(text)]) if example.kind == "number"]
    assert made.answers == (answer,)
    assert made.question.startswith(begins)


def test_no_place_and_no_ordinal_is_defined_and_capitals_stay() -> None:
    for text in ("Below the lamp is a small switch for the alarm sound.", "The second is the switch for the loud alarm sound."):
        assert asked(list(english.definitions([passage(text)]))) == []
    (made,) = english.definitions([passage("ABOUT USER is the page of the menu on which all owners are listed.")])
    assert "ABOUT USER" in made.question


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("1.2 How do I reset the water pump?", "How do I reset the water pump?"),
        ("2.10 What is the warranty period?", "What is the warranty period?"),
        ("1.2.3 where is the spare key kept?", "where is the spare key kept?"),
        ("1.2 如何重置这台水泵？", "如何重置这台水泵？"),
        ("3) How do I reset the water pump?", "How do I reset the water pump?"),
        ("4. How do I reset the water pump?", "How do I reset the water pump?"),
        ("Q1: How do I reset the water pump?", "How do I reset the water pump?"),
        ("3.5 mm headphone jack: where is it?", "3.5 mm headphone jack: where is it?"),
        ("5.1 channel sound, how is it enabled?", "5.1 channel sound, how is it enabled?"),
        ("2.4 GHz or 5 GHz network, which one is faster?", "2.4 GHz or 5 GHz network, which one is faster?"),
        ("3.5 V or 5 V battery, which one fits?", "3.5 V or 5 V battery, which one fits?"),
        ("3.5 毫米耳机插孔在哪里？", "3.5 毫米耳机插孔在哪里？"),
        ("3 pumps of the mill, where are they?", "3 pumps of the mill, where are they?"),
    ],
)
def test_a_found_question_loses_its_number_and_no_size(heading: str, question: str) -> None:
    assert asked(list(found([passage("It is told here.", f"FAQ > {heading}")]))) == [question]


@pytest.mark.parametrize(("passages", "trained", "examined"), [(400, 220, 120), (750, 487, 150), (3000, 2100, 450)])
def test_groups_are_never_split_and_shares_are_near(passages: int, trained: int, examined: int) -> None:
    groups = {f"p{n}": f"g{n % 40}" for n in range(passages)}
    splits = split_groups(groups)
    sizes = {name: sum(splits[group] == name for group in groups.values()) for name in ("train", "tune", "exam")}
    assert sum(sizes.values()) == passages
    one = passages // 40 + 1
    assert abs(sizes["train"] - trained) <= one
    assert abs(sizes["exam"] - examined) <= one
    assert split_groups(dict(reversed(groups.items()))) == splits
    with pytest.raises(NotEnough, match="2 groups"):
        split_groups({"a": "x", "b": "y"})


def example(source: Passage, question: str, *answers: str, kind: str = "text", split: str = "train") -> Example:
    return Example("e", question, answers, (Hit(source, 1.0, "w"),), kind=kind, writer="w", group="g", split=split)  # type: ignore[arg-type]


def test_the_round_trip_asks_for_the_answer_or_for_the_passage() -> None:
    source, other = passage("The fee is 30 euros a year."), passage("It rains. The yearly fee of 30 euros is due in May.")
    hit = Hit(other, 1.0, "hybrid")
    assert why_dropped(example(source, "How much?", "30 euros", kind="number"), [hit]) is None, "a typed answer may stand elsewhere"
    assert why_dropped(example(source, "How much?", "31 euros", kind="number"), [hit]) == "the answer is in none of the passages found"
    assert why_dropped(example(source, "Which fee?", "fee"), [hit]) == "its passage was not found", "one word says too little"
    assert why_dropped(example(source, "Which fee?"), [Hit(source, 1.0, "hybrid"), hit]) is None


def canned(*passages: Passage) -> Found:
    return Found([Hit(one, 1.0 - 0.1 * place, "canned") for place, one in enumerate(passages)])


def artifact(folder: Path, name: str, examples: Sequence[Example]) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / f"{name}.jsonl", examples)
    return Artifact(name, name, folder)


def test_every_drop_keeps_its_reason(tmp_path: Path) -> None:
    source, other = passage("The fee is 30 euros a year."), passage("The office is closed on Sundays.")
    both = [example(source, "What is the fee?"), example(other, "When is the office closed?")]
    kept = Run(tmp_path / "run").stage(round_trip, RoundTrip(k=1), artifact(tmp_path / "in", "questions", both), canned(source, other))
    assert asked(list(read_records(kept.path / "kept.jsonl", Example))) == ["What is the fee?"]
    dropped = list(read_records(kept.path / "dropped.jsonl", Dropped))
    assert [(one.question, one.reason) for one in dropped] == [("When is the office closed?", "its passage was not found")]


def test_negatives_are_of_three_kinds_and_never_the_answer_or_the_exam(tmp_path: Path) -> None:
    source = passage("The annual membership fee is thirty euros.", document="a")
    holds = passage("In short: the annual membership fee is thirty euros. Pay by May.", document="b")
    repeats = passage("The annual membership fee is thirty Euros!", document="b", near=source.id)
    examined = passage("Exam passage about fees.", document="x")
    dense, lexical = passage("Costs of joining a club.", document="b"), passage("The fee for parking is annual.", document="b")
    far = passage("A membership card is sent by post.", document="b")
    mine = example(source, "What is the annual fee?", "annual membership fee is thirty euros")
    kept = artifact(tmp_path / "kept", "kept", [mine])
    groups = {one.id: "g" for one in (source, holds, repeats, dense, lexical, far)} | {examined.id: "exam group"}
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "groups.json").write_text(json.dumps(groups))
    corpus = Artifact("corpus", "corpus", tmp_path / "corpus")
    by_meaning, by_words = canned(examined, source, dense, holds, repeats), canned(holds, source, lexical, far)
    mined = Run(tmp_path / "run").stage(negatives, Negatives(of_each=1), kept, corpus, by_words, by_meaning)
    (got,) = read_records(mined.path / "mined.jsonl", Example)
    assert {(hit.passage.id, hit.by) for hit in got.distractors} == {(dense.id, "dense"), (lexical.id, "lexical"), (far.id, "borderline")}


def corpus_of(folder: Path, passages: Sequence[Passage]) -> Artifact:
    folder.mkdir()
    write_records(folder / "passages.jsonl", passages)
    (folder / "groups.json").write_text(json.dumps({one.id: one.places[0].document for one in passages}))
    return Artifact("corpus", "corpus", folder)


def test_the_stage_keeps_quotas_and_shows_the_unseen_writer_to_the_exam_alone(tmp_path: Path) -> None:
    things = ("kettle", "lamp", "engine", "bridge", "violin", "glacier", "orchard", "tunnel")
    colours = ("green", "blue", "yellow", "brown", "white", "black", "orange", "purple")
    passages = [
        passage(
            f"The {colours[n // 8]} {thing} of house {n} may be repaired by the owner. To clean the {thing}, use {n + 2} litres of water. "
            f"If the {thing} is broken, call the workshop in street {n}. A {thing} is a thing that needs care in year {1900 + n}.",
            f"{thing} {n}",
            f"doc{n}",
        )
        for n, thing in enumerate(things * 8)
    ]
    corpus = corpus_of(tmp_path / "corpus", passages)
    weights = {one.id: 0.0 if n < 8 else 0.5 if n < 16 else 1.0 for n, one in enumerate(passages)}
    (corpus.path / "weights.json").write_text(json.dumps(weights))
    made = Run(tmp_path / "run").stage(questions, Questions(per_passage=4, named=0.5), corpus)
    written = list(read_records(made.path / "questions.jsonl", Example))
    by_passage: dict[str, int] = {}
    for one in written:
        by_passage[one.evidence[0].passage.id] = by_passage.get(one.evidence[0].passage.id, 0) + 1
    assert max(by_passage.values()) == 4
    assert [max(by_passage.get(one.id, 0) for one in passages[n : n + 8]) for n in (0, 8, 16)] == [0, 2, 4], "as their weights say"
    assert len({one.question for one in written}) == len(written)
    assert {one.split for one in written if one.writer == "terms"} == {"exam"}
    assert {one.split for one in written if one.writer == "statements"} == {"train", "tune", "exam"}
    splits: dict[str, set[str | None]] = {}
    for one in written:
        splits.setdefault(one.group, set()).add(one.split)
    assert all(len(found_in) == 1 for found_in in splits.values())
    assert any(one.question.startswith(f"{one.evidence[0].passage.title}: ") for one in written)


def test_too_little_text_proves_nothing(tmp_path: Path) -> None:
    passages = [passage(f"Short text {n}.", document=f"d{n}") for n in range(5)]
    with pytest.raises(NotEnough, match="too little"):
        Run(tmp_path / "run").stage(questions, Questions(), corpus_of(tmp_path / "corpus", passages))
