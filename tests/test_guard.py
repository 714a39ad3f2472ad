"""The guard: enough real texts that any machine has, and a measure that a perfect, a random and a constant model tell apart."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from selfstudy.core.errors import NotEnough
from selfstudy.core.ports import Progress, Role, Vectors, silent
from selfstudy.evals import guard, stdlib


@pytest.fixture(scope="module")
def library() -> list[stdlib.Module]:
    return list(stdlib.modules())


def test_pairs_are_whole_and_distinct() -> None:
    pairs = guard.pairs()
    assert len(pairs) >= 300
    for field in ("id", "question", "passage"):
        assert len({getattr(pair, field) for pair in pairs}) == len(pairs)
    assert len({pair.topic for pair in pairs}) >= 10
    assert all(pair.question.strip() and len(pair.passage.split()) >= 15 for pair in pairs)


def fresh(monkeypatch: pytest.MonkeyPatch, library: list[stdlib.Module], n: int) -> tuple[str, ...]:
    """The distractors drawn from `library`, past what earlier calls keep."""
    monkeypatch.setattr(guard, "modules", lambda: iter(library))
    return guard._drawn.__wrapped__(n)


def test_distractors_are_distinct_short_and_the_same_every_time(monkeypatch: pytest.MonkeyPatch, library: list[stdlib.Module]) -> None:
    found = guard.distractors()
    assert len(found) == len(set(found)) == guard.DISTRACTORS >= 5000
    assert all(4 <= len(text.split()) <= 40 and text == " ".join(text.split()) for text in found)
    assert not any(">>>" in text for text in found)
    assert not set(found) & {pair.passage for pair in guard.pairs()}
    assert fresh(monkeypatch, library, 5000) == found
    assert fresh(monkeypatch, library, 100) == found[:100]


def test_a_distractor_is_the_beginning_of_a_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    words = " ".join(f"w{n}" for n in range(50))
    member = stdlib.Member("f", "f()", "It does\n   this thing.\n\nAnd that.\n\n>>> f()\n3\n\nMore.")
    library = [stdlib.Module("m", words, (member, member)), stdlib.Module("n", "Too few words", ())]
    assert set(fresh(monkeypatch, library, 2)) == {" ".join(words.split()[:40]), "It does this thing. And that."}


def test_sentences_fill_up_where_docstrings_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    long = " ".join(f"Here is sentence number {n} of them." for n in range(30))
    library = [stdlib.Module(doc[:3], doc, ()) for doc in ("Two words", "One beginning of five words.", long)]
    library.append(stdlib.Module("again", "Too short. One beginning of five words.", ()))  # its second sentence is known
    found = fresh(monkeypatch, library, 32)
    assert len(set(found)) == 32
    assert "Here is sentence number 29 of them." in found
    with pytest.raises(NotEnough, match=r"needs 33 texts .* finds 32"):
        fresh(monkeypatch, library, 33)


def test_every_part_of_the_library_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    library = [stdlib.Module(f"m{n:03}", f"This is module number {n}", ()) for n in range(200)]
    numbers = [int(text.split()[-1]) for text in fresh(monkeypatch, library, 60)]
    assert 15 <= sum(number < 100 for number in numbers) <= 45


def test_modules_come_from_source_in_order(library: list[stdlib.Module]) -> None:
    names = [module.name for module in library]
    assert names == sorted(names)
    assert len(names) == len(set(names)) > 200
    assert {"json", "json.decoder", "textwrap", "asyncio.queues"} <= set(names)
    parts = {part for name in names for part in name.split(".")}
    assert not parts & {"test", "tests", "idlelib", "lib2to3", "site-packages"}
    dedent = next(member for module in library if module.name == "textwrap" for member in module.members if member.name == "dedent")
    assert dedent.signature.startswith("dedent(text")
    assert dedent.doc.startswith("Remove any common leading whitespace")
    assert sum(len(module.members) for module in library) > 3000


def test_reading_executes_and_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text('"""A package."""\nraise SystemExit("run")\n')
    (tmp_path / "pkg" / "work.py").write_text(
        '"""Work \\d."""\n'
        "import absent_module\n"
        "class Base(dict):\n"
        '    """A base."""\n'
        "    async def run(self, n: int = 3, *rest) -> str:\n"
        '        """Run it."""\n'
        "    def _hidden(self):\n"
        '        """Not public."""\n'
        "def bare(): pass\n"
    )
    (tmp_path / "broken.py").write_text("def :")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "bytes.py").write_bytes(b'"""\xff"""')
    (tmp_path / "test" / "test_x.py").write_text('"""A test."""')
    assert list(stdlib.modules(tmp_path)) == [
        stdlib.Module("pkg", "A package.", ()),
        stdlib.Module(
            "pkg.work",
            "Work \\d.",
            (
                stdlib.Member("Base", "class Base(dict)", "A base."),
                stdlib.Member("Base.run", "Base.run(self, n: int=3, *rest) -> str", "Run it."),
            ),
        ),
    ]
    assert "pkg" not in sys.modules


class Taught:
    """Knows for each question which passage is its own; `wrong` of the questions it takes for something else."""

    name, fingerprint = "taught", "taught"

    def __init__(self, wrong: int = 0) -> None:
        pairs = guard.pairs()
        self.dim = len(pairs) + 1
        self.roles: list[Role] = []
        self.places = {pair.passage: place for place, pair in enumerate(pairs)}
        self.places |= {pair.question: place if place >= wrong else len(pairs) for place, pair in enumerate(pairs)}

    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        self.roles.append(role)
        rows = np.zeros((len(texts), self.dim), np.float32)
        rows[np.arange(len(texts)), [self.places.get(text, self.dim - 1) for text in texts]] = 1
        progress(len(texts), len(texts))
        return rows


class Constant(Taught):
    def embed(self, texts: Sequence[str], role: Role = "passage", progress: Progress = silent) -> Vectors:
        return np.full((len(texts), self.dim), 1 / math.sqrt(self.dim), np.float32)


def test_a_perfect_a_partly_forgetful_and_a_constant_model() -> None:
    calls: list[tuple[int, int]] = []
    total = len(guard.pairs())
    taught = Taught()
    ranks = guard.reciprocal_ranks(taught, lambda done, of: calls.append((done, of)))
    assert ranks.tolist() == [1.0] * total
    everything = 2 * total + guard.DISTRACTORS
    assert taught.roles == ["query", "passage"]
    assert calls == [(total, everything), (everything, everything)]
    forgetful = guard.reciprocal_ranks(Taught(wrong=50))
    assert forgetful.tolist() == [0.0] * 50 + [1.0] * (total - 50)
    assert guard.reciprocal_ranks(Constant()).tolist() == [0.0] * total


def test_ranks_from_vectors_by_hand() -> None:
    questions = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    passages = np.array([[0.8, 0.6], [0.6, 0.8], [0.8, 0.6]] + [[0.96, 0.28]] * 2 + [[0.0, 1.0]] * 9, np.float32)
    # first: own .8, before it .96 twice and a level .8; second: own .6, before it .96 and .8 twice each; third: own .6, before it eleven
    assert guard.reciprocal_ranks_of(questions, passages).tolist() == pytest.approx([1 / 4, 1 / 5, 0])


def test_vectors_that_do_not_belong_together() -> None:
    good = np.eye(3, dtype=np.float32)
    for questions, passages in ((good, np.eye(4, dtype=np.float32)), (good, good[:2]), (good[0], good)):
        with pytest.raises(ValueError, match="belong together"):
            guard.reciprocal_ranks_of(questions, passages)
    with pytest.raises(ValueError, match="finite"):
        guard.reciprocal_ranks_of(good * np.float32(np.nan), good)
