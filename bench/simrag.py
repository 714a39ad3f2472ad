"""SimRAG's ablation (arXiv 2410.17952, tables 2 to 4), small: which stage of tuning, which filter and which questions help a generator?

    python bench/simrag.py --starter starter/reading-KEY --rows starter/rows-KEY [--data ../shared/data] policyqa tatqa cuad

The generator is the starter's reading network over all-MiniLM-L6-v2, whose base has untrained heads. `stage I` is the starter itself, which
has seen none of these domains. Stage II learns from questions that rules wrote about the domain's documents, turned into three kinds
(short answers, multiple choice, claims), each over its passage and over distractors, mixed with rows of stage I: twice as many steps where
these are mixed in, so that all see the domain equally often. `stage I, longer` makes those steps on rows of stage I alone.

Everybody answers the same questions of people over the same five passages of the same untuned hybrid search; EM and F1 are of those,
`accuracy` is that of choices and claims about groups of documents (sites, reports, contracts) that nobody trained on. Stage I is far
longer than stage II, so that "stage II only" is no fair rival of it; only what follows stage I is compared on equal terms. Differences are
paired, with 95% intervals over questions, for one seed. Homes, models and scores are kept under --out; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from adapt import FIELDS, Loud, subset
from beir import rows_in
from figures import forest, lines

from selfstudy.answer.extractive import extract
from selfstudy.answer.reading import read
from selfstudy.core.artifacts import manifest, read_records, write_records
from selfstudy.core.files import read_json, write_json
from selfstudy.core.records import Artifact, Difference, Example, Hit
from selfstudy.core.run import Run, Work, stage
from selfstudy.core.studied import examples_of
from selfstudy.evals.answers import exact_match, token_f1
from selfstudy.evals.paired import compare
from selfstudy.models.starter import load
from selfstudy.models.starter.heads import Torch
from selfstudy.models.starter.reading import StarterReader
from selfstudy.models.starter.rows import Row, held_out
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.starter import padded
from selfstudy.synth.kinds import choices, claims
from selfstudy.train.labelled import Fit, fit

PASSAGES = 5
DISTRACTORS = 2
EXAM = 300
LONGEST = 120  # tokens of an answer: clauses are long
KINDS = ("short", "choice", "claim")


@dataclass(frozen=True)
class Variant:
    """One way of tuning: from where, on which examples."""

    name: str
    starts: bool = True  # from the starter (stage I), else from the base with untrained heads
    tuned: bool = True  # on the domain's questions (stage II)
    filtered: bool = True  # by the round trip
    kinds: tuple[str, ...] = KINDS
    general: bool = True  # rows of stage I mixed in
    absent: bool = False  # RAFT: sometimes only distractors are shown
    domain: bool = True  # False: rows of stage I alone


VARIANTS = (
    Variant("base", starts=False, tuned=False),
    Variant("stage I only", tuned=False),
    Variant("stage I, longer", domain=False),
    Variant("stage II only", starts=False, general=False),
    Variant("both stages"),
    Variant("both, no round trip", filtered=False),
    *(Variant(f"both, {kind} alone", kinds=(kind,)) for kind in KINDS),
    Variant("RAFT-style", starts=False, general=False, filtered=False, kinds=("short",), absent=True),
)


def rows_of(example: Example, absent: bool) -> list[Row]:
    """What the network learns from an example: its passage, and distractors that hold no answer."""
    passage = example.evidence[0].passage.indexed
    row = Row("own", example.group, example.question, passage)
    if example.kind == "claim":
        return [replace(row, question="", answer=example.question, support=2 if example.answers[0] == "true" else 0)]
    if example.choices:
        return [replace(row, answer=choice, support=2 if choice in example.answers else 0) for choice in example.choices]
    found = []
    start = passage.find(example.answers[0])
    if start >= 0 and not (absent and int(example.id[:4], 16) % 5 == 0):
        found.append(replace(row, span=(start, start + len(example.answers[0])), relevant=1, answers=example.answers))
    others = [replace(row, passage=hit.passage.indexed, span=(0, 0), relevant=0) for hit in example.distractors[:DISTRACTORS]]
    return found + others


@stage("simrag.tuned", version=1)
def tuned(work: Work, config: Fit, examples: Artifact, variant: dict[str, Any], general: Artifact, starter: Artifact) -> dict[str, Any]:
    """`reading.safetensors` after stage II, and `losses.json`."""
    chosen = Variant(**variant)
    model = load.trained(starter.path / load.READING).train() if chosen.starts else load.fresh(config.seed)
    learned = [one for one in read_records(examples.path / "examples.jsonl", Example) if one.split == "train"]
    rows = [row for example in learned if kind_of(example) in chosen.kinds for row in rows_of(example, chosen.absent)]
    rng = random.Random(config.seed)
    rng.shuffle(rows)
    wanted = config.max_steps * config.per_device_train_batch_size // (2 if chosen.general and chosen.domain else 1)
    rows = [rows[place % len(rows)] for place in range(wanted)]
    if chosen.general:
        others = [row for row in read_records(general.path / "rows.jsonl", Row) if not held_out(row.group)]
        drawn = rng.sample(others, len(rows))
        rows = [row for pair in zip(rows, drawn, strict=True) for row in pair] if chosen.domain else drawn
    losses = fit(work, config, model, load.prepared(rows), padded)
    load.ship(model, work.folder / load.READING, {})
    write_json(work.folder / "losses.json", losses)
    return {"rows": len(rows)}


@stage("simrag.examples", version=1)
def examples(work: Work, config: None, mined: Artifact) -> dict[str, int]:
    """`examples.jsonl`: the short ones, and what they become as choices and claims."""
    short = [one for one in examples_of(mined) if one.answers and one.kind != "section"]
    short = [one for one in short if one.answers[0] in one.evidence[0].passage.indexed and len(one.answers[0]) <= 200]
    found = [*short, *choices(short), *claims(short)]
    write_records(work.folder / "examples.jsonl", found)
    return {kind: sum(kind_of(one) == kind for one in found) for kind in KINDS}


def kind_of(example: Example) -> str:
    """short, choice or claim."""
    return example.kind if example.kind == "claim" else "choice" if example.choices else "short"


def answered(reader: StarterReader, question: str, hits: Sequence[Hit]) -> str:
    """The span that the network is surest of, over all passages."""
    found = reader.read([(question, hit.passage.indexed) for hit in hits])
    best = max(range(len(found)), key=lambda place: found[place].answered)
    return hits[best].passage.indexed[found[best].start : found[best].end]


def decided(reader: StarterReader, example: Example) -> bool:
    """Whether the network chooses or judges rightly over the example's own passage."""
    passage = example.evidence[0].passage.indexed
    if example.choices:
        judged = reader.supported([(example.question, choice, passage) for choice in example.choices])
        return example.choices[int(judged[:, 2].argmax())] in example.answers
    (judged,) = reader.supported([("", example.question, passage)])
    return bool(judged[2] > judged[0]) == (example.answers[0] == "true")


def scored(answer: Callable[[str, Sequence[Hit]], str], asked: Sequence[dict[str, Any]], hits: Sequence[Sequence[Hit]]) -> dict[str, Any]:
    """EM and F1 for each of people's questions."""
    said = [answer(one["text"], found) for one, found in zip(asked, hits, strict=True)]
    return {
        name: [score(text, one["answers"]) for text, one in zip(said, asked, strict=True)]
        for name, score in (("em", exact_match), ("f1", token_f1))
    }


def domain(name: str, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Every variant on one domain: scores per question."""
    folder = args.out / name
    subset(args.data / name, folder / "set", args.most)
    kept = {}
    first = rows_in(folder / "set" / "corpus.jsonl")[0]
    field = next((name for name in FIELDS if name in (first.get("meta") or {})), None)
    for filtered in (True, False):
        sets = [f"round_trip.on={str(filtered).lower()}", *([f"group={field}"] if field else [])]
        engine = Engine.open(folder / "home", create=True, sets=sets, reporter=Loud())
        engine.add([folder / "set" / "corpus.jsonl"])
        study = engine.studies.study()
        kept[filtered] = study.run.stage(examples, None, study.examples.mined)
        print(name, "filtered" if filtered else "all", manifest(kept[filtered]).result, flush=True)
    asked = rows_in(folder / "set" / "queries.jsonl")
    asked = [one for one in asked if one["answers"] and one.get("type") in ("extractive", "span", "clause")]
    asked = random.Random(0).sample(asked, min(args.questions, len(asked)))
    hits = study.examples.retrievers["hybrid"].search([one["text"] for one in asked], PASSAGES)
    exam = [one for one in read_records(kept[True].path / "examples.jsonl", Example) if one.split == "exam" and kind_of(one) != "short"]
    exam = random.Random(0).sample(exam, min(EXAM, len(exam)))
    embedder, cfg = study.examples.embedder(study.examples.base.embedder), engine.settings.extract

    def quoted(question: str, found: Sequence[Hit]) -> str:
        return extract(read([question], [found], embedder, cfg)[0], cfg.model_copy(update={"sentences": 1}))[0]

    results = {"plain retrieval": scored(quoted, asked, hits)}
    run = Run(args.out / "artifacts", Loud())
    starter, general = (Artifact(path.name, path.name.partition("-")[0], path) for path in (args.starter, args.rows))
    for variant in VARIANTS:
        described = asdict(variant)
        losses: list[float] = []
        if variant.tuned:
            steps = args.steps * (2 if variant.general else 1)
            config = Fit(max_steps=steps, per_device_train_batch_size=args.batch, learning_rate=1e-4, group_by_length=False)
            made = run.stage(tuned, config, kept[variant.filtered], described, general, starter)
            reader, losses = load.reader(made.path / load.READING, longest=LONGEST), read_json(made.path / "losses.json")
        elif variant.starts:
            reader = load.reader(starter.path / load.READING, longest=LONGEST)
        else:
            reader = StarterReader(Torch(load.fresh()), load.tokenizer(), longest=LONGEST)
        results[variant.name] = scored(partial(answered, reader), asked, hits)
        results[variant.name] |= {"accuracy": [float(decided(reader, one)) for one in exam], "losses": losses}
        print(f"{name:<10} {variant.name:<22} {cells(results[variant.name])}", flush=True)
    write_json(folder / "scores.json", results)
    return results


def cells(scores: dict[str, Any]) -> str:
    """The means of one variant."""
    return "  ".join(f"{name} {np.mean(scores[name]):.3f}" for name in ("em", "f1", "accuracy") if scores.get(name))


def differences(results: dict[str, dict[str, dict[str, Any]]], against: str) -> dict[str, dict[str, Difference]]:
    """Each variant beside another one, over all domains together, question by question: {metric: {variant: difference}}."""
    found: dict[str, dict[str, Difference]] = {}
    for metric in ("em", "f1", "accuracy"):
        for variant in VARIANTS:
            if variant.name != against:
                before, after = ([value for one in results.values() for value in one[name][metric]] for name in (against, variant.name))
                found.setdefault(metric, {})[variant.name] = compare(np.array(before), np.array(after))
    return found


def drawn(results: dict[str, dict[str, dict[str, Any]]], folder: Path, steps: int) -> None:
    """Each variant beside both stages, and how the loss falls with the round trip and without."""
    beside = differences(results, "both stages")
    panels = {metric: {name: (one.value, one.low, one.high) for name, one in rows.items()} for metric, rows in beside.items()}
    forest(folder / "simrag.svg", "Less both stages, over all domains' questions", panels)
    named = {"both stages": "with the round trip", "both, no round trip": "without"}
    curves = {}
    for domain, found in results.items():
        losses = {said: found[name]["losses"] for name, said in named.items()}
        curves[domain] = {
            said: [(2 * steps * at / max(1, len(values) - 1), loss) for at, loss in enumerate(values)] for said, values in losses.items()
        }
    lines(folder / "simrag-loss.svg", "Stage II: loss", curves, "steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--starter", type=Path, required=True, help="the artifact of the trained reading model")
    parser.add_argument("--rows", type=Path, required=True, help="the artifact of its rows")
    parser.add_argument("--out", type=Path, default=Path("simrag"))
    parser.add_argument("--most", type=int, default=400, help="documents of a domain")
    parser.add_argument("--questions", type=int, default=200, help="people's questions of a domain")
    parser.add_argument("--steps", type=int, default=60, help="steps of stage II")
    parser.add_argument("--batch", type=int, default=32, help="rows of a step")
    parser.add_argument("--plots", type=Path, help="folder for pictures (needs matplotlib)")
    args = parser.parse_args()
    results = {name: domain(name, args) for name in args.names}
    for variant in results[args.names[0]]:
        scores = [one[variant] for one in results.values()]
        metrics = [metric for metric in ("em", "f1", "accuracy") if metric in scores[0]]
        macro: dict[str, Any] = {metric: [np.mean(one[metric]) for one in scores] for metric in metrics}
        print(f"macro      {variant:<22} {cells(macro)}")
    for against in ("stage I only", "both stages"):
        beside = differences(results, against)
        for variant in beside["em"]:
            ends = {metric: rows[variant] for metric, rows in beside.items()}
            told = "  ".join(f"{metric} {one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" for metric, one in ends.items())
            print(f"{variant} against {against}: {told}")
    if args.plots:
        drawn(results, args.plots, args.steps)


if __name__ == "__main__":
    main()
