"""What of a home's artifacts nothing needs any more: the models of old rounds take most of a home's room."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from selfstudy.core.artifacts import WORK, artifacts, manifest
from selfstudy.core.files import home_errors, sync
from selfstudy.core.records import Artifact, Record
from selfstudy.recipes.history import Event
from selfstudy.recipes.system import System

_KEY = re.compile(r"[0-9a-f]{32}")
_GONE = f".pruned{WORK}"
"""Ends the name of what is being removed: unfinished, and so never taken for an artifact."""
_SMALL = 1 << 20
_READ_LATER = ("round_trip", "negatives")
"""Kinds of which the last one is read whatever was studied since: the questions to read and strike, those that `inspect` asks."""


@dataclass(frozen=True, slots=True)
class Unneeded(Record):
    """A folder of `artifacts/` that nothing needs: its name, its size in bytes, and whether it is a stage that was never finished."""

    name: str
    bytes: int
    unfinished: bool


@dataclass(frozen=True, slots=True)
class Pruned(Record):
    """What is not needed, how much room everything else takes, and whether the former was removed."""

    unneeded: tuple[Unneeded, ...]
    kept_bytes: int
    removed: bool


def serving_since(live: System, events: Iterable[Event], keep: int) -> list[System]:
    """`live`, and every system that served with one of the last `keep` other pairs of an embedder and a generator."""
    found = [live]
    pairs = {(live.learned, live.generator)}
    for event in sorted(events, key=lambda event: -event.number):
        for system in (event.system if event.event != "judged" else None, event.before):
            if system is None or system in found:
                continue
            if (pair := (system.learned, system.generator)) not in pairs:
                if len(pairs) > keep:
                    continue
                pairs.add(pair)
            found.append(system)
    return found


def prune(folder: Path, systems: Iterable[System], planned: Iterable[str], remove: bool) -> Pruned:
    """What of the artifacts in `folder` neither serves in `systems`, nor is `planned` (keys) by the next study, nor holds the questions of
    the last one. With `remove` it is removed, each folder by one rename first.
    """
    with home_errors(folder):
        known = {artifact.key: artifact for artifact in artifacts(folder)}
        last = {artifact.kind: artifact for artifact in known.values() if artifact.kind in _READ_LATER}  # oldest first: the newest stays
        asked = [[artifact.key, manifest(artifact).inputs] for artifact in last.values()]
        needed = _reached({*planned, *_keys(json.dumps([system.json() for system in systems])), *_keys(json.dumps(asked))}, known)
        there = [path for path in folder.iterdir() if path.is_dir() and path.name != ".locks"] if folder.is_dir() else []
        sizes = {path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for path in sorted(there)}
        gone = [path for path in sizes if path.name.removesuffix(_GONE).removesuffix(WORK).rpartition("-")[2] not in needed]
        told = [Unneeded(path.name, sizes[path], path.name.endswith(WORK)) for path in gone]
        for path in gone if remove else ():
            beside = path if path.name.endswith(_GONE) else path.with_name(path.name + _GONE)
            os.rename(path, beside)
            sync(folder)
            shutil.rmtree(beside)
    return Pruned(tuple(told), sum(sizes.values()) - sum(one.bytes for one in told), remove)


def _reached(keys: set[str], known: dict[str, Artifact]) -> set[str]:
    """`keys` and those that a model's own small files name: a LoRA adapter stands on another folder."""
    found: set[str] = set()
    while keys:
        key = keys.pop()
        found.add(key)
        if key in known:
            about = (path for path in known[key].path.glob("model/*.json") if path.stat().st_size < _SMALL)
            keys |= {other for path in about for other in _keys(path.read_text("utf-8")) if other in known} - found
    return found


def _keys(text: str) -> set[str]:
    return set(_KEY.findall(text))
