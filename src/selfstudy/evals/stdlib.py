"""The documentation of the running Python's own standard library: real text that any machine has.

It is read from the source by `ast`; no module of it is imported and nothing is run. Modules written in C have no source and are missing.
"""

from __future__ import annotations

import ast
import os
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfstudy.core.records import Record

SKIPPED = frozenset({"test", "tests", "idlelib", "site-packages", "dist-packages", "lib2to3", "lib-dynload", "pydoc_data", "turtledemo"})

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Member(Record):
    """A function, class or method that has a docstring: `name` is qualified within its module, `signature` as in the source."""

    name: str
    signature: str
    doc: str


@dataclass(frozen=True, slots=True)
class Module(Record):
    """A module with its docstring ("" for none) and its documented public members in the order of the source."""

    name: str
    doc: str
    members: tuple[Member, ...]


def modules(folder: Path | None = None) -> Iterator[Module]:
    """The modules of the standard library that document anything, by name; those of `folder` instead, where it is given.

    Tests, idlelib, lib2to3, site-packages and demonstrations are passed over, and so is a file that is no Python of this version.
    """
    folder = folder or Path(sysconfig.get_paths()["stdlib"])
    for name, path in sorted((_module_name(path.relative_to(folder)), path) for path in _sources(folder)):
        if (tree := _parse(path)) is not None:
            module = Module(name, ast.get_docstring(tree) or "", tuple(_members(tree, "")))
            if module.doc or module.members:
                yield module


def _sources(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        yield from (Path(parent, name) for name in files if name.endswith(".py"))


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _parse(path: Path) -> ast.Module | None:
    try:
        with tokenize.open(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in somebody else's source
            return ast.parse(file.read())
    except (SyntaxError, ValueError, OSError):
        return None


def _members(tree: ast.Module | ast.ClassDef, within: str) -> Iterator[Member]:
    for node in tree.body:
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            name = within + node.name
            if doc := ast.get_docstring(node):
                yield Member(name, _signature(name, node), doc)
            if isinstance(node, ast.ClassDef):
                yield from _members(node, f"{name}.")


def _signature(name: str, node: _Definition) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {name}({bases})" if bases else f"class {name}"
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{name}({ast.unparse(node.args)}){result}"
