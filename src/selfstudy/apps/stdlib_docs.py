"""The standard library's documentation as a folder of Markdown files: real documents that any machine with Python has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from selfstudy.core.files import make_folder, write_atomic
from selfstudy.evals.stdlib import Member, Module, modules

OWN_HEADING = 60
"""A class, function or method with so many words of documentation stands under a heading of its own; shorter ones are packed together."""

LEAST = 150
"""Modules whose docstrings have fewer words say too little to be a document."""

_LEFT_OUT = frozenset({"encodings", "distutils", "ensurepip", "antigravity", "this", "lib2to3"})
_SYNTAX = re.compile(r" {0,3}(?:#{1,6}(?:\s|$)|`{3}|~{3}|<!--)")
_RULE = re.compile(r"\s*([-=~^*_+.#])\1{2,}\s*$")


def chosen(names: Collection[str] = ()) -> list[Module]:
    """The public modules that say enough, or those called `names`; by name."""
    return [module for module in modules() if (module.name in names if names else _is_wanted(module))]


def write_docs(folder: Path, documented: Iterable[Module]) -> list[Path]:
    """Write `<module>.md` into `folder` for each module. Returns the paths, in their order.

    A file that already reads the same is left as it is, so that its time stays too.
    """
    make_folder(folder)
    paths = []
    for module in documented:
        path, content = folder / f"{module.name}.md", markdown(module).encode("utf-8", "replace")
        if not path.exists() or path.read_bytes() != content:
            write_atomic(path, content)
        paths.append(path)
    return paths


def markdown(module: Module) -> str:
    """The module's docstrings: itself, then each class with its methods, the small classes together, then the functions."""
    parts = [f"# {module.name}", _escaped(module.doc)]
    functions = [member for member in module.members if "." not in member.name and not _is_class(member)]
    small: list[Member] = []
    for name, found in groupby((m for m in module.members if m not in functions), key=lambda m: m.name.partition(".")[0]):
        members = list(found)
        if sum(map(_words, members)) < OWN_HEADING:
            small += members
        else:
            parts += [f"## Class {name}", *_packed(members)]
    if small:
        parts += ["## Other classes" if any(part.startswith("## ") for part in parts) else "## Classes", *_packed(small)]
    if functions:
        parts += ["## Functions", *_packed(functions)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _packed(members: Sequence[Member]) -> Iterator[str]:
    """Short docstrings as paragraphs one after the other, then the long ones under their own headings."""
    for member in members:
        if not _is_long(member):
            yield f"`{member.signature}`: {_escaped(member.doc)}"
    for member in members:
        if _is_long(member):
            yield f"### {member.name}\n\n`{member.signature}`\n\n{_escaped(member.doc)}"


def _is_long(member: Member) -> bool:
    return not _is_class(member) and _words(member) >= OWN_HEADING


def _words(member: Member) -> int:
    return len(member.doc.split())


def _is_class(member: Member) -> bool:
    return member.signature.startswith("class ")


def _is_wanted(module: Module) -> bool:
    parts = module.name.split(".")
    if parts[0] in _LEFT_OUT or any(part.startswith("_") for part in parts):
        return False
    return len(module.doc.split()) + sum(map(_words, module.members)) >= LEAST


def _escaped(doc: str) -> str:
    """A docstring as Markdown text: what would open a heading, a code block or a comment is taken literally, underlines are dropped."""
    lines = (line.rstrip() for line in doc.splitlines() if not _RULE.match(line))
    return "\n".join(f"\\{line.lstrip()}" if _SYNTAX.match(line) else line for line in lines).strip()
