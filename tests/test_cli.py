"""The command line over a real home on disk: what goes to which stream, exit codes, JSON, tables. Vectors come from a fake embedder,
registered as any plug-in is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pdfs import lines, write_pdf

from selfstudy.apps import cli, output, progress, snippet, tables
from selfstudy.core.errors import BadInput, Stopped
from selfstudy.core.records import Answer, Citation, Hit, Passage, Place
from selfstudy.corpus.formats.detect import SUFFIXES

SOURCE = Path(__file__).parent.parent / "src"
Run = Callable[..., tuple[int, str, str]]
VERBS = (
    "add", "remove", "audit", "glossary", "search", "ask", "adapt", "questions", "evaluate", "inspect", "distil", "status", "history",
    "promote", "rollback", "prune",
)  # fmt: skip


def test_help_needs_no_heavy_library() -> None:
    script = "import sys; from selfstudy.apps.cli import run; code = run(['search', '--help'])\n"
    script += (
        "assert code == 0; print([n for n in ('torch', 'lancedb', 'openvino', 'numpy', 'selfstudy.recipes.engine') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_and_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Example: selfstudy {verb}" in " ".join(said.split())
    assert "--json" in said
    assert "--set" in said


def test_the_help_of_add_names_what_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["add", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(f" {suffix}" in said for suffix in SUFFIXES)
    assert "selfstudy[office]" in said


def test_without_a_verb_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 0
    said = capsys.readouterr().out
    assert all(f"  {verb} " in said for verb in VERBS)
    assert "config" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serach", "x"], "'search'"),
        (["search"], "question"),
        (["search", "x", "-k", "many"], "-k"),
        (["search", "x", "--by", "luck"], "'lexical', 'dense', 'hybrid'"),
        (["--home", "", "status"], "it is empty"),
        (["add", "x", "--home", "y"], "stands before the verb"),
        (["ask", "x", "--whre", "y"], "--where"),
        (["evaluate", "--queries", "q.jsonl"], "--qrels"),
        (["config"], "Missing command"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_in_two_lines(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    problem, mend = said.err.splitlines()
    assert told in problem
    assert mend.endswith("--help` shows how it is used.")


def test_an_error_with_json_is_one_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.run(["--home", str(tmp_path / "none"), "search", "x", "--json"]) == 3
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert error["kind"] == "HomeError"
    assert error["exit_code"] == 3
    assert said.err.splitlines() == [error["problem"], error["mend"]]
    assert f"--home {tmp_path / 'none'} add" in error["mend"]
    assert not (tmp_path / "none").exists(), "a search makes no home"


def test_add_counts_and_says_what_was_set_aside(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # no path is so long that it is folded
    assert run("add", "docs")[0] == 0
    Path("docs/milk.md").write_text("# Milk\n\nMilk is steamed to sixty degrees.\n")
    Path("docs/tea.md").unlink()
    code, out, err = run("add", "docs", "--sync")
    assert code == 0
    assert "1 added" in out
    assert "1 removed" in out
    assert "broken.pdf" in out
    assert "Milk" not in out
    assert "add: " in err, "progress is told on standard error"
    code, out, _ = run("add", "docs", "--json")
    told = json.loads(out)
    assert (told["documents_added"], told["documents_changed"], told["documents_unchanged"]) == (0, 0, 3)
    assert [one["source"].endswith("broken.pdf") for one in told["set_aside"]] == [True]


def test_search_shows_rank_title_source_and_the_words(run: Run, home: Path) -> None:
    code, out, _ = run("search", "boiling water", "-k", "1")
    assert code == 0
    assert out.startswith("  1  ")
    assert "Tea > Black tea" in out
    assert "tea.md" in out
    assert "Black tea needs boiling water." in out
    assert "Coffee" not in out


def test_what_has_no_title_is_shown_by_its_files_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    write_pdf(tmp_path / "docs" / "deep" / "report 3.pdf", lines("The kettle is descaled with vinegar every month."))
    assert run("--set", "embedder=fake:64", "add", "docs")[0] == 0
    told = ("--set", "embedder=fake:64")
    first, source, *_ = run(*told, "search", "How is the kettle descaled?")[1].splitlines()
    assert first.endswith("  report 3.pdf")
    assert "deep/report 3.pdf" in source
    asked = json.loads(run(*told, "ask", "How is the kettle descaled?", "--json")[1])
    assert [one["title"] for one in asked["citations"]] == ["report 3.pdf"]
    archived = Passage("1", "", "text", (Place("docs.zip#plans/2024.docx", 0, 4),))
    assert (archived.called, replace(archived, title="Plan").called, replace(archived, places=()).called) == ("2024.docx", "Plan", "")


def test_search_json_is_the_records_own(run: Run, home: Path) -> None:
    code, out, err = run("search", "boiling water", "--by", "lexical", "--json")
    assert (code, err) == (0, "")
    first = json.loads(out)[0]
    assert first["passage"]["text"] == "Black tea needs boiling water."
    place = first["passage"]["places"][0]
    text = Path("docs", place["document"].rpartition("/")[2]).read_text()
    assert text[place["start"] : place["end"]] == first["passage"]["text"]


def test_search_takes_a_filter(run: Run, home: Path) -> None:
    code, out, _ = run("search", "degrees", "--where", "title = 'Coffee'", "--json")
    assert code == 0
    assert {hit["passage"]["title"] for hit in json.loads(out)} == {"Coffee"}


def test_a_filter_that_no_document_matches_is_told(run: Run, home: Path) -> None:
    assert run("search", "degrees", "--where", "title = 'Cocoa'")[1] == "Nothing found: no document matches the filter.\n"
    assert run("search", "zzz", "--by", "lexical", "--where", "title = 'Coffee'")[1] == "Nothing found.\n"
    assert run("search", "degrees", "--where", "title = 'Cocoa'", "--json")[1] == "[]\n"


def test_what_steers_a_terminal_does_not_come_through(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither escape sequences nor signs that turn the direction of writing, wherever in a document they stand."""
    sly = "before\x1b[31m\u202e\x07 after"
    passage = Passage("1", sly, sly, (Place(f"{sly}.md", 0, 5),))
    citation = Citation(1, "1", sly, sly, sly, 0, 5, sly)
    output.show(tables.hits([Hit(passage, 1.0, "lexical")], "after?"))
    output.show(tables.answer(Answer("after?", f"{sly} [1]", (citation,), (), 0.5, False)))
    output.show(tables.added({"set_aside": [{"source": sly, "reason": sly}]}))
    said = capsys.readouterr().out
    assert said.count("after") == 9
    assert not set(said) & {"\x1b", "\u202e", "\x07"}


def test_status_and_history(run: Run, home: Path) -> None:
    code, out, _ = run("status", "--json")
    told = json.loads(out)
    assert code == 0
    assert {"documents", "passages", "set_aside", "live", "index_version"} <= told.keys()
    assert (told["documents"], told["passages"]) == (3, 4)
    code, out, _ = run("status")
    assert code == 0
    assert "broken.pdf" in out
    assert "the base" in out
    assert run("history", "--json")[:2] == (0, "[]\n")
    assert "No model has been trained here" in run("history")[1]


def test_remove(run: Run, home: Path) -> None:
    code, out, _ = run("remove", "coffee.md")
    assert code == 0
    assert "1 removed" in out
    assert json.loads(run("status", "--json")[1])["documents"] == 2
    code, _, err = run("remove", "tee.md")
    assert code == 2
    assert "'tea.md'" in err


def test_config_show_says_where_a_value_came_from(run: Run, home: Path) -> None:
    code, out, _ = run("--set", "weight=0.25", "config", "show", "--json")
    rows = {row["path"]: row for row in json.loads(out)}
    assert code == 0
    assert (rows["weight"]["value"], rows["weight"]["origin"]) == (0.25, "--set")
    assert (rows["embedder"]["value"], rows["embedder"]["origin"]) == ("fake:64", "config.toml")
    assert rows["chunk.words"]["origin"] == "default"
    table = run("config", "show")[1]
    assert "fake:64" in table
    assert "config.toml" in table
    both = json.loads(run("--set", "weight=0.25", "config", "show", "--set", "chunk.words=80", "--set", "weight=0.5", "--json")[1])
    assert {row["path"]: row["value"] for row in both if row["origin"] == "--set"} == {"weight": 0.5, "chunk.words": 80}
    secret = ("--set", "api.base_url=https://me:hunter2@models.example/v1", "config", "show")
    for shown in (run(*secret)[1], run(*secret, "--json")[1]):
        assert "hunter2" not in shown
        assert "https://models.example/v1" in shown


def test_config_show_with_faults_tells_them_and_still_shows_the_names(run: Run, home: Path) -> None:
    (home / "config.toml").write_text("wieght = 0.5\n[chunk]\nwords = 'many'\n")
    code, out, err = run("config", "show")
    assert code == 2
    assert "'weight'" in err
    assert "chunk.words" in err
    assert "chunk.min_words" in out
    code, out, _ = run("config", "show", "--json")
    assert code == 2
    assert json.loads(out)["error"]["kind"] == "BadConfig"


def test_promote_and_rollback_without_candidates(run: Run, home: Path) -> None:
    assert run("promote", "abc")[0] == 2
    code, _, err = run("rollback")
    assert code == 2
    assert len(err.splitlines()) == 2


def test_stopped_is_130_and_an_accident_70(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selfstudy.recipes.engine import Engine

    def raises(error: BaseException) -> Callable[..., Any]:
        def status(self: Engine) -> dict[str, Any]:
            raise error

        return status

    monkeypatch.setattr(Engine, "status", raises(KeyboardInterrupt()))
    code, out, err = run("status", "--json")
    assert code == 130
    assert "What is finished is kept" in err
    assert json.loads(out)["error"]["exit_code"] == 130
    monkeypatch.setattr(Engine, "status", raises(Stopped("Stopped.", "Again.")))
    assert run("status") == (130, "", "Stopped.\nAgain.\n")
    monkeypatch.setattr(Engine, "status", raises(RuntimeError("no\nluck")))
    code, out, err = run("status")
    assert (code, out) == (70, "")
    assert err.startswith("Something went wrong that should not: RuntimeError: no luck.\n")
    assert len(err.splitlines()) == 2
    monkeypatch.setenv("SELFSTUDY_DEBUG", "1")
    assert "Traceback" in run("status")[2]
    monkeypatch.delenv("SELFSTUDY_DEBUG")
    monkeypatch.setattr(Engine, "status", raises(OSError(28, "No space left on device", "home/x")))
    code, _, err = run("status")
    assert code == 3
    assert "home/x: the disk is full" in err


def test_a_closed_pipe_is_quiet(home: Path, plug: Path) -> None:
    Path("long.py").write_text(
        "import selfstudy.apps.output as output\n"
        "real = output.show_json\n"
        "output.show_json = lambda value: real(value * 5_000)  # more than a pipe holds\n"
        "from selfstudy.apps.cli import main\n"
        "main()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(SOURCE), str(plug)))}
    environment.pop("PYTHONUNBUFFERED", None)  # with it Python itself drops what a closed pipe does not take
    command = f'"{sys.executable}" long.py --home {home} search tea --json | head -c 5; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (141, "[\n  {", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_output_that_cannot_be_written_is_no_fault_of_the_home(home: Path, plug: Path, form: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(SOURCE), str(plug)))}
    command = [sys.executable, "-c", "from selfstudy.apps.cli import main; main()", "--home", str(home), "status", *form]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "The output cannot be written: no space left on device.")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_json_whatever_the_terminal_can_show(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    Path("docs/é.md").write_text("# 茶\n\nGreen 🍵 tea with naïve milk and sugar.\n", encoding="utf-8")
    assert run("add", "docs")[0] == 0
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    output.tolerant()
    assert run("search", "naïve milk", "-k", "1", "--json")[0] == 0
    assert json.loads(screen.buffer.getvalue().decode(encoding))[0]["passage"]["title"] == "茶"
    assert run("search", "naïve milk", "-k", "1")[0] == 0


# What is shown


def test_a_snippet_is_the_stretch_with_most_words_of_the_question() -> None:
    text = (
        "Filler words without any meaning. " * 30
        + "The valve opens at nine bar.\nThen steam\x1b[1m escapes. "
        + "More filler words here. " * 30
    )
    shown = snippet.snippet(text, "When do valves open and steam escape?", 120)
    assert "The valve opens at nine bar. Then steam" in shown.plain
    assert shown.plain.startswith("… ")
    assert shown.plain.endswith(" …")
    assert len(shown.plain) <= 130
    assert "\x1b" not in shown.plain
    emphasised = {shown.plain[span.start : span.end] for span in shown.spans}
    assert emphasised == {"valve", "opens", "steam", "escapes"}


def test_a_snippet_of_a_short_or_chinese_text_is_the_text() -> None:
    assert snippet.snippet("Short.", "?").plain == "Short."
    shown = snippet.snippet("合同自签字之日起生效。", "合同何时生效")
    assert {shown.plain[span.start : span.end] for span in shown.spans} >= {"合", "同", "生", "效"}


def test_markup_in_documents_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(
        tables.added(
            {"documents_added": 1, "passages": 2, "set_aside": [{"source": "[red]a[/red] :smile:", "reason": "[/]"}], "seconds": 1}
        )
    )
    said = capsys.readouterr().out
    assert "[red]a[/red] :smile:" in said
    assert "[/]" in said


def test_rows_set_aside_for_one_reason_are_shown_together(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"source": f"/d/a.jsonl:{number}", "reason": "broken: no id"} for number in range(1, 41) if number != 7]
    others = [{"source": "/d/b.pdf", "reason": "encrypted"}, {"source": "/d/c.jsonl:3", "reason": "broken: no id"}]
    output.show(tables.added({"set_aside": rows + others}))
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[-4:]]
    assert said == [
        "set aside (41) reason", "/d/a.jsonl:1 to 40, 39 rows broken: no id", "/d/b.pdf encrypted", "/d/c.jsonl:3 broken: no id",
    ]  # fmt: skip


def test_an_answer_names_documents_as_a_search_does_and_pages_by_their_address(capsys: pytest.CaptureFixture[str]) -> None:
    near = Citation(1, "p1", "docs/tea.md", "Tea", "/home/me/docs/tea.md", 0, 5, "Steep.")
    far = Citation(2, "p2", "row7", "Coffee", "https://example.org/coffee", 0, 5, "Brew.")
    output.show(tables.answer(Answer("How?", "Steep. [1] Brew. [2]", (near, far), (), 0.5, False)))
    said = capsys.readouterr().out
    assert "docs/tea.md, characters 0-5" in said
    assert "/home/me" not in said
    assert "https://example.org/coffee, characters 0-5" in said


def test_numbers_that_json_does_not_know_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"a": float("nan"), "b": [float("inf"), 1.5]})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5]}


def test_an_evaluation_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    interval = {"value": 0.5, "low": 0.25, "high": 0.75}
    difference = {"value": 0.125, "low": -0.5, "high": 0.25, "p": 0.0004, "n": 77}
    side = {"dense": {"mrr@10": interval}}
    output.show(tables.evaluation({"base": side, "live": side, "compare": {"dense": {"mrr@10": difference}}}))
    said = capsys.readouterr().out
    assert said.count("0.500 [0.250, 0.750]") == 2
    assert "+0.125 [-0.500, +0.250]" in said
    assert "<0.001" in said
    assert "77" in said
    zero = difference | {"value": 0.0, "low": 0.0, "high": 0.0}
    output.show(tables.evaluation({"base": side, "live": side, "compare": {"dense": {"mrr@10": zero}}}))
    said = capsys.readouterr().out
    assert said.count("0.500 [0.250, 0.750]") == 1
    assert "What serves finds just what the base does." in said


def test_that_rules_wrote_the_questions_is_said_of_a_student_where_nobody_asked_any(capsys: pytest.CaptureFixture[str]) -> None:
    interval = {"value": 0.5, "low": 0.25, "high": 0.75}
    told = {"exam": {"teacher": interval, "student": interval}}
    difference = {"value": 0.125, "low": -0.5, "high": 0.25, "p": 0.0004, "n": 77}
    for metrics in (told, told | {"own": told["exam"]}):
        output.show(tables.distilled({"metrics": metrics, "differences": dict.fromkeys(metrics, difference), "size": 0.5, "speed": 2.0}))
    first, second = capsys.readouterr().out.split("50% of its teacher's size, 2.0 times as fast here.")[:2]
    assert "teacher" in first
    assert "Rules wrote these questions" in first
    assert "Rules wrote these questions" not in second


def test_a_plan_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a.one", "kept", 0.0), ("b.two", "resume", 90.0), ("c.three", "run", None)]
    output.show(tables.plan([{"stage": stage, "key": "k", "state": state, "seconds": seconds} for stage, state, seconds in rows]))
    said = capsys.readouterr().out
    assert "would go on" in said
    assert "would run" in said
    assert "About 90 s in all, and 1 whose time nobody knows yet." in said
    twice = [{"stage": "a.one", "key": key, "state": "run", "seconds": 30.0} for key in "kl"]
    output.show(tables.plan([*twice, {"stage": "a.one", "key": "m", "state": "kept", "seconds": 0.0}]))
    said = " ".join(capsys.readouterr().out.split())
    assert "a.one, 2 times would run 60 s a.one kept About 60 s in all." in said
    output.show(tables.plan([{"stage": "a", "key": "k", "state": "kept", "seconds": 0.0}]))
    assert "Nothing to do" in capsys.readouterr().out


def test_lines_tell_a_stage_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    lines = progress.Lines()
    lines.stage_finished("a", 0.0, kept=True)
    lines.stage_started("b", resumed=True)
    for done, now in ((10, 1.0), (20, 10.0), (40, 40.0), (50, 50.0)):
        clock[0] = now
        lines.progress("b", done, 100)
    lines.stage_finished("b", 200.0, kept=False)
    assert capsys.readouterr().err.splitlines() == ["a: kept", "b: goes on where it was stopped", "b: 40 of 100, 80 s left", "b: 3 min"]


def test_bars_draw_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress.watching() as bars:
        assert isinstance(bars, progress.Bars)
        bars.stage_started("[bold]", resumed=False)
        bars.progress("[bold]", 3, 10)
        bars.stage_finished("[bold]", 12.0, kept=False)
        bars.progress("unannounced", 1, 2)
    assert "[bold]: 12 s" in screen.getvalue()


def test_what_a_library_prints_does_not_come_between(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watching():
        print("{'loss': 0.5}")
    output.show_json([1])
    said = capsys.readouterr()
    assert json.loads(said.out) == [1]
    assert said.err == "{'loss': 0.5}\n"


def test_errors_keep_their_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.fail(BadInput("What.", "How."), as_json=False) == 2
    assert capsys.readouterr().err == "What.\nHow.\n"
