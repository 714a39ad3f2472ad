"""What studying brings: documents only, labels touched once at the end.

    python bench/adapt.py --data ../shared/data policyqa cranfield emanual_tv
    python bench/adapt.py --data ../shared/data --without round_trip negatives writers averaging -- policyqa emanual_tv
    python bench/adapt.py --data ../shared/data --try training.loss=triplet 'pretraining.method=tsdae pretraining.steps=60' -- emanual_tv

For each set: whole groups of documents up to 2,000 passages are added to a new home, `adapt` runs with its defaults, and the set's own
questions are asked of base and live. Prints a row for each set and the macro averages; --out keeps the homes and the JSON.
The runs of --without and --try go on in the home of the whole run, back at the base, so that what is alike is not made again (their
seconds say little), and the gate grows stricter with each candidate. With --force a candidate that it refused serves all the same, so
that these rows can be compared. --plot draws the gains of all whole runs that --out keeps.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from beir import relevant, rows_in
from figures import Interval, forest

from selfstudy.recipes.engine import Engine

FIELDS = ("site", "report", "contract", "meeting")
"""Fields that hold documents together, where a set has one of them."""
WITHOUT = {
    "round_trip": ["round_trip.on=false"],
    "negatives": ["negatives.of_each=0"],
    "writers": ['questions.writers=["sentence", "terms"]'],
    "averaging": ["average.shares=[1.0]"],
    "head": ["head.on=false"],
    "training": ["training.minutes=0"],
    "imitation": ["imitation.on=false"],
}


class Loud:
    """A reporter that says on stderr which stage took how long."""

    def stage_started(self, name: str, resumed: bool) -> None: ...

    def progress(self, name: str, done: int, total: int) -> None: ...

    def stage_finished(self, name: str, seconds: float, kept: bool) -> None:
        print(f"    {name} {seconds:.1f} s{' (kept)' if kept else ''}", file=sys.stderr, flush=True)


def subset(source: Path, into: Path, most: int, seed: int = 0) -> None:
    """Write whole groups of `source`, up to `most` documents, with the questions whose relevant documents are all among them."""
    documents = rows_in(source / "corpus.jsonl")
    field = next((name for name in FIELDS if name in (documents[0].get("meta") or {})), None)
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in documents:
        groups[str(row["meta"][field]) if field else row["id"]].append(row)
    names = sorted(groups)
    random.Random(seed).shuffle(names)
    chosen: list[dict[str, Any]] = []
    for name in names:
        if len(chosen) + len(groups[name]) <= most:
            chosen += groups[name]
    ids = {row["id"] for row in chosen}
    inside = {question: found for question, found in relevant(source).items() if found and set(found) <= ids}
    into.mkdir(parents=True, exist_ok=True)
    with (into / "corpus.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
    with (into / "queries.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(line for line in (source / "queries.jsonl").open(encoding="utf-8") if json.loads(line)["id"] in inside)
    with (into / "qrels.tsv").open("w", encoding="utf-8") as out:
        out.writelines(f"{question}\t{document}\t{score}\n" for question, found in inside.items() for document, score in found.items())


def measured(name: str, data: Path, out: Path, most: int, sets: list[str], force: bool) -> dict[str, Any]:
    """Add, adapt from the base and evaluate one set."""
    folder = out / name
    subset(data / name, folder / "set", most)
    engine = Engine.open(folder / "home", create=True, sets=sets, reporter=Loud())
    while engine.live.key is not None:
        engine.rollback()
    began = time.monotonic()
    added = engine.add([folder / "set" / "corpus.jsonl"])
    middle = time.monotonic()
    outcome = engine.adapt()
    ended = time.monotonic()
    judged = engine.history_of.candidate(outcome.key)
    learned = judged.system.learned if judged.system else None
    if (force or judged.promote) and engine.live.learned != learned:  # promoted by an earlier run and then taken back, or refused
        engine.promote(outcome.key, force=force)  # not where it serves: a reranker may stand over it by now
    found = engine.evaluate(folder / "set" / "queries.jsonl", folder / "set" / "qrels.tsv", out=folder / "evaluate")
    return {
        "set": name, "documents": added.documents, "passages": added.passages, "add_s": round(middle - began, 1),
        "adapt_s": round(ended - middle, 1), "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "serves": engine.live.learned == learned, "reason": outcome.reason, "weight": outcome.weight, "evaluate": found,
    }  # fmt: skip


def row(result: dict[str, Any], metric: str) -> str:
    """One line of the table."""
    cells = [f"{result['set']:<12}{result['passages']:>6}"]
    for retriever in ("lexical", "dense", "hybrid"):
        base, live = (result["evaluate"][side][retriever][metric]["value"] for side in ("base", "live"))
        change = result["evaluate"]["compare"][retriever][metric]
        cells.append(f"{base:.3f}" if retriever == "lexical" else f"{base:.3f} -> {live:.3f} [{change['low']:+.3f}, {change['high']:+.3f}]")
    cells.append(f"{'live' if result['serves'] else 'refused'} w={result['weight']:.2f} {result['adapt_s']:.0f} s {result['peak_gib']} GiB")
    return "  ".join(cells)


def macro(results: list[dict[str, Any]], metric: str) -> str:
    """Means over sets, and their relative change."""
    told = []
    for retriever in ("dense", "hybrid"):
        sides = [[result["evaluate"][side][retriever][metric]["value"] for result in results] for side in ("base", "live")]
        base, live = (float(np.mean(side)) for side in sides)
        told.append(f"{retriever} {base:.3f} -> {live:.3f} ({live / base - 1:+.1%})")
    return "macro  " + "  ".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--most", type=int, default=2000, help="documents of a set")
    parser.add_argument("--set", dest="sets", action="append", default=[])
    parser.add_argument("--force", action="store_true", help="let a refused candidate serve")
    parser.add_argument("--without", nargs="*", choices=sorted(WITHOUT), default=[], help="one more run without each of these parts")
    parser.add_argument("--try", dest="tries", nargs="*", default=[], metavar="NAME=VALUE ...", help="one more run with each of these")
    parser.add_argument("--plot", type=Path, help="a picture of the gains (needs matplotlib)")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="selfstudy-bench-"))
    variants: dict[str, list[str]] = {"": []} | {f"without {name}": WITHOUT[name] for name in arguments.without}
    variants |= {f"with {one}": one.split() for one in arguments.tries}
    for variant, changed in variants.items():
        said = f"{variant}: " if variant else ""
        results = []
        for name in arguments.names:
            result = measured(name, arguments.data, out, arguments.most, [*arguments.sets, *changed], arguments.force)
            results.append(result)
            (out / (re.sub(r"\W+", "-", f"{name} {variant}".strip()) + ".json")).write_text(json.dumps(result, indent=1), encoding="utf-8")
            print(f"{said}mrr@10  {row(result, 'mrr@10')}", flush=True)
            print(f"{'':>8}hit@10  {row(result, 'hit@10')}", flush=True)
            print(f"{'':>8}{result['reason']}", flush=True)
        for metric in ("mrr@10", "hit@10") if results else ():
            print(f"{said}{metric}  {macro(results, metric)}", flush=True)
    if arguments.plot:
        plot(arguments.plot, out)


def plot(path: Path, out: Path) -> None:
    """Draw what studying brought in every set whose result is kept in `out`."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(out.glob("*.json")) if (out / file.stem).is_dir()]
    panels: dict[str, dict[str, Interval]] = {}
    for retriever in ("dense", "hybrid"):
        changes = {result["set"]: result["evaluate"]["compare"][retriever]["mrr@10"] for result in results}
        panels[f"{retriever} search"] = {name: (one["value"], one["low"], one["high"]) for name, one in changes.items()}
    forest(path, "What studying brings: MRR@10 of people's questions, live less base", panels)


if __name__ == "__main__":
    main()
