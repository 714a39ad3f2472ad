"""A model's folder as it reads with other prompts, or more or fewer tokens of a text, than it says itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from selfstudy.core.files import read_json, whole_folder, write_json
from selfstudy.core.ports import ROLES
from selfstudy.core.records import digest
from selfstudy.models.folder import ModelFolder

_SAID, _LENGTH = "config_sentence_transformers.json", "sentence_bert_config.json"


def prompted(folder: Path, into: Path, prompts: Mapping[str, str] | None, max_seq_length: int | None) -> Path:
    """A folder within `into` that is `folder` by links, but for what it says of prompts and of the longest text, where given.

    `prompts` are by role; a role that is missing keeps what the folder says. What is trained from it goes on saying so. Raises BadModel
    where `folder` holds no model.
    """
    folder = folder.resolve()
    said = ModelFolder(folder)
    inside = said.transformer.resolve().relative_to(folder)
    if prompts is not None:
        prompts = {role: prompts.get(role, said.prompt(role)) for role in ROLES}
    kept = into / digest("prompted", str(folder), repr(sorted((prompts or {}).items())), repr(max_seq_length))[:16]
    if kept.is_dir():
        return kept
    into.mkdir(parents=True, exist_ok=True)
    with whole_folder(kept) as beside:
        _link(folder, beside, {_SAID} if prompts is not None else set(), inside)
        if prompts is not None:
            write_json(beside / _SAID, {**_read(folder / _SAID), "prompts": dict(prompts), "default_prompt_name": None})
        if max_seq_length is not None:
            (beside / inside / _LENGTH).unlink(missing_ok=True)
            write_json(beside / inside / _LENGTH, {**_read(folder / inside / _LENGTH), "max_seq_length": max_seq_length})
    return kept


def _link(source: Path, target: Path, without: set[str], through: Path) -> None:
    """Links in `target` to all in `source` but `without`; what lies on the way `through` becomes a folder of links itself."""
    first, rest = (through.parts[0], Path(*through.parts[1:])) if through.parts else ("", Path())
    for entry in source.iterdir():
        if entry.name == first:
            (target / first).mkdir()
            _link(entry, target / first, set(), rest)
        elif entry.name not in without:
            (target / entry.name).symlink_to(entry.resolve())


def _read(path: Path) -> dict[str, object]:
    said: dict[str, object] = read_json(path) if path.is_file() else {}
    return said
