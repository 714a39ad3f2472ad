"""Transcripts parted by subject, beside cut as they are: do people's questions, and written ones, find their place more often?

    python bench/topics.py [--data ../shared/data] [--meetings 12]

Meetings are put together again out of the rows of qmsum and cut both ways in one run. People's questions are asked within their meeting,
written ones (by rule, without those of headings) over all; search is by words. A passage is right if it overlaps what people marked.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from beir import relevant, rows_in

from selfstudy.core.records import Document, Example
from selfstudy.corpus.formats.turns import turns
from selfstudy.corpus.passages.chunk import chunk
from selfstudy.corpus.passages.topics import Topics, topics
from selfstudy.index.lexical import Lexical
from selfstudy.index.store import Store
from selfstudy.synth.questions import WRITERS
from selfstudy.synth.round_trip import why_dropped

Spans = dict[str, tuple[str, int, int]]


def read(folder: Path, most: int) -> tuple[list[Document], Spans]:
    """Some meetings, and where each row of the set stands in its own."""
    said: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_in(folder / "corpus.jsonl"):
        said[row["meta"]["meeting"]].append(row)
    names = sorted(said)
    random.Random(0).shuffle(names)
    documents, spans = [], {}
    for name in names[:most]:
        text = ""
        for row in said[name]:
            spans[row["id"]] = (name, len(text), len(text) + len(row["text"]))
            text += row["text"] + "\n"
        marks, speakers = turns(text)
        documents.append(Document(name, text, said[name][0]["title"], meta={"speakers": ", ".join(speakers)}, marks=marks))
    return documents, spans


def measured(name: str, documents: list[Document], spans: Spans, folder: Path) -> None:
    passages = {document.id: chunk(document) for document in documents}
    every = [passage for found in passages.values() for passage in found]
    with tempfile.TemporaryDirectory() as home:
        store = Store.open(Path(home), create=True)
        with store.writing() as writer:
            writer.put([(document, passages[document.id], None) for document in documents])
            writer.commit()
        snapshot = store.snapshot()
        search = Lexical(snapshot)
        judged = {question: [spans[row] for row in found if row in spans] for question, found in relevant(folder).items()}
        ranks = []
        for query in rows_in(folder / "queries.jsonl"):
            if not (gold := judged.get(query["id"])):
                continue
            hits = search.search([query["text"]], 10, f"id = '{query['meeting']}'")[0]
            places = [hit.passage.places[0] for hit in hits]
            good = [any(p.document == doc and p.start < right and left < p.end for doc, left, right in gold) for p in places]
            ranks.append(good.index(True) + 1 if True in good else 0)
        written: list[Example] = [one for way, write in WRITERS.items() if way != "headings" for one in write(every)]
        written = random.Random(0).sample(written, min(len(written), 600))
        back = [why_dropped(one, search.search([one.question], 10)[0]) is None for one in written]
    hit = np.mean([0 < rank <= 5 for rank in ranks])
    mrr = np.mean([1 / rank if rank else 0.0 for rank in ranks])
    print(
        f"{name:<24}{len(every):>6} passages  people's {len(ranks)}: hit@5 {hit:.3f} MRR@10 {mrr:.3f}  written, back {np.mean(back):.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--meetings", type=int, default=12)
    given = parser.parse_args()
    documents, spans = read(given.data / "qmsum", given.meetings)
    measured("as they are", documents, spans, given.data / "qmsum")
    for name, cfg in (("by subject, untitled", Topics(on=True, title=0)), ("by subject, titled", Topics(on=True))):
        measured(name, [topics(document, cfg) for document in documents], spans, given.data / "qmsum")
    for section in topics(documents[0]).sections[:8]:
        print("   ", section.path[-1])


if __name__ == "__main__":
    main()
