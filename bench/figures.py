"""The pictures beside LOG.md, out of a bench's own figures: `pip install matplotlib`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Interval = tuple[float, float, float]
"""A value with the ends of its interval."""


def forest(path: Path, title: str, panels: Mapping[str, Mapping[str, Interval]]) -> None:
    """Paired differences with their intervals beside a line at 0, one panel beside the other, each with the same names."""
    figure, axes = _panels(title, len(panels), 1 + 0.28 * max(len(rows) for rows in panels.values()))
    for axis, (name, rows) in zip(axes, panels.items(), strict=True):
        for place, (value, low, high) in enumerate(rows.values()):
            colour = "#2f9e8f" if low > 0 else "#d9743f" if high < 0 else "#8892a0"
            axis.plot([low, high], [place, place], color=colour, linewidth=2)
            axis.plot(value, place, "o", color=colour, markersize=5)
        axis.axvline(0, color="#8892a0", linewidth=0.8)
        axis.set_yticks(range(len(rows)), list(rows), fontsize=8)
        axis.invert_yaxis()
        axis.set_title(name, fontsize=9)
        axis.tick_params(axis="x", labelsize=8)
    for axis in axes[1:]:
        axis.set_yticklabels([])
    _saved(figure, path)


def lines(path: Path, title: str, panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], across: str) -> None:
    """Curves of points (x, y), each with its name, one panel beside the other."""
    figure, axes = _panels(title, len(panels), 2.8)
    for axis, (name, curves) in zip(axes, panels.items(), strict=True):
        for label, points in curves.items():
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1.4, label=label)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel(across, fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
        axis.legend(fontsize=7, frameon=False)
    _saved(figure, path)


def _panels(title: str, count: int, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = title  # the same picture from the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=(min(11.0, 2.2 + 2.8 * count), height + 0.6), squeeze=False)
    figure.suptitle(title, fontsize=10)
    return figure, axes[0]


def _saved(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    figure.clear()
