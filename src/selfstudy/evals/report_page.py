"""The report of an adaptation or an evaluation as one page of HTML that holds everything it shows and loads nothing.

write_report(folder / "report.html", ReportData(title="My documents", verdict=verdict, before=..., after=..., ...))

Every text that comes from outside goes through `escape`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from selfstudy.core.files import write_atomic
from selfstudy.core.records import Difference, Interval
from selfstudy.evals import figures
from selfstudy.evals.gate import Check, Verdict
from selfstudy.evals.html import line, section, table, whole
from selfstudy.evals.ranking import METRICS, reciprocal
from selfstudy.evals.report import Ranked, ReportData
from selfstudy.evals.wording import chance, signed

_MOST = 10


def write_report(path: Path, data: ReportData) -> Path:
    """Write the page to `path`, atomically; its size is about 5 MB, nearly all of it plotly.js. Raises HomeError.

    Its policy forbids the browser to load anything from elsewhere.
    """
    body = "\n".join(part for part in _sections(data) if part)
    write_atomic(path, whole(data.title, data.created, body, plots=True))
    return path


def _sections(data: ReportData) -> Iterable[str]:
    if data.verdict:
        yield _banner(data.verdict)
    yield _tiles(data)
    if data.notes:
        yield "".join(line("note", note) for note in data.notes)
    if data.before:
        yield section("Search", _metrics(data), "Means over the exam's questions with 95% intervals; a miss counts 0.", "search")
    if data.forest:
        about = "Paired by question, with 95% intervals. Right of the line is better; grey intervals hold 0."
        yield section("What changed, and for whom", figures.forest(data.forest), about, "forest")
    if data.asked:
        yield _asked(data.asked)
    if data.kept or data.dropped:
        about = "Each question was searched; those that did not lead back to their answer were dropped, and what a model wrote to no use."
        yield section("Round trip", figures.drops(data.kept, data.dropped), about, "drops")
    if data.counts:
        yield section("Questions", _counts(data), "By writer and split: train trains, tune sets, only the gate reads exam.", "counts")
    if data.loss:
        yield section("Training", figures.loss(data.loss), "The loss on training rows, by step.", "loss")
    if data.verdict and data.verdict.checks:
        yield section("Conditions", _checks(data.verdict.checks), "All of them must hold for a tuned model to go live.", "checks")
    if data.config or data.versions:
        yield section("How it was made", _table_of("Settings", data.config) + _table_of("Versions", data.versions), "", "made")


def _banner(verdict: Verdict) -> str:
    kind, mark, word = ("promoted", "✓", "Promoted") if verdict.promote else ("refused", "✕", "Refused")
    reason = verdict.reason.removeprefix(f"{word}: ")
    return (
        f'<div class="banner {kind}"><span class="mark" aria-hidden="true">{mark}</span>'
        f"<div><strong>{word}</strong><p>{escape(reason[:1].upper() + reason[1:])}</p></div></div>"
    )


def _tiles(data: ReportData) -> str:
    """MRR@10 of each retriever, before and after, at a glance."""
    tiles = []
    for retriever, metrics in data.before.items():
        after, changed = data.after.get(retriever, {}).get("mrr@10"), data.differences.get(retriever, {}).get("mrr@10")
        if "mrr@10" in metrics:
            then = f' <span class="arrow">→</span> <b>{after.value:.3f}</b>' if after else ""
            badge = f'<span class="{_direction(changed)}">{signed(changed.value)}</span>' if changed else ""
            value = f"{metrics['mrr@10'].value:.3f}"
            tiles.append(
                f'<div class="tile"><div class="label">{escape(retriever)} · MRR@10</div>'
                f'<div class="value">{value if then else f"<b>{value}</b>"}{then}</div>{badge}</div>'
            )
    return f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""


def _metrics(data: ReportData) -> str:
    rows = []
    for retriever, before in data.before.items():
        after, changed = data.after.get(retriever, {}), data.differences.get(retriever, {})
        rows.append(f'<tr class="group"><th colspan="4" scope="rowgroup">{escape(retriever)}</th></tr>')
        for metric in [*(name for name in METRICS if name in before), *(name for name in before if name not in METRICS)]:
            cells = _interval(before[metric]) + (_interval(after.get(metric)) + _changed(changed.get(metric)) if data.after else "")
            rows.append(f'<tr><th scope="row">{escape(metric)}</th>{cells}</tr>')
    heads = ["", "before", "after", "difference"] if data.after else ["", "value"]
    return table(heads, rows, "metrics")


def _interval(found: Interval | None) -> str:
    return f"<td>{found.value:.3f}<small>{found.low:.3f}–{found.high:.3f}</small></td>" if found else "<td>-</td>"


def _changed(found: Difference | None) -> str:
    if found is None:
        return "<td>-</td>"
    span = f"<small>{signed(found.low)} to {signed(found.high)}</small><small>{escape(chance(found.p))}</small>"
    return f'<td><span class="{_direction(found)}">{signed(found.value)}</span>{span}</td>'


def _direction(found: Difference) -> str:
    return "badge up" if found.low > 0 else "badge down" if found.high < 0 else "badge level"


def _asked(asked: Sequence[Ranked]) -> str:
    ranks = [(one.before, one.after) for one in asked]
    change = reciprocal([one.after or 0 for one in asked]) - reciprocal([one.before or 0 for one in asked])
    moves = sorted(zip(change.tolist(), asked, strict=True), key=lambda pair: pair[0])
    won, lost = sum(move > 0 for move, _ in moves), sum(move < 0 for move, _ in moves)
    counted = (
        f'<p class="counted"><span class="badge up">{won} won</span> <span class="badge down">{lost} lost</span> '
        f'<span class="badge level">{len(moves) - won - lost} the same</span></p>'
    )
    plots = f'<div class="pair"><div>{figures.changes(ranks)}</div><div>{figures.places(ranks)}</div></div>'
    gains = _list("Greatest gains", [one for move, one in reversed(moves) if move > 0][:_MOST])
    losses = _list("Greatest losses", [one for move, one in moves if move < 0][:_MOST])
    about = f"The {len(moves)} questions of the exam, by dense search; won and lost go by reciprocal rank, cut at 10."
    return section("Question by question", counted + plots + f'<div class="pair">{gains}{losses}</div>', about, "asked")


def _list(title: str, asked: Sequence[Ranked]) -> str:
    if not asked:
        return f"<div><h3>{escape(title)}</h3><p class='about'>None.</p></div>"
    rows = "".join(
        f'<li><span class="ranks">{_rank(one.before)} <span class="arrow">→</span> <b>{_rank(one.after)}</b></span>'
        f"<div>{escape(one.question[:300])}<small>{escape(one.writer)}</small></div></li>"
        for one in asked
    )
    return f'<div><h3>{escape(title)}</h3><ul class="asked">{rows}</ul></div>'


def _rank(rank: int | None) -> str:
    return str(rank) if rank is not None and rank <= figures.DEPTH else '<abbr title="not among the first ten">–</abbr>'


def _counts(data: ReportData) -> str:
    known = ("train", "tune", "exam")
    splits = [*known, *sorted({split for row in data.counts.values() for split in row} - set(known))]
    rows = []
    for writer, row in sorted(data.counts.items()):
        rows.append(_counted(writer, [row.get(split, 0) for split in splits]))
    totals = [sum(row.get(split, 0) for row in data.counts.values()) for split in splits]
    rows.append(_counted("all", totals, "total"))
    return table(["writer", *splits, "sum"], rows, "numbers")


def _counted(name: str, numbers: Sequence[int], kind: str = "") -> str:
    cells = "".join(f"<td>{number:,}</td>" for number in (*numbers, sum(numbers)))
    return f'<tr class="{kind}"><th scope="row">{escape(name)}</th>{cells}</tr>'


def _checks(checks: Sequence[Check]) -> str:
    rows = []
    for check in checks:
        mark = '<span class="badge up">holds</span>' if check.passed else '<span class="badge down">fails</span>'
        count = f"; {check.difference.n} questions" if check.difference else ""
        name = f'<th scope="row">{escape(check.name)}<small>{escape(check.needed + count)}</small></th>'
        rows.append(f"<tr>{name}<td>{mark}</td>{_changed(check.difference)}</tr>")
    return table(["condition, and what it needs", "", "found"], rows, "checks")


def _table_of(title: str, values: dict[str, Any]) -> str:
    if not values:
        return ""
    shown = {name: value if isinstance(value, str) else json.dumps(value, default=str) for name, value in values.items()}
    rows = [f'<tr><th scope="row">{escape(name)}</th><td class="text">{escape(text)}</td></tr>' for name, text in shown.items()]
    return f"<details><summary>{escape(title)} ({len(values)})</summary>{table([], rows, 'pairs')}</details>"
