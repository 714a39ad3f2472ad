"""The figures of the report page: each a piece of HTML for `Plotly`, which the page holds once.

Colours stand on light and on dark; text and lines take theirs from the page's style sheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from selfstudy.core.records import Difference
from selfstudy.evals.wording import chance, signed

BEFORE, AFTER, GAIN, LOSS, SAME = "#9aa5b5", "#3f7fd6", "#2f9e8f", "#d9743f", "#9aa5b5"
DEPTH = 10

Ranks = Sequence[tuple[int | None, int | None]]
"""The rank before and after of each question; None where it is not among the first ten."""

_STEPS = ("lost", "↓5+", "↓2-4", "↓1", "same", "↑1", "↑2-4", "↑5+", "found")
_PLACES = ("1", "2", "3", "4-5", "6-10", "missed")


def forest(found: Mapping[str, Difference]) -> str:
    """Paired differences with their intervals, one beneath the other, beside a line at 0."""
    names = [_name(name) for name in found]
    values = list(found.values())
    colours = [GAIN if one.low > 0 else LOSS if one.high < 0 else SAME for one in values]
    figure = go.Figure()
    for name, one, colour in zip(names, values, colours, strict=True):
        figure.add_scatter(x=[one.low, one.high], y=[name, name], mode="lines", line={"color": colour, "width": 3}, hoverinfo="skip")
    figure.add_scatter(
        x=[one.value for one in values],
        y=names,
        mode="markers",
        marker={"color": colours, "size": 11},
        customdata=[f"{signed(one.value)} [{signed(one.low)}, {signed(one.high)}]<br>{chance(one.p)}, n = {one.n}" for one in values],
        hovertemplate="%{customdata}<extra>%{y}</extra>",
    )
    figure.update_layout(showlegend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    ends = [0.0, *(one.low for one in values), *(one.high for one in values)]
    room = 0.06 * (max(ends) - min(ends)) or 0.01
    figure.update_xaxes(range=[min(ends) - room, max(ends) + room], zeroline=True, zerolinewidth=2, tickformat="+.2f")
    figure.update_xaxes(title_text="difference of MRR@10, after - before", nticks=5, tickangle=0)
    return _html(figure, "forest", 70 + 32 * len(names))


def changes(ranks: Ranks) -> str:
    """How many questions rose and fell, and by how many ranks."""
    counts = dict.fromkeys(_STEPS, 0)
    for before, after in ranks:
        counts[_step(_in_ten(before), _in_ten(after))] += 1
    colours = [LOSS] * 4 + [SAME] + [GAIN] * 4
    figure = go.Figure(
        go.Bar(x=list(counts), y=list(counts.values()), marker={"color": colours}, hovertemplate="%{x}: %{y}<extra></extra>")
    )
    _label(figure, [str(count) for count in counts.values()])
    figure.update_xaxes(type="category", showgrid=False, tickangle=0, tickfont_size=11, title_text="ranks risen or fallen, by questions")
    figure.update_layout(bargap=0.15)
    figure.update_yaxes(showticklabels=False, showgrid=False)
    return _html(figure, "changes", 320, top=32)


def places(ranks: Ranks) -> str:
    """Which share of the questions has its evidence at which rank, before and after: the reciprocal ranks, spread out."""
    figure = go.Figure()
    for side, (name, colour) in enumerate((("before", BEFORE), ("after", AFTER))):
        counts = dict.fromkeys(_PLACES, 0)
        for pair in ranks:
            counts[_place(_in_ten(pair[side]))] += 1
        shares = [count / len(ranks) for count in counts.values()]
        figure.add_bar(
            x=list(counts), y=shares, name=name, marker={"color": colour}, hovertemplate="rank %{x}: %{y:.1%}<extra>" + name + "</extra>"
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(type="category", showgrid=False, tickangle=0, title_text="rank of the evidence, by share of questions")
    figure.update_yaxes(tickformat=".0%")
    return _html(figure, "places", 320, top=32)


def drops(kept: int, dropped: Mapping[str, int]) -> str:
    """What became of the written questions in the round trip: kept, or dropped and why."""
    rows = [("kept", kept), *sorted(dropped.items(), key=lambda item: (-item[1], item[0]))]
    total = max(1, sum(count for _, count in rows))
    figure = go.Figure(
        go.Bar(
            x=[count for _, count in rows],
            y=[_name(name) for name, _ in rows],
            orientation="h",
            marker={"color": [GAIN] + [SAME] * len(dropped)},
            customdata=[count / total for _, count in rows],
            hovertemplate="%{y}: %{x}, %{customdata:.0%}<extra></extra>",
        )
    )
    _label(figure, [f"{count:,}" for _, count in rows])
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(range=[0, 1.3 * max(1, *(count for _, count in rows))], showticklabels=False, showgrid=False)
    return _html(figure, "drops", 30 + 32 * len(rows))


def loss(curve: Sequence[tuple[int, float]]) -> str:
    """The training loss by step."""
    steps, values = [step for step, _ in curve], [value for _, value in curve]
    mode = "lines+markers" if len(curve) <= 60 else "lines"
    figure = go.Figure(go.Scatter(x=steps, y=values, mode=mode, line={"color": AFTER, "width": 2}))
    figure.update_traces(hovertemplate="step %{x}: %{y:.3f}<extra></extra>")
    figure.update_xaxes(title_text="step", zeroline=False)
    figure.update_yaxes(rangemode="tozero")
    return _html(figure, "loss", 300)


def cosines(sides: Mapping[str, Mapping[str, Sequence[int]]], name: str) -> str:
    """For each side (a row of its own) which share of each kind of pairs has which cosine; `sides` hold counts in equal bins of -1 .. 1."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=len(sides), cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for row, (side, kinds) in enumerate(sides.items(), 1):
        for (kind, bins), colour in zip(kinds.items(), (GAIN, LOSS, SAME) if len(kinds) > 1 else (SAME,), strict=False):
            total, width = max(1, sum(bins)), 2 / len(bins)
            figure.add_scatter(
                x=[-1 + width * (place + 0.5) for place in range(len(bins))],
                y=[count / total for count in bins],
                name=kind, legendgroup=kind, showlegend=row == 1, mode="lines", fill="tozeroy", row=row, col=1,
                line={"color": colour, "width": 2},
                hovertemplate=f"{side}, {kind}<br>cosine %{{x:.2f}}: %{{y:.0%}}<extra></extra>",
            )  # fmt: skip
        figure.update_yaxes(title_text=side, tickformat=".0%", nticks=4, row=row, col=1)
    figure.update_xaxes(zeroline=True, dtick=0.25)
    figure.update_xaxes(title_text="cosine", row=len(sides), col=1)
    return _html(figure, name, 90 + 170 * len(sides), top=32)


def kept(counts: Sequence[int]) -> str:
    """How many passages kept how many of their nearest neighbours."""
    figure = go.Figure(go.Bar(x=list(range(len(counts))), y=list(counts), marker={"color": AFTER}))
    figure.update_traces(hovertemplate="%{x} kept: %{y:,} passages<extra></extra>")
    figure.update_xaxes(
        type="category", showgrid=False, title_text=f"of {len(counts) - 1} nearest neighbours kept, by passages", tickangle=0
    )
    figure.update_layout(bargap=0.15)
    return _html(figure, "kept", 280)


def _in_ten(rank: int | None) -> int | None:
    return rank if rank is not None and rank <= DEPTH else None


def _step(before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return "same" if before is after else "found" if before is None else "lost"
    up = before - after
    if up == 0:
        return "same"
    size = "1" if abs(up) == 1 else "2-4" if abs(up) <= 4 else "5+"
    return f"{'↑' if up > 0 else '↓'}{size}"


def _place(rank: int | None) -> str:
    if rank is None:
        return "missed"
    return str(rank) if rank <= 3 else "4-5" if rank <= 5 else "6-10"


def _name(text: str) -> str:
    """Text as Plotly shows it as it stands: it reads a little HTML of its own."""
    return escape(text if len(text) <= 32 else text[:31] + "…", quote=False)


def _label(figure: go.Figure, texts: list[str]) -> None:
    figure.update_traces(text=texts, textposition="outside", cliponaxis=False)


def _html(figure: go.Figure, name: str, height: int, top: int = 12) -> str:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": top, "b": 8},
        font={"family": "system-ui, sans-serif", "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"bgcolor": "#1d2733", "bordercolor": "#1d2733", "font": {"color": "#ffffff"}},
        dragmode=False,
    )
    figure.update_xaxes(automargin=True, fixedrange=True, title_font_size=12)
    figure.update_yaxes(automargin=True, fixedrange=True, ticklabelstandoff=8)
    config: dict[str, Any] = {"displayModeBar": False, "responsive": True}
    drawn: str = figure.to_html(
        full_html=False, include_plotlyjs=False, div_id=f"figure-{name}", default_height=f"{height}px", config=config
    )
    return drawn
