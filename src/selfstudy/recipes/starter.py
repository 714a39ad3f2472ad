"""Building the starter model out of labelled sets: rows, training, measures on documents that training never saw, files to ship."""

from __future__ import annotations

import shutil
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

from selfstudy.core.artifacts import manifest, read_records, write_records
from selfstudy.core.errors import BadInput
from selfstudy.core.files import make_folder, write_atomic, write_json
from selfstudy.core.padding import padded as filled
from selfstudy.core.records import Artifact, digest
from selfstudy.core.run import Lazy, Run, Work, stage
from selfstudy.models import minilm
from selfstudy.models.folder import sha256_of
from selfstudy.models.starter import load
from selfstudy.models.starter import rows as r
from selfstudy.recipes import starter_measures
from selfstudy.train.labelled import Fit, fit
from selfstudy.train.trainers import LENGTHS

_NAMES = " ".join(dict.fromkeys((*r.SETS, *r.RANKED, *r.SUPPORT)))


@stage("starter.rows", version=2)
def rows(work: Work, config: None, data: Path, base: str) -> dict[str, dict[str, int]]:
    """`rows.jsonl`: what reading and judging are learned from and measured on."""
    embedder = minilm.load()
    found: list[r.Row] = []
    for done, name in enumerate(r.SETS, 1):
        found += r.labelled(data, name, embedder)
        work.progress(done, len(r.SETS))
    found += r.support(data) + r.from_answers([row for row in found if row.source == "squad_dev"], 3000)
    write_records(work.folder / "rows.jsonl", found)
    told: dict[str, dict[str, int]] = {}
    for row in found:
        counts = told.setdefault(row.source, {"rows": 0, "held out": 0})
        counts["rows"] += 1
        counts["held out"] += r.held_out(row.group)
    return told


@stage("starter.reading", version=2)
def reading(work: Work, config: Fit, written: Artifact, base: str) -> dict[str, Any]:
    """`reading.safetensors`, as it is shipped: trained on all rows that are not held out; `losses.json`."""
    model = load.fresh(config.seed, trains=True)
    learned = [row for row in read_records(written.path / "rows.jsonl", r.Row) if not r.held_out(row.group)]
    losses = fit(work, config, model, load.prepared(learned), padded)
    load.ship(model, work.folder / load.READING, {"sets": " ".join((*r.SETS, *r.SUPPORT)), "rows": str(len(learned))})
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {"rows": len(learned), "first loss": losses[0], "last loss": losses[-1]}


def padded(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch as tensors."""
    import torch

    tensors = {name: torch.from_numpy(filled([row[name] for row in batch], 0, LENGTHS)) for name in load.NAMES}
    return tensors | {name: torch.tensor([row[name] for row in batch]) for name in batch[0] if name not in load.NAMES}


@stage("starter.lists", version=1)
def lists(work: Work, config: None, data: Path, base: str) -> dict[str, int]:
    """`lists.jsonl`: questions with passages to put in order."""
    embedder = minilm.load()
    found: list[r.Listed] = []
    for done, name in enumerate(r.RANKED, 1):
        found += r.listed(data, name, embedder)
        work.progress(done, len(r.RANKED))
    write_records(work.folder / "lists.jsonl", found)
    return {name: sum(one.row.source == name for one in found) for name in r.RANKED}


@stage("starter.ranking", version=2)
def ranking(work: Work, config: Fit, written: Artifact, listed: Artifact, read: Artifact, base: str) -> dict[str, Any]:
    """`reading.safetensors` once more: gone on with on lists of passages, and on rows that have no list."""
    model = load.fresh(config.seed, trains=True)
    model.load_state_dict(load.trained(read.path / load.READING).state_dict())
    found = [one for one in read_records(listed.path / "lists.jsonl", r.Listed) if not r.held_out(one.row.group)]
    single = [row for row in read_records(written.path / "rows.jsonl", r.Row) if not r.held_out(row.group) and not _in_lists(row)]
    together = [*(one.rows() for one in found), *([row] for row in single)]
    made = load.prepared([row for rows in together for row in rows])
    tokens = iter(made)
    items = [_item(list(islice(tokens, len(rows)))) for rows in together]
    losses = fit(work, config, model, items, padded_lists)
    load.ship(model, work.folder / load.READING, {"sets": _NAMES, "rows": str(len(made))})
    write_json(work.folder / "losses.json", losses)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    deceiving = sum(row.support is None for row in single)
    return {"rows": len(made), "lists": len(found), "deceiving": deceiving, "first loss": losses[0], "last loss": losses[-1]}


def _in_lists(row: r.Row) -> bool:
    """Whether lists hold such rows: questions that their passage answers, and wrong passages; not those that a passage seems to answer."""
    return row.support is None and not (row.relevant is None and row.span == (0, 0))


def _item(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rows": rows, "input_ids": max((row["input_ids"] for row in rows), key=len)}


def padded_lists(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of lists as tensors, all their rows one under the other, with the number of each one's list."""
    return padded([{**row, "lists": number} for number, item in enumerate(batch) for row in item["rows"]])


@stage("starter.averaged", version=1)
def averaged(work: Work, config: None, read: Artifact, ranked: Artifact, base: str) -> dict[str, Any]:
    """`reading.safetensors` half-way between two trainings, the second of which went on from the first (Wortsman et al. 2022, arXiv
    2109.01903): it reads, abstains and orders passages better than either.
    """
    model, first = load.trained(ranked.path / load.READING), load.trained(read.path / load.READING).state_dict()
    model.load_state_dict({name: (weight + first[name]) / 2 for name, weight in model.state_dict().items()})
    told = manifest(ranked).result
    load.ship(model, work.folder / load.READING, {"sets": _NAMES, "rows": str(told["rows"])})
    return dict(told)


@stage("starter.measures", version=2)
def measures(work: Work, config: None, written: Artifact, read: Artifact, base: str) -> dict[str, Any]:
    """What the reading model is worth, in the form in which it is shipped, on documents that are held out."""
    reader = load.reader(read.path / load.READING)
    held = [row for row in read_records(written.path / "rows.jsonl", r.Row) if r.held_out(row.group)]
    embedder = minilm.load()
    return {
        "reader": starter_measures.reading(reader, held),
        "relevance": starter_measures.relevance(reader, embedder, held),
        **{name: starter_measures.support(reader, embedder, [row for row in held if row.source == name]) for name in r.SUPPORT},
    }


def build(run: Run, data: Path, config: Fit, going_on: Fit) -> tuple[Artifact, Artifact]:
    """The trained reading model and its measures. Every step that is finished is kept, and training resumes from its last checkpoint.

    `config` is how rows are learned from, `going_on` how lists of passages are afterwards. Raises BadInput where `data` lacks a set.
    """
    names = (*r.SETS, "critic_support", *r.RANKED)
    if missing := [name for name in dict.fromkeys(names) if not (data / name).is_dir()]:
        raise BadInput(f"{data} lacks {', '.join(missing)}.", "Name the folder that holds the labelled sets: make starter DATA=folder.")
    written = run.stage(rows, None, _sets(data, *r.SETS, "critic_support"), minilm.SHA256)
    read = run.stage(reading, config, written, minilm.SHA256)
    asked = run.stage(lists, None, _sets(data, *r.RANKED), minilm.SHA256)
    ranked = run.stage(ranking, going_on, written, asked, read, minilm.SHA256)
    best = run.stage(averaged, None, read, ranked, minilm.SHA256)
    return best, run.stage(measures, None, written, best, minilm.SHA256)


def _sets(data: Path, *names: str) -> Lazy:
    """`data`, known by the content of these sets."""
    files = [path for name in names for path in sorted((data / name).iterdir()) if path.suffix in (".jsonl", ".tsv")]
    return Lazy(digest("data", *(f"{path.parent.name}/{path.name} {sha256_of(path)}" for path in files)), lambda: data)


def publish(read: Artifact, measured: Artifact, folder: Path) -> None:
    """Put the trained files and their card where the package ships them from."""
    make_folder(folder)
    write_atomic(folder / load.READING, (read.path / load.READING).read_bytes())
    write_atomic(folder / "README.md", card(manifest(read).result, manifest(measured).result))


def card(trained: dict[str, Any], measured: dict[str, Any]) -> str:
    """The model card: what the files are, what they were made of, what they are worth."""
    template = resources.files("selfstudy.models.starter").joinpath("card.md").read_text("utf-8")
    figures = {f"{part} {name}": value for part, values in measured.items() for name, value in values.items()}
    told = {name: f"{value:.3f}" if isinstance(value, float) else f"{value:,}" for name, value in figures.items()}
    return template.format_map({"rows": f"{trained['rows']:,}", "lists": f"{trained['lists']:,}", **told})
