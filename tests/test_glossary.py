"""Terms: what documents explain, what people say of it, and how searching and asking use it"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Passage, Place, Term
from selfstudy.corpus.glossary import mined
from selfstudy.recipes.glossary import Expansion, Terms
from selfstudy.synth.glossary import explained

Run = Callable[..., tuple[int, str, str]]

EXPLAINED = {
    "Patients with myocardial infarction (MI) were seen.": ("MI", "myocardial infarction", "abbreviation"),
    "The MRI (magnetic resonance imaging) was clear.": ("MRI", "magnetic resonance imaging", "abbreviation"),
    "It uses the Secure Sockets Layer (“SSL”) everywhere.": ("SSL", "Secure Sockets Layer", "abbreviation"),
    "Levels of adenosine triphosphate (ATP; n = 3) fell.": ("ATP", "adenosine triphosphate", "abbreviation"),
    "High blood pressure, also called hypertension, is common.": ("hypertension", "High blood pressure", "alias"),
    "The Apollo program, also known as Project Apollo, ended.": ("Project Apollo", "Apollo program", "alias"),
    "因不可抗力（force majeure）不能履行的": ("force majeure", "不可抗力", "translation"),
    "第三条　Force majeure（不可抗力）之后": ("Force majeure", "不可抗力", "translation"),
    "由世界卫生组织(英语:World Health Organization)发布": ("World Health Organization", "世界卫生组织", "translation"),
    "混凝土，又称洋灰，是建筑材料。": ("洋灰", "混凝土", "alias"),
    "关键绩效指标（简称KPI）由部门制定。": ("KPI", "关键绩效指标", "translation"),
    "磁共振成像（以下简称“MRI”）是一种检查。": ("MRI", "磁共振成像", "translation"),
    "CO2 (carbon dioxide) is a gas.": ("CO2", "carbon dioxide", "abbreviation"),
    "卖方（Seller）负责": ("Seller", "卖方", "translation"),
    "甲方（Party A）付款": ("Party A", "甲方", "translation"),
    "华润集团（China Resources Holdings）付款": ("China Resources Holdings", "华润集团", "translation"),
}
NOTHING = [
    "The parties (together) agree to this (2019) and more (see Fig. 3).",
    "They took the hard drive, use the USB (HDD) port.",
    "A special technique, also called picture thinking, helps.",
    "People use a treatment also called cryosurgery.",
    "The rent (EUR 300) is due. The Seller (the Company) signs.",
    "He signed the Treaty of Rome, also EC Treaty, and so on.",
    "Members of the board (DGCX) met.",
    "The vibration was strongly damped (VTRD) here.",
    "张三（以下简称被告）与李四",
    "因此，又称唐古忒的地方",
    "甲方（ABC Ltd.）应付款。",
    "出租人（ABC GmbH）与承租人",
    "ABC Limited（甲方）应付款。",
    "北京（简称京）和数据（GB, MB, TB）",
    "The CO2 (see the table) and the M2M (about half) rose.",
]


@pytest.mark.parametrize(("text", "expected"), EXPLAINED.items())
def test_what_documents_explain(text: str, expected: tuple[str, str, str]) -> None:
    (term,) = mined([text])
    assert (term.name, term.means, term.kind, term.seen) == (*expected, 1)


@pytest.mark.parametrize("text", NOTHING)
def test_what_explains_nothing(text: str) -> None:
    assert mined([text]) == []


@pytest.mark.parametrize(
    "inside", ["Natural Language Processing，NLP", "NLP, Natural Language Processing", "英文：Natural Language Processing，缩写NLP"]
)
def test_a_translation_with_its_abbreviation_is_both(inside: str) -> None:
    assert {(term.name, term.means, term.kind) for term in mined([f"自然语言处理（{inside}）发展迅速。"])} == {
        ("Natural Language Processing", "自然语言处理", "translation"),
        ("NLP", "自然语言处理", "translation"),
        ("NLP", "Natural Language Processing", "abbreviation"),
    }


def test_terms_are_counted_by_the_passages_that_explain_them() -> None:
    twice = "The random walk (RW) is a random\nwalk (RW)."
    terms = mined([twice, "A Random Walk (RW) again.", "The red wagon (RW) rolls."])
    assert [(term.name, term.means, term.seen) for term in terms] == [("RW", "random walk", 2), ("RW", "red wagon", 1)]


def test_what_a_person_says_stays(tmp_path: Path) -> None:
    terms = Terms(tmp_path)
    terms.found([Term("MI", "myocardial infarction", "abbreviation", 3), Term("PT", "part time", "abbreviation", 2)])
    terms.add("KPI", "key figure")
    assert terms.strike("pt") == [Term("PT", "part time", "abbreviation", 2)]
    terms.found([Term("PT", "part time", "abbreviation", 9), Term("AI", "artificial insemination", "abbreviation", 1)])
    assert [(term.name, term.seen, term.struck) for term in terms.all()] == [("KPI", 0, False), ("PT", 9, True), ("AI", 1, False)]
    assert [term.name for term in terms.used] == ["KPI", "AI"]
    terms.found([])
    assert [term.name for term in terms.all()] == ["KPI", "PT"], "what is struck stays so, should it come again"


def test_one_meaning_of_several_can_be_struck(tmp_path: Path) -> None:
    terms = Terms(tmp_path)
    terms.found([Term("RW", "random walk", "abbreviation", 2), Term("RW", "red wagon", "abbreviation", 1)])
    terms.strike("RW=red wagon")
    assert [term.means for term in terms.used] == ["random walk"]


def test_the_file_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "glossary.tsv"
    path.write_text("# mine\nKPI\tkey figure\n\nPT\tpart time\tabbreviation\t3\tstruck\n")
    assert Terms(tmp_path).all() == [Term("KPI", "key figure"), Term("PT", "part time", "abbreviation", 3, struck=True)]
    for wrong in ("KPI", "KPI\t", "a\tb\tc\tmany", "a\tb\tc\t1\tgone", "a\tb\tc\t1\t\tmore"):
        path.write_text(f"# mine\n{wrong}\n")
        with pytest.raises(BadInput, match="line 2"):
            Terms(tmp_path).all()


@pytest.mark.parametrize("name", ["#MeToo", "# 1", "##x", "\\#tag", "\\alpha"])
def test_a_name_may_begin_with_the_sign_of_notes(tmp_path: Path, name: str) -> None:
    (tmp_path / "glossary.tsv").write_text("# mine\n#KPI\tkey figure\n")
    terms = Terms(tmp_path)
    terms.add(name, "movement")
    assert terms.all() == [Term(name, "movement")], "and the notes are none"
    terms.found([Term("MI", "myocardial infarction", "abbreviation", 3)])
    assert [term.name for term in terms.all()] == [name, "MI"]
    assert terms.strike(name) == [Term(name, "movement")]


@pytest.mark.parametrize(("name", "means"), [("", "x"), ("MI", " "), ("MI", "mi"), ("--", "x")])
def test_what_is_no_term(tmp_path: Path, name: str, means: str) -> None:
    with pytest.raises(BadInput):
        Terms(tmp_path).add(name, means)
    with pytest.raises(BadInput, match="no term"):
        Terms(tmp_path).strike("MI")


def test_questions_are_widened_by_the_other_name() -> None:
    widened = Expansion([Term("MI", "myocardial infarction"), Term("IT", "information technology"), Term("force majeure", "不可抗力")])
    assert widened("Who had an MI?") == "myocardial infarction"
    assert widened("Is Myocardial  Infarction deadly?") == "MI"
    assert widened("Is myocardial infarction (MI) deadly?") == ""
    assert widened("Was it seen, or IT's?") == "information technology"
    assert widened("Was it seen?") == "", "an abbreviation counts in capitals alone"
    assert widened("什么是不可抗力条款？") == "force majeure"
    assert widened("Is Force Majeure meant?") == "不可抗力"


def test_a_name_of_many_meanings_widens_nothing() -> None:
    terms = [Term("PC", means) for means in ("personal computer", "prostate cancer", "private company", "police constable")]
    assert Expansion(terms)("Which PC?") == ""
    assert Expansion(terms)("Which private company?") == "PC"
    assert Expansion(terms[:2])("Which PC?") == "personal computer prostate cancer"
    assert Expansion(terms).key != Expansion(terms[:2]).key


def test_terms_are_asked_where_they_are_explained() -> None:
    texts = ["Infarction alone: MI.", "Myocardial infarction (MI) is treated.", f"MI {'x ' * 90} myocardial infarction", "混凝土又称洋灰。"]
    passages = [Passage(str(at), "", text, (Place("d", 0, len(text)),)) for at, text in enumerate(texts)]
    terms = [Term("MI", "myocardial infarction", "abbreviation"), Term("洋灰", "混凝土", "alias"), Term("XY", "nowhere", "abbreviation")]
    found = [(one.question, one.answers, one.evidence[0].passage.id) for one in explained(terms)(passages)]
    assert found == [("What does MI stand for?", ("myocardial infarction",), "1"), ("混凝土又称什么？", ("洋灰",), "3")]


def test_the_glossary_of_a_home(run: Run, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Heart\n\nA myocardial infarction (MI) needs an operating theatre (OT).\n")
    (docs / "b.md").write_text("# Care\n\nAfter an MI patients rest for three days.\n")
    assert run("--set", "embedder=fake:64", "add", "docs", "--json")[0] == 0
    told = json.loads(run("glossary", "--add", "ICU=intensive care", "--strike", "OT", "--json")[1])
    assert [(one["name"], one["kind"], one["struck"]) for one in told] == [
        ("ICU", "given", False), ("MI", "abbreviation", False), ("OT", "abbreviation", True),
    ]  # fmt: skip
    (docs / "c.md").write_text("# More\n\nThe operating theatre (OT) and the World Heart Federation (WHF).\n")
    assert run("--set", "embedder=fake:64", "add", "docs", "--json")[0] == 0
    out = run("glossary")[1]
    assert "World Heart Federation" in out
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("OT")] == ["struck"]
    asked = ("search", "myocardial infarction rest", "--by", "lexical", "--json")
    usual = {hit["passage"]["id"]: hit["score"] for hit in json.loads(run("--set", "embedder=fake:64", *asked)[1])}
    wide = json.loads(run("--set", "embedder=fake:64", "--set", "glossary.expand=true", *asked)[1])
    (care,) = [hit for hit in wide if hit["passage"]["title"] == "Care"]
    assert care["score"] > usual[care["passage"]["id"]]
    code, _, err = run("glossary", "--strike", "nope")
    assert (code, "no term" in err) == (2, True)
