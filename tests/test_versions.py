"""Versions: names and contents together, an order, and a person's word above both."""

from __future__ import annotations

import random

import pytest

from selfstudy.core.records import Scalar
from selfstudy.corpus.versions import Family, Source, families

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
