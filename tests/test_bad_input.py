"""What is wrong, too much or too little, given to the real command line over a real home: two lines, no traceback, nothing half-written."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selfstudy.core.files import Lock
from selfstudy.index.state import FORMAT, NAME
from selfstudy.index.store import LOCK, Store

QUOTED = 'Bob\'s "best" notes; drop -- %_.md'
Process = Callable[..., subprocess.CompletedProcess[str]]
Run = Callable[..., tuple[int, str, str]]


def write(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def told(given: tuple[int, str, str], code: int, *parts: str) -> None:
    """The error is of this exit code, in two lines that hold `parts`, and nothing else was printed."""
    assert given[:2] == (code, ""), given
    lines = [line for line in given[2].splitlines() if not line.endswith((": kept", " s"))]
    assert len(lines) == 2, given[2]
    assert all(part in given[2] for part in parts), given[2]


def files(home: Path) -> dict[str, bytes]:
    """Everything in a home but its locks, which hold no data."""
    paths = (path for path in home.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in paths}


# Questions


@pytest.mark.parametrize("verb", ["search", "ask"])
def test_a_question_that_is_too_long(run: Run, home: Path, verb: str) -> None:
    told(run(verb, "how long? " * 10_000), 2, "99,999 characters", "10,000")


@pytest.mark.parametrize("verb", ["search", "ask"])
@pytest.mark.parametrize("question", ["", " \n\t "])
def test_an_empty_question(run: Run, home: Path, verb: str, question: str) -> None:
    told(run(verb, question), 2, "empty")


@pytest.mark.parametrize("verb", ["search", "ask"])
def test_a_question_of_bytes_that_are_no_text(run: Run, home: Path, verb: str) -> None:
    told(run(verb, os.fsdecode(b"\xff pump")), 2, "bytes that are no text", "UTF-8")


@pytest.mark.parametrize(
    "question", ["what is it and why was that", "?!", "茶怎么泡？", "ما هو الشاي", "🍵", "a" * 9_999, "\x00 \x1b[2J", "x' or 'y"]
)
@pytest.mark.parametrize("by", ["lexical", "dense", "hybrid"])
def test_any_words_in_any_script_are_searched_for(run: Run, home: Path, question: str, by: str) -> None:
    code, out, _ = run("search", "--by", by, "--json", "--", question)
    assert code == 0
    assert isinstance(json.loads(out), list)


@pytest.mark.parametrize("question", ["what is it and why was that", "?!", "茶怎么泡？"])
def test_a_question_that_the_documents_do_not_answer(run: Run, home: Path, question: str) -> None:
    code, out, _ = run("ask", question, "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["abstained"] is True
    assert answer["citations"] == []


@pytest.mark.parametrize("k", ["0", "-3"])
def test_a_k_below_one(run: Run, home: Path, k: str) -> None:
    told(run("search", "tea", "-k", k), 2, f"k is {k}")


def test_a_k_above_what_there_is_gives_all(run: Run, home: Path) -> None:
    code, out, _ = run("search", "tea", "-k", "1000000", "--json")
    assert code == 0
    assert len(json.loads(out)) == 4


# Filters


@pytest.mark.parametrize("verb", ["search", "ask"])
def test_a_filter_on_an_unknown_field(run: Run, home: Path, verb: str) -> None:
    told(run(verb, "tea", "--where", "tilte = 'Tea'"), 2, "'tilte'", "did you mean 'title'?", "source")


@pytest.mark.parametrize(
    "where", ["title =", "title = 'Tea", "title = 'Tea' and", "(title = 'Tea'", "", "title = 'Tea'; drop table", "'" * 10_001]
)
def test_a_filter_that_cannot_be_read(run: Run, home: Path, where: str) -> None:
    told(run("search", "tea", "--where", where), 2, "filter")


@pytest.mark.parametrize("by", ["lexical", "dense", "hybrid"])
def test_a_file_name_with_quotes_in_a_filter(run: Run, home: Path, by: str) -> None:
    quoted = QUOTED.replace("'", "''")
    for where in (f"id = '{quoted}'", f"source like '%/{quoted.replace('%', chr(92) + '%').replace('_', chr(92) + '_')}'"):
        code, out, err = run("search", "tea or the kettle", "--by", by, "--where", where, "--json")
        assert code == 0, err
        assert [hit["passage"]["title"] for hit in json.loads(out)] == ["Notes"]


# Paths, keys, names


def test_a_path_that_is_not_there(run: Run, home: Path) -> None:
    before = files(home)
    told(run("add", "dcos"), 2, "'dcos'")
    assert files(home) == before


def test_a_wrong_path_makes_no_home(tmp_path: Path, process: Process) -> None:
    done = process(tmp_path, "--home", "home", "add", "nothing/here")
    told((done.returncode, done.stdout, done.stderr), 2, "nothing/here")
    assert not (tmp_path / "home").exists()


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_on(run: Run, home: Path) -> None:
    write(Path("docs"), {"good.txt": "The good file says that milk is steamed."})
    Path("docs/empty.txt").write_bytes(b"")
    Path("docs/photo.jpeg").write_bytes(b"\xff\xd8\xff\xe0 0123")
    Path("docs/bad.jsonl").write_text('{"_id": "1", "text": "One row that is good."}\n{"_id": 2, "text"\n')
    code, out, _ = run("add", "docs", "--json")
    assert code == 0
    added = json.loads(out)
    assert added["documents_added"] == 2
    assert sorted(one["source"].rpartition("/")[2] for one in added["set_aside"]) == [
        "bad.jsonl:2",
        "broken.pdf",
        "empty.txt",
        "photo.jpeg",
    ]
    assert all(one["reason"] for one in added["set_aside"])
    told_again = json.loads(run("status", "--json")[1])["set_aside"]
    assert all(one in told_again for one in added["set_aside"])


def test_a_document_that_is_not_there_cannot_be_removed_and_then_none_is(run: Run, home: Path) -> None:
    told(run("remove", "coffee.md", "tee.md"), 2, "'tee.md'", "did you mean 'tea.md'?")
    assert json.loads(run("status", "--json")[1])["documents"] == 3


def test_labelled_questions_with_faults(run: Run, home: Path) -> None:
    Path("q.jsonl").write_text('{"_id": "q1", "text": "How is tea made?"}\n{"text": "no id"}\nnothing\n')
    Path("r.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ttea.md\t1\n")
    told(run("evaluate", "--queries", "q.jsonl", "--qrels", "r.tsv"), 2, "q.jsonl:2", "q.jsonl:3")
    Path("q.jsonl").write_text('{"_id": "q1", "text": "How is tea made?"}\n')
    told(run("evaluate", "--queries", "q.jsonl", "--qrels", "r.tsv", "--scope", "titel"), 2, "'titel'", "did you mean 'title'?")
    told(run("evaluate", "--queries", "none.jsonl", "--qrels", "r.tsv"), 2, "none.jsonl")


def test_questions_without_a_label_are_counted(run: Run, home: Path) -> None:
    Path("q.jsonl").write_text('{"_id": "1", "text": "green tea"}\n{"_id": "2", "text": "espresso"}\n{"_id": "3", "text": " "}\n')
    Path("r.tsv").write_text("query-id\tcorpus-id\tscore\n1\ttea.md\t1\n3\ttea.md\t1\n")
    code, out, _ = run("evaluate", "--queries", "q.jsonl", "--qrels", "r.tsv")
    assert code == 0
    assert "Left out: 1 questions" in out
    found = json.loads(run("evaluate", "--queries", "q.jsonl", "--qrels", "r.tsv", "--json")[1])
    assert (found["unlabelled"], found["set_aside"]) == (1, ["3"])


def test_a_budget_without_anything_to_pay(run: Run, home: Path) -> None:
    told(run("adapt", "--budget", "money=2"), 2, "--budget", "none here", "llm=openai:")


def test_an_empty_folder_is_said_to_be_empty(run: Run, home: Path) -> None:
    Path("nothing").mkdir()
    code, out, _ = run("add", "nothing")
    assert (code, "Nothing that can be read was found there" in out) == (0, True)
    assert "Nothing that can be read" not in run("add", "docs")[1]


def test_an_unknown_key(run: Run, home: Path) -> None:
    told(run("promote", "abcdef", "--force"), 2, "'abcdef'")


# Configuration


def test_every_fault_of_the_configuration_at_once(run: Run, home: Path) -> None:
    before = files(home)
    (home / "config.toml").write_text('embeder = "x"\nweight = 3\n[chunk]\nword = 100\n[gate]\nalpha = "high"\n')
    code, out, err = run("add", "docs")
    assert (code, out) == (2, "")
    assert "4 faults" in err
    for part in ("did you mean 'embedder'?", "weight = 3 (config.toml)", "did you mean 'words'?", 'gate.alpha = "high" (config.toml)'):
        assert part in err
    assert "Traceback" not in err
    assert files(home) | {"config.toml": b""} == before | {"config.toml": b""}


def test_a_configuration_that_is_no_toml(run: Run, home: Path) -> None:
    (home / "config.toml").write_text("weight = = 3\n")
    told(run("search", "tea"), 2, "config.toml", "line 1")


def test_settings_given_on_the_line(run: Run, home: Path) -> None:
    code, _, err = run("--set", "wieght=0.5", "adapt", "--set", "training.minutes=soon")
    assert code == 2
    assert "2 faults" in err
    assert "'weight'" in err
    assert "training.minutes" in err


def test_an_embedder_that_nobody_brings(run: Run, home: Path) -> None:
    told(run("--set", "embedder=minilmm:x", "search", "tea"), 2, "'minilmm'", "did you mean 'minilm'?", "fake:")


# Homes


@pytest.mark.parametrize(
    "verb", [["status"], ["search", "tea"], ["ask", "tea?"], ["add", "docs"], ["adapt"], ["adapt", "--plan"], ["history"], ["rollback"]]
)
def test_a_home_of_a_newer_version(run: Run, home: Path, verb: list[str]) -> None:
    state = json.loads((home / NAME).read_text())
    (home / NAME).write_text(json.dumps(state | {"format": FORMAT + 1, "unheard": "of"}))
    before = files(home)
    told(run(*verb), 3, "newer version", "Update")
    assert files(home) == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "one"}'])
def test_a_damaged_pointer(run: Run, home: Path, content: str) -> None:
    (home / NAME).write_text(content)
    told(run("search", "tea"), 3, NAME)


def test_a_folder_that_holds_a_home_is_none_itself(run: Run, home: Path) -> None:
    (Path("outer") / ".selfstudy").mkdir(parents=True)
    told(run("--home", "outer", "status"), 3, "There is no index in outer.", "Add documents first")
    (home / NAME).rename(Path("outer") / ".selfstudy" / NAME)
    told(run("--home", "outer", "status"), 3, "There is no index in outer.", "selfstudy --home outer/.selfstudy")


def test_a_damaged_table(run: Run, home: Path) -> None:
    for path in home.rglob("*.manifest"):
        path.write_bytes(b"nothing")
    told(run("search", "tea"), 3)


def test_a_home_where_nobody_makes_folders(run: Run, home: Path) -> None:
    told(run("--home", "/proc/nothing/here", "add", "docs"), 3, "/proc/nothing", "another place")


def test_a_home_that_is_a_file(run: Run, home: Path) -> None:
    shutil.rmtree(home)
    home.write_text("")
    told(run("add", "docs"), 3, "home")
    assert home.read_text() == ""


def bound_by_permissions() -> None:
    """Give up the superuser's right to write what nobody may write (CAP_DAC_OVERRIDE), from the next program on."""
    if os.geteuid() == 0:
        ctypes.CDLL(None, use_errno=True).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def read_only(home: Path) -> Iterator[Path]:
    """The home without the right to write anywhere in it."""
    everything = [home, *home.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    tried = subprocess.run(["touch", home / "x"], preexec_fn=bound_by_permissions, capture_output=True, check=False)
    if tried.returncode == 0:
        pytest.skip("this superuser cannot give up its rights")
    yield home.absolute()
    for path in everything:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_read_only_home_is_searched_and_never_written(read_only: Path, process: Process) -> None:
    before = files(read_only)
    Path("docs/new.txt").write_text("A new file says that milk is steamed.")
    done = process(Path.cwd(), "--home", "home", "add", "docs", before=bound_by_permissions)
    told((done.returncode, done.stdout, done.stderr), 3, "permission is denied", "--home")
    done = process(Path.cwd(), "--home", "home", "search", "tea", "--json", before=bound_by_permissions)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 4
    assert files(read_only) == before


def test_a_full_disk_keeps_what_was_there(run: Run, home: Path, process: Process) -> None:
    """No file may grow beyond 64 KiB: the system refuses the write as it does on a full disk."""
    write(Path("docs"), {f"long{i}.txt": " ".join(f"word{i}x{j} and more." for j in range(4_000)) for i in range(5)})
    before = json.loads(run("status", "--json")[1])

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))

    done = process(Path.cwd(), "--home", "home", "add", "docs", before=little)
    told((done.returncode, done.stdout, done.stderr), 3)
    after = json.loads(run("status", "--json")[1])
    assert {**after, "set_aside": None} == {**before, "set_aside": None}
    code, out, _ = run("add", "docs", "--json")
    assert code == 0
    assert json.loads(out)["documents_added"] == 5


def test_a_second_writer_is_told_who_the_first_is(run: Run, home: Path) -> None:
    with Lock(home / LOCK, "adding documents"):
        told(run("add", "docs"), 3, str(os.getpid()), "adding documents", "Wait")
        told(run("remove", "tea.md"), 3, "adding documents")
        assert run("search", "tea")[0] == 0, "readers wait for nobody"
    assert run("add", "docs")[0] == 0


def test_a_second_adapt_is_told_of_the_first(run: Run, home: Path) -> None:
    with Lock(home / "adapt.lock", "adapting"):
        told(run("adapt"), 3, "adapting")


# Too little


def test_three_passages_prove_nothing(run: Run, home: Path) -> None:
    assert run("remove", QUOTED)[0] == 0
    assert json.loads(run("status", "--json")[1])["passages"] == 3
    before = files(home)
    told(run("adapt"), 4, "3 passages", "too little to prove anything", "Add more")
    assert files(home) == before
    assert run("history", "--json")[1] == "[]\n"


def test_one_passage_again_and_again_proves_nothing(run: Run, home: Path) -> None:
    shutil.rmtree(home)
    same = "The kettle is descaled with vinegar every month, and rinsed twice."
    shutil.rmtree("docs")
    write(Path("docs"), {f"{number:03}.txt": same for number in range(200)})
    assert run("--set", "embedder=fake:64", "add", "docs")[0] == 0
    code, out, _ = run("--set", "embedder=fake:64", "status", "--json")
    status = json.loads(out)
    assert (code, status["documents"], status["passages"]) == (0, 200, 1)
    told(run("--set", "embedder=fake:64", "adapt"), 4, "1 passage")
    assert len(json.loads(run("--set", "embedder=fake:64", "search", "kettle", "--json")[1])) == 1


def test_nearly_the_same_passage_again_and_again_proves_nothing(run: Run, home: Path) -> None:
    shutil.rmtree(home)
    shutil.rmtree("docs")
    write(Path("docs"), {f"{n:03}.txt": f"The kettle is descaled with vinegar every month, and rinsed {n} times." for n in range(60)})
    given = ("--set", "embedder=fake:64")
    assert run(*given, "add", "docs")[0] == 0
    before = json.loads(run(*given, "status", "--json")[1])
    code, out, err = run(*given, "adapt")
    assert (code, out) == (4, "")
    assert "too little" in err
    assert json.loads(run(*given, "status", "--json")[1]) == before


def test_numbers_alone_prove_nothing_and_are_found_all_the_same(run: Run, home: Path) -> None:
    shutil.rmtree(home)
    shutil.rmtree("docs")
    write(Path("docs"), {f"{n:03}.txt": " ".join(str(n * 7919 + place * 104729) for place in range(40)) for n in range(30)})
    given = ("--set", "embedder=fake:64")
    assert run(*given, "add", "docs")[0] == 0
    passages = json.loads(run(*given, "status", "--json")[1])["passages"]
    assert passages >= 30
    code, out, err = run(*given, "adapt")
    assert (code, out) == (4, "")
    assert "too little" in err
    found = json.loads(run(*given, "search", str(3 * 7919), "--json")[1])
    assert found[0]["passage"]["places"][0]["document"] == "003.txt"
    looked = json.loads(run(*given, "inspect", "--json")[1])
    assert (looked["passages"], looked["questions"]) == (passages, 0)


def test_nothing_in_it(run: Run, home: Path) -> None:
    shutil.rmtree(home)
    shutil.rmtree("docs")
    Path("docs").mkdir()
    given = ("--set", "embedder=fake:64")
    assert run(*given, "add", "docs")[0] == 0
    assert run(*given, "search", "tea", "--json")[:2] == (0, "[]\n")
    code, out, _ = run(*given, "ask", "What is tea?", "--json")
    assert (code, json.loads(out)["abstained"]) == (0, True)
    told(run(*given, "adapt"), 4, "0 passages")


def test_the_store_is_left_as_a_store(run: Run, home: Path) -> None:
    """After all that is refused above a home is still one that opens and holds what it held."""
    for arguments in (["search", ""], ["add", "none"], ["promote", "x"], ["search", "x", "-k", "0"]):
        assert run(*arguments)[0] == 2
    assert len(Store.open(home).snapshot()) == 4
