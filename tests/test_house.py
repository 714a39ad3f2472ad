"""The house itself: what an import loads, who may import whom, what is declared, and that README's tree is the real one."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from readme_tree import BLOCK, FOLDERS, ROOT, told, written

import selfstudy

SOURCE = ROOT / "src" / "selfstudy"
APPS = SOURCE / "apps"
INTEGRATIONS = {APPS / "langchain.py": "langchain", APPS / "llamaindex.py": "llamaindex", APPS / "mcp_server.py": "mcp"}
WHOLE_ROOMS = {APPS / "server": "serve"} | INTEGRATIONS
"""Folders and files that need an extra as a whole: whoever imports them has asked for it."""
HEAVY = ("torch", "transformers", "sentence_transformers", "lancedb", "openvino", "pandas", "trafilatura")


def loaded_by(statements: str) -> list[str]:
    """Which of the heavy libraries a fresh process has loaded after `statements`."""
    script = f"import json, sys\n{statements}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout)
    return names


def test_importing_selfstudy_loads_nothing_heavy() -> None:
    assert loaded_by("import selfstudy") == []


def test_importing_any_module_loads_nothing_heavy() -> None:
    modules = [".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for path in sorted(SOURCE.rglob("*.py"))]
    lines = [f"import {module.removesuffix('.__init__')}" for module in modules if not module.endswith("__main__")]
    assert loaded_by("\n".join(lines)) == []


def test_the_version_is_the_packages() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == selfstudy.__version__
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = selfstudy.no_such_name


def test_the_floors_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache", "--no-logo"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = named(project["dependencies"])
    distributions = importlib.metadata.packages_distributions()
    undeclared = {}
    for path in SOURCE.rglob("*.py"):
        for name in imported(path) - sys.stdlib_module_names - {"selfstudy"}:
            brought_by = {normalised(package) for package in distributions.get(name, [name])}
            whole = next((extra for room, extra in WHOLE_ROOMS.items() if room in (path, *path.parents)), None)
            if not brought_by & (declared | named(project["optional-dependencies"].get(whole, []))):
                undeclared[name] = path.relative_to(ROOT).as_posix()
    assert undeclared == {}


def named(lines: list[str]) -> set[str]:
    """The names of requirements."""
    return {normalised(re.split(r"[<>=\[;]", line)[0]) for line in lines}


def imported(path: Path) -> set[str]:
    """The top names of all that a file imports absolutely, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).strip().lower()


def test_constraints_pin_everything_that_is_declared() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in lines), "exact public versions only"
    assert lines[0].startswith("torch==")
    pinned = {normalised(line.partition("==")[0]) for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines if not line.startswith("selfstudy[")]
    wanted = project["dependencies"] + extras
    assert {normalised(re.split(r"[<>=\[;]", line)[0]) for line in wanted} <= pinned


def test_the_tree_in_the_readme_is_the_real_tree_in_the_words_of_the_files() -> None:
    block = BLOCK.search((ROOT / "README.md").read_text("utf-8"))
    assert block is not None
    words = told(block[0])
    assert block[0].splitlines() == written(words).splitlines(), "`make tree` writes it anew"
    silent = [path for path, about in told(written(words)).items() if not about and not (ROOT / path / "__init__.py").exists()]
    assert set(silent) <= {f"{folder}/" for folder in FOLDERS}, "nothing said about; write it into README's tree, or into the docstring"


def test_a_tree_is_read_as_it_is_written() -> None:
    assert told("a/b/\n  c.py   about c\n  d/  the room\n    e.py  about e\n  f.py\ng/\n  h.py  h\n") == {
        "a/b/": "",
        "a/b/c.py": "about c",
        "a/b/d/": "the room",
        "a/b/d/e.py": "about e",
        "a/b/f.py": "",
        "g/": "",
        "g/h.py": "h",
    }


def test_a_tree_is_written_from_what_is_there(tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tests/plots").mkdir()
    (tmp_path / "tests/plots/a.svg").touch()
    (tmp_path / "tests/b.py").write_text('"""What it does,\nas in BEIR (Thakur et al. 2021). More."""\n')
    (tmp_path / "tests/__pycache__").mkdir()
    words = {"tests/plots/": "pictures", "tests/plots/a.svg": "one", "tests/b.py": "old words", "tests/gone.py": "gone"}
    assert told(written(words, tmp_path)) == {
        "src/selfstudy/": "",
        "tests/": "",
        "tests/b.py": "What it does, as in BEIR (Thakur et al. 2021)",
        "tests/plots/": "pictures",
        "tests/plots/a.svg": "one",
        "bench/": "",
    }
