"""What is kept so that it need not be worked out again: never twice, never stale, never more than the bound, and never in the way."""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endpoint import free_port
from fakes import Counting

from selfstudy.core import config
from selfstudy.core.errors import BadInput
from selfstudy.core.ports import Vectors
from selfstudy.core.recent import Recent
from selfstudy.index.cached import Cached
from selfstudy.index.lexical import Lexical
from selfstudy.models.kept import KeptVectors
from selfstudy.recipes import serving
from selfstudy.recipes.caches import Cache, rankings_of
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.history import Event, History
from selfstudy.recipes.remembering import Remembering
from selfstudy.recipes.settings import Settings
from selfstudy.recipes.system import System
from selfstudy.testing import FakeEmbedder

SOURCE = Path(__file__).parent.parent / "src"
MIB = 2**20


def vectors(n: int, dim: int = 384, seed: int = 0) -> dict[bytes, Vectors]:
    made = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return {KeptVectors.key(f"seed {seed}", "passage", str(row)): vector for row, vector in enumerate(made)}


# Vectors


def test_a_text_is_embedded_once_for_each_model_and_role(tmp_path: Path) -> None:
    texts = ["a kettle", "tea", "a kettle", "coffee"]
    first = Counting()
    made = Remembering(first, KeptVectors.at(tmp_path / "cache" / "vectors", MIB)).embed(texts)
    assert first.asked == ["a kettle", "tea", "coffee"]
    again = Counting()
    late = Remembering(again, KeptVectors.at(tmp_path / "cache" / "vectors", MIB))
    seen: list[tuple[int, int]] = []
    np.testing.assert_array_equal(late.embed(["milk", *texts], progress=lambda *at: seen.append(at))[1:], made)
    assert again.asked == ["milk"]
    assert seen[-1] == (5, 5)
    late.embed(texts, "query")
    assert again.asked == ["milk", "a kettle", "tea", "coffee"]
    other = Counting(seed=1)
    assert np.abs(Remembering(other, KeptVectors.at(tmp_path / "cache" / "vectors", MIB)).embed(texts) - made).max() > 0.1
    assert len(other.asked) == 3


def test_questions_in_memory_are_bounded() -> None:
    counting = Counting()
    embedder = Remembering(counting, questions=2)
    embedder.embed(["one", "two"], "query")
    embedder.embed(["one"], "query")
    embedder.embed(["three"], "query")
    assert counting.asked == ["one", "two", "three"]
    embedder.embed(["one", "three"], "query")
    assert counting.asked == ["one", "two", "three"]
    embedder.embed(["two"], "query")
    assert counting.asked == ["one", "two", "three", "two"]


def test_the_disk_is_bounded_and_what_was_asked_for_last_stays(tmp_path: Path) -> None:
    kept = KeptVectors.at(tmp_path / "vectors", 4 * MIB)
    often = vectors(10, seed=9)
    kept.put(often)
    everything: dict[bytes, Vectors] = {}
    for seed in range(8):
        part = vectors(500, seed=seed)
        everything |= part
        kept.put(part)
        assert len(kept.get(often)) == 10
    found = kept.get(everything)
    assert 500 <= len(found) < 3000
    assert set(list(everything)[-200:]) <= found.keys()
    assert next(iter(everything)) not in found
    assert (tmp_path / "vectors" / "data.mdb").stat().st_size < 12 * MIB
    for key, vector in found.items():
        np.testing.assert_array_equal(vector, everything[key])


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damaged_vectors_are_made_again(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "vectors"
    KeptVectors.at(folder, 4 * MIB).put(vectors(300))  # closed at once: nobody holds it
    data = folder / "data.mdb"
    if damage == "cut":
        os.truncate(data, 6 * 4096)
    else:
        data.write_bytes(b"no database" * 4000 if damage == "garbage" else b"")
    kept = KeptVectors.at(folder, 4 * MIB)
    assert kept.get(vectors(300)) == {}
    kept.put(vectors(5))
    assert len(kept.get(vectors(300))) == 5


def test_a_vector_that_changed_on_the_disk_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    (key, vector), *_ = vectors(1).items()
    KeptVectors.at(folder, 4 * MIB).put({key: vector})
    content = bytearray((folder / "data.mdb").read_bytes())
    at = content.index(vector.tobytes())
    content[at + 3] ^= 1
    (folder / "data.mdb").write_bytes(content)
    assert KeptVectors.at(folder, 4 * MIB).get([key]) == {}


def test_what_cannot_be_written_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    counting = Counting()
    embedder = Remembering(counting, KeptVectors.at(tmp_path / "file" / "vectors", MIB))
    assert embedder.embed(["tea"]).shape == (1, 64)
    embedder.embed(["tea"])
    assert counting.asked == ["tea", "tea"]


WRITES = """
import sys; sys.path.insert(0, sys.argv[3])
from pathlib import Path
import numpy as np
from selfstudy.index.lexical import Lexical
from selfstudy.models.kept import KeptVectors
{vectors}
kept, mine = KeptVectors.at(Path(sys.argv[1]), 32 * 2**20), int(sys.argv[2])
for part in range(mine, 10**6, 3):
    kept.put(vectors(20, seed=part % 60))
    assert len(kept.get(vectors(20, seed=part % 60))) == 20
    print(part, flush=True)
    if part > 50 and mine < 2: break
"""


def test_several_processes_write_at_once_and_one_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    script = WRITES.format(vectors=inspect.getsource(vectors).replace("dict[bytes, Vectors]", "dict"))
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(folder), str(number), str(SOURCE)], stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    killed = running[2]
    assert killed.stdout is not None
    for _ in range(5):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for process in running[:2]:
        process.communicate(timeout=60)
        assert process.returncode == 0
    kept = KeptVectors.at(folder, 32 * MIB)
    for seed in [*range(0, 51, 3), *range(1, 52, 3)]:
        made = vectors(20, seed=seed)
        found = kept.get(made)
        assert len(found) == 20
        assert all((found[key] == vector).all() for key, vector in made.items())


# Rankings


class Asked:
    """A retriever that notes its questions."""

    def __init__(self, retriever: Any) -> None:
        self.retriever = retriever
        self.questions: list[str] = []

    def search(self, questions: Sequence[str], k: int, where: str | None = None) -> Any:
        self.questions += questions
        return self.retriever.search(questions, k, where)


@pytest.fixture
def engine(home: Path) -> Engine:
    return Engine.open(home.absolute())


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that the engine's retrievers are truly asked from now on."""
    asked: list[str] = []
    truly = serving.served

    def watching(*given: Any, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, retriever in truly(*given, **options).items():
            found[name] = Asked(retriever)
            found[name].questions = asked
        return found

    monkeypatch.setattr(serving, "served", watching)
    return asked


def test_a_question_is_searched_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Engine.open(engine.home, sets=["cache.rankings=0"]).search("green tea")
    asked = watched(monkeypatch)
    assert engine.search("green tea") == expected
    assert engine.search("green tea") == expected
    assert asked == ["green tea"]
    engine.search("green tea", k=2)
    engine.search("green tea", by="dense")
    engine.search("green tea", where="id = 'tea.md'")
    engine.ask("green tea")
    assert asked == ["green tea"] * 5
    with pytest.raises(BadInput):
        engine.search("green tea", where="nothing = 1")


def test_nothing_is_stale_after_add_and_remove(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = engine.search("how is white tea brewed", by="lexical")
    (tmp_path / "white.md").write_text("# White tea\n\nWhite tea is brewed gently.\n")
    engine.add([tmp_path / "white.md"])
    assert engine.search("how is white tea brewed", by="lexical")[0].passage.title.startswith("White tea")
    engine.remove(["white.md"])
    assert [hit.passage.id for hit in engine.search("how is white tea brewed", by="lexical")] == [hit.passage.id for hit in before]


def test_nothing_is_stale_when_another_process_adds(engine: Engine, tmp_path: Path) -> None:
    engine.search("how is white tea brewed", by="lexical")
    (tmp_path / "white.md").write_text("# White tea\n\nWhite tea is brewed gently.\n")
    Engine.open(engine.home).add([tmp_path / "white.md"])
    assert engine.search("how is white tea brewed", by="lexical")[0].passage.title.startswith("White tea")


def test_a_filter_sees_what_a_document_says_now(engine: Engine, tmp_path: Path) -> None:
    def note(site: str) -> None:
        (tmp_path / "note.md").write_text(f"---\nsite: {site}\n---\n# Pump\n\nThe pump is reset by hand.\n")
        engine.add([tmp_path / "note.md"])

    note("north")
    assert len(engine.search("pump", where="site = 'north'")) == 1
    note("south")
    assert engine.search("pump", where="site = 'north'") == []


def test_rankings_are_not_shared_where_other_documents_are_hidden(engine: Engine, tmp_path: Path) -> None:
    copy = Engine.open(Path(shutil.copytree(engine.home, tmp_path / "copy")))
    engine.audit(drop=["tea.md"])
    copy.audit(drop=["coffee.md"])
    assert engine.store.snapshot().version == copy.store.snapshot().version
    shared = Recent[str](10)
    for one, hidden in ((engine, "tea.md"), (copy, "coffee.md")):
        snapshot = one.store.snapshot()
        lexical = Cached(Lexical(snapshot), snapshot, "lexical", shared)
        for where in (None, "title != 'x'"):
            found = lexical.search(["green tea or coffee"], 10, where)[0]
            assert found == Lexical(snapshot).search(["green tea or coffee"], 10, where)[0]
            assert hidden not in {place.document for hit in found for place in hit.passage.places}


def test_nothing_is_stale_after_promote_and_rollback(engine: Engine) -> None:
    other = FakeEmbedder(seed=1)
    base = engine.search("green tea", by="dense")
    engine.history_of.add("judged", "1234", "better", System("fake:64:1", other.fingerprint, 0.5, "1234"), promote=True)
    engine.promote("1234")
    promoted = engine.search("green tea", by="dense")
    assert [hit.score for hit in promoted] != [hit.score for hit in base]
    assert promoted[0].score == pytest.approx(
        float(other.embed(["green tea"])[0] @ other.embed([promoted[0].passage.indexed])[0]), abs=1e-5
    )
    engine.rollback()
    assert engine.search("green tea", by="dense") == base


def test_each_rollback_takes_back_one_promotion_whatever_was_promoted_twice(engine: Engine) -> None:
    base = engine.live
    for seed, key in enumerate(("aaaa", "bbbb"), 1):
        system = System(f"fake:64:{seed}", FakeEmbedder(seed=seed).fingerprint, 0.5, key)
        engine.history_of.add("judged", key, "better", system, before=base, promote=True)
    for key in ("aaaa", "bbbb", "aaaa", "aaaa"):
        engine.promote(key)
    for expected in ("bbbb", "aaaa", None):
        engine.rollback()
        assert engine.live.key == expected
    assert engine.live == base
    engine.promote("bbbb")
    engine.rollback()
    assert engine.live == base
    with pytest.raises(BadInput, match="Nothing was promoted"):
        engine.rollback()


def test_a_kill_between_the_swap_and_its_event_can_be_rolled_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    base, truly = engine.live, History.add

    def killed(history: History, event: Any, *given: Any, **more: Any) -> Event:
        if event == "promoted":
            raise KeyboardInterrupt
        return truly(history, event, *given, **more)

    better = System("fake:64:1", FakeEmbedder(seed=1).fingerprint, 0.5, "1234")
    engine.history_of.add("judged", "1234", "better", better, before=base, promote=True)
    with monkeypatch.context() as patch:
        patch.setattr(History, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            engine.promote("1234")
    again = Engine.open(engine.home)
    assert again.live == better
    again.promote("1234")
    again.rollback()
    assert again.live == base
    with pytest.raises(BadInput, match="Nothing was promoted"):
        again.rollback()


def test_the_glossary_is_used_as_it_is_now(home: Path) -> None:
    (Path("docs") / "heart.md").write_text("# Care\n\nAfter a myocardial infarction patients rest for three days.\n")
    sets = ["glossary.expand=true"]
    engine = Engine.open(home.absolute(), sets=sets)
    service = Engine.open(home.absolute(), sets=sets, eager=True)
    engine.add([Path("docs")])
    for one in (engine, service):
        assert "Care" not in {hit.passage.title for hit in one.search("MI", by="lexical")}
    engine.glossary(add=[("MI", "myocardial infarction")])
    for one in (engine, service):
        assert one.search("MI", by="lexical")[0].passage.title == "Care"
    with (home / "glossary.tsv").open("a") as file:
        file.write("half a line\n")
    assert service.search("MI", by="lexical")[0].passage.title == "Care", "a service goes on with what it has"
    with pytest.raises(BadInput, match="is no term"):
        engine.search("MI", by="lexical")


def test_rankings_in_memory_are_bounded_by_use() -> None:
    memory = Recent[str](2)
    memory.put({"a": "1", "b": "2"})
    assert memory.get(["a"]) == {"a": "1"}
    memory.put({"c": "3"})
    assert memory.get(["a", "b", "c"]) == {"a": "1", "c": "3"}


def test_a_ranking_of_passages_that_are_not_here_is_not_believed(engine: Engine) -> None:
    class Wrong(Recent[str]):
        def get(self, keys: Iterable[str]) -> dict[str, str]:
            return dict.fromkeys(keys, '["lexical", ["no such id"], [1.0]]')

    snapshot = engine.store.snapshot()
    truly = engine.loaded.retrievers(snapshot, engine.live)["lexical"]
    assert Cached(truly, snapshot, "lexical", Wrong(5)).search(["tea"], 5) == truly.search(["tea"], 5)


# Redis


@pytest.fixture
def redis_at(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a real Redis on loopback, and its process."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    port = free_port()
    folder = tmp_path / "redis"
    folder.mkdir()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0", server
    finally:
        server.kill()
        server.wait()


def test_processes_share_rankings_through_redis(
    home: Path, redis_at: tuple[str, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [f"cache.redis={redis_at[0]}"]
    first = Engine.open(home.absolute(), sets=sets)
    expected = first.search("green tea")
    second = Engine.open(home.absolute(), sets=sets)  # as another process would: nothing of the first's memory
    asked = watched(monkeypatch)
    assert second.search("green tea") == expected
    assert asked == []


def test_a_copied_home_that_goes_its_own_way_is_not_answered_from_the_other(
    home: Path, tmp_path: Path, redis_at: tuple[str, subprocess.Popen[bytes]]
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(home, copied)
    sets = [f"cache.redis={redis_at[0]}"]
    for folder, word in ((home.absolute(), "White"), (copied, "Yellow")):
        (tmp_path / f"{word}.md").write_text(f"# {word} tea\n\n{word} tea is brewed gently.\n")
        engine = Engine.open(folder, sets=sets)
        engine.add([tmp_path / f"{word}.md"])
        assert engine.search("tea brewed gently", by="lexical")[0].passage.title == f"{word} tea"


def test_redis_holds_no_more_than_its_bound(redis_at: tuple[str, subprocess.Popen[bytes]]) -> None:
    import redis

    kept = rankings_of(Cache(rankings=20, redis=redis_at[0]))
    assert kept is not None
    keys = [f"{number:032x}" for number in np.random.default_rng(0).integers(0, 2**62, 300).tolist()]
    keys = [key[::-1] for key in keys]
    for key in keys:
        kept.put({key: f"ranking of {key}"})
    assert 10 < redis.Redis.from_url(redis_at[0]).dbsize() <= 20
    assert all(ranking == f"ranking of {key}" for key, ranking in kept.get(keys).items())


def test_a_redis_that_dies_or_talks_nonsense_is_in_nobodys_way(home: Path, redis_at: tuple[str, subprocess.Popen[bytes]]) -> None:
    import redis

    url, server = redis_at
    expected = Engine.open(home.absolute()).search("green tea")
    Engine.open(home.absolute(), sets=[f"cache.redis={url}"]).search("green tea")
    client = redis.Redis.from_url(url)
    for key in client.scan_iter():
        client.set(key, b"\xff nonsense")
    assert Engine.open(home.absolute(), sets=[f"cache.redis={url}"]).search("green tea") == expected
    server.kill()
    server.wait()
    engine = Engine.open(home.absolute(), sets=[f"cache.redis={url}"])
    assert engine.search("green tea") == expected
    assert engine.search("black tea")


def test_an_address_that_is_none_is_told_without_its_password(home: Path) -> None:
    sets = ["cache.redis=http://:secret@nowhere"]
    with pytest.raises(BadInput) as told:
        Engine.open(home.absolute(), sets=sets).search("tea")
    assert "secret" not in str(told.value)
    assert "secret" not in str([row.json() for row in config.describe(*config.load(Settings, None, sets))])
