"""The page of `inspect`: where answers are lost, the map of the space, and the numbers of its geometry, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from selfstudy.core.files import write_atomic
from selfstudy.evals import figures
from selfstudy.evals.gaps import PLACES, Lost
from selfstudy.evals.geometry import Geometry
from selfstudy.evals.html import line, section, table, whole
from selfstudy.evals.space import Space, drawn

_EXAMPLES = 6
_NUMBERS = {
    "alignment": ("alignment", "mean squared distance of a question to a passage that answers it: lower is nearer", ".3f"),
    "uniformity": ("uniformity", "lower is more evenly spread over the sphere", ".3f"),
    "apart": ("apart", "how often a question is nearer to its passage than to a hard negative", ".1%"),
    "anisotropy": ("anisotropy", "mean cosine of random passages: 0 uses all directions alike", ".3f"),
    "dimensions": ("dimensions", "how many dimensions the passages fill", ".0f"),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One embedder: its geometry, how many questions fell where, and each of them."""

    name: str
    embedder: str
    geometry: Geometry
    counts: dict[str, int]
    lost: tuple[Lost, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """What `inspect` found. `neighbours`: k, the mean share kept, counts by how many were kept, and the most changed; None for one side."""

    title: str
    created: str
    passages: int
    sides: tuple[Side, ...]
    neighbours: dict[str, Any] | None
    space: Space
    notes: tuple[str, ...] = field(default_factory=tuple)

    def json(self) -> dict[str, Any]:
        """What `inspect --json` prints: all but the points of the map."""
        return {
            "passages": self.passages,
            "questions": len(self.space.questions),
            "sides": {
                side.name: {
                    "embedder": side.embedder,
                    "geometry": side.geometry.json(),
                    "lost": side.counts,
                    "examples": {place: [one.json() for one in some] for place, some in examples(side.lost).items()},
                }
                for side in self.sides
            },
            "neighbours": self.neighbours,
            "map": {"points": len(self.space.places), "method": self.space.method},
            "notes": list(self.notes),
        }


def examples(lost: Sequence[Lost], most: int = _EXAMPLES) -> dict[str, list[Lost]]:
    """Some questions of each place where any was lost."""
    found = {place: [one for one in lost if one.place == place][:most] for place in PLACES[:-1]}
    return {place: some for place, some in found.items() if some}


def write_inside(path: Path, found: Inside) -> Path:
    """Write the page to `path`, atomically. Raises HomeError."""
    write_atomic(path, whole(f"Inside {found.title}", found.created, "\n".join(_sections(found)), "space.css", plots=True))
    return path


def _sections(found: Inside) -> Iterator[str]:
    yield from (line("note", note) for note in found.notes)
    if found.space.questions:
        about = "The first place where a question fell, with quoted answers. What search loses is the embedder's, the rest the reader's."
        yield section("Where answers are lost", _gaps(found), about, "gaps")
    yield section("Map of the space", drawn(found.space), "", "space-section")
    yield section("Near and far", _geometry(found) + _cosines(found), "", "geometry")
    if found.neighbours is not None:
        about = f"Of its {found.neighbours['k']} nearest passages a passage keeps {found.neighbours['kept']:.0%} on average."
        yield section(
            "Neighbours gained and lost", figures.kept(found.neighbours["counts"]) + _changed(found.neighbours), about, "neighbours"
        )


def _gaps(found: Inside) -> str:
    total = max(1, len(found.space.questions))
    rows = [
        f'<tr><th scope="row">{place}</th>'
        + "".join(f"<td>{side.counts[place]:,}<small>{side.counts[place] / total:.0%}</small></td>" for side in found.sides)
        + "</tr>"
        for place in PLACES
    ]
    heads = ["", *(side.name for side in found.sides)]
    number = {one.question: at for at, one in enumerate(found.space.questions)}
    last = found.sides[-1]
    lists = [
        f"<details{' open' if not at else ''}><summary>{place} ({last.counts[place]:,})</summary>"
        f'<ul class="asked">{"".join(_example(one, number[one.question]) for one in some)}</ul></details>'
        for at, (place, some) in enumerate(examples(last.lost).items())
    ]
    return table(heads, rows, "numbers") + "".join(lists)


def _example(one: Lost, number: int) -> str:
    first = f"; found first: {one.first}" if one.first and one.rank != 1 else ""
    wanted = f"wanted: {one.wanted}" if one.wanted else ""
    told = "; ".join(part for part in (one.why, wanted) if part) + first
    button = f'<button type="button" data-question="{number}">show</button>'
    return f"<li>{button}<div>{escape(one.question[:300])}<small>{escape(told)}</small></div></li>"


def _geometry(found: Inside) -> str:
    rows = []
    for name, (title, about, form) in _NUMBERS.items():
        values = [getattr(side.geometry, name) for side in found.sides]
        if any(value is not None for value in values):
            cells = "".join(f"<td>{value:{form}}</td>" if value is not None else "<td>-</td>" for value in values)
            rows.append(f'<tr><th scope="row">{title}<small>{about}</small></th>{cells}</tr>')
    return table(["", *(side.name for side in found.sides)], rows, "numbers")


def _cosines(found: Inside) -> str:
    bins = {side.name: {kind: cosines.bins for kind, cosines in side.geometry.cosines.items() if cosines.n} for side in found.sides}
    return figures.cosines(bins, "cosines")


def _changed(neighbours: dict[str, Any]) -> str:
    rows = "".join(
        f"<li><div>{escape(one['passage'])}<small>kept {one['kept']}</small>"
        f"<small>lost: {escape(' · '.join(one['lost']))}</small><small>gained: {escape(' · '.join(one['gained']))}</small></div></li>"
        for one in neighbours["changed"]
    )
    return f'<details><summary>Passages whose neighbours changed most</summary><ul class="asked">{rows}</ul></details>' if rows else ""
