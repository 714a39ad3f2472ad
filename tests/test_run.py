"""Stages: kept, resumed, planned, stopped; artifacts: whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from selfstudy.core.artifacts import artifacts, complete, find, manifest, read_records, write_records
from selfstudy.core.errors import BadInput, Busy, HomeError, Stopped
from selfstudy.core.files import Lock
from selfstudy.core.records import Artifact, Passage, Place
from selfstudy.core.run import Lazy, Quiet, Run, Work, stage


class Config(BaseModel):
    words: int = 3
    threads: int = Field(default=1, exclude=True)


class Seen(Quiet):
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def stage_started(self, name: str, resumed: bool) -> None:
        self.told.append(("started", name, resumed))

    def progress(self, name: str, done: int, total: int) -> None:
        self.told.append(("progress", done, total))

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None:
        self.told.append(("finished", name, kept))


@stage("test.write", version=2)
def write(work: Work, config: Config, *inputs: object, **named: object) -> dict[str, int]:
    (work.folder / "out.txt").write_text("x" * config.words)
    work.progress(1, 1)
    return {"words": config.words}


def test_a_finished_stage_is_kept(tmp_path: Path) -> None:
    seen = Seen()
    first = Run(tmp_path, seen).stage(write, Config())
    assert (first.path / "out.txt").read_text() == "xxx"
    assert first.path.name == f"write-{first.key}"
    assert seen.told == [("started", "test.write", False), ("progress", 1, 1), ("finished", "test.write", False)]
    seen.told.clear()
    again = Run(tmp_path, seen)
    assert again.stage(write, Config()) == first
    assert seen.told == [("finished", "test.write", True)]
    assert again.result(first) == {"words": 3}
    made = manifest(first)
    assert (made.stage, made.version, made.config, made.files) == ("test.write", 2, {"words": 3}, {"out.txt": 3})
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [first.path.name]


def test_the_key_follows_everything_that_changes_the_output(tmp_path: Path) -> None:
    @stage("test.write", version=3)
    def newer(work: Work, config: Config) -> None: ...

    class Model:
        def __init__(self, fingerprint: str) -> None:
            self.fingerprint = fingerprint

    passage = Passage("p", "Title", "Text")
    run = Run(tmp_path, planning=True)
    keys = [
        run.stage(write, Config()).key,
        run.stage(newer, Config()).key,
        run.stage(write, Config(words=4)).key,
        run.stage(write, Config(), Artifact("k1", "write", tmp_path)).key,
        run.stage(write, Config(), Artifact("k2", "write", tmp_path)).key,
        run.stage(write, Config(), Model("a")).key,
        run.stage(write, Config(), Model("b")).key,
        run.stage(write, Config(), passage).key,
        run.stage(write, Config(), "k1", "k2").key,
        run.stage(write, Config(), ["k1", "k2"]).key,
        run.stage(write, Config(), "k1k2").key,
        run.stage(write, Config(), left="k1").key,
        run.stage(write, Config(), right="k1").key,
        run.stage(write, None).key,
    ]
    assert len(set(keys)) == len(keys)
    assert run.stage(write, Config(threads=8)).key == keys[0]
    assert run.stage(write, Config(), Artifact("k1", "write", tmp_path / "elsewhere")).key == keys[3]
    assert run.stage(write, Config(), Lazy("k1", lambda: 1)).key == keys[3]
    assert run.stage(write, Config(), a=1, b=2).key == run.stage(write, Config(), b=2, a=1).key
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("thing", [Path("x"), object(), {1: "a"}])
def test_an_input_that_cannot_be_told_from_another_is_refused(tmp_path: Path, thing: object) -> None:
    with pytest.raises(TypeError):
        Run(tmp_path).stage(write, Config(), thing)


def test_lazy_inputs_load_only_when_the_stage_runs(tmp_path: Path) -> None:
    got: list[object] = []

    @stage("test.use")
    def use(work: Work, config: None, model: str, *, pair: dict[str, str]) -> None:
        got.append((model, pair))

    loads: list[str] = []

    def load() -> str:
        loads.append("loaded")
        return "model"

    inputs = (Lazy("m", load),)
    Run(tmp_path, planning=True).stage(use, None, *inputs, pair={"a": Lazy("n", load)})
    assert loads == []
    for _ in range(2):
        Run(tmp_path).stage(use, None, *inputs, pair={"a": Lazy("n", load)})
    assert (got, len(loads)) == ([("model", {"a": "model"})], 2)


def test_a_stage_that_fails_goes_on_where_it_was(tmp_path: Path) -> None:
    calls: list[str] = []
    broken = [True]

    @stage("test.ask")
    def ask(work: Work, config: None) -> int:
        with work.log("asked") as log:
            for name in "abcde":
                if name in log:
                    continue
                if name == "d" and broken[0]:
                    raise RuntimeError("the line is down")
                calls.append(name)
                log.append(name, name.upper())
            write_names = log.values()
        (work.folder / "out.json").write_text(json.dumps(write_names))
        return len(write_names)

    with pytest.raises(RuntimeError, match="line is down"):
        Run(tmp_path).stage(ask, None)
    assert artifacts(tmp_path) == []
    assert [p.state for p in planned(tmp_path, ask)] == ["resume"]
    broken[0] = False
    seen = Seen()
    made = Run(tmp_path, seen).stage(ask, None)
    assert "".join(calls) == "abcde"
    assert json.loads((made.path / "out.json").read_text()) == list("ABCDE")
    assert ("started", "test.ask", True) in seen.told
    assert manifest(made).resumed


def planned(folder: Path, made_by: object) -> list[object]:
    run = Run(folder, planning=True)
    run.stage(made_by, None)
    return list(run.planned)


def test_a_plan_says_what_is_kept_and_how_long_the_rest_takes(tmp_path: Path) -> None:
    @stage("test.slow", estimate=lambda config, *inputs: 60.0 * config.words)
    def slow(work: Work, config: Config, before: Artifact) -> None: ...

    @stage("test.other")
    def other(work: Work, config: Config) -> None: ...

    first = Run(tmp_path).stage(write, Config())
    run = Run(tmp_path, planning=True)
    run.stage(slow, Config(), run.stage(write, Config()))
    run.stage(write, Config(words=9))
    run.stage(other, Config())
    kept, estimated, recorded, unknown = run.planned
    assert (kept.state, kept.seconds, kept.key) == ("kept", 0.0, first.key)
    assert (estimated.state, estimated.seconds) == ("run", 180.0)
    assert (recorded.state, recorded.seconds) == ("run", manifest(first).seconds)
    assert (unknown.state, unknown.seconds) == ("run", None)
    assert len(artifacts(tmp_path)) == 1


def test_a_damaged_artifact_is_made_again(tmp_path: Path) -> None:
    made = Run(tmp_path).stage(write, Config())
    (made.path / "out.txt").write_text("x")
    assert complete(made.path) is None
    Run(tmp_path).stage(write, Config())
    assert (made.path / "out.txt").read_text() == "xxx"
    (made.path / "manifest.json").write_text('{"key": ')
    Run(tmp_path).stage(write, Config())
    assert complete(made.path) is not None
    (made.path / "manifest.json").unlink()
    assert artifacts(tmp_path) == []
    with pytest.raises(HomeError, match="missing"):
        manifest(made)


def test_a_kill_between_manifest_and_rename_costs_only_the_rename(tmp_path: Path) -> None:
    made = Run(tmp_path).stage(write, Config())
    made.path.rename(made.path.with_name(made.path.name + ".work"))
    seen = Seen()
    assert Run(tmp_path, seen).stage(write, Config()) == made
    assert seen.told == [("finished", "test.write", False)]
    assert complete(made.path) is not None


SCRIPT = """
import sys, time
from pathlib import Path
from selfstudy.core.run import Run, Work, stage

@stage("test.count")
def count(work: Work, config: None, marks: str) -> int:
    with work.log("done") as log:
        for number in range(30):
            if str(number) not in log:
                with open(marks, "a") as file:
                    file.write(f"{number}\\n")
                log.append(str(number), number)
                print(number, flush=True)
                time.sleep(0.02)
            work.progress(number + 1, 30)
        return len(log)

run = Run(Path(sys.argv[1]))
print(run.result(run.stage(count, None, sys.argv[2])))
"""


def start(tmp_path: Path) -> subprocess.Popen[str]:
    script = tmp_path / "count.py"
    script.write_text(textwrap.dedent(SCRIPT))
    arguments = [sys.executable, str(script), str(tmp_path / "artifacts"), str(tmp_path / "marks")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_a_killed_process_repeats_no_finished_item(tmp_path: Path) -> None:
    for last in ("4", "11"):
        process = start(tmp_path)
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == last:
                break
        process.kill()
        process.communicate()
        assert artifacts(tmp_path / "artifacts") == []
    out, err = start(tmp_path).communicate(timeout=30)
    assert out.split()[-1] == "30", err
    marks = [int(line) for line in (tmp_path / "marks").read_text().split()]
    assert sorted(set(marks)) == list(range(30))
    assert len(marks) <= 30 + 2  # at most the item in flight at each kill


def test_ctrl_c_stops_cleanly(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "What is finished is kept; run the same command again" in err
    assert "KeyboardInterrupt" not in err
    out, err = start(tmp_path).communicate(timeout=30)
    assert out.split()[-1] == "30", err
    assert (tmp_path / "marks").read_text().split() == [str(number) for number in range(30)]


def test_a_wish_to_stop_ends_the_run_before_the_next_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = Run(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    with run.stop.on_interrupt():
        signal.raise_signal(signal.SIGINT)
        assert "Stopping once what is under way has ended" in caplog.text, "whoever waits knows that it was heard"
        with pytest.raises(Stopped):
            run.stage(write, Config())
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert artifacts(tmp_path) == []


def test_two_processes_do_not_make_the_same_artifact(tmp_path: Path) -> None:
    @stage("test.held")
    def held(work: Work, config: None) -> None:
        key = work.folder.name.removesuffix(".work")
        with pytest.raises(Busy, match="held"), Lock(tmp_path / ".locks" / key):
            pass
        with pytest.raises(Busy):
            Run(tmp_path).stage(held, None)

    assert complete(Run(tmp_path).stage(held, None).path) is not None


def test_half_written_leftovers_do_not_become_part_of_the_artifact(tmp_path: Path) -> None:
    @stage("test.left")
    def left(work: Work, config: None) -> None:
        (work.folder / ".out.json.12.34.part").write_text("half")
        (work.folder / "inside").mkdir()
        (work.folder / "inside" / "out.json").write_text("[]")

    made = Run(tmp_path).stage(left, None)
    assert manifest(made).files == {"inside/out.json": 2}
    assert sorted(path.name for path in made.path.iterdir()) == ["inside", "manifest.json"]


def test_a_work_folder_whose_manifest_no_longer_fits_is_worked_on_again(tmp_path: Path) -> None:
    made = Run(tmp_path).stage(write, Config())
    work = made.path.rename(made.path.with_name(made.path.name + ".work"))
    (work / "out.txt").write_text("damaged")
    assert Run(tmp_path).stage(write, Config()) == made
    assert (made.path / "out.txt").read_text() == "xxx"
    assert complete(made.path) is not None


def test_artifacts_are_found_by_the_beginning_of_their_key(tmp_path: Path) -> None:
    made = [Run(tmp_path).stage(write, Config(words=words)) for words in (1, 2)]
    assert artifacts(tmp_path) == made
    assert find(tmp_path, made[1].key[:12]) == made[1]
    for key in ("", "zz"):
        with pytest.raises(BadInput):
            find(tmp_path, key)


def test_records_survive_the_round_trip(tmp_path: Path) -> None:
    records = [Passage(f"p{i}", "Titel 标题", "line\nline \u2028 🙂", (Place("d", 0, i),)) for i in range(50)]
    path = tmp_path / "x.jsonl"
    assert write_records(path, iter(records)) == 50
    assert list(read_records(path, Passage)) == records
    assert len(path.read_text().split("\n")) == 51


def test_records_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write_records(path, [Passage("old", "", "old")])

    def breaks() -> object:
        yield Passage("new", "", "new")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write_records(path, breaks())
    assert [passage.id for passage in read_records(path, Passage)] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["x.jsonl"]


def test_damaged_records_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write_records(path, [Passage("a", "", "a"), Passage("b", "", "b")])
    path.write_text(path.read_text()[:-10])
    with pytest.raises(HomeError, match="line 2 is no Passage"):
        list(read_records(path, Passage))
    with pytest.raises(HomeError, match="missing"):
        list(read_records(tmp_path / "none.jsonl", Passage))
