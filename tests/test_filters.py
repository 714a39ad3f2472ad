"""The filter grammar: what is true of which document, and faults with their column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.core.records import Document, Passage, Place, Scalar, passage_id
from selfstudy.index.dense import Dense
from selfstudy.index.filters import parse
from selfstudy.index.hybrid import Hybrid
from selfstudy.index.lexical import Lexical
from selfstudy.index.snapshot import Snapshot
from selfstudy.index.store import Store
from selfstudy.testing import FakeEmbedder

FIELDS: dict[str, Scalar] = {
    "id": "notes/a.md",
    "title": "Alpha",
    "source": "",
    "site": "x",
    "updated": "2024-03-01",
    "lang": "en",
    "pages": 3,
    "ratio": 0.5,
    "draft": True,
    "section title": "Intro",
    "author": 'Bob\'s "crew" 100% C:\\temp',
}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("site = 'x'", True),
        ("site = 'y'", False),
        ("site != 'y'", True),
        ("site <> 'x'", False),
        ("SITE_ = 'x'", None),
        ("site='x'AND updated>'2024-01-01'", True),
        ("updated > '2024-01-01' and updated <= '2024-03-01'", True),
        ("updated < '2024-03-01'", False),
        ("site = 'x' and updated > '2024-01-01' and not (lang in ('en','zh') or pages >= 3)", False),
        ("site = 'x' and updated > '2024-01-01' and not (lang in ('de','zh') or pages >= 4)", True),
        ("site = 'y' or site = 'x' and pages = 3", True),
        ("(site = 'y' or site = 'x') and pages = 4", False),
        ("not site = 'y' and pages = 3", True),
        ("not not site = 'x'", True),
        ("pages > 2.5", True),
        ("pages = 3.0", True),
        ("pages in (1, 2)", False),
        ("pages not in (1, 2)", True),
        ("pages > -1e3", True),
        ("ratio < .75", True),
        ("pages = '3'", False),
        ("pages != '3'", False),
        ("site > 3", False),
        ("draft = true", True),
        ("draft = 1", False),
        ("draft > false", False),
        ("pages = true", False),
        ("lang like 'e%'", True),
        ("lang like 'e'", False),
        ("lang like '_n'", True),
        ("lang like '%'", True),
        ("lang not like 'z%'", True),
        ("pages like '3%'", False),
        ("id like 'notes/%.md'", True),
        ("id like '%.m%d'", True),
        ("id like '%.md.%'", False),
        ("title contains 'LPH'", True),
        ("title not contains 'x'", True),
        ("author contains '100% c:\\TEMP'", True),
        ("author like '%100\\% C:\\\\temp'", True),
        ("author like '%100\\%'", False),
        ("author = 'Bob''s \"crew\" 100% C:\\temp'", True),
        ("\"section title\" = 'Intro'", True),
        ("missing is null", True),
        ("missing is not null", False),
        ("site is null", False),
        ("site is not null", True),
        ("missing = 'x'", False),
        ("missing != 'x'", False),
        ("not missing = 'x'", True),
    ],
)
def test_meaning(where: str, expected: bool | None) -> None:
    known = {*FIELDS, "missing"}
    if expected is None:
        with pytest.raises(BadInput, match="No document has a field"):
            parse(where, known)
    else:
        assert parse(where, known).holds(FIELDS) is expected


@pytest.mark.parametrize(
    ("where", "column"),
    [
        ("site =", 7),
        ("site = x", 8),
        ("site 'x'", 6),
        ("= 'x'", 1),
        ("site = 'x", 8),
        ("site = 'x' site = 'y'", 12),
        ("site = 'x' and", 15),
        ("(site = 'x'", 12),
        ("site = 'x')", 11),
        ("site in 'x'", 9),
        ("site in ('x'", 13),
        ("site in ()", 10),
        ("site is 3", 9),
        ("site not 'x'", 10),
        ("site like 3", 11),
        ("site == 'x'", 7),
        ("updated > 2024-01-01", 15),
        ("site = 'x'; drop", 11),
        ("and = 3", 1),
        ("site = 'x' or not", 18),
        ('site = "x"', 8),
        ("(" * 200 + "site = 'x'" + ")" * 200, 62),
        ("not " * 200 + "site = 'x'", 245),
    ],
)
def test_faults_of_syntax_name_the_column(where: str, column: int) -> None:
    with pytest.raises(BadInput, match=f"at column {column}:") as caught:
        parse(where, FIELDS)
    assert len(str(caught.value).splitlines()) == 2


def test_unknown_field_names_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"field 'upated', did you mean 'updated'\?") as caught:
        parse("upated > '2024'", FIELDS)
    assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(BadInput, match="at most 10,000"):
        parse("site = 'x' or " * 2000 + "site = 'x'", FIELDS)


def test_a_pattern_of_many_parts_comes_to_an_end() -> None:
    """A backtracking match of this would outlast the universe."""
    node = parse(f"title like '{'%a' * 40}%b'", FIELDS)
    assert node.holds({**FIELDS, "title": "a" * 5000}) is False


NAMES = ["it's.md", "100%.md", "a_b.md", "aXb.md", "back\\slash.md", 'dou"ble.md', "注释 ü.md", "or 1=1 --.md", "') or ('1'='1"]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """One passage for each name, and one that stands in two documents of different sites."""
    store = Store.open(tmp_path_factory.mktemp("home"), create=True)
    embedder = FakeEmbedder()
    items = [(Document(name, f"pump number {n}", meta={"site": "odd", "n": n}), f"pump number {n}") for n, name in enumerate(NAMES)]
    items += [(Document(f"{site}.md", "shared pump", meta={"site": site}), "shared pump") for site in ("left", "right")]
    with store.writing() as writer:
        writer.put(
            (document, [Passage(passage_id("", text), "", text, (Place(document.id, 0, len(text)),))], None) for document, text in items
        )
        passages = writer.snapshot().passages
        writer.add_vectors(embedder.fingerprint, [p.id for p in passages], embedder.embed([p.text for p in passages]))
        writer.commit()
    return store.snapshot()


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_data_for_every_retriever(snapshot: Snapshot, name: str) -> None:
    where = "id = '" + name.replace("'", "''") + "'"
    lexical, dense = Lexical(snapshot), Dense(snapshot, FakeEmbedder())
    for retriever in (lexical, dense, Hybrid(lexical, dense)):
        (hits,) = retriever.search(["pump"], 5, where)
        assert [place.document for hit in hits for place in hit.passage.places] == [name]


def documents(hits: Sequence[object]) -> list[str]:
    return sorted({place.document for hit in hits for place in hit.passage.places})  # type: ignore[attr-defined]


def test_like_takes_signs_literally_when_told(snapshot: Snapshot) -> None:
    lexical = Lexical(snapshot)
    assert documents(lexical.search(["pump"], 20, "id like '100\\%.md'")[0]) == ["100%.md"]
    assert documents(lexical.search(["pump"], 20, "id like 'a\\_b.md'")[0]) == ["a_b.md"]
    assert documents(lexical.search(["pump"], 20, "id like 'a_b.md'")[0]) == ["aXb.md", "a_b.md"]
    assert documents(lexical.search(["pump"], 20, "id contains 'Ü'")[0]) == ["注释 ü.md"]


def test_accents_set_apart_are_the_same_name(snapshot: Snapshot) -> None:
    assert documents(Lexical(snapshot).search(["pump"], 20, "id = '注释 u\u0308.md'")[0]) == ["注释 ü.md"]


def test_a_passage_matches_if_any_of_its_documents_does(snapshot: Snapshot) -> None:
    for site in ("left", "right"):
        (hits,) = Lexical(snapshot).search(["shared"], 5, f"site = '{site}'")
        assert documents(hits) == ["left.md", "right.md"]
    (hits,) = Lexical(snapshot).search(["shared"], 5, "site = 'left' and site = 'right'")
    assert hits == []


def test_empty_filter_and_unknown_field_through_a_retriever(snapshot: Snapshot) -> None:
    for where in ("", "  "):
        with pytest.raises(BadInput, match="filter is empty"):
            Lexical(snapshot).search(["pump"], 5, where)
    with pytest.raises(BadInput, match="did you mean 'site'"):
        Dense(snapshot, FakeEmbedder()).search(["pump"], 5, "sight = 'x'")


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("site > 3", "holds a text, .* with a number: 3"),
        ("n = '3'", "holds a number, .* with a text: '3'"),
        ("site = 'odd' and n in ('a', 'b')", "holds a number, .* with a text: 'a'"),
        ("not (n in ('a') or id = 'x')", ""),
        ("n = 'a' or id = 'nobody'", None),
        ("n in ('a', 99)", None),
        ("site = 'nobody' and not n = 'a'", None),
    ],
)
def test_what_can_never_match_is_told(snapshot: Snapshot, where: str, told: str | None) -> None:
    if told is None:
        assert Lexical(snapshot).search(["pump"], 5, where) == [[]], "something else might match some day"
        return
    if not told:
        assert len(Lexical(snapshot).search(["pump"], 50, where)[0]) == len(snapshot), "what matches something is nobody's mistake"
        return
    with pytest.raises(BadInput, match=told):
        Lexical(snapshot).search(["pump"], 5, where)


def test_fields_of_an_empty_home(tmp_path: Path) -> None:
    snapshot = Store.open(tmp_path / "home", create=True).snapshot()
    assert snapshot.fields == {"id", "title", "source"}
    assert Lexical(snapshot).search(["pump"], 5, "title = 'x'") == [[]]
