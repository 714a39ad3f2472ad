"""README's tree of files, each module with the first sentence of its docstring: `make tree` writes it anew."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("src/selfstudy", "tests", "bench")
BLOCK = re.compile(r"(?<=^<!-- tree -->\n```text\n).*?(?=^```\n<!-- /tree -->$)", re.MULTILINE | re.DOTALL)
_COLUMN = 24
_NEXT_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z`\"])")


def told(block: str) -> dict[str, str]:
    """Each folder (its path ends in "/") and file of a tree with what is said about it.

    A line is a name, indented by two spaces for each folder that it is in, then two spaces or more and a few words about it.
    """
    words = {}
    folders: list[str] = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip(" "))) // 2
        name, _, about = line.strip().partition("  ")
        words["".join(folders[:depth]) + name] = about.strip()
        folders = [*folders[:depth], name]
    return words


def written(words: Mapping[str, str], root: Path = ROOT) -> str:
    """The tree of what is there. What is no module has its words out of `words`, by path; a package has them in its `__init__.py`."""
    return "".join(f"{line}\n" for folder in FOLDERS for line in _lines(root, f"{folder}/", folder, words))


def _lines(root: Path, path: str, name: str, words: Mapping[str, str], depth: int = 0) -> Iterator[str]:
    there = root / path
    about = first_sentence(there.read_text("utf-8")) if path.endswith(".py") else words.get(path, "")
    shown = "  " * depth + name + "/" * there.is_dir()
    yield f"{shown:<{_COLUMN - 2}}  {about}".rstrip()
    for one in sorted(there.iterdir()) if there.is_dir() else ():
        if not (one.name == "__pycache__" or one.name.endswith("_cache")):
            yield from _lines(root, f"{path}{one.name}{'/' * one.is_dir()}", one.name, words, depth + 1)


def first_sentence(source: str) -> str:
    """Of a module's docstring, on one line and without its full stop; "" where there is none."""
    paragraph = " ".join((ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0].split())
    return _NEXT_SENTENCE.split(paragraph)[0].removesuffix(".")


if __name__ == "__main__":
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    readme.write_text(BLOCK.sub(lambda block: written(told(block[0])), text), "utf-8")
