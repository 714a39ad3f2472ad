"""Looking inside: the geometry against values known by hand, layouts, where questions fall, the page, and `inspect` over real homes."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.core.artifacts import write_records
from selfstudy.core.errors import BadInput, NotEnough
from selfstudy.core.files import write_json
from selfstudy.core.ports import Vectors
from selfstudy.core.records import Example, Hit
from selfstudy.core.run import Run as Stages
from selfstudy.core.run import Work, stage
from selfstudy.evals import gaps
from selfstudy.evals.geometry import geometry, kept, nearest
from selfstudy.evals.inside import Inside, Side, write_inside
from selfstudy.evals.layout import Layout, clusters, layout
from selfstudy.evals.space import Place, Questioned, Space
from selfstudy.recipes import inspection, system
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.look import look
from selfstudy.recipes.system import Finer, Reranking, System
from selfstudy.testing import FakeEmbedder

EVIL = '"><script>alert("x")</script><img src=x onerror=alert(1)></script><!--'


def unit(*degrees: float) -> Vectors:
    return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], np.float32)


def grouped(groups: int, each: int, spread: float, seed: int = 0) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = np.repeat(np.eye(32)[:groups] * 3, each, axis=0)
    made = (centres + rng.normal(size=(groups * each, 32)) * spread).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


# Geometry


def test_two_opposite_passages() -> None:
    found = geometry(unit(0, 180), unit(0, 90), [(0, 0), (1, 0)], [(0, 1), (1, 1)])
    assert found.anisotropy == pytest.approx(-1)
    assert found.uniformity == pytest.approx(-8)  # log exp(-2 * 2^2)
    assert found.alignment == pytest.approx((0 + 2) / 2)
    assert found.dimensions == pytest.approx(1)
    assert found.apart == pytest.approx(3.5 / 4)  # of (1, 0) against (-1, 0): 1 wins twice, 0 wins once and ties once
    assert found.cosines["positives"].bins[-1] == 1
    assert sum(found.cosines["hard negatives"].bins) == 2
    assert found.cosines["random"].n > 1000


def test_a_space_that_collapsed_shows() -> None:
    wide, narrow = grouped(16, 10, 0.5), grouped(1, 160, 0.02)
    good, bad = (geometry(vectors, vectors[:0], [], []) for vectors in (wide, narrow))
    assert (good.alignment, good.apart) == (None, None)
    assert bad.anisotropy > 0.95 > 0.3 > good.anisotropy
    assert bad.uniformity > -0.2 > -2 > good.uniformity
    assert list(good.cosines) == ["random"]


def test_neighbours_are_the_nearest_others() -> None:
    vectors = unit(0, 1, 3, 90, 91)
    np.testing.assert_array_equal(nearest(vectors, np.array([0, 4]), 2), [[1, 2], [3, 2]])
    assert nearest(vectors, np.arange(5), 10).shape == (5, 4)
    moved = unit(0, 95, 3, 90, 91)
    assert kept(nearest(vectors, np.arange(5), 2), nearest(moved, np.arange(5), 2)).tolist() == [1, 0, 1, 1, 1]


# The plane


@pytest.fixture(params=["t-SNE", "PCA"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What lays points out, with and without openTSNE."""
    if request.param == "PCA":
        monkeypatch.setitem(sys.modules, "openTSNE", None)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return str(request.param)


def moves(found: Layout) -> np.ndarray[Any, Any]:
    """How far each point of the first side lies from its like on the second, as a share of the map."""
    return np.linalg.norm(found.points[0] - found.points[1], axis=1)


def test_equal_vectors_have_equal_places(library: str) -> None:
    vectors, asked = grouped(3, 30, 0.15), grouped(3, 1, 0.15, seed=1)
    found = layout([vectors, vectors.copy()], [asked, asked])
    assert moves(found).max() < 1e-9
    np.testing.assert_allclose(*found.asked, atol=1e-9)
    far = layout([vectors, vectors], [asked, np.concatenate([asked, -9 * asked])])
    assert moves(far).max() < 1e-9, "a question far away on one side moves no passage"
    assert min(asked.min() for asked in far.asked) >= 0
    assert max(asked.max() for asked in far.asked) <= 1


def test_what_hardly_moved_stays_and_what_moved_is_seen(library: str) -> None:
    before = grouped(3, 30, 0.15)
    noise = 0.003 * np.random.default_rng(3).normal(size=before.shape).astype(np.float32)
    none = [before[:0]] * 2
    assert moves(layout([before, before + noise], none)).max() < 0.03
    after = before + noise
    after[:3] = before[-3:] + noise[:3]  # three went over to another group
    moved = moves(layout([before, after], none))
    assert moved[:3].min() > 0.2
    assert np.median(moved[3:]) < 0.1


def test_what_belongs_together_lies_together(library: str) -> None:
    before = grouped(3, 30, 0.15)
    after = before[:, ::-1].copy()  # the same space, turned
    told: list[tuple[int, int]] = []
    found = layout([before, after], [before[:1], after[:1]], lambda *at: told.append(at))
    assert library in found.method
    assert ("pip install" in found.method) == (library == "PCA")
    group = np.repeat(np.arange(3), 30)
    for points, asked in zip(found.points, found.asked, strict=True):
        assert points.shape == (90, 2)
        assert points.min() >= 0
        assert points.max() <= 1
        distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(90) * 9
        assert (group[distances.argmin(1)] == group).mean() > 0.9
        assert np.linalg.norm(asked[0] - points[:30].mean(0)) < np.linalg.norm(asked[0] - points[30:60].mean(0))
    assert np.abs(found.points[1] - found.points[0]).mean() < 0.12  # what did not move stays where it was
    if library == "t-SNE":
        assert told[-1][0] == told[-1][1]


def test_few_points_have_a_place_too() -> None:
    for n in (2, 3, 25):
        found = layout([grouped(1, n, 0.5)], [grouped(1, 1, 0.5, seed=1)])
        assert np.isfinite(found.points[0]).all()
        assert found.points[0].shape == (n, 2)
    alike = np.repeat(unit(30), 4, axis=0)
    assert np.isfinite(layout([alike], [alike[:0]]).points[0]).all()


def test_clusters_are_named_by_their_words() -> None:
    vectors = grouped(3, 30, 0.1)
    texts = [f"the {word} and the {word} of all {number}" for word in ("kettle", "spring", "pension") for number in range(30)]
    numbers, names = clusters(vectors, texts)
    assert len(names) == 7
    for number, name in enumerate(names):
        (word,) = {texts[row].split()[1] for row in np.flatnonzero(numbers == number)}  # no cluster holds two groups
        assert name.split(",")[0] == word


# Where questions fall


@pytest.mark.parametrize(
    ("given", "place", "why"),
    [
        ((False, 0, True, False), "not in the corpus", "no passage"),
        ((True, 0, False, False), "not retrieved", "100"),
        ((True, 11, False, True), "not ranked", "rank 11"),
        ((True, 10, True, False), "not answered", "rank 10"),
        ((True, 1, False, False), "not answered", "another one is cited"),
        ((True, 2, False, True), "answered", ""),
    ],
)
def test_the_first_place_where_a_question_fell(given: tuple[bool, int, bool, bool], place: str, why: str) -> None:
    found = gaps.place_of(*given)
    assert found[0] == place
    assert why in found[1]


# The page


def found(word: str = "plain", sides: int = 2) -> Inside:
    """What a page shows, with `word` in every text from outside."""
    vectors = grouped(2, 5, 0.3)
    numbers = geometry(vectors, vectors[:2], [(0, 1), (1, 2)], [(0, 7)])
    bad = gaps.Lost(f"Which one fell? {word}", word, "not ranked", "its passage stands at rank 12, beyond 10", 12, word, word)
    good = gaps.Lost(f"Which one stood? {word}", word, "answered", "", 1, word, word)
    told = tuple(Side(name, word, numbers, gaps.counts([bad, good]), (bad, good)) for name in ("base", "live")[:sides])
    points = tuple(np.random.default_rng(side).random((10, 2)) for side in range(sides))
    space = Space(
        f"by {word}", 12,
        points, tuple(flat[:2] for flat in points), tuple(Place(f"{word} {n}", word, f"{word}/{n}", n % 2) for n in range(10)),
        (word, "others"), tuple(range(10)) if sides == 2 else None,
        (Questioned(bad.question, (1, 2), (bad,) * sides), Questioned(good.question, (3,), (good,) * sides)),
    )  # fmt: skip
    changed = {"k": 9, "kept": 0.5, "counts": [1] * 10, "changed": [{"passage": word, "kept": 0, "lost": [word], "gained": [word]}]}
    return Inside(word, "today", 12, told, changed if sides == 2 else None, space, (word,))


def space_of(page: str) -> dict[str, Any]:
    data = re.search(r'<script type="application/json" id="space">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    read: dict[str, Any] = json.loads(data[1])
    return read


def test_the_page_holds_everything_and_loads_nothing(tmp_path: Path) -> None:
    page = write_inside(tmp_path / "page.html", found()).read_text("utf-8")
    for id in ("gaps", "map", "geometry", "figure-cosines", "figure-kept", "neighbours", "legend", "before", "after"):
        assert f'id="{id}"' in page, id
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|img|link|iframe)[^>]*\b(?:src|href)=", page)
    assert "10 of 12 passages" in page
    data = space_of(page)
    assert [question["lost"][1][0] for question in data["questions"]] == [2, 4]
    assert len(data["sides"][1]["xy"]) == 20
    assert data["kept"] == list(range(10))


def test_a_page_of_one_side(tmp_path: Path) -> None:
    page = write_inside(tmp_path / "page.html", found(sides=1)).read_text("utf-8")
    assert 'id="before"' not in page
    assert 'id="neighbours"' not in page
    assert 'value="moved"' not in page


def test_text_from_outside_stays_text(tmp_path: Path) -> None:
    plain, evil = (write_inside(tmp_path / f"{n}.html", found(word)).read_text("utf-8") for n, word in enumerate(("plain", EVIL)))
    assert evil.count("<script") == plain.count("<script")
    assert evil.count("<img") == plain.count("<img")
    assert evil.count("</script>") == plain.count("</script>")
    assert space_of(evil)["titles"][3] == f"{EVIL} 3"


# Over homes


def studied(home: Path, engine: Engine) -> list[Example]:
    """Leaves exam questions in the home as a study would: one whose passage is there, one whose passage was removed since."""

    @stage("synth.negatives", version=2)
    def negatives(work: Work, config: None, examples: int) -> None:
        write_records(work.folder / "mined.jsonl", made)
        write_json(work.folder / "about.json", examples)

    snapshot = engine.store.snapshot()
    tea = next(passage for passage in snapshot.passages if "eighty degrees" in passage.text)
    gone = Example("b", "Where is the lost one?", ("nowhere",), (Hit(type(tea)("gone", "Gone", "It is nowhere."), 1.0, "x"),), split="exam")
    here = Example(
        "a", "At how many degrees is green tea brewed?", ("eighty degrees",), (Hit(tea, 1.0, "x"),), split="exam", writer="cloze"
    )
    made = [here, gone, Example("c", "Trained?", ("x",), (Hit(tea, 1.0, "x"),), split="train")]
    Stages(home / "artifacts").stage(negatives, None, len(made))
    return made


def test_a_home_that_was_never_adapted_is_looked_at(home: Path) -> None:
    engine = Engine.open(home.absolute())
    before = engine.store.state
    looked = engine.inspect()
    assert list(looked["sides"]) == ["base"]
    assert (looked["passages"], looked["questions"], looked["neighbours"]) == (4, 0, None)
    assert any("adapt" in note for note in looked["notes"])
    assert Path(looked["page"]).is_file()
    assert engine.store.state == before


def test_held_out_questions_and_a_candidate(home: Path, tmp_path: Path) -> None:
    engine = Engine.open(home.absolute())
    studied(home.absolute(), engine)
    other = FakeEmbedder(seed=1)
    engine.history_of.add("judged", "1234", "worse", System("fake:64:1", other.fingerprint, 0.5, "1234"), promote=False)
    looked = engine.inspect(out=tmp_path / "page.html")
    assert list(looked["sides"]) == ["base", "candidate"]
    assert looked["questions"] == 2
    for side in looked["sides"].values():
        assert side["lost"]["not in the corpus"] == 1
        assert sum(side["lost"].values()) == 2
        assert side["geometry"]["cosines"]["positives"]["n"] == 1
        assert side["examples"]["not in the corpus"][0]["question"] == "Where is the lost one?"
    assert looked["sides"]["base"]["geometry"] != looked["sides"]["candidate"]["geometry"]
    assert sum(looked["neighbours"]["counts"]) == 4
    data = space_of((tmp_path / "page.html").read_text("utf-8"))
    assert {question["text"] for question in data["questions"]} == {"At how many degrees is green tea brewed?", "Where is the lost one?"}
    with pytest.raises(BadInput):
        engine.inspect("9999")


QUESTION = "At how many degrees is green tea brewed?"
SERVING = {
    "the base": {},
    "another share": {"weight": 0.9},
    "sentences": {"sentences": Finer(60.0, 60.0, 4)},
    "a reranker": {"reranking": Reranking("starter:", 100.0, 3)},
    "both": {"sentences": Finer(60.0, 60.0, 4), "reranking": Reranking("starter:", 100.0, 3)},
}


class Contrary:
    """A reranker that likes a passage the less, the more words it has from the question: one knows it by what it does."""

    fingerprint = "contrary"

    def score(self, pairs: Sequence[tuple[str, str]]) -> Vectors:
        return np.array([-len(set(question.lower().split()) & set(text.lower().split())) for question, text in pairs], np.float32)


def rank(hits: Sequence[Hit]) -> int:
    """The place of the passage that answers QUESTION."""
    return next(place for place, hit in enumerate(hits, 1) if "eighty degrees" in hit.passage.text)


@pytest.mark.parametrize("name", list(SERVING))
def test_what_serves_is_what_is_looked_at(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(system, "reranker_of", lambda model, home: Contrary())
    monkeypatch.setattr(system, "Sentences", lambda embedder: Contrary())
    pages: list[Inside] = []
    monkeypatch.setattr("selfstudy.evals.inside.write_inside", lambda path, found: pages.append(found))
    engine = Engine.open(home.absolute())
    studied(home.absolute(), engine)
    other = FakeEmbedder(seed=1)
    candidate = replace(System("fake:64:1", other.fingerprint, 0.5, "1234"), **SERVING[name])
    engine.history_of.add("judged", "1234", "good", candidate, promote=True)

    def looked() -> list[int]:
        engine.inspect()
        return [one.rank for side in pages[-1].sides for one in side.lost if one.question == QUESTION]

    before = looked()
    assert len(engine.store.snapshot().missing(other.fingerprint)) == 4, "not stored yet"
    engine.promote("1234")
    after = looked()
    base, live = (engine.loaded.retrievers(engine.store.snapshot(), one)["hybrid"] for one in (engine.base, engine.live))
    assert before == after == [rank(way.search([QUESTION], 10)[0]) for way in (base, live)]
    assert after[1] == rank(engine.serving().retrievers["hybrid"].search([QUESTION], 10)[0])
    assert (after[1] > 1) == (name in ("sentences", "a reranker", "both"))


def test_questions_are_widened_as_they_are_in_search(home: Path) -> None:
    engine = Engine.open(home.absolute(), sets=["glossary.expand=true", "weight=0"])
    engine.glossary(add=[("lathering", "descaled")])
    snapshot, run = engine.store.snapshot(), Stages(home.absolute() / "artifacts")
    (wanted,) = (passage.id for passage in snapshot.passages if "descaled" in passage.text)
    asked = [inspection.Asked("Which lathering of tea?", frozenset({wanted}))]
    ranks = [
        look(
            home, snapshot, run, [("base", engine.base)],
            load=engine.loaded.embedder, asked=asked, own=True, cfg=engine.settings.extract, expand=expand,
        ).sides[0].lost[0].rank
        for expand in (None, engine.loaded.expansion())
    ]  # fmt: skip
    hits = engine.serving().retrievers["hybrid"].search([asked[0].question], 10)[0]
    assert ranks[1] == next(place for place, hit in enumerate(hits, 1) if hit.passage.id == wanted)
    assert ranks[0] > ranks[1]


def test_a_labelled_folder(home: Path, tmp_path: Path) -> None:
    rows = [("q1", "How is green tea brewed?"), ("q2", "What is the unknown one?"), ("q3", "Unjudged?")]
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps({"_id": id, "text": text}) for id, text in rows))
    (tmp_path / "r.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ttea.md\t1\nq2\tnot-here.md\t1\n")
    engine = Engine.open(home.absolute())
    looked = engine.inspect(queries=tmp_path / "q.jsonl", qrels=tmp_path / "r.tsv", out=tmp_path / "page.html")
    lost = looked["sides"]["base"]["lost"]
    assert looked["questions"] == 2
    assert lost["not in the corpus"] == 1
    assert lost["answered"] + lost["not answered"] == 1
    with pytest.raises(BadInput, match="two files"):
        engine.inspect(queries=tmp_path / "q.jsonl")


def test_the_command_line_shows_it(home: Path, run: Any) -> None:
    code, out, err = run("inspect", "--out", "page.html")
    assert code == 0, err
    assert "uniformity" in out
    assert "Page: page.html" in out
    assert Path("page.html").is_file()
    assert json.loads(run("inspect", "--json")[1])["map"]["points"] == 4
    assert run("inspect", "--candidate", "none")[0] == 2


def test_there_is_no_space_of_one_passage(home: Path) -> None:
    engine = Engine.open(home.absolute())
    engine.remove([id for id in engine.store.snapshot().documents if id != "coffee.md"])
    with pytest.raises(NotEnough):
        engine.inspect()


def test_a_large_corpus_is_drawn_by_lot_with_what_answers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = Engine.open(home.absolute()).store.snapshot()
    monkeypatch.setattr(inspection, "POINTS", 2)
    for wanted in snapshot.ids:
        rows = inspection.drawn(snapshot, [inspection.Asked("?", frozenset({wanted}))])
        assert len(rows) == 2
        assert snapshot.row(wanted) in rows
