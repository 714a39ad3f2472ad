"""What the pages share: one whole page of HTML, its sections and tables. Every text that comes from outside goes through `escape`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def whole(title: str, created: str, body: str, *styles: str, plots: bool = False) -> str:
    """A page that holds all that it needs, plotly.js too where it `plots`; `styles` are files beside report.css.

    It may load nothing from elsewhere.
    """
    style = "\n".join(resources.files("selfstudy.evals").joinpath(name).read_text("utf-8") for name in ("report.css", *styles))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>{style}</style>
{_plotly() if plots else ""}
</head>
<body>
<main>
<header><h1>{escape(title)}</h1>{line("when", created)}</header>
{body}
</main>
</body>
</html>
"""


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>"


def section(title: str, body: str, about: str = "", name: str = "") -> str:
    """A section under a heading, with a line about it."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{line("about", about)}{body}</section>'


def line(kind: str, text: str) -> str:
    """A line of text of that class; nothing for no text."""
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def table(heads: Sequence[str], rows: Iterable[str], kind: str) -> str:
    """A table of rows that are HTML already."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    above = f"<thead><tr>{head}</tr></thead>" if heads else ""
    return f'<div class="scroll"><table class="{kind}">{above}<tbody>{"".join(rows)}</tbody></table></div>'
