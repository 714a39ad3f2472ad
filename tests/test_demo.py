"""The demo: the standard library's documentation as files, and (slow) the whole loop over some of them, twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from selfstudy.apps.stdlib_docs import chosen, markdown, write_docs
from selfstudy.core.records import Document, Passage
from selfstudy.corpus.folder import SourceFile, walk
from selfstudy.corpus.parse import parse
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.evals.stdlib import Member, Module

SOURCE = Path(__file__).parent.parent / "src"


def documents(folder: Path) -> list[Document]:
    """What `add` reads from a folder; nothing may be set aside."""
    found = [item for file in walk([folder]) for item in (parse(file) if isinstance(file, SourceFile) else [file])]
    assert all(isinstance(item, Document) for item in found)
    return [item for item in found if isinstance(item, Document)]


@pytest.fixture(scope="module")
def library() -> list[Module]:
    return chosen()


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory, library: list[Module]) -> Path:
    folder = tmp_path_factory.mktemp("stdlib")
    write_docs(folder, library)
    return folder


def test_the_corpus_is_of_the_size_that_adapt_was_measured_with(docs: Path) -> None:
    passages: dict[str, Passage] = {passage.id: passage for document in documents(docs) for passage in chunk(document)}
    assert 1300 <= len(passages) <= 2100
    assert sum(len(passage.text.split()) < 20 for passage in passages.values()) < len(passages) / 10
    titles = {passage.title for passage in passages.values()}
    assert "shutil > Functions > copytree" in titles
    assert "threading > Class Semaphore" in titles


def test_private_modules_and_tables_of_codecs_are_left_out(docs: Path) -> None:
    names = {path.stem for path in docs.iterdir()}
    assert {"shutil", "threading", "difflib", "json", "argparse", "email.message"} <= names
    assert not any(part.startswith("_") for name in names for part in name.split("."))
    assert not any(name.startswith(("encodings", "distutils")) for name in names)


def test_a_second_writing_touches_only_what_was_changed(docs: Path, library: list[Module]) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in docs.iterdir()}
    changed = docs / "heapq.md"
    changed.write_text("something else")
    assert set(write_docs(docs, library)) == set(before)
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in docs.iterdir()}
    assert after.pop(changed)[1] == before.pop(changed)[1]
    assert after == before


def test_members_are_packed_under_their_headings() -> None:
    long = "It does a great many things. " * 20
    module = Module(
        "kitchen",
        "Cooking.",
        (
            Member("Oven", "class Oven(Box)", f"It heats. {long}"),
            Member("Oven.open", "Oven.open(self)", "Open the door."),
            Member("Oven.bake", "Oven.bake(self, cake)", long),
            Member("Burnt", "class Burnt(Exception)", "It was too long in there."),
            Member("stir", "stir(pot)", "Stir once."),
        ),
    )
    text = markdown(module)
    assert re.findall(r"^#+ .*$", text, re.MULTILINE) == [
        "# kitchen", "## Class Oven", "### Oven.bake", "## Other classes", "## Functions",
    ]  # fmt: skip
    assert (
        text.index("Open the door.") < text.index("### Oven.bake") < text.index("Burnt(Exception)") < text.index("`stir(pot)`: Stir once.")
    )


def test_a_docstring_opens_no_heading_and_no_code_block(tmp_path: Path) -> None:
    doc = "Usage\n=====\n\n# first this\n~~~~~\n```\n--\nThen that.\n\n<!-- and\n\n## this"
    (tmp_path / "m.md").write_text(markdown(Module("m", doc, (Member("f", "f()", "The end of it."),))))
    [document] = documents(tmp_path)
    assert [section.path for section in document.sections] == [("m",), ("m", "Functions")]
    assert all(words in document.text for words in ("first this", "Then that.", "and", "this", "The end of it."))


@pytest.mark.slow
def test_the_whole_loop_and_that_all_of_it_is_kept(tmp_path: Path) -> None:
    modules = ["argparse", "logging", "difflib", "threading", "shutil", "email.message", "subprocess", "statistics", "doctest", "inspect"]
    arguments = [part for module in modules for part in ("--module", module)]
    command = [sys.executable, "-m", "selfstudy.apps.demo", "--dir", str(tmp_path), "--set", "training.max_steps=3", *arguments]
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "COLUMNS": "1000"}  # no path is so long that it is folded
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert "MRR@10" in first.stdout
    assert "Promoted: " in first.stdout or "Refused: " in first.stdout
    report = re.search(r"^Report: (.*)$", first.stdout, re.MULTILINE)
    assert report is not None
    assert "<html" in Path(report[1]).read_text(encoding="utf-8")

    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    ran = [line for line in second.stderr.splitlines() if not line.endswith(": kept") and not line.startswith("add: ")]
    assert ran == []
    without_times = [re.sub(r"\d+(\.\d+)? (s|min)\b", "", text) for text in (first.stdout, second.stdout)]
    verdicts = [text[text.index("MRR@10") :] for text in without_times]
    assert verdicts[0] == verdicts[1]

    home = ["--home", str(tmp_path / "home")]
    asked = subprocess.run(
        [sys.executable, "-m", "selfstudy", *home, "ask", "How is a directory tree copied?", "--json"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(asked.stdout)
    for citation in answer["citations"]:
        [document] = [one for one in documents(tmp_path / "docs") if one.id == citation["document"]]
        assert document.text[citation["start"] : citation["end"]] == citation["quote"]
