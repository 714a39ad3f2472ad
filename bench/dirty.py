"""Bad documents made on purpose: what is found of them, and what they cost.

    python bench/dirty.py --data ../shared/data policyqa medquad [--most 400] [--strangers emanual_tv] [--trust]
        [--adapt [--set training.max_steps=60]]

Each set is dirtied by a fixed seed: 30% of its documents are copied with small edits, 10% get an outdated version with changed facts (named
"_v1", by a year, or by nothing but an earlier date), 5% are contradicted in a note elsewhere, 15% are misread as by a bad scan, foreign
documents come to 20% of the whole, of 10% a part is a document of its own (and once more with another fact, which is no duplicate), 5%
stand in the middle of a longer document, and every document gets a head and a foot. Prints precision and recall of what `add` and the
audit find. What is found in the clean set too (its own copies, say) counts neither for nor against.

--trust asks the set's own questions and those that a study writes, with a share of each document's trust added to its score.

--adapt studies the clean set, the dirty one with all cleaning off, and the dirty one, asks the set's own questions (which copies answer as
well), and prints which share of the clean gain is kept in dense search as it is shown, near duplicates folded, and how often `ask` cites
the current version.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from beir import relevant, rows_in

from selfstudy.core.fold import fold
from selfstudy.core.records import Document
from selfstudy.core.studied import examples_of
from selfstudy.core.text import sentences
from selfstudy.corpus.cleaning.contained import contained
from selfstudy.corpus.cleaning.contradictions import contradictions
from selfstudy.corpus.cleaning.dedup import near_duplicates
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.index.hybrid import Spread
from selfstudy.index.ranking import best
from selfstudy.recipes.audit import disagreeing
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.settle import families_of, graded
from selfstudy.recipes.system import System
from selfstudy.recipes.weighing import clearly_best

Row = dict[str, Any]
HEAD = "Intranet | Home | Search | Imprint"
FOOT = "Confidential. This document is meant for the staff of Example Ltd only, printed on page {n}."
MISREAD = {"l": "1", "o": "0", "e": "c", "m": "rn", "h": "b", "i": "l", "s": "5", "a": "o", "n": "u", "t": "f"}
MODAL = re.compile(r"\b(may|will|can|must|should|do|are|is)\b(?! not)")
OFF = ["boilerplate.on=false", "versions.on=false", "quality.noisy=1.0", "quality.foreign=0.0"]


@dataclass
class Dirty:
    """The rows, and the truth about them: ids, or pairs of ids."""

    rows: list[Row]
    copies: set[frozenset[str]] = field(default_factory=set)
    contained: set[frozenset[str]] = field(default_factory=set)
    outdated: dict[str, str] = field(default_factory=dict)
    contradicted: set[frozenset[str]] = field(default_factory=set)
    misread: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    equals: dict[str, str] = field(default_factory=dict)
    """Documents that say all that another says, and so answer its questions as well: copies, and what holds it whole."""


def dirtied(clean: Sequence[Row], strangers: Sequence[Row], seed: int = 0) -> Dirty:
    """The set with its faults, each kind in documents of its own."""
    chooser = random.Random(seed)
    rows = [dict(row) for row in clean]
    order = chooser.sample(range(len(rows)), len(rows))
    found = Dirty(rows)

    def share(part: float) -> list[Row]:
        taken = order[: int(part * len(clean))]
        del order[: len(taken)]
        return [rows[at] for at in taken]

    for number, row in enumerate(share(0.10)):
        if (text := _changed(row["text"], chooser)) is None:
            continue
        old = {**row, "text": text}
        if number % 3 == 0:
            old["id"] = f"{row['id']}_v1"
        elif number % 3 == 1:
            old["id"] = f"{row['id']} 2015"
        else:
            old["id"] = f"archive {number}"
            old["meta"] = {**row.get("meta", {}), "updated": "2015-03-01"}
            row["meta"] = {**row.get("meta", {}), "updated": "2023-03-01"}
        rows.append(old)
        found.outdated[old["id"]] = row["id"]
    for number, row in enumerate(share(0.05)):
        said = [row["text"][a:b] for a, b in sentences(row["text"])]
        wrong = next((text for one in said if len(one.split()) > 7 and (text := _changed(one, chooser))), None)
        if wrong is not None:
            beside = chooser.choice(clean)["text"]
            note = {"id": f"note {number}", "title": "Notes", "text": f"{beside[: (sentences(beside) or [(0, 0)])[0][1]]} {wrong}"}
            rows.append(note)
            found.contradicted.add(frozenset((row["id"], note["id"])))
    for row in share(0.15):
        row["text"] = "".join(MISREAD.get(char, char) if chooser.random() < 0.08 else char for char in row["text"])
        found.misread.add(row["id"])
    for row in share(0.30):
        words = row["text"].split()
        del words[chooser.randrange(len(words))]
        rows.append({**row, "id": f"{row['id']} copied", "text": " ".join(words)})
        found.copies.add(frozenset((row["id"], f"{row['id']} copied")))
        found.equals[f"{row['id']} copied"] = row["id"]
    for row in chooser.sample(list(strangers), min(len(strangers), len(rows) // 4)):
        rows.append({"id": f"stranger {row['id']}", "title": row.get("title", ""), "text": row["text"]})
        found.foreign.add(rows[-1]["id"])
    for number, row in enumerate(share(0.10)):
        spans = sentences(row["text"])
        begin = chooser.randrange(len(spans) // 2 + 1)
        part = row["text"][spans[begin][0] : spans[min(begin + max(1, len(spans) // 2), len(spans) - 1)][1]]
        if len(part.split()) < 25 or len(part) > 0.8 * len(row["text"]):
            continue
        rows.append({"id": f"excerpt {number}", "title": "Excerpt", "text": part})
        found.contained.add(frozenset((row["id"], rows[-1]["id"])))
        if (wrong := _changed(part, chooser)) is not None:
            rows.append({"id": f"wrong excerpt {number}", "title": "Excerpt", "text": wrong})
            found.contradicted.add(frozenset((row["id"], rows[-1]["id"])))
    for number, row in enumerate(share(0.05)):
        around = [" ".join(chooser.sample(chooser.choice(strangers)["text"].split(), 20)) for _ in range(2)]
        rows.append({"id": f"digest {number}", "title": "Digest", "text": f"{around[0]}.\n{row['text']}\n{around[1]}."})
        found.contained.add(frozenset((row["id"], rows[-1]["id"])))
        found.equals[f"digest {number}"] = row["id"]
    for number, row in enumerate(rows):
        row["text"] = f"{HEAD}\n{row['text']}\n{FOOT.format(n=number)}"
    return found


def _changed(text: str, chooser: random.Random) -> str | None:
    """The text with its first number, else its first promise, made another; None where there is neither."""
    if re.search(r"\d", text):
        return re.sub(r"\d+", lambda match: str(int(match[0]) + chooser.randint(1, 9)), text, count=1)
    return MODAL.sub(r"\1 not", text, count=1) if MODAL.search(text) else None


def detected(name: str, clean: Sequence[Row], dirty: Dirty, folder: Path) -> Engine:
    """Add the dirty set, and print what was found of its faults."""
    engine = Engine.open(folder / "dirty", create=True)
    began = time.monotonic()
    engine.add([write(folder / "dirty-set", dirty.rows)])
    added = time.monotonic() - began
    snapshot, embedder = engine.store.snapshot(), engine.loaded.embedder(engine.live.embedder)
    passages = list(snapshot.passages)
    place = {passage.id: passage.places[0].document for passage in passages}
    before = [passage for row in clean for passage in chunk(Document(row["id"], row["text"], row.get("title", "")))]
    whose = {passage.id: passage.places[0].document for passage in before}
    same = near_duplicates(before)
    parts = sorted((chunk(Document(row["id"], row["text"], row.get("title", ""))) for row in clean), key=lambda part: -len(str(part)))
    natural = {frozenset((whose[one], whose[other])) for one, other in same.items()}
    natural |= {frozenset((whose[one], whose[other])) for one, others in contained(parts, same).items() for other in others}
    natural |= {frozenset((whose[one.id], one.places[0].document)) for one in before}
    versions = {frozenset(pair) for pair in dirty.outdated.items()}  # these share passages, as they should
    families = families_of(engine.home, snapshot, engine.settings)
    grades = graded(engine.home, snapshot, engine.settings, embedder)
    told = {frozenset((place[one.id], place[other])) for one in passages for other in (one.near, *one.within) if other in place}
    told |= {frozenset((one.places[0].document, other.document)) for one in passages for other in one.places[1:]}
    told = {pair for pair in told if len(pair) == 2} - natural - versions
    report(name, "duplicates", told - dirty.contained, dirty.copies)
    report(name, "contained", told - dirty.copies, dirty.contained)
    outdated = {(id, family.current) for family in families for id in family.members if family.current not in (None, id)}
    report(name, "versions", outdated, set(dirty.outdated.items()))
    known = {frozenset((one.quote, one.other_quote)) for one in contradictions(before, None)}
    listed = disagreeing(snapshot, families, engine.settings, embedder)
    pairs = {
        frozenset((one.place.document, one.other_place.document)) for one in listed if frozenset((one.quote, one.other_quote)) not in known
    }
    report(name, "contradictions", pairs, dirty.contradicted)
    for kind, begins, truth in (("off the subject", "off", dirty.foreign), ("noisy", "noisy", dirty.misread)):
        report(name, kind, {place[id] for id, grade in grades.items() if any(one.startswith(begins) for one in grade.reasons)}, truth)
    left = sum("Intranet |" in passage.text or "Example Ltd" in passage.text for passage in passages)
    print(f"{name:<12}boilerplate      left in {left} of {len(passages)} passages; added in {added:.0f} s", flush=True)
    return engine


def believed(name: str, data: Path, clean: Sequence[Row], engine: Engine, folder: Path) -> None:
    """Print what hybrid search of the dirty set gains or loses by a share of its documents' trust (in deviations, as its other scores):
    on the set's own questions, and on those that a study writes and would choose the share by."""
    snapshot = engine.store.snapshot()
    hybrid, mask = engine.loaded.retrievers(snapshot, engine.base)["hybrid"], snapshot.mask(None)
    cards, passages = snapshot.documents, list(snapshot.passages)
    trust = np.array([max(float(cards[place.document].facts["trust"]) for place in passage.places) for passage in passages])
    texts = questions(data / name, {row["id"] for row in clean}, folder)
    own = {id: {row for document in found for row in snapshot.rows_of(document).tolist()} for id, found in relevant(folder).items()}
    written = [one for split in ("tune", "exam") for one in examples_of(engine.studies.study().examples.mined, split)]
    sets = {
        "its own": (texts, [[passages[row] for row in own[one["id"]]] for one in rows_in(folder / "queries.jsonl")]),
        "written": ([one.question for one in written], [[one.evidence[0].passage] for one in written]),
    }
    for kind, (asked, sources) in sets.items():
        wanted = [{row for row, held in enumerate(passages) if any(held.holds(one) for one in each)} for each in sources]
        found = hybrid.candidates(asked, 200)
        ranks: dict[float, list[float]] = {share: [] for share in (0.0, 0.1, 0.2, 0.4, 0.8)}
        for one, rows in zip(found, wanted, strict=True):
            for share, values in ranks.items():
                mixed = one.mix(engine.base.weight) + share * Spread.of(trust).standard(trust)[one.rows]
                first = one.rows[best(mixed, 10, None if mask is None else mask[one.rows])].tolist()
                values.append(next((1 / rank for rank, row in enumerate(first, 1) if row in rows), 0.0))
        told = ", ".join(f"{share:g}: {np.mean(values):.3f}" for share, values in ranks.items())
        chosen = clearly_best({share: np.array(values) for share, values in ranks.items()}, 0.0)
        believable = np.mean([max(trust[list(rows)]) for rows in wanted if rows])
        print(f"{name:<12}trust, {kind:<10}mrr@10 of {len(asked)} at {told}; chosen {chosen:g}")
        print(f"{'':<12}mean trust of what answers {believable:.3f}, of all {trust.mean():.3f}", flush=True)


def report(name: str, kind: str, found: set[Any], truth: set[Any]) -> None:
    """One line: precision and recall."""
    right = len(found & truth)
    precision, recall = (right / len(side) if side else float("nan") for side in (found, truth))
    print(f"{name:<12}{kind:<17}precision {precision:.3f}  recall {recall:.3f}  found {len(found)}, seeded {len(truth)}", flush=True)


def studied(name: str, data: Path, clean: Sequence[Row], dirty: Dirty, folder: Path, settings: Sequence[str]) -> None:
    """Adapt clean, dirty uncleaned and dirty, and print the gain of each on the set's own questions about the clean documents."""
    ids = {row["id"] for row in clean}
    gains: dict[str, float] = {}
    for variant, rows, sets in (("clean", clean, []), ("uncleaned", dirty.rows, OFF), ("cleaned", dirty.rows, [])):
        asked = questions(data / name, ids, folder, {} if variant == "clean" else dirty.equals)
        engine = Engine.open(folder / f"study-{variant}", create=True, sets=[*sets, *settings])
        engine.add([write(folder / f"{variant}-set", rows)])
        outcome = engine.adapt()
        base, live = (shown(engine, system, asked, folder) for system in (engine.base, engine.live))
        gains[variant] = live - base
        cited = [citation.document for text in asked[:200] for citation in engine.ask(text).citations]
        versions = [id for id in cited if id in dirty.outdated or id in dirty.outdated.values()]
        current = sum(id not in dirty.outdated for id in versions) / len(versions) if versions else float("nan")
        print(f"{name:<12}{variant:<10}dense mrr@10 {base:.3f} -> {live:.3f}, cites the current version {current:.3f} of {len(versions)}")
        print(f"{'':>12}{outcome.reason}", flush=True)
    if gains["clean"]:
        kept = ", ".join(f"{variant} {gains[variant] / gains['clean']:.0%}" for variant in ("uncleaned", "cleaned"))
        print(f"{name:<12}share of the clean gain kept: {kept}", flush=True)


def shown(engine: Engine, system: System, asked: Sequence[str], folder: Path) -> float:
    """MRR@10 of dense search as people see it, near duplicates folded; the qrels of `folder` name the questions in the order of `asked`."""
    found = engine.loaded.retrievers(engine.store.snapshot(), system)["dense"].search(asked, 40)
    ranks = []
    for hits, documents in zip(found, relevant(folder).values(), strict=True):
        right = (rank for rank, hit in enumerate(fold(hits, 10), 1) if any(place.document in documents for place in hit.passage.places))
        ranks.append(next((1 / rank for rank in right), 0.0))
    return float(np.mean(ranks))


def questions(source: Path, ids: set[str], folder: Path, equals: Mapping[str, str] | None = None) -> list[str]:
    """Write the questions whose relevant documents are all among `ids`, with what answers as well (`equals`); their texts."""
    rows, right = labelled(source)
    chosen = [row for row in rows if right.get(row["id"]) and right[row["id"]] <= ids]
    for found in right.values():
        found |= {other for other, one in (equals or {}).items() if one in found}
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen), "utf-8")
    pairs = [f"{row['id']}\t{document}\t1\n" for row in chosen for document in sorted(right[row["id"]])]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(pairs), "utf-8")
    return [row["text"] for row in chosen]


def labelled(source: Path) -> tuple[list[Row], dict[str, set[str]]]:
    """A set's questions, and by their ids what answers them: by its labels, or by its pairs of question and document (medquad)."""
    if (pairs := source / f"{source.name}_pairs.jsonl").exists():
        found = rows_in(pairs)
        return [{"id": one["id"], "text": one["question"]} for one in found], {one["id"]: {one["doc_id"]} for one in found}
    return rows_in(source / "queries.jsonl"), {question: set(found) for question, found in relevant(source).items()}


def write(folder: Path, rows: Sequence[Row]) -> Path:
    """The rows as a corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return folder / "corpus.jsonl"


def rows_of(folder: Path, most: int) -> list[Row]:
    """Rows with something to say, drawn by a fixed seed."""
    rows = [row for row in rows_in(folder / "corpus.jsonl") if len(row["text"].split()) >= 20]
    return random.Random(0).sample(rows, min(most, len(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=400, help="documents of a set")
    parser.add_argument("--strangers", default="squad_dev", help="the set that foreign documents are taken from")
    parser.add_argument("--adapt", action="store_true", help="study as well; takes an hour")
    parser.add_argument("--trust", action="store_true", help="ask what the documents' trust would do as a part of the ranking")
    parser.add_argument("--set", dest="sets", action="append", default=[], help="a setting of the studies")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="selfstudy-bench-"))
    strangers = rows_of(arguments.data / arguments.strangers, arguments.most)
    for name in arguments.names:
        clean = rows_of(arguments.data / name, arguments.most)
        dirty = dirtied(clean, strangers)
        engine = detected(name, clean, dirty, out / name)
        if arguments.trust:
            believed(name, arguments.data, clean, engine, out / name)
        if arguments.adapt:
            studied(name, arguments.data, clean, dirty, out / name, arguments.sets)


if __name__ == "__main__":
    main()
