"""Walking folders: sorted, once each, hidden ones left out, faults named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selfstudy.core.errors import BadInput
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.set_aside import SetAside


def put(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def ids(*paths: Path) -> list[str]:
    return [found.id for found in walk(paths) if isinstance(found, SourceFile)]


def reasons(*paths: Path) -> dict[str, str]:
    return {Path(found.source).name: found.reason for found in walk(paths) if isinstance(found, SetAside)}


def test_files_come_sorted_with_ids_relative_to_the_folder(tmp_path: Path) -> None:
    for name in ("b/z.txt", "a.txt", "b/a/q.md", "B.txt"):
        put(tmp_path / name)
    assert ids(tmp_path) == ["B.txt", "a.txt", "b/a/q.md", "b/z.txt"]


def test_a_file_added_alone_has_its_name_for_an_id_and_its_facts(tmp_path: Path) -> None:
    path = put(tmp_path / "deep" / "one.txt", "hello")
    (found,) = walk([path])
    assert found == SourceFile("one.txt", path, 5, path.stat().st_mtime_ns)
    assert SourceFile.load(found.json()) == found


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in (".git/config.txt", ".DS_Store", "~$draft.txt", "kept.txt", "in/.hidden.txt"):
        put(tmp_path / name)
    assert ids(tmp_path) == ["kept.txt"]


def test_a_hidden_folder_is_read_when_named(tmp_path: Path) -> None:
    put(tmp_path / ".notes" / "a.txt")
    assert ids(tmp_path / ".notes") == ["a.txt"]


def test_links_in_a_circle_end_and_no_file_comes_twice(tmp_path: Path) -> None:
    put(tmp_path / "z" / "a.txt")
    (tmp_path / "z" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "z")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert ids(tmp_path) == ["z/a.txt"]
    assert reasons(tmp_path)["self"].startswith("unreadable")


def test_a_link_out_of_the_folder_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "a.txt")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "more").symlink_to(tmp_path / "elsewhere")
    assert ids(tmp_path / "docs") == ["more/a.txt"]


def test_overlapping_paths_give_each_file_once(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "a.txt")
    assert ids(tmp_path, tmp_path / "sub") == ["sub/a.txt"]


def test_two_files_of_one_id_are_not_lost_silently(tmp_path: Path) -> None:
    put(tmp_path / "x" / "readme.md")
    put(tmp_path / "y" / "readme.md")
    assert ids(tmp_path / "x", tmp_path / "y") == ["readme.md"]
    assert "already that of" in reasons(tmp_path / "x", tmp_path / "y")["readme.md"]


def test_a_missing_path_is_bad_input_before_anything_is_read(tmp_path: Path) -> None:
    put(tmp_path / "a.txt")
    with pytest.raises(BadInput, match="no file or folder"):
        walk([tmp_path, tmp_path / "gone"])


def test_broken_links_pipes_and_locked_files_are_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "good.txt")
    put(tmp_path / "locked.txt")
    (tmp_path / "nowhere.txt").symlink_to(tmp_path / "gone.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked.txt" and access(path, mode))
    assert ids(tmp_path) == ["good.txt"]
    found = reasons(tmp_path)
    assert found["locked.txt"] == "unreadable: permission denied"
    assert found["nowhere.txt"] == "unreadable: a link to nothing"
    assert found["pipe.txt"].startswith("not a regular file")


def test_a_folder_that_cannot_be_listed_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "locked" / "a.txt")
    put(tmp_path / "b.txt")
    listdir = os.listdir

    def refuse(path: Path) -> list[str]:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert ids(tmp_path) == ["b.txt"]
    assert reasons(tmp_path) == {"locked": "unreadable: permission denied"}


def test_a_name_that_is_no_unicode_is_set_aside(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    (found,) = walk([tmp_path])
    assert isinstance(found, SetAside)
    assert "not valid Unicode" in found.reason
    found.source.encode("utf-8")


def test_quotes_and_spaces_in_names_are_kept(tmp_path: Path) -> None:
    put(tmp_path / 'it\'s "so".txt')
    assert ids(tmp_path) == ['it\'s "so".txt']
