"""The audit from the command line: what it finds, shows and writes, and that a person's decisions hold."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from conftest import Run

from selfstudy.core.errors import BadInput
from selfstudy.recipes.rulings import ruled

WORDS = ["".join(random.Random(n).choices("abcdefghijklmnop", k=6)) for n in range(600)]
FOOT = "Example Ltd keeps this page for its <b>customers</b> only."
SLY = "<script>alert(1)</script>"


def text(seed: int, words: int = 70) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words)).capitalize() + "."


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    pages = {f"page{n}": f"{text(n)}\n\n{FOOT}" for n in range(6)}
    pages |= {"policy_v1": text(50) + "\n\nRefunds take 30 days.", "policy_v2": text(50) + "\n\nRefunds take 14 days."}
    pages |= {"copy": text(1), "fees": f"Guests of the north house pay a fee of 30 euros per night. {SLY}"}
    pages |= {"prices": "Guests of the north house pay a fee of 45 euros per night."}
    for name, said in pages.items():
        (folder / f"{name}.md").write_text(said + "\n")
    (folder / "broken.pdf").write_text("%PDF-1.4 nothing more")
    return folder


def test_audit_finds_what_is_wrong_and_writes_a_page(run: Run, docs: Path) -> None:
    Path("home").mkdir()
    Path("home/config.toml").write_text('embedder = "fake:64"\n')
    assert run("add", "docs")[0] == 0
    code, out, _ = run("audit", "--json")
    assert code == 0
    told = json.loads(out)
    found = {one["name"]: one for one in told["findings"]}
    assert {name: one["count"] for name, one in found.items() if one["count"]} == {
        "set aside": 1,
        "duplicates": 1,
        "versions": 1,
        "contradictions": 1,
        "boilerplate": 1,
    }
    assert (found["versions"]["samples"][0]["document"], found["versions"]["samples"][0]["other"]) == ("policy_v1.md", "policy_v2.md")
    pair = found["contradictions"]["samples"][0]
    for side in ("", "other_"):
        whole = Path("docs", pair["other" if side else "document"]).read_text()
        assert whole[pair[f"{side}start"] : pair[f"{side}end"]] == pair[f"{side}text"]
    page = Path("home", told["report"]).read_text("utf-8")
    assert SLY not in page
    assert FOOT not in page
    assert "&lt;b&gt;customers" in page
    assert not re.search(r"""(?:src|href)=|url\(|@import""", page)
    out = run("audit")[1]
    assert "policy_v1.md" in out
    assert "fees.md" in out

    code, out, _ = run("audit", "--current", "policy_v1.md", "--drop", "prices.md", "--json")
    after = {one["name"]: one for one in json.loads(out)["findings"]}
    assert after["versions"]["samples"][0]["document"] == "policy_v2.md"
    assert (after["contradictions"]["count"], after["dropped"]["count"]) == (0, 1)
    assert run("add", "docs")[0] == 0
    hits = json.loads(run("search", "how long do refunds take", "--json")[1])
    assert {hit["passage"]["places"][0]["document"] for hit in hits}.isdisjoint({"policy_v2.md", "prices.md"})
    outdated = run("search", "refunds", "--by", "lexical", "--superseded")[1]
    assert "superseded by policy_v1.md" in outdated
    code, _, err = run("audit", "--keep", "prces.md")
    assert code == 2
    assert "'prices.md'" in err
    code, _, err = run("audit", "--keep", "prices.md", "--drop", "prices.md")
    assert (code, "--keep and --drop both name the document 'prices.md'" in err) == (2, True)
    assert run("audit", "--judge")[0] == 2


def test_one_thing_is_said_of_a_document() -> None:
    assert ruled(["a"], ["b"], ["c"]) == {"a": "keep", "b": "drop", "c": "current"}
    for said, names in (((["a", "x"], ["x"], []), "--keep and --drop"), (([], ["x"], ["x"]), "--drop and --current")):
        with pytest.raises(BadInput, match=names) as refused:
            ruled(*said)
        assert "'x'" in refused.value.problem
        assert "Say one thing of it" in refused.value.mend
