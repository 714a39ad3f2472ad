"""Answers and abstention on labelled questions, some of which the documents cannot answer, beside always answering.

    python bench/answers.py [--data ../shared/data] [--sets clapnq cjrc_zh_legal] [--questions 600] [--out answers.html]
    python bench/answers.py --fit-default

For each set: the documents are added to a new home, questions are asked of it as it is, then it is adapted without training (the embedder
stays, the threshold is set on its own questions) and asked again. `f1`, `precision`, `recall`: abstaining against whether the set says
that the documents hold the answer; `answered`: the share of answerable questions that got an answer; `right`: the share of given answers
that cite a relevant document and, where the set names the words of the answer, hold them. `area` is that of the risk-coverage curve: the
mean share of wrong answers over all shares of questions answered, surest first; `always` its value where confidence says nothing.

--fit-default prints the constants of answer/default.py, made of the guard questions alone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from beir import relevant, rows_in
from sklearn.linear_model import LogisticRegression

from selfstudy.answer.abstention import Calibration, Flags, Line, Numbers, abstains, confidence, threshold
from selfstudy.answer.default import DEFAULT
from selfstudy.answer.extractive import extract
from selfstudy.answer.reading import Extract, read
from selfstudy.answer.signals import COSINES, NAMES, Features, features, features_of
from selfstudy.core.records import Citation
from selfstudy.evals.answers import RiskCoverage, abstention, auc, holds, risk_coverage, token_f1
from selfstudy.evals.guard import distractors, pairs
from selfstudy.recipes.calibrate import calibration_of
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import load_embedder, retrievers

WITHOUT_TRAINING = ("head.on=false", "training.minutes=0")
SAMPLE = 10
RIDGE = 100.0
"""Strong, for features that say nearly the same: it shares the weight out among them. With 1 the AUC on clapnq was .80, not .86."""
HARDEST = 0.25
"""The share of the unanswerable that the default's threshold is set against."""


@dataclass(frozen=True)
class Asked:
    """A labelled question: `relevant` is empty where the documents do not hold the answer; `words` is what a right answer may say."""

    id: str
    text: str
    relevant: frozenset[str]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What a system made of the questions of a set."""

    name: str
    row: dict[str, float]
    curve: RiskCoverage
    features: dict[str, float]


def questions(folder: Path, most: int) -> list[Asked]:
    """The questions of a set, at most `most`, drawn by a fixed seed."""
    right = relevant(folder)
    found = [row for row in rows_in(folder / "queries.jsonl") if right.get(row["id"]) or row.get("type") == "unanswerable"]
    random.Random(0).shuffle(found)
    return [Asked(row["id"], row["text"], frozenset(right.get(row["id"], ())), _words(row)) for row in found[:most]]


def _words(row: dict[str, Any]) -> tuple[str, ...]:
    if "selected" in row:  # sentences that annotators chose as the answer
        return tuple(sentence for chosen in row["selected"] for sentence in chosen)
    return tuple(row["answers"]) if row.get("type") == "extractive" else ()


def measure(name: str, engine: Engine, asked: Sequence[Asked]) -> Outcome:
    """Ask `engine`'s live system everything in one batch, then a sample one by one, which must come out the same."""
    began = time.monotonic()
    cfg, live = engine.settings.extract, engine.live
    embedder = load_embedder(live.embedder, engine.home)
    hits = engine.serving().retrievers["hybrid"].search([one.text for one in asked], cfg.hits)
    reads = read([one.text for one in asked], hits, embedder, cfg, engine.loaded.reader)
    rows = features_of(reads)
    calibration = calibration_of(live) or DEFAULT
    sure, refused = confidence(rows, calibration), abstains(rows, calibration)
    seconds = time.monotonic() - began
    for one, probability, none in list(zip(asked, sure, refused, strict=True))[:SAMPLE]:
        answer = engine.ask(one.text)
        if answer.abstained != none or abs(answer.confidence - probability) > 0.02:
            raise SystemExit(f"`ask` and the batch differ on {one.id}: {answer.confidence:.3f}, {probability:.3f}")
    texts = [extract(one, cfg) for one in reads]
    right = np.array([_right(one, *text) for one, text in zip(asked, texts, strict=True)])
    there = np.array([bool(one.relevant) for one in asked])
    found = abstention(refused, there)
    curve = risk_coverage(sure, right)
    told = [token_f1(text, one.words) for one, (text, _) in zip(asked, texts, strict=True) if one.words]
    row = {
        "f1": found.f1,
        "precision": found.precision,
        "recall": found.recall,
        "answered": found.answered,
        "right": float(right[~refused].mean()) if (~refused).any() else 0.0,
        "right, always": float(right.mean()),
        "token f1": float(np.mean(told)) if told else 0.0,
        "area": curve.area,
        "always": 1 - float(right.mean()),
        "best": curve.best,
        "f1 at best cut": max(abstention(sure < cut, there).f1 for cut in np.unique(sure)),
        "f1, never answering": abstention(np.ones(len(asked)), there).f1,
        "auc": auc(sure, there),
        "ms per question": 1000 * seconds / len(asked),
    }
    known = ~np.isnan(rows)
    single = {column: auc(rows[known[:, at], at], there[known[:, at]]) for at, column in enumerate(NAMES) if known[:, at].mean() >= 0.5}
    return Outcome(name, row, curve, single)


def _right(one: Asked, text: str, citations: Sequence[Citation]) -> bool:
    cited = {citation.document for citation in citations}
    return bool(cited & one.relevant) and (not one.words or holds(text, one.words) == 1)


def bench(folder: Path, most: int) -> list[Outcome]:
    """A new home over one set, measured as it is and with a threshold of its own."""
    asked = questions(folder, most)
    with tempfile.TemporaryDirectory() as home:
        engine = Engine.open(Path(home), create=True, sets=WITHOUT_TRAINING)
        engine.add([folder / "corpus.jsonl"])
        before = measure(f"{folder.name}: as it is", engine, asked)
        engine.adapt()  # the embedder stays, so the gate finds no gain: what serves then is the base with a threshold of its own
        return [before, measure(f"{folder.name}: own threshold", engine, asked)]


def show(outcomes: Sequence[Outcome]) -> str:
    """A table for people, and each feature alone."""
    width = max(len(outcome.name) for outcome in outcomes)
    lines: list[str] = []
    for column in outcomes[0].row:
        if not lines:
            lines.append(" " * 20 + "  ".join(outcome.name.rjust(width) for outcome in outcomes))
        digits = 0 if column.startswith("ms") else 3
        lines.append(column.ljust(20) + "  ".join(f"{outcome.row[column]:.{digits}f}".rjust(width) for outcome in outcomes))
    lines.append("AUC of each feature alone")
    for name in NAMES:
        cells = [f"{outcome.features[name]:.3f}" if name in outcome.features else "-" for outcome in outcomes]
        lines.append(name.ljust(20) + "  ".join(cell.rjust(width) for cell in cells))
    return "\n".join(lines)


def page(outcomes: Sequence[Outcome], path: Path) -> None:
    """The risk-coverage curves, in one file that needs no network."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for outcome in outcomes:
        figure.add_scatter(x=outcome.curve.coverage, y=outcome.curve.risk, name=outcome.name, mode="lines")
        level = [outcome.row["always"]] * 2
        figure.add_scatter(x=[0, 1], y=level, name=f"{outcome.name}, always answering", mode="lines", line={"dash": "dot"})
    figure.update_layout(
        title="Wrong answers among those given, surest first",
        xaxis_title="coverage: share of questions answered",
        yaxis_title="risk: share of wrong answers",
        template="simple_white",
    )
    figure.write_html(path, include_plotlyjs=True)


def fit_default() -> Calibration:
    """Guard questions among the guard's passages and the library's documentation, as they are and without the passage that answers."""
    rows = [{"_id": pair.id, "title": "", "text": pair.passage} for pair in pairs()]
    rows += [{"_id": f"library {number}", "title": "", "text": text} for number, text in enumerate(distractors())]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "guard.jsonl")
        corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        engine = Engine.open(Path(folder, "home"), create=True)
        engine.add([corpus])
        embedder = load_embedder(engine.live.embedder, engine.home)
        asked, cfg = [pair.question for pair in pairs()], Extract()
        found = retrievers(engine.store.snapshot(), embedder, 0.5)["hybrid"].search(asked, cfg.hits)
        without = [[hit for hit in hits if hit.passage.places[0].document != pair.id] for pair, hits in zip(pairs(), found, strict=True)]
        holding = [len(left) < len(hits) for left, hits in zip(without, found, strict=True)]
        values = features([*asked, *asked], [*found, *without], embedder, cfg)
        labels = np.array([*holding, *[False] * len(asked)])
    return learn(values, labels)


def learn(values: Features, labels: Flags) -> Calibration:
    """A Calibration from nothing, weights included: ridge logistic regression. Every row must hold the cosines."""
    answerable, without = np.asarray(labels, dtype=np.float64), values.copy()
    without[:, :COSINES] = np.nan
    return Calibration(NAMES, _line(values, answerable), _line(without, answerable))


def _line(values: Features, answerable: Numbers) -> Line:
    """The threshold is set against the HARDEST of the unanswerable alone: people ask about what the documents are about."""
    filled = np.nan_to_num(values)
    means, scales = filled.mean(axis=0), filled.std(axis=0)
    scales[scales < 1e-6] = 1.0
    columns = np.nan_to_num((values - means) / scales)
    model = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=1000).fit(columns, answerable)
    sure = model.predict_proba(columns)[:, 1]
    unanswerable = np.flatnonzero(answerable == 0)
    hard = unanswerable[np.argsort(-sure[unanswerable], kind="stable")][: max(1, round(HARDEST * len(unanswerable)))]
    rows = np.concatenate([np.flatnonzero(answerable == 1), hard])
    means, scales, weights = (tuple(column.tolist()) for column in (means, scales, model.coef_[0]))
    return Line(means, scales, weights, float(model.intercept_[0]), threshold(sure[rows], answerable[rows]))


def constants(calibration: Calibration) -> str:
    """`calibration` as it stands in answer/default.py."""

    def line(one: Line) -> str:
        told = [
            f"        {name}=({', '.join(f'{round(value, 4)}' for value in getattr(one, name))}),"
            for name in ("means", "scales", "weights")
        ]
        return "\n".join(["Line(", *told, f"        bias={one.bias:.4f},", f"        threshold={one.threshold:.4f},", "    )"])

    return f"DEFAULT = Calibration(\n    names=NAMES,\n    meaning={line(calibration.meaning)},\n    words={line(calibration.words)},\n)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=["clapnq", "cjrc_zh_legal"])
    parser.add_argument("--questions", type=int, default=600, help="questions asked of each set")
    parser.add_argument("--out", type=Path, help="an HTML page with the risk-coverage curves")
    parser.add_argument("--json", type=Path, help="the numbers as JSON")
    parser.add_argument("--fit-default", action="store_true")
    args = parser.parse_args()
    if args.fit_default:
        print(constants(fit_default()))
        return 0
    outcomes: list[Outcome] = []
    for name in args.sets:
        outcomes += bench(args.data / name, args.questions)
        print(show(outcomes[-2:]), end="\n\n", flush=True)
    if args.out:
        page(outcomes, args.out)
    if args.json:
        args.json.write_text(json.dumps([{"name": one.name, **one.row, "features": one.features} for one in outcomes], indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
