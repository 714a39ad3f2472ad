"""Parsers in processes of their own: whatever a parser does, it costs one file, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.core.records import Document
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import Parse, parse
from selfstudy.corpus.set_aside import SetAside
from selfstudy.corpus.workers import Workers

# What the words of a text file make its parser do. Python runs a module of this name in every process that finds one.
MISCHIEF = """
import ctypes, os, signal, subprocess, sys, time
from selfstudy.corpus.formats.plain import Plain
parse = Plain.parse

def mischief(self, path):
    words = path.read_text().split()
    if words[0] == "exit":
        os._exit(3)
    if words[0] == "crash":
        ctypes.string_at(0)
    if words[0] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if words[0] == "hang":
        while True:
            pass
    if words[0] == "wait":
        time.sleep(600)
    if words[0] == "sleep":
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open(words[1], "w") as note:
            note.write(f"{os.getpid()} {helper.pid}")
        time.sleep(600)
    if words[0] == "swell":
        bytearray(2 * 10**9)
    if words[0] == "print":
        os.write(1, b"noise"), os.write(2, b"noise")
    if words[0] == "rave":
        os.write(int(sys.argv[1]), b"\\0\\0\\0\\7{nonse}")
    if words[0] == "pid":
        from selfstudy.core.records import Document
        yield Document(path.name, str(os.getpid()))
        return
    yield from parse(self, path)

Plain.parse = mischief
"""


@pytest.fixture
def mischief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of text files whose first word their parser obeys, and only in another process than this."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(MISCHIEF)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def put(folder: Path, **texts: str) -> list[SourceFile]:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return [file for file in walk([folder]) if isinstance(file, SourceFile)]


def read(files: list[SourceFile], cfg: Parse) -> dict[str, list[str]]:
    """The texts and the reasons in each file."""
    with Workers(files, cfg) as workers:
        return {file.id: [one.reason if isinstance(one, SetAside) else one.text for one in found] for file, found in workers}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon(true: Callable[[], bool]) -> bool:
    for _ in range(2_400):  # two minutes, on a machine that is busy with other work
        if true():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_parser_does_costs_its_file_and_the_rest_goes_on_in_order(mischief: Path, count: int) -> None:
    orders = ("fine", "exit", "crash", "fine too", "hang", "killed", "swell", "print", "end")
    found = read(put(mischief, **dict(zip("abcdefghi", orders, strict=True))), Parse(workers=count, seconds=2, max_memory=1_500_000_000))
    assert list(found) == [f"{name}.txt" for name in "abcdefghi"]
    assert [one for (one,) in found.values()] == [
        "fine",
        "broken: its parser crashed (exit code 3)",
        "broken: its parser crashed (SIGSEGV)",
        "fine too",
        "slow: a part of it took its parser more than 2 seconds (parse.seconds)",
        "broken: its parser was killed, as the system does where memory is short, or said what makes no sense",
        "huge: to read it takes more than 1500000000 bytes of memory (parse.max_memory)",
        "print",
        "end",
    ]


def test_a_parser_that_speaks_for_its_process_costs_its_file_alone(mischief: Path) -> None:
    found = read(put(mischief, a="fine", b="rave", c="fine too"), Parse(workers=1))
    assert (found["a.txt"], found["c.txt"]) == (["fine"], ["fine too"])
    assert found["b.txt"][0].endswith("said what makes no sense")


def test_a_parser_that_does_nothing_for_long_is_given_up(mischief: Path) -> None:
    (reason,) = read(put(mischief, a="wait"), Parse(seconds=0.2))["a.txt"]
    assert reason == "slow: a part of it took its parser more than 0.2 seconds (parse.seconds)"


def test_documents_come_as_they_do_without_another_process(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("---\nauthor: Ann\nn: 3\nx: 1.0\ntrue: true\n---\n# Töpfe 🍵\n\nText\n\n## Zwei\n\nMehr\n")
    (tmp_path / "rows.jsonl").write_text('{"_id": "a", "text": "x \\ud83c y"}\n{bad\n{"_id": "b", "text": "y"}\n')
    (tmp_path / "bad\nname 🍵.pdf").write_bytes(b"%PDF-1.4 cut")
    files = [file for file in walk([tmp_path]) if isinstance(file, SourceFile)]
    with Workers(files, Parse()) as workers:
        found = [(file, list(inside)) for file, inside in workers]
    assert found == [(file, list(parse(file))) for file in files]
    assert sum(len(inside) for _, inside in found) == 5


def test_what_was_found_before_a_crash_is_kept(mischief: Path) -> None:
    (mischief / "box.mbox").write_text(
        "From a@b Thu Jan  1 00:00:00 2026\nSubject: one\n\nThe first letter.\n\n"
        "From a@b Thu Jan  1 00:00:00 2026\nSubject: two\nContent-Disposition: attachment; filename=plan.txt\n\nexit now\n"
    )
    first, second, crashed = read(put(mischief), Parse())["box.mbox"]
    assert "The first letter." in first
    assert "Subject: two" in second
    assert crashed == "broken: its parser crashed (exit code 3)"


def test_many_files_more_than_are_read_ahead_come_in_order_from_as_few_processes(mischief: Path) -> None:
    files = put(mischief, **{f"f{number:02}": "pid" for number in range(40)})
    found = read(files, Parse(workers=2))
    pids = [one for (one,) in found.values()]
    assert list(found) == [file.id for file in files]
    assert len(set(pids)) == 2
    assert pids[0] not in (pids[1], str(os.getpid()))
    assert soon(lambda: not any(alive(int(pid)) for pid in pids))


def test_a_process_that_holds_much_memory_is_replaced(mischief: Path) -> None:
    found = read(put(mischief, a="pid", b="pid", c="pid"), Parse(workers=1, max_memory=60_000_000_000))
    assert len({one for (one,) in found.values()}) == 1
    found = read(put(mischief), Parse(workers=1, max_memory=40_000_000))  # an interpreter holds more than half of that
    assert len({one for (one,) in found.values()}) == 3


def test_nothing_is_started_where_there_is_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert read([], Parse()) == {}


def test_a_worker_that_cannot_start_is_no_fault_of_the_files(mischief: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="did not start"):
        read(put(mischief, a="fine"), Parse())


def test_a_module_beside_the_documents_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("import os; os._exit(9)")
    monkeypatch.chdir(tmp_path)
    assert read(put(tmp_path, a="fine"), Parse())["a.txt"] == ["fine"]


def test_leaving_early_ends_the_worker_and_what_it_started(mischief: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with Workers(put(mischief, a="fine", b=f"sleep {note}"), Parse(workers=2)) as workers:
        _, found = next(iter(workers))
        assert isinstance(next(found), Document)
        assert soon(lambda: note.exists() and len(note.read_text().split()) == 2)
        pids = [int(pid) for pid in note.read_text().split()]
        assert all(map(alive, pids))
    assert soon(lambda: not any(map(alive, pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends after its file")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_when_its_parent_is_killed(mischief: Path, tmp_path: Path, how: signal.Signals) -> None:
    note = tmp_path / "note"
    put(mischief, a=f"sleep {note}")
    script = (
        "import sys; from pathlib import Path; from selfstudy.corpus.folder import walk; from selfstudy.corpus.parse import Parse\n"
        "from selfstudy.corpus.workers import Workers\n"
        "with Workers(list(walk([Path(sys.argv[1])])), Parse()) as workers: [list(found) for _, found in workers]"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.Popen([sys.executable, "-c", script, str(mischief)], env=environment)
    assert soon(lambda: note.exists() and len(note.read_text().split()) == 2)
    worker, helper = (int(pid) for pid in note.read_text().split())
    parent.send_signal(how)
    parent.wait()
    assert soon(lambda: not alive(worker))
    if alive(helper):
        os.kill(helper, signal.SIGKILL)  # what a killed worker started is its own; ours sleeps


def test_raising_a_limit_reads_again_what_it_kept_out(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "long.txt").write_text("Pumps are reset with a red key. " * 40)
    code, out, _ = run("--set", "parse.max_bytes=100", "add", str(tmp_path / "docs"), "--json")
    assert code == 0
    assert "max_bytes" in json.loads(out)["set_aside"][0]["reason"]
    code, out, _ = run("add", str(tmp_path / "docs"), "--json")
    assert (json.loads(out)["documents_added"], json.loads(out)["set_aside"]) == (1, [])
