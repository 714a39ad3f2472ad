"""The map of the space: passages and questions as points of one page, drawn by the script beside this, which needs no network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any

from selfstudy.evals.gaps import PLACES, Lost
from selfstudy.evals.layout import Points

_GRID = 10_000
_WORDS = 220
_MOST = 9
_KEY = (
    '<p class="about key"><span class="good">◇</span> answered question <span class="bad">◆</span> lost; lines lead to what answers it</p>'
)


@dataclass(frozen=True, slots=True)
class Place:
    """A passage on the map."""

    title: str
    text: str
    source: str
    cluster: int


@dataclass(frozen=True, slots=True)
class Questioned:
    """A question on the map: the places of its passages, and what became of it on each side."""

    question: str
    wanted: tuple[int, ...]
    lost: tuple[Lost, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """What the map shows. `points[side]` is (places, 2) and `asked_at[side]` (questions, 2) in 0 .. 1; `kept` of ten neighbours each."""

    method: str
    of: int
    points: tuple[Points, ...]
    asked_at: tuple[Points, ...]
    places: tuple[Place, ...]
    clusters: tuple[str, ...]
    kept: tuple[int, ...] | None
    questions: tuple[Questioned, ...]


def drawn(space: Space) -> str:
    """The map as a piece of HTML: a canvas, what steers it, its data and its script."""
    data = json.dumps(_data(space), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = resources.files("selfstudy.evals").joinpath("space.js").read_text("utf-8")
    few = "" if space.of == len(space.places) else f" {len(space.places):,} of {space.of:,} passages, drawn by lot."
    return f"""<p class="about">{escape(space.method)}.{few}</p>
{_controls(space)}
<div class="space">
<div class="sheet"><canvas id="map" tabindex="0" role="application"
 aria-label="Map of the passages. Arrow keys move it, plus and minus zoom, 0 shows all, N and P go through the questions,
 Enter picks the point in the middle."></canvas>
<div class="zoom"><button type="button" id="in" aria-label="Zoom in">+</button>
<button type="button" id="out" aria-label="Zoom out">−</button>
<button type="button" id="all" aria-label="Show all">⤢</button></div><div id="tip" hidden></div></div>
<div class="aside"><div id="legend" role="group" aria-label="Legend"></div>
{_KEY if space.questions else ""}
<div id="picked" aria-live="polite"><p class="about">Point at something, or pick it. Drag to move, scroll to zoom; on the keyboard
arrows, + and −, N and P for the questions.</p></div></div>
</div>
<script type="application/json" id="space">{data}</script>
<script>{script}</script>"""


def _controls(space: Space) -> str:
    colours = [("source", "source"), ("cluster", "cluster")]
    if space.kept is not None:
        colours.append(("moved", "how far it moved"))
    options = "".join(f'<option value="{value}">{name}</option>' for value, name in colours)
    sides = (
        '<span class="switch" role="group" aria-label="Which model"><button type="button" id="before" aria-pressed="false">before</button>'
        '<button type="button" id="after" aria-pressed="true">after</button></span>'
        if len(space.points) > 1
        else ""
    )
    asked = (
        '<label>questions <select id="asked"><option value="all">all</option><option value="lost">only those lost</option>'
        '<option value="none">none</option></select></label>'
        if space.questions
        else ""
    )
    return (
        f'<div class="controls"><label>colour <select id="colour">{options}</select></label>{sides}{asked}'
        '<label class="find">find <input id="find" type="search" placeholder="a word" autocomplete="off"></label>'
        '<output id="found"></output></div>'
    )


def _data(space: Space) -> dict[str, Any]:
    sources, names = _few([place.source for place in space.places])
    return {
        "sides": [{"xy": _whole(flat), "asked": _whole(asked)} for flat, asked in zip(space.points, space.asked_at, strict=True)],
        "titles": [place.title for place in space.places],
        "texts": [" ".join(place.text.split())[:_WORDS] for place in space.places],
        "source": {"of": sources, "names": names},
        "cluster": {"of": [place.cluster for place in space.places], "names": list(space.clusters)},
        "kept": space.kept,
        "questions": [
            {"text": one.question, "wanted": one.wanted, "lost": [[PLACES.index(lost.place), lost.why] for lost in one.lost]}
            for one in space.questions
        ],
        "places": PLACES,
    }


def _few(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """The commonest names, the others under one."""
    common = [name for name, _ in Counter(names).most_common(_MOST)]
    more = len(set(names)) - len(common)
    number = {name: place for place, name in enumerate(common)}
    return [number.get(name, len(common)) for name in names], common + ([f"{more} others"] if more else [])


def _whole(flat: Points) -> list[int]:
    return [round(value * _GRID) for value in flat.ravel().tolist()]
