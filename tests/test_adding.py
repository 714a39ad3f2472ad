"""What `add` takes, leaves and names: ids that stand twice, files that cannot be read for now, and settings that change."""

from __future__ import annotations

import json
import os
import random
import signal
import zipfile
from pathlib import Path

import pytest

from selfstudy.core.errors import Stopped
from selfstudy.core.run import Quiet
from selfstudy.recipes.engine import Engine

pytestmark = pytest.mark.usefixtures("fake")
WORDS = ["".join(random.Random(n).choices("abcdefghijklmnop", k=6)) for n in range(300)]


def opened(folder: Path, *sets: str) -> Engine:
    return Engine.open(folder / "home", create=True, sets=["embedder=fake:64", *sets])


def rows(path: Path, **texts: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"_id": id.rstrip("_"), "text": text}) + "\n" for id, text in texts.items()))
    return path


def texts(engine: Engine) -> dict[str, str]:
    return {passage.places[0].document: passage.text for passage in engine.store.snapshot().passages}


@pytest.mark.parametrize("again", [False, True], ids=["at once", "read again"])
def test_an_id_that_stands_twice_loses_nothing_silently(tmp_path: Path, again: bool) -> None:
    engine = opened(tmp_path)
    docs = tmp_path / "docs"
    one = rows(docs / "one.jsonl", a="The pump is red.", a_="The pump is blue.", b="The lid is round.")
    two = rows(docs / "two.jsonl", b="The lid is square.", c="The cord is long.")
    (docs / "c").write_text("A file of this name.")
    rows(docs / "zero.jsonl", **{"one.txt": "A row that is called as a file is."})
    (docs / "one.txt").write_text("A file that is called as a row is.")
    told = engine.add([docs])
    if again:
        for path in (one, two):
            path.write_text(path.read_text() + "\n")
        told = engine.add([docs])
    said = {(Path(one.source).name, one.reason.partition(":")[0]) for one in told.set_aside if " id " in one.reason}
    assert said == {
        ("one.jsonl", "the id 'a' stands in it more than once"),
        ("two.jsonl", f"the id 'b' is already that of {one}"),
        ("zero.jsonl", f"the id 'one.txt' is already that of {docs / 'one.txt'}"),
    }
    found = texts(engine)
    assert (found["a"], found["b"], found["c"]) == ("The pump is red.", "The lid is round.", "The cord is long.")
    assert found["one.txt"] == "A file that is called as a row is."
    assert told.documents == 4


def test_an_id_goes_to_whoever_holds_it_still(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    docs = tmp_path / "docs"
    first = rows(docs / "one.jsonl", a="The pump is red.", b="The lid is round.")
    rows(docs / "two.jsonl", b="The lid is square.", c="The cord is long.")
    engine.add([docs], sync=True)
    rows(docs / "one.jsonl", a="The pump is red.")
    rows(docs / "two.jsonl", b="The lid is round.", c="The cord is long.")
    assert engine.add([docs], sync=True).set_aside == (), "the row moved"
    assert texts(engine)["b"] == "The lid is round."
    rows(docs / "one.jsonl", a="The pump is red.", b="The lid is oval.")
    told = engine.add([docs], sync=True)
    assert len(told.set_aside) == 1
    first.unlink()
    engine.add([docs], sync=True)
    told = engine.add([docs], sync=True)
    assert (told.set_aside, texts(engine)["b"]) == ((), "The lid is round.")


def test_other_settings_of_cutting_are_heeded_for_files_that_were_read_before(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("a", "b"):
        said = [" ".join(random.Random(f"{name}{n}").choices(WORDS, k=12)).capitalize() + "." for n in range(20)]
        (tmp_path / "docs" / f"{name}.md").write_text(" ".join(said))
    whole = opened(tmp_path).add([tmp_path / "docs"])
    same = opened(tmp_path).add([tmp_path / "docs"])
    assert (same.documents_unchanged, same.embedded) == (2, 0)
    cut = opened(tmp_path, "chunk.words=40").add([tmp_path / "docs"])
    assert cut.passages > 2 * whole.passages
    assert (cut.documents_changed, cut.documents_added) == (2, 0)
    assert opened(tmp_path, "chunk.words=40").add([tmp_path / "docs"]).embedded == 0


def test_sync_takes_away_what_is_gone_and_not_what_cannot_be_read_now(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    docs = tmp_path / "docs"
    rows(docs / "rows.jsonl", a="The pump is red.", b="The lid is round.")
    (docs / "data.json").write_text('{"text": "The cord is long."}')
    (docs / "old.md").write_text("Nobody needs this.")
    engine.add([docs], sync=True)
    assert len(texts(engine)) == 4
    (docs / "data.json").write_text('{"text": "The cord is lo')
    (docs / "old.md").unlink()
    rows(docs / "rows.jsonl", a="The pump is red.")
    told = engine.add([docs], sync=True)
    assert [Path(one.source).name for one in told.set_aside] == ["data.json"]
    assert (told.documents_removed, sorted(texts(engine))) == (2, ["a", "data.json"])
    assert engine.add([docs], sync=True).documents_removed == 0, "nor by the next look at it"
    rows(docs / "rows.jsonl")
    assert engine.add([docs], sync=True).documents_removed == 1, "an empty file was read, and holds nothing"
    (docs / "data.json").unlink()
    assert engine.add([docs], sync=True).documents_removed == 1


def test_sync_takes_nothing_away_of_a_folder_that_cannot_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(tmp_path)
    docs = tmp_path / "docs"
    (docs / "inside" / "deep").mkdir(parents=True)
    (docs / "inside" / "deep" / "a.md").write_text("The pump is red.")
    (docs / "b.md").write_text("The lid is round.")
    engine.add([docs])
    truly = os.listdir

    def refusing(path: Path) -> list[str]:  # as it is for whoever is no superuser
        if Path(path).name == "inside":
            raise PermissionError(13, "Permission denied", str(path))
        return truly(path)

    monkeypatch.setattr(os, "listdir", refusing)
    told = engine.add([docs], sync=True)
    assert [Path(one.source).name for one in told.set_aside] == ["inside"]
    assert (told.documents_removed, len(texts(engine))) == (0, 2)
    monkeypatch.undo()
    assert engine.add([docs], sync=True).documents_unchanged == 2


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_that_gets_another_id_leaves_no_old_text_behind(tmp_path: Path, sync: bool) -> None:
    engine = opened(tmp_path)
    file = tmp_path / "docs" / "a" / "x.md"
    file.parent.mkdir(parents=True)
    file.write_text("The notice period is 30 days.")
    engine.add([file])
    told = engine.add([tmp_path / "docs"], sync=sync)
    assert (told.documents_added, told.documents_removed, told.embedded) == (1, 1, 0), "what is embedded stays embedded"
    assert texts(engine) == {"a/x.md": "The notice period is 30 days."}
    file.write_text("The notice period is 60 days.")
    engine.add([tmp_path / "docs"], sync=sync)
    assert texts(engine) == {"a/x.md": "The notice period is 60 days."}
    assert [hit.passage.text for hit in engine.search("notice period 30 days")] == ["The notice period is 60 days."]
    assert engine.add([tmp_path / "docs"], sync=sync).documents_unchanged == 1


def test_an_old_id_that_another_file_takes_in_the_same_call_stays_with_it(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    one, two = tmp_path / "one" / "a" / "x.md", tmp_path / "two" / "x.md"
    for file, text in ((one, "The pump is red."), (two, "The lid is round.")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    engine.add([one])
    told = engine.add([tmp_path / "one", tmp_path / "two"])
    assert (told.set_aside, texts(engine)) == ((), {"a/x.md": "The pump is red.", "x.md": "The lid is round."})


def test_what_a_file_holds_no_more_goes_and_what_a_gone_file_held_goes_with_sync(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    docs = tmp_path / "docs"
    rows(docs / "rows.jsonl", a="The pump is red.", b="The lid is round.")
    (docs / "old.md").write_text("The cord is long.")
    engine.add([docs])
    rows(docs / "rows.jsonl", a="The pump is red.")
    (docs / "old.md").unlink()
    assert (engine.add([docs]).documents_removed, sorted(texts(engine))) == (1, ["a", "old.md"])
    assert (engine.add([docs], sync=True).documents_removed, sorted(texts(engine))) == (1, ["a"])


def test_a_row_that_may_be_broken_for_now_goes_with_sync_alone(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    docs = tmp_path / "docs"
    rows(docs / "rows.jsonl", a="The pump is red.", b="The lid is round.")
    engine.add([docs])
    path = rows(docs / "rows.jsonl", a="The pump is red.")
    path.write_text(path.read_text() + '{"_id": "b", "text": \n')
    for _ in range(2):
        told = engine.add([docs])
        assert (told.documents_removed, len(told.set_aside), sorted(texts(engine))) == (0, 1, ["a", "b"])
    assert (engine.add([docs], sync=True).documents_removed, sorted(texts(engine))) == (1, ["a"])


def test_a_file_in_an_archive_that_cannot_be_read_now_is_not_gone(tmp_path: Path) -> None:
    engine = opened(tmp_path)

    def pack(**files: bytes) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(f"{name}.json", data)

    pack(one=b'{"text": "The pump is red."}', two=b'{"text": "The lid is round."}', three=b'{"text": "The cord is long."}')
    engine.add([tmp_path / "a.zip"])
    pack(one=b'{"text": "The pump is red."}', two=b'{"text": "The lid is ro')
    engine.add([tmp_path / "a.zip"], sync=True)
    assert sorted(texts(engine)) == ["a.zip#one.json", "a.zip#two.json"]


def test_a_row_that_moves_from_a_file_that_goes_is_kept(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    docs = tmp_path / "docs"
    one = rows(docs / "one.jsonl", a="The pump is red.", b="The lid is round.")
    rows(docs / "two.jsonl", c="The cord is long.")
    engine.add([docs], sync=True)
    one.unlink()
    rows(docs / "two.jsonl", b="The lid is round.", c="The cord is long.")
    assert (engine.add([docs], sync=True).documents_removed, sorted(texts(engine))) == (1, ["b", "c"])


def test_what_was_read_before_ctrl_c_is_kept(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number, word in enumerate(WORDS[:9]):
        (docs / f"{number}.txt").write_text(f"The {word} is oiled every {number + 2} weeks.")
    engine = opened(tmp_path)

    class Impatient(Quiet):
        def progress(self, name: str, done: int, total: int) -> None:
            if done == 5:
                os.kill(os.getpid(), signal.SIGINT)

    hurried = Engine(engine.home, engine.store, engine.settings, Impatient())
    with pytest.raises(Stopped):
        hurried.add([docs])
    assert len(texts(engine)) == 5
    told = engine.add([docs])
    assert (told.documents_added, told.documents_unchanged, told.embedded) == (4, 5, 4)
