"""Files that survive a kill, logs and locks."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from selfstudy.core.errors import Busy, HomeError
from selfstudy.core.files import (
    Lock,
    Log,
    home_error,
    make_folder,
    read_json,
    sync_tree,
    whole_file,
    whole_folder,
    write_atomic,
    write_json,
)

HOLD = """
import sys
from pathlib import Path
from selfstudy.core.files import Lock
with Lock(Path(sys.argv[1]), "adding documents"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def unwritable() -> Iterator[Path]:
    """A folder that nobody may write in, looked at as a user for whom that counts."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "old.txt").write_text("old")
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_write_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "first")
    write_atomic(path, "zweite, 第二".encode())
    assert path.read_text(encoding="utf-8") == "zweite, 第二"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_that_fails_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "inside").write_text("kept")
    with pytest.raises(HomeError, match="it is a folder") as caught:
        write_atomic(path, "new")
    assert len(str(caught.value).splitlines()) == 2
    assert (path / "inside").read_text() == "kept"
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


def test_a_file_is_whole_or_not_there_and_errors_of_the_block_pass(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, "old")
    with pytest.raises(FileNotFoundError), whole_file(path) as file:
        file.write(b"half " + (tmp_path / "another").read_bytes())
    with pytest.raises(PermissionError, match="another place"), whole_file(path):
        raise PermissionError(errno.EACCES, "another place")
    assert path.read_text() == "old"
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_whole_or_not_there_and_the_first_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept"
    with pytest.raises(FileNotFoundError), whole_folder(kept) as beside:
        shutil.copy(__file__, beside / "none" / "half")
    assert list(tmp_path.iterdir()) == []
    synced = []
    fsync = os.fsync
    monkeypatch.setattr("os.fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}")) or fsync(handle))
    with whole_folder(kept) as late, whole_folder(kept) as first:
        (first / "sub").mkdir()
        (first / "sub" / "who").write_text("first")
        (first / "link").symlink_to(tmp_path / "nowhere")
        (late / "who").write_text("late")
    assert {Path(path).name for path in synced} >= {"who", "sub", first.name, tmp_path.name}, "on the disk before it has its name"
    assert sorted(path.name for path in kept.rglob("*")) == ["link", "sub", "who"]
    assert (kept / "sub" / "who").read_text() == "first"
    assert kept.stat().st_mode & 0o777 == 0o755, "others may read it"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), whole_folder(tmp_path / "file"):
        pass


def test_json_round_trip_and_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"x": [1, "ü"], "y": None})
    assert read_json(path) == {"x": [1, "ü"], "y": None}
    path.write_text('{"x": [1,')
    with pytest.raises(HomeError, match="damaged"):
        read_json(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


def test_unwritable_folder_is_told_in_two_lines() -> None:
    with unwritable() as folder:
        for act in (
            lambda: write_atomic(folder / "new.txt", "x"),
            lambda: Log(folder / "log.jsonl"),
            lambda: Lock(folder / "lock").__enter__(),
            lambda: make_folder(folder / "sub"),
        ):
            with pytest.raises(HomeError, match="permission is denied") as caught:
                act()
            assert len(str(caught.value).splitlines()) == 2
        assert [item.name for item in folder.iterdir()] == ["old.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_is_told_in_two_lines() -> None:
    with Log(Path("/dev/full")) as log:
        with pytest.raises(HomeError, match="the disk is full") as caught:
            log.append("a")
        assert "a" not in log
    assert len(str(caught.value).splitlines()) == 2


def test_other_faults_pass() -> None:
    assert home_error("x", FileNotFoundError(errno.ENOENT, "")) is None
    for number in (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT):
        assert home_error("x", OSError(number, "")) is not None


def test_make_folder_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(HomeError, match="not a folder"):
        make_folder(tmp_path / "a")
    with pytest.raises(HomeError, match="not a folder"):
        make_folder(tmp_path / "a" / "b")


def test_log_remembers_what_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        log.append("a", {"n": 1})
        log.extend({"b": "line\nbreak", "ü": None})
        assert "a" in log
        assert "c" not in log
    with Log(path) as log:
        assert list(log) == ["a", "b", "ü"]
        assert log["b"] == "line\nbreak"
        assert log.values() == [{"n": 1}, "line\nbreak", None]


@pytest.mark.parametrize("torn", ['{"id": "c", "val', '{"id": "c", "value": 3}', "{", "\x00" * 40])
def test_torn_last_line_is_not_finished(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        log.append("a", 1)
        log.append("b", 2)
    with open(path, "a") as file:
        file.write(torn)
    with Log(path) as log:
        assert list(log) == ["a", "b"]
        log.append("c", 4)
    with Log(path) as log:
        assert log.values() == [1, 2, 4]
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["a", "b", "c"]


def test_lock_tells_who_holds_it_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "write.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    with holder, holder.stdout, holder.stdin:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy) as caught, Lock(path, "other"):
            pass
        assert f"process {holder.pid} has been adding documents since 20" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 2
        holder.kill()
        holder.wait()
    with Lock(path, "other"):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    with Lock(path), pytest.raises(Busy), Lock(path, wait=0.1):
        pass


def test_sync_tree_takes_whole_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(os.readlink(f"/proc/self/fd/{handle}"))))
    sync_tree(tmp_path, 0)
    assert sorted(synced) == [tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    synced.clear()
    sync_tree(tmp_path, time.time() + 60)
    sync_tree(tmp_path / "none", 0)
    assert synced == []
