"""Versions: names and contents together, an order, and a person's word above both."""

from __future__ import annotations

import random

import pytest

from selfstudy.core.records import Scalar
from selfstudy.corpus.cleaning.versions import Family, Source, families

WORDS = ["".join(random.Random(n).choices("abcdefghijklmnop", k=6)) for n in range(2000)]


def text(seed: int, fact: str = "30 days", words: int = 120) -> str:
    said = random.Random(seed).choices(WORDS, k=words)
    return " ".join([*said[: words // 2], "Refunds are paid within", fact, *said[words // 2 :]])


def source(id: str, text: str, title: str = "", **meta: Scalar) -> Source:
    return Source(id, title, text, meta)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("policy_v1.md", "policy_v2.md", "policy_v10.md"), "number"),
        (("policy 2022.pdf", "policy 2023.pdf", "policy 2024.pdf"), "date"),
        (("policy-2023-11-30.txt", "policy-2024-01-02.txt", "policy-2024-01-10.txt"), "date"),
        (("policy draft.docx", "policy.docx", "policy_final.docx"), "words"),
        (("policy.md", "policy rev 2.md", "policy rev 3.md"), "number"),
        (("example.com_18_v1", "example.com_18", "example.com_18_v2"), "number"),
        (("Policy Mar 2023.md", "Policy Apr 2023.md", "Policy January 2024.md"), "date"),
        (("制度 第1版.md", "制度 第2版.md", "制度 第3版.md"), "number"),
        (("2022/policy 2022.md", "policy 2023 v1.md", "policy 2023 v2.md"), "date"),
        (("policy_v1.md", "policy_v2_final.md", "policy_v3.md"), "number"),
        (("policy_2023_final.md", "policy_2024.md"), "date"),
        (("policy_v1.md", "policy_v2.md", "policy_final.md"), "number"),
        (("policy draft 1.md", "policy draft 2.md", "policy.md"), "words"),
        (("policy final draft.md", "policy.md"), "words"),
        (("policy_v3_old.md", "policy_v1.md", "policy_v2.md"), "words"),
        (("policy.bak.md", "policy.md"), "words"),
        (("policy_backup.md", "policy.md"), "words"),
        (("policy 31.12.2023.md", "policy 15.01.2024.md", "policy 01.02.2024.md"), "date"),
        (("policy 31-12-2023.md", "policy 15-01-2024.md", "policy 01-02-2024.md"), "date"),
        (("policy 12-31-2023.md", "policy 01-15-2024.md", "policy 02-01-2024.md"), "date"),
        (("policy_231231.md", "policy_240115.md", "policy_240201.md"), "date"),
        (("Policy 5 March 2023.md", "Policy April 2nd, 2023.md", "Policy 2024-Mar-01.md"), "date"),
        (("Richtlinie Mai 2023.md", "Richtlinie 3. Oktober 2023.md", "Richtlinie März 2024.md"), "date"),
        (("policy rev A.md", "policy rev B.md", "policy rev. C.md"), "number"),
        (("Handbook 2nd edition.md", "Handbook third edition.md", "Handbook 10th ed.md"), "number"),
        (("policy-1.2.md", "policy-1.9.md", "policy-1.10.md"), "number"),
        (("policy.md", "policy2.md", "policy3.md"), "number"),
        (("policy.md", "policy_new.md"), "words"),
        (("policy.md", "policy_updated.md"), "words"),
        (("policy.md", "policy (revised).md"), "words"),
        (("制度 第一版.md", "制度 第二版.md", "制度 第十版.md"), "number"),
        (("制度（征求意见稿）.md", "制度.md", "制度（修订版）.md"), "words"),
        (("员工手册（2023年版）.md", "员工手册.md"), "date"),
    ],
)
def test_versions_are_found_and_ordered(names: tuple[str, ...], why: str) -> None:
    if "/" in names[0]:
        names = tuple(name.rpartition("/")[2] for name in names)
    every = [source(name, text(1, f"{10 * n + 10} days")) for n, name in enumerate(names)]
    others = [source(f"other {n}.md", text(50 + n)) for n in range(5)]
    found = families([*others, *reversed(every)])
    assert [(one.members, one.current) for one in found] == [(names, names[-1])]
    assert why in found[0].why
    assert families([*every, *others]) == found


def test_the_date_that_each_states_orders_what_bears_one_title() -> None:
    old = source("a", text(1, "30 days"), "Refunds", updated="2022-05-01")
    new = source("b", text(1, "60 days"), "Refunds", updated="2023-05-01")
    assert families([new, old]) == [Family(("a", "b"), "b", "the date that each states")]
    same = source("b", text(1, "30 days"), "Refunds", updated="2023-05-01")
    assert families([old, same]) == [], "the same facts are a duplicate and no other version"
    assert families([old, source("b", text(2), "Refunds", updated="2023-05-01")]) == []


def test_what_bears_no_date_is_the_current_one() -> None:
    assert families([source("handbook.md", text(1)), source("handbook 2019.md", text(1, "9 days"))])[0].current == "handbook.md"


def test_a_name_alone_makes_no_version() -> None:
    assert families([source(f"minutes 2024-01-{n:02d}.md", text(n)) for n in range(1, 9)]) == []
    assert families([source("minutes v1.md", text(1, "1 day")), source("minutes v2.md", text(2, "2 days"))]) == []
    assert families([source("a/readme.md", text(1, "1 day")), source("b/readme.md", text(1, "2 days"))]) == []


def test_series_tables_and_letters_stand_for_themselves() -> None:
    assert families([source(f"report 2024-{n:02d}.md", text(1, f"{n} days")) for n in range(1, 13)]) != []
    series = [source(f"report {year}-{n:02d}.md", text(1, f"{year} {n} days")) for n in range(1, 13) for year in (2023, 2024)]
    assert families(series) == []
    assert families([source(f"sales 2024-{n:02d}.csv", text(1, f"{n} days"), format="csv") for n in range(1, 4)]) == []


def test_where_nothing_tells_the_newest_a_person_must() -> None:
    twins = [source("plan (1).md", text(1, "1 day")), source("plan (2).md", text(1, "2 days"))]
    assert families(twins)[0].current is None
    chosen = families(twins, chosen={"plan (1).md": "current"})
    assert chosen == [Family(("plan (2).md", "plan (1).md"), "plan (1).md", "a person's word")]
    assert families(twins, chosen={"plan (1).md": "keep"}) == []


def test_a_person_overrules_the_numbers() -> None:
    every = [source(f"policy_v{n}.md", text(1, f"{n} days")) for n in (1, 2, 3)]
    assert families(every, chosen={"policy_v2.md": "current"})[0].current == "policy_v2.md"
    assert families(every, chosen={"policy_v3.md": "drop"})[0].members == ("policy_v1.md", "policy_v2.md")


@pytest.mark.parametrize(
    "names",
    [
        ("clientAlpha.zip#contract_v1.txt", "clientBeta.zip#contract_v2.txt"),
        ("all.zip#alpha/contract_v1.txt", "all.zip#beta/contract_v2.txt"),
        ("Pump P100 manual.docx", "Pump P200 manual.docx"),
        ("contract client1.docx", "contract client2.docx"),
        ("policy_invoices_2.docx", "policy_invoices_3.docx"),
        ("制度 第1章.md", "制度 第2章.md"),
        ("rules section 1.2.md", "rules section 1.3.md"),
        ("new employees.md", "employees.md"),
        ("backup policy.md", "policy.md"),
        ("order 991231.md", "order 991232.md"),
        ("plan_may.md", "plan_june.md"),
    ],
)
def test_names_that_are_of_different_things_are_no_versions(names: tuple[str, str]) -> None:
    assert families([source(name, text(1, f"{n} days")) for n, name in enumerate(names)]) == []


def test_what_lies_in_one_archive_or_comes_by_mail_is_told_as_before() -> None:
    for names in (("a.zip#policy_v1.txt", "a.zip#policy_v2.txt"), ("one.eml#policy_v1.txt", "two.eml#policy_v2.txt")):
        assert families([source(name, text(1, f"{n} days")) for n, name in enumerate(names)])[0].current == names[1]


@pytest.mark.parametrize(
    "names",
    [
        ("pump-v100/manual.docx", "pump-v200/manual.docx"),
        ("pump_v100_manual.docx", "pump_v200_manual.docx"),
        ("Windows 2019 guide.docx", "Windows 2022 guide.docx"),
        ("windows 2019/guide.docx", "windows 2022/guide.docx"),
    ],
)
def test_what_may_be_two_products_is_for_a_person_to_say(names: tuple[str, str]) -> None:
    every = [source(name, text(1, f"{n} days")) for n, name in enumerate(names)]
    assert [one.current for one in families(every)] == [None]
    assert families(every, chosen={names[0]: "current"})[0].current == names[0]
    assert families([every[0], source(names[1], " ".join([*text(1).split()[:90], *text(9).split()[90:]]))]) == []
    dated = [source(name, text(1, f"{n} days"), "Manual", updated=f"202{n}-01-01") for n, name in enumerate(names)]
    assert families(dated)[0].current is None


def test_years_that_begin_or_end_a_name_or_are_a_folders_are_dates() -> None:
    for names in (("2023 policy.md", "2024 policy.md"), ("2023/travel policy.md", "2024/travel policy.md")):
        assert families([source(name, text(1, f"{n} days")) for n, name in enumerate(names)])[0].current == names[1]


def test_one_title_makes_no_versions_of_what_numbers_name() -> None:
    every = [source(f"Pump P{n}00.pdf", text(1, f"{n} days"), "Manual", updated=f"202{n}-01-01") for n in (1, 2)]
    assert families(every) == []
    every = [source(f"{name}.zip#guide.pdf", text(1, name), "Manual", updated=f"202{len(name)}-01-01") for name in ("a", "bb")]
    assert families(every) == []


def test_a_draft_replaces_nothing_but_drafts() -> None:
    contract, draft = source("contract_2019.md", text(1, "1 day")), source("contract_2020_draft.md", text(1, "2 days"))
    assert families([contract, draft]) == [Family((draft.id, contract.id), None, "the newest is a draft")]
    newer = source("contract_2020.md", text(1, "3 days"))
    assert families([contract, draft, newer])[0].current == newer.id
    every = [source(f"policy_{name}.md", text(1, f"{n} days")) for n, name in enumerate(("v1", "v2", "v3_draft"))]
    assert [(one.members, one.current) for one in families(every)] == [(("policy_v1.md", "policy_v2.md"), "policy_v2.md")]
    assert families(every, chosen={"policy_v3_draft.md": "current"})[0].current == "policy_v3_draft.md"
    assert families([draft, source("contract_2019_draft.md", text(1, "3 days"))])[0].current == draft.id


def test_a_revised_one_without_a_number_may_be_older_than_a_number() -> None:
    every = [source(f"policy{name}.md", text(1, f"{n} days")) for n, name in enumerate(("", "_v2", "_updated"))]
    assert families(every)[0].current is None


def test_dates_that_documents_state_are_compared_as_dates() -> None:
    old = source("a", text(1, "30 days"), "Refunds", updated="31.12.2022")
    new = source("b", text(1, "60 days"), "Refunds", updated="01.02.2023")
    assert families([new, old])[0].current == "b"


def test_a_number_after_a_name_needs_one_without_it_and_the_same_words() -> None:
    assert families([source("policy.md", text(1, "1 day")), source("policy2.md", text(2, "2 days"))]) == []
    assert families([source("policy.md", text(1)), source("policy2.md", text(1))]) == [], "a copy"
    first = source("policy.md", "Version: 1.0\n" + text(1, "1 day"))
    assert families([first, source("policy2.md", text(1, "2 days"))])[0].current == "policy2.md"
