"""Folders that are followed: what changed is read, and nothing else; what moved keeps its vectors"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import SOURCE

from selfstudy.core.errors import BadInput, Busy
from selfstudy.corpus.folder import glance
from selfstudy.corpus.workers import Workers
from selfstudy.recipes import ingest
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.ingest import Added
from selfstudy.recipes.watching import watch


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, as they are."""
    names: list[str] = []

    class Counting(Workers):
        def __init__(self, files: Sequence[Any], *arguments: Any) -> None:
            names.extend(file.path.name for file in files)
            super().__init__(files, *arguments)

    monkeypatch.setattr(ingest, "Workers", Counting)
    return names


def engine(tmp_path: Path, plug: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.syspath_prepend(str(plug))
    return Engine.open(tmp_path / "home", create=True, sets=["embedder=fake:64"])


def test_only_what_changed_is_read_and_what_moved_keeps_its_vectors(
    tmp_path: Path, plug: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    docs = tmp_path / "docs"
    (docs / "deep").mkdir(parents=True)
    for number in range(60):
        (docs / f"{number:03}.txt").write_text(f"The machine number {number} has its own words, such as w{number}.")
    using = engine(tmp_path, plug, monkeypatch)
    assert (using.add([docs], sync=True).documents_added, len(read)) == (60, 60)
    read.clear()
    assert using.add([docs], sync=True).documents_unchanged == 60
    assert read == []
    (docs / "001.txt").write_text("Another text stands here now.")
    (docs / "002.txt").rename(docs / "renamed.txt")
    (docs / "003.txt").rename(docs / "deep" / "003.txt")
    (docs / "004.txt").unlink()
    (docs / "new.txt").write_text("A new file with a text of its own.")
    told = using.add([docs], sync=True)
    assert sorted(read) == ["001.txt", "003.txt", "new.txt", "renamed.txt"]
    assert (told.documents_added, told.documents_changed, told.documents_removed, told.documents) == (3, 1, 3, 60)
    assert told.embedded == 2, "the new text and the changed one: what moved is known"
    (hit,) = using.search("words such as w2", k=1, by="lexical")
    assert [place.document for place in hit.passage.places] == ["renamed.txt"]


class Enough(Exception):
    pass


def test_a_folder_is_followed(tmp_path: Path, plug: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("The first text.")
    using = engine(tmp_path, plug, monkeypatch)
    seen: list[tuple[int, int, int]] = []

    def changed(added: Added) -> None:
        seen.append((added.documents_added, added.documents_changed, added.documents_removed))
        if len(seen) == 1:
            (docs / "b.txt").write_text("The second text.")
        elif len(seen) == 2:
            (docs / "a.txt").write_text("The first text, longer.")
            (docs / "b.txt").unlink()
        else:
            raise Enough

    left = iter(range(300))

    def look(paths: Sequence[Path]) -> object:
        assert next(left, None) is not None, "what changed is never read"
        return glance(paths)

    monkeypatch.setattr("selfstudy.recipes.watching.glance", look)
    with pytest.raises(Enough):
        using.watch([docs], changed, every=0.02)
    assert seen == [(1, 0, 0), (1, 0, 0), (0, 1, 1)]


def looks(monkeypatch: pytest.MonkeyPatch, *states: object) -> None:
    """What one look after the other finds; after the last one comes Enough."""
    found: Iterator[object] = iter(states)

    def look(paths: Sequence[Path]) -> object:
        try:
            return next(found)
        except StopIteration:
            raise Enough from None

    monkeypatch.setattr("selfstudy.recipes.watching.glance", look)


def count(monkeypatch: pytest.MonkeyPatch, add: Callable[[], Added], *states: object) -> int:
    looks(monkeypatch, *states)
    told: list[Added] = []
    with pytest.raises(Enough):
        watch(add, [], told.append, every=0)
    return len(told)


def test_a_file_that_is_still_written_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(monkeypatch, Added, "a", "a", "a") == 1, "nothing changed after the first"
    assert count(monkeypatch, Added, "a", "b", "c", "d") == 1, "nothing rested"
    assert count(monkeypatch, Added, "a", "b", "c", "c", "c") == 2


def test_a_busy_home_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter([Busy("busy", ""), Busy("busy", ""), None])

    def add() -> Added:
        if (fault := next(tries)) is not None:
            raise fault
        return Added()

    assert count(monkeypatch, add, "a", "a", "a", "a") == 1


def test_what_cannot_be_read_at_all_ends_it(tmp_path: Path) -> None:
    def add() -> Added:
        raise BadInput("gone", "")

    with pytest.raises(BadInput):
        watch(add, [tmp_path], print, every=0)


def test_a_glance_sees_what_a_walk_would(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / ".hidden").write_text("h")
    (tmp_path / "deep" / "b.txt").write_text("bb")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / "nothing").symlink_to(tmp_path / "none")
    first = glance([tmp_path])
    assert {Path(path).relative_to(tmp_path).as_posix(): size for path, (size, _) in first.items()} == {"a.txt": 1, "deep/b.txt": 2}
    os.utime(tmp_path / "a.txt", ns=(1, 1))
    assert glance([tmp_path]) != first
    assert glance([tmp_path / "none"]) == {}


def test_ctrl_c_ends_it(tmp_path: Path, plug: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The first text.")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(SOURCE), str(plug)))}
    command = [sys.executable, "-m", "selfstudy", "--set", "embedder=fake:64", "add", "docs", "--watch"]
    child = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("Documents: 1 added")
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=300)
    assert child.returncode == 130
    assert "Stopped." in said
