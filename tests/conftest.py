"""The command line as a test sees it, in a process of its own or in this one, and a small home to run it over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pupil
import pytest
import training

from selfstudy.apps import cli
from selfstudy.evals import guard

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads of torch on cores that others use nearly stand still
SOURCE = Path(__file__).parent.parent / "src"
DOCS = {
    "tea.md": "# Tea\n\nGreen tea is brewed at eighty degrees for two minutes.\n\n## Black tea\n\nBlack tea needs boiling water.\n",
    "coffee.md": "# Coffee\n\nEspresso is pressed through the powder at nine bar. \x1b[31mred\x1b[0m\n",
    'Bob\'s "best" notes; drop -- %_.md': "# Notes\n\nThe kettle is descaled with vinegar every month.\n",
    "broken.pdf": "%PDF-1.4 nothing more",
}
Process = Callable[..., subprocess.CompletedProcess[str]]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def plug(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the path of modules: in it an installed package that brings the embedder `fake:`, as any plug-in is brought."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "fakeplug.py").write_text(
        "from selfstudy.testing import FakeEmbedder\n"
        "def load(rest, **options): return FakeEmbedder(seed=int(rest.partition(':')[2] or 0))\n"
    )
    info = folder / "fakeplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fakeplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[selfstudy.embedders]\nfake = fakeplug:load\n")
    return folder


@pytest.fixture
def fake(plug: Path) -> Iterator[None]:
    """`fake:` is there in this process too, even after a test undoes its patches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(plug))
        yield


@pytest.fixture(scope="session")
def process(plug: Path) -> Process:
    """`process(folder, "--home", "home", "add", ...)` runs the program in `folder`, to its end; `before` runs in the child first."""
    clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "SELFSTUDY_DEBUG")}

    def run(
        folder: Path, *arguments: str, before: Callable[[], None] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        variables = clean | {"PYTHONPATH": os.pathsep.join((str(SOURCE), str(plug)))} | environment
        command = [sys.executable, "-m", "selfstudy", *arguments]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False, preexec_fn=before)

    return run


@pytest.fixture
def run(plug: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("search", ...)` runs a command line in this process, over `home` in the current folder, which is `tmp_path`.

    Gives the exit code, what was printed, and what was said on standard error.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(plug))
    for name in ("COLUMNS", "SELFSTUDY_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.run(["--home", "home", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, plug: Path) -> Path:
    """A folder with `home`, made by `add` of DOCS, which stand in `kept`: where they were added from they are gone."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "docs").mkdir()
    for name, text in DOCS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    (folder / "home").mkdir()
    (folder / "home" / "config.toml").write_text('embedder = "fake:64"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(plug))
        assert cli.run(["--home", "home", "add", "docs"]) == 0
    (folder / "docs").rename(folder / "kept")
    return folder


@pytest.fixture
def home(made: Path, run: Run) -> Path:
    """`home` in the current folder with three documents of four passages, and beside it `docs`, which they were read from."""
    shutil.copytree(made / "home", "home")
    shutil.copytree(made / "kept", "docs")
    return Path("home")


@pytest.fixture
def small_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everyday questions among 60 other passages: 5,000 take a minute to embed."""
    make_guard_small(monkeypatch)


def make_guard_small(patch: pytest.MonkeyPatch) -> None:
    whole = guard.embed
    patch.setattr(guard, "embed", lambda embedder, progress=None, n=0: whole(embedder, n=60))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedder of tests of training."""
    return training.model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def pumps(tmp_path: Path) -> Path:
    """`docs` in `tmp_path`: documents that a model can write questions about."""
    return pupil.write_pumps(tmp_path / "docs")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
