"""Whether votes help: people simulated on a labelled set, some of whom are wrong.

    python bench/votes.py --data ../shared/data policyqa [--most 1000] [--votes 300] [--wrong 0.15 0.6] [--tempted 0.1] [--out DIR]

Half of the set's document groups have voters, the other half measures. A home adapts without votes; then, for each share of wrong votes,
a copy of it is given the votes and adapts again. A right voter names the labelled passage among the ten shown, a wrong one another
of the ten, at random. For each share of --tempted, a copy is given as many clicks in their place and learns from these: each passage shown
is looked at as often as its rank's inverse says (Craswell et al. 2008, the examination hypothesis), and the first of those that is opened
is the click: the labelled one with probability .9, another with that of being tempted. Prints whether they were learned from, whether the
candidate was promoted, and dense and hybrid MRR@10 on the questions of the other half, with votes or clicks less without, paired, with
the interval. The labels touch nothing but the votes, the clicks and that last figure. A home without votes under --out is not made again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from adapt import FIELDS, subset
from beir import relevant, rows_in

from selfstudy.core.records import Answer, Citation, Hit
from selfstudy.evals.paired import compare
from selfstudy.recipes.engine import Engine

USERS = 30
People = Callable[[Engine, list[dict[str, Any]], int, float], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--most", type=int, default=1000, help="documents")
    parser.add_argument("--votes", type=int, default=300)
    parser.add_argument("--wrong", type=float, nargs="+", default=[0.15, 0.6])
    parser.add_argument("--set", dest="sets", action="append", default=[])
    parser.add_argument("--tempted", type=float, nargs="*", default=[])
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="selfstudy-votes-"))
    subset(given.data / given.name, out / "set", given.most)
    voters, measured = halves(out / "set")
    engine = Engine.open(out / "home", create=True, sets=given.sets)
    if engine.live.key is None:
        engine.add([out / "set" / "corpus.jsonl"])
        print(f"without votes: {engine.adapt().reason}", flush=True)
    before = ranks(engine, measured, out / "without")
    trials: list[tuple[str, float, People, list[str]]] = [("wrong", share, vote, []) for share in given.wrong]
    trials += [("tempted", share, click, ["votes.clicks=true"]) for share in given.tempted]
    for kind, share, people, sets in trials:
        home = out / f"home-{kind}-{share:g}"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(out / "home", home)
        engine = Engine.open(home, sets=[*given.sets, *sets])
        cast = people(engine, voters, given.votes, share)
        began = time.monotonic()
        outcome = engine.adapt()
        after = ranks(engine, measured, out / f"with-{kind}-{share:g}")
        votes = outcome.votes or {}
        print(f"{cast} of people {share:.0%} {kind}, {time.monotonic() - began:.0f} s: {votes.get('reason')}")
        print(f"    {votes.get('report')}\n    {outcome.reason}\n    promoted: {outcome.promoted}")
        for name in before:
            found = compare(before[name], after[name])
            print(f"    {name} MRR@10 {np.mean(before[name]):.3f} -> {np.mean(after[name]):.3f}"
                  f" [{found.low:+.3f}, {found.high:+.3f}] p {found.p:.4f} n {found.n}", flush=True)  # fmt: skip


def halves(folder: Path) -> tuple[list[dict[str, Any]], Path]:
    """The labelled questions about one half of the groups, each with its `relevant` documents, and a folder with those about the other."""
    documents = rows_in(folder / "corpus.jsonl")
    field = next((name for name in FIELDS if name in (documents[0].get("meta") or {})), None)
    group = {row["id"]: str(row["meta"][field]) if field else row["id"] for row in documents}
    names = sorted(set(group.values()))
    chosen = set(random.Random(1).sample(names, len(names) // 2))
    right = relevant(folder)
    sides: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for question in rows_in(folder / "queries.jsonl"):
        groups = {group[document] for document in right[question["id"]]}
        if groups <= chosen or not groups & chosen:
            sides[not groups <= chosen].append(question | {"relevant": set(right[question["id"]])})
    other = folder / "measured"
    other.mkdir(exist_ok=True)
    lines = (json.dumps({"id": one["id"], "text": one["text"]}, ensure_ascii=False) for one in sides[1])
    (other / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pairs = (f"{one['id']}\t{document}\t1" for one in sides[1] for document in sorted(one["relevant"]))
    (other / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *pairs]) + "\n", encoding="utf-8")
    return sides[0], other


class Shown(NamedTuple):
    """What one person was shown: the first ten, which of them are `right`, and the question's id in the ledger."""

    id: str
    user: str
    hits: list[Hit]
    right: list[bool]


def asked(engine: Engine, questions: list[dict[str, Any]], chooser: random.Random) -> Iterator[Shown]:
    """The questions in any order, each of its person; whoever was shown no right passage, or nothing else, says nothing."""
    serving = engine.serving()
    for number, question in enumerate(chooser.sample(questions, len(questions))):
        hits = engine.search(question["text"], 10, serving=serving)
        right = [bool({place.document for place in hit.passage.places} & question["relevant"]) for hit in hits]
        if not any(right) or all(right):
            continue
        first = hits[0].passage
        place = first.places[0]
        cited = Citation(1, first.id, place.document, first.title, "", place.start, place.end, first.text)
        answer = Answer(question["text"], f"{first.text} [1]", (cited,), tuple(hits), 0.5, False)
        user = f"user{number % USERS}"
        yield Shown(engine.ledger.asked(user, "ask", question["text"], hits, serving.version, answer), user, hits, right)


def vote(engine: Engine, questions: list[dict[str, Any]], most: int, wrong: float) -> int:
    """Cast up to `most` votes that name a passage. Returns how many."""
    chooser, cast = random.Random(2), 0
    for shown in islice(asked(engine, questions, chooser), most):
        kind = chooser.random() >= wrong
        chosen = chooser.choice([hit for hit, right in zip(shown.hits, shown.right, strict=True) if right == kind])
        engine.ledger.vote(shown.id, shown.user, "up" if chosen is shown.hits[0] else "down", passage=chosen.passage.id)
        cast += 1
    return cast


def click(engine: Engine, questions: list[dict[str, Any]], most: int, tempted: float) -> int:
    """Open up to `most` sources, one a question at most. Returns how many."""
    chooser, cast = random.Random(2), 0
    for shown in asked(engine, questions, chooser):
        for rank, (hit, right) in enumerate(zip(shown.hits, shown.right, strict=True), 1):
            if chooser.random() < (0.9 if right else tempted) / rank:
                engine.ledger.click(shown.id, shown.user, hit.passage.id)
                cast += 1
                break
        if cast == most:
            break
    return cast


def ranks(engine: Engine, measured: Path, out: Path) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """MRR@10 of each measured question by what serves."""
    engine.evaluate(measured / "queries.jsonl", measured / "qrels.tsv", out=out)
    rows = [json.loads(line) for line in (out / "questions.jsonl").open(encoding="utf-8")]
    return {name: np.array([row[f"live.{name}.mrr@10"] for row in rows]) for name in ("dense", "hybrid")}


if __name__ == "__main__":
    main()
