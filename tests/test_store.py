"""The store: one pointer, many readers, one writer, nothing torn."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from stored import DOCUMENTS, EMBEDDER, item, put, version_items

from selfstudy.core.errors import Busy, HomeError
from selfstudy.core.files import write_json
from selfstudy.core.records import Document, Passage, Place, Section, passage_id
from selfstudy.index import writer
from selfstudy.index.lexical import Lexical
from selfstudy.index.snapshot import FileFacts, Snapshot
from selfstudy.index.state import write_state
from selfstudy.index.store import Store
from selfstudy.index.words import Words


def embed(store: Store) -> int:
    """Embed what has no vector yet; how many that were."""
    with store.writing("embedding") as writer:
        snapshot = writer.snapshot()
        passages = snapshot.passages.take(snapshot.missing(EMBEDDER.fingerprint))
        writer.add_vectors(EMBEDDER.fingerprint, [p.id for p in passages], EMBEDDER.embed([p.indexed for p in passages]))
        writer.commit()
    return len(passages)


def texts(snapshot: Snapshot) -> list[str]:
    return sorted(passage.text for passage in snapshot.passages)


def found(snapshot: Snapshot, question: str) -> list[str]:
    return [hit.passage.text for hit in Lexical(snapshot).search([question], 10)[0]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "home", create=True)


def test_what_is_put_comes_back(store: Store) -> None:
    text = "Größe 大小\x00 a 'quoted' text."
    document = Document(
        "dir/a b.md", text, "Titel", "https://x/y?z=1", {"site": "x", "n": 3, "r": 0.5, "ok": True}, (Section(("A", "B"), 0, 5),)
    )
    passage = Passage(passage_id("Titel > A", text[:5]), "Titel > A", text[:5], (Place(document.id, 0, 5),), near="other")
    facts = FileFacts("dir/a b.md", 12, 1_700_000_000_123_456_789, "abc")
    put(store, (document, [passage], facts))
    snapshot = store.snapshot()
    assert snapshot.document("dir/a b.md") == document
    assert snapshot.documents["dir/a b.md"].file == facts
    assert snapshot.documents["dir/a b.md"].meta == document.meta
    assert list(snapshot.passages) == [passage]
    assert snapshot.passages[0] == snapshot.passages[-1] == passage
    assert snapshot.row(passage.id) == 0
    assert passage.id in snapshot
    assert snapshot.version == 1
    with pytest.raises(KeyError):
        snapshot.document("none")


def test_an_empty_home_shows_nothing(store: Store) -> None:
    snapshot = store.snapshot()
    assert (len(snapshot), snapshot.documents, list(snapshot.passages), snapshot.version) == (0, {}, [], 0)
    assert snapshot.missing("any").tolist() == []
    assert Lexical(snapshot).search(["word"], 5) == [[]]


def test_rows_do_not_hang_on_the_order_of_adding(tmp_path: Path) -> None:
    items = [item(f"d{n}", f"text {n}", f"more {n % 3}") for n in range(12)]
    one, other = Store.open(tmp_path / "one", create=True), Store.open(tmp_path / "other", create=True)
    put(one, *items)
    for part in (items[7:], items[:3], items[3:7]):
        put(other, *part)
    assert list(one.snapshot().passages) == list(other.snapshot().passages)
    assert found(one.snapshot(), "text more 1") == found(other.snapshot(), "text more 1")
    (left,), (right,) = (list(Lexical(store.snapshot()).scores(["text more 1"])) for store in (one, other))
    assert np.array_equal(left, right)


KEPT = [
    item("red", "red lamp on the shelf"),
    item("blue", "blue pump in the cellar"),
    *(item(f"g{n}", f"green door {n}") for n in range(6)),
]
GONE = [item(f"n{n}", f"blue sky {n} over the hill") for n in range(100)]


def scores(store: Store, question: str = "red blue") -> list[float]:
    """BM25 by row: equal for equal contents."""
    (found,) = Lexical(store.snapshot()).scores([question])
    return [float(score) for score in found[0]]


@pytest.fixture
def fresh(tmp_path: Path) -> Store:
    """A home that never held anything but KEPT."""
    store = Store.open(tmp_path / "fresh", create=True)
    put(store, *KEPT)
    return store


def test_scores_do_not_hang_on_what_was_there_before(store: Store, fresh: Store) -> None:
    put(store, *GONE)
    put(store, *KEPT)
    put(store, remove=[document.id for document, _, _ in GONE])
    assert scores(store) == scores(fresh)
    assert found(store.snapshot(), "red blue") == found(fresh.snapshot(), "red blue")
    snapshot = store.snapshot()
    words = Words.of(snapshot.ids, (passage.indexed for passage in snapshot.passages))
    assert scores(store) == pytest.approx(words.scores("red blue").tolist(), rel=1e-5)
    put(store, remove=[document.id for document, _, _ in KEPT])
    assert scores(store) == []
    put(store, *KEPT)
    assert scores(store) == scores(fresh)


def test_scores_do_not_hang_on_former_versions_and_marks(store: Store, fresh: Store) -> None:
    put(fresh, *GONE)
    put(store, *GONE, item("red", "red, blue and blue again, since this was longer before"), *KEPT[1:])
    put(store, *KEPT)
    assert scores(store) == scores(fresh)
    with store.writing() as writer:
        writer.mark_repeats({passage_id("", "red lamp on the shelf"): ("other", ())})
        writer.commit()
    assert scores(store) == scores(fresh), "a row that is written anew is counted once"


def test_in_a_large_index_scores_forget_what_went_where_it_was_much_or_when_it_is_compacted(
    store: Store, fresh: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ALWAYS_FOLDED", 0)
    monkeypatch.setattr(writer, "FOLDED_AT", 0.5)
    put(store, *KEPT, *GONE[:4])
    assert store.state.deleted == 0
    put(store, remove=["n0", "n1"])
    put(store, remove=["n2"])
    assert store.state.deleted == 3, "of nine, which is less than half"
    assert scores(store) != scores(fresh)
    put(store, remove=["n3"])
    assert (store.state.deleted, len(store.snapshot())) == (4, 8)
    store.compact()
    assert store.state.deleted == 0
    assert scores(store) == scores(fresh)
    put(store, *GONE)
    put(store, remove=[document.id for document, _, _ in GONE])
    assert store.state.deleted == 0
    assert scores(store) == scores(fresh)


def test_a_home_of_an_earlier_version_forgets_what_went_once(store: Store, fresh: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(writer.Writer, "_rebuild_text", lambda self: None)
        put(store, *GONE)
        put(store, *KEPT)
        put(store, remove=[document.id for document, _, _ in GONE])
    state = store.state.json()
    del state["deleted"]
    write_json(store.home / "state.json", state)
    assert scores(store) != scores(fresh)
    store.compact()
    assert scores(store) == scores(fresh)
    now = store.state
    store.compact()
    assert store.state == now


def test_a_writer_that_fails_before_the_pointer_moves_leaves_the_old_scores(store: Store, fresh: Store) -> None:
    put(store, *KEPT)
    put(store, *GONE)
    before = scores(store)

    def killed(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):  # noqa: PT012
        patch.setattr(writer, "write_state", killed)
        put(store, remove=[document.id for document, _, _ in GONE])
    assert scores(Store.open(store.home)) == before
    with store.writing() as nothing:
        nothing.commit()
    assert scores(Store.open(store.home)) == before
    put(store, remove=[document.id for document, _, _ in GONE])
    assert scores(store) == scores(fresh)


def test_equal_passages_are_one_with_all_their_places(store: Store) -> None:
    put(store, item("a", "same", "only a"), item("b", "first b", "same"))
    snapshot = store.snapshot()
    assert texts(snapshot) == ["first b", "only a", "same"]
    shared = snapshot.passages[snapshot.row(passage_id("", "same"))]
    assert shared.places == (Place("a", 0, 4), Place("b", 8, 12))
    assert snapshot.rows_of("a").tolist() == sorted(snapshot.row(passage_id("", text)) for text in ("same", "only a"))
    put(store, remove=["a", "never there"])
    snapshot = store.snapshot()
    assert texts(snapshot) == ["first b", "same"]
    assert snapshot.passages[snapshot.row(shared.id)].places == (Place("b", 8, 12),)
    put(store, remove=["b"])
    assert (texts(store.snapshot()), store.snapshot().documents) == ([], {})


def test_a_document_is_replaced_with_its_passages(store: Store) -> None:
    put(store, item("a", "kept", "former"), item("b", "former too"))
    put(store, item("a", "new", "kept"))
    snapshot = store.snapshot()
    assert texts(snapshot) == ["former too", "kept", "new"]
    assert snapshot.document("a").text == "new\nkept"
    assert snapshot.passages[snapshot.row(passage_id("", "kept"))].places == (Place("a", 4, 8),)
    assert found(snapshot, "former") == ["former too"]


def test_moving_a_file_costs_no_vector(store: Store) -> None:
    put(store, item("old.md", "one", "two"))
    assert embed(store) == 2
    put(store, item("new.md", "one", "two"), remove=["old.md"])
    put(store, item("third.md", "two", "three"))
    assert embed(store) == 1
    snapshot = store.snapshot()
    expected = EMBEDDER.embed([passage.indexed for passage in snapshot.passages])
    assert np.array_equal(snapshot.vectors(EMBEDDER.fingerprint), expected)


def test_what_comes_and_goes_within_one_writing(store: Store) -> None:
    put(store, item("a", "one"))
    with store.writing() as writer:
        writer.put([item("b", "two"), item("a", "two")])
        writer.remove(["b"])
        writer.put([item("c", "three")])
        writer.remove(["c"])
        assert texts(writer.snapshot()) == ["two"]
        writer.put([item("c", "one", "one")])
        writer.commit()
    snapshot = store.snapshot()
    assert texts(snapshot) == ["one", "two"]
    assert sorted(snapshot.documents) == ["a", "c"]
    assert snapshot.passages[snapshot.row(passage_id("", "one"))].places == (Place("c", 0, 3), Place("c", 4, 7))


def test_nothing_is_seen_before_the_commit_and_all_of_it_after(store: Store) -> None:
    put(store, item("a", "old words"))
    reader = store.snapshot()
    with store.writing() as writer:
        writer.put([item("a", "new words"), item("b", "more words")])
        writer.snapshot()
        assert texts(Store.open(store.home).snapshot()) == ["old words"]
        writer.commit()
    assert texts(store.snapshot()) == ["more words", "new words"]
    assert found(reader, "words") == ["old words"]
    assert reader.document("a").text == "old words"
    assert found(store.snapshot(), "old") == []


def test_a_writer_that_fails_leaves_the_old_index(store: Store) -> None:
    put(store, item("a", "one"))
    before = store.state
    with pytest.raises(ZeroDivisionError), store.writing() as writer:  # noqa: PT012
        writer.put([item("a", "two"), item("b", "three")])
        writer.snapshot()
        raise ZeroDivisionError
    assert store.state == before
    put(store, item("c", "four"))
    snapshot = store.snapshot()
    assert texts(snapshot) == ["four", "one"]
    assert sorted(snapshot.documents) == ["a", "c"]
    assert sorted(found(snapshot, "one two three four")) == ["four", "one"]


def test_a_first_writer_that_fails_leaves_an_empty_index(store: Store) -> None:
    with suppress(ZeroDivisionError), store.writing() as writer:
        writer.put([item("a", "two")])
        writer.snapshot()
        raise ZeroDivisionError
    assert texts(Store.open(store.home).snapshot()) == []
    put(store, item("b", "three"))
    assert texts(store.snapshot()) == ["three"]


def test_vectors_of_a_writer_that_failed_are_kept(store: Store) -> None:
    put(store, item("a", "one", "two"))
    with pytest.raises(ZeroDivisionError), store.writing() as writer:  # noqa: PT012
        writer.add_vectors(EMBEDDER.fingerprint, [passage_id("", "one")], EMBEDDER.embed(["one"]))
        raise ZeroDivisionError
    assert len(store.snapshot().missing(EMBEDDER.fingerprint)) == 2
    assert embed(store) == 2 - 1
    assert len(store.snapshot().missing(EMBEDDER.fingerprint)) == 0


def test_vectors_missing_doubled_and_of_a_wrong_shape(store: Store) -> None:
    put(store, item("a", "one", "two", "three"))
    one, two = passage_id("", "one"), passage_id("", "two")
    ones = np.ones((1, 4), np.float32)
    with store.writing() as writer:
        writer.add_vectors("model/7:é x", [one, two, one], np.concatenate([ones, ones * 2, ones * 3]))
        writer.add_vectors("model/7:é x", [two], ones * 9)
        with pytest.raises(ValueError, match="4 dimensions, not 5"):
            writer.add_vectors("model/7:é x", [passage_id("", "three")], np.ones((1, 5), np.float32))
        with pytest.raises(ValueError, match="not of shape"):
            writer.add_vectors("model/7:é x", [one, two], ones)
        with pytest.raises(ValueError, match="not finite"):
            writer.add_vectors("model/7:é x", [one], ones * np.nan)
        writer.commit()
    snapshot = store.snapshot()
    assert [snapshot.ids[row] for row in snapshot.missing("model/7:é x")] == [passage_id("", "three")]
    with pytest.raises(HomeError, match="1 of 3 passages have no vector") as caught:
        snapshot.vectors("model/7:é x")
    assert len(str(caught.value).splitlines()) == 2
    put(store, remove=["a"])
    put(store, item("b", "one", "two"))
    snapshot = store.snapshot()
    matrix = snapshot.vectors("model/7:é x")
    assert matrix[snapshot.row(one)].tolist() == [1, 1, 1, 1]
    assert matrix[snapshot.row(two)].tolist() == [2, 2, 2, 2]
    assert snapshot.missing("model-7-- x").tolist() == [0, 1]


def test_marks_of_repeats(store: Store) -> None:
    put(store, item("a", "one", "one."), item("b", "two"))
    first, second = passage_id("", "one"), passage_id("", "one.")
    with store.writing() as writer:
        writer.mark_repeats({second: (first, (first, "three")), "gone": (first, ())})
        writer.commit()
    assert {p.id: (p.near, p.within) for p in store.snapshot().passages}[second] == (first, (first, "three"))
    put(store, item("a", "one", "one."))
    assert {p.id: (p.near, p.within) for p in store.snapshot().passages}[second] == (first, (first, "three"))
    with store.writing() as writer:
        writer.mark_repeats({second: (None, ())})
        writer.commit()
    assert {(p.near, p.within) for p in store.snapshot().passages} == {(None, ())}


def test_a_home_of_an_earlier_version_gets_the_columns_that_it_lacks(store: Store) -> None:
    put(store, item("a", "one", "one."))
    table = store._database.open_table("passages")
    table.drop_columns(["within"])
    write_state(store.home, replace(store.state, tables=store.state.tables | {"passages": table.version}))
    before = store.snapshot()
    assert sorted(passage.text for passage in before.passages) == ["one", "one."]
    assert sorted(before.lexical("one")[0].tolist()) == [0, 1]
    with store.writing() as writer:
        writer.mark_repeats({passage_id("", "one."): (None, (passage_id("", "one"),))})
        writer.commit()
    assert {p.text: p.within for p in store.snapshot().passages} == {"one": (), "one.": (passage_id("", "one"),)}
    assert sorted(store.snapshot().lexical("one")[0].tolist()) == [0, 1]


def test_the_live_model_stands_in_the_pointer(store: Store) -> None:
    live = {"embedder": "artifact:1", "weight": 0.4}
    with store.writing() as writer:
        writer.set_live(live)
        assert store.state.live is None
        writer.commit()
    assert Store.open(store.home).state.live == live
    put(store, item("a", "one"))
    assert (store.state.live, store.state.index_version) == (live, 2)


def test_a_commit_without_a_change_is_none(store: Store) -> None:
    put(store, item("a", "one"))
    embed(store)
    before = store.state
    with store.writing() as writer:
        writer.remove(["never there"])
        writer.mark_repeats({passage_id("", "one"): (None, ())})
        writer.set_live(None)
        assert writer.commit() == before
    assert embed(store) == 0
    assert store.state == before
    assert store.snapshot() is store.snapshot()


def test_two_writers(store: Store) -> None:
    with store.writing("adding documents"), pytest.raises(Busy) as caught, store.writing():
        pass
    assert f"process {os.getpid()} has been adding documents since" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_homes_that_cannot_be_used(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(HomeError, match="There is no index in"):
        Store.open(home)
    assert not home.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="not a folder"):
        Store.open(tmp_path / "file", create=True)
    store = Store.open(home, create=True)
    put(store, item("a", "one"))
    good = (home / "state.json").read_text()
    for bad, told in (
        (json.dumps({**json.loads(good), "format": 2}), "made by a newer version: its format is 2"),
        (good[: len(good) // 2], "damaged"),
        ('{"format": 1, "tables": {"documents": "x"}}', "tables.documents"),
        ("[]", "damaged"),
    ):
        (home / "state.json").write_text(bad)
        with pytest.raises(HomeError, match=told) as caught:
            Store.open(home, create=True)
        assert len(str(caught.value).splitlines()) == 2
        assert (home / "state.json").read_text() == bad
    state = json.loads(good)
    state["tables"]["passages"] = 999
    (home / "state.json").write_text(json.dumps(state))
    for use in (lambda: list(Store.open(home).snapshot().passages), lambda: put(Store.open(home), item("b", "two"))):
        with pytest.raises(HomeError, match="version 999 of its table 'passages' is missing"):
            use()


def test_a_home_can_be_carried_elsewhere(store: Store, tmp_path: Path) -> None:
    put(store, item("a", "one pump"), item("b", "two pumps"))
    embed(store)
    put(store, item("c", "three"), remove=["a"])
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(store.home, elsewhere)
    shutil.rmtree(store.home)
    for path in elsewhere.rglob("*.json"):
        assert str(tmp_path) not in path.read_text()
    copy = Store.open(elsewhere)
    assert found(copy.snapshot(), "pump") == ["two pumps"]
    put(copy, item("d", "a fourth pump"))
    assert sorted(found(copy.snapshot(), "pump")) == ["a fourth pump", "two pumps"]
    assert embed(copy) == 2


def test_a_read_only_home_is_searched_but_not_written() -> None:
    with TemporaryDirectory() as name:
        home = Path(name)
        put(Store.open(home, create=True), item("a", "one pump"))
        folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
        for path in home.rglob("*"):
            path.chmod(0o444 if path.is_file() else 0o555)
        home.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            store = Store.open(home, create=True)
            assert found(store.snapshot(), "pump") == ["one pump"]
            with pytest.raises(HomeError, match="permission is denied") as caught:
                put(store, item("b", "two"))
            assert len(str(caught.value).splitlines()) == 2
        finally:
            if root:
                os.seteuid(0)
            for path in folders:
                path.chmod(0o755)


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from stored import item, put
from selfstudy.core.errors import HomeError
from selfstudy.index.store import Store
store = Store.open(Path(sys.argv[1]))
store.snapshot().documents
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    put(store, item("big", *(f"text {n} " + "word " * (n % 50) for n in range(1000))))
except HomeError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_told_and_changes_nothing(store: Store) -> None:
    put(store, item("a", "one pump"))
    before = store.state
    done = run(LIMITED, store.home)
    assert "the file would be larger than allowed" in done.stdout
    assert len(done.stdout.splitlines()) == 2
    assert store.state == before
    put(store, item("b", "two pumps"))
    assert sorted(found(store.snapshot(), "pump")) == ["one pump", "two pumps"]


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, str(home), str(Path(__file__).parent)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


def test_compacting_keeps_what_readers_hold_and_drops_the_rest(store: Store) -> None:
    put(store, item("a", "one pump"), item("b", "two pumps"))
    embed(store)
    reader = store.snapshot()
    time.sleep(1.1)  # the store's versions are told apart to about a second
    put(store, item("c", "three pumps"), remove=["a"])
    embed(store)
    store.compact()
    assert sorted(found(reader, "pump")) == ["one pump", "two pumps"]
    assert reader.vectors(EMBEDDER.fingerprint).shape == (2, 64)
    now = store.snapshot()
    assert sorted(found(now, "pump")) == ["three pumps", "two pumps"]
    with store.writing() as writer:
        writer.put([item("a", "one pump")])
        assert [p.text for p in writer.snapshot().passages.take(writer.snapshot().missing(EMBEDDER.fingerprint))] == ["one pump"]
    files = sum(path.is_file() for path in store.home.rglob("*"))
    time.sleep(1.1)
    store.compact(grace=timedelta(0))
    assert sum(path.is_file() for path in store.home.rglob("*")) < files
    assert sorted(found(Store.open(store.home).snapshot(), "pump")) == ["three pumps", "two pumps"]
    with pytest.raises(HomeError, match="is missing"):
        texts(Snapshot(reader._database, store.home, reader.state))


def test_many_batches_of_vectors(store: Store) -> None:
    put(store, item("a", *(f"text {n}" for n in range(20))))
    with store.writing() as writer:
        for passage in writer.snapshot().passages:
            writer.add_vectors(EMBEDDER.fingerprint, [passage.id], EMBEDDER.embed([passage.indexed]))
        writer.commit()
    snapshot = store.snapshot()
    assert np.array_equal(snapshot.vectors(EMBEDDER.fingerprint), EMBEDDER.embed([p.indexed for p in snapshot.passages]))


# Killed in the middle: each version n replaces every document by texts that say n, so a mixture of versions would show

WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from stored import EMBEDDER, version_items
from selfstudy.index.store import Store
store = Store.open(Path(sys.argv[1]), create=True)
start = int(sys.argv[3])
for n in range(start, start + 1000):
    with store.writing("adding") as writer:
        writer.put(version_items(n))
        snapshot = writer.snapshot()
        missing = snapshot.passages.take(snapshot.missing(EMBEDDER.fingerprint))
        for part in (missing[::2], missing[1::2]):
            writer.add_vectors(EMBEDDER.fingerprint, [p.id for p in part], EMBEDDER.embed([p.indexed for p in part]))
        if n % 3 == 0:
            writer.compact()
        writer.commit()
    print(n, flush=True)
"""


def version_of(snapshot: Snapshot) -> int:
    """The version that a snapshot shows, after making sure that it shows all of it and nothing of another."""
    if not snapshot.documents:
        assert len(snapshot) == 0
        return -1
    n = int(snapshot.document("d0").text.split("version")[1].split()[0])
    assert [snapshot.document(id).text for id in ("d1", "d39")] == ["\n".join(p.text for p in version_items(n)[d][1]) for d in (1, 39)]
    assert sorted(snapshot.documents) == sorted(f"d{d}" for d in range(DOCUMENTS))
    expected = {p.text for _, passages, _ in version_items(n) for p in passages}
    assert {p.text for p in snapshot.passages} == expected
    assert {len(p.places) for p in snapshot.passages} == {1, DOCUMENTS}
    assert len(Lexical(snapshot).search([f"version{n}"], 1000)[0]) == DOCUMENTS + 1
    assert Lexical(snapshot).search([f"version{n - 1} version{n + 1}"], 1000) == [[]]
    return n


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    home = tmp_path / "home"
    chance = random.Random(5)
    acknowledged = -1
    for _ in range(3):
        command = [sys.executable, "-c", WRITE, str(home), str(Path(__file__).parent), str(acknowledged + 2)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
            assert child.stdout is not None
            acknowledged = int(child.stdout.readline())
            killer = threading.Timer(chance.uniform(0.0, 0.8), child.kill)
            killer.start()
            seen = set()
            while child.poll() is None:
                seen.add(version_of(Store.open(home).snapshot()))
                time.sleep(0.05)
            killer.join()
            for line in child.stdout:
                acknowledged = int(line)
        store = Store.open(home)
        now = version_of(store.snapshot())
        assert now in (acknowledged, acknowledged + 1)
        assert seen <= set(range(-1, now + 1))
        acknowledged = now
    put(store, item("new", "after the kills"))
    snapshot = store.snapshot()
    assert len(snapshot.documents) == DOCUMENTS + 1
    assert found(snapshot, "kills") == ["after the kills"]
    assert embed(store) == 1
    store.compact(timedelta(0))
    put(store, remove=["new"])
    assert version_of(store.snapshot()) == acknowledged
