"""`python -m selfstudy.apps.demo`: the whole loop on the documentation of the running Python's own standard library.

Every step is a real one and is kept: stopped, it goes on where it was; run again, it takes seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from selfstudy.apps import output, tables
from selfstudy.apps.cli import guarded
from selfstudy.apps.progress import duration, watching
from selfstudy.apps.stdlib_docs import chosen, write_docs

QUESTIONS = (
    "How can I copy a file together with its metadata?",
    "What happens when a semaphore is released more often than it was acquired?",
    "Which function finds close matches to a misspelled word?",
)
FOREIGN = "How long should I boil an egg if I want a soft yolk?"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: python -m selfstudy.apps.demo --dir /tmp/demo")
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where the documents (docs/) and the home (home/) are put.")] = Path("demo"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="A setting for this run, like a.b=3; may be repeated.")] = None,
    modules: Annotated[list[str] | None, typer.Option("--module", help="Only this module's documentation; may be repeated.")] = None,
) -> None:
    """Study the documentation of Python's standard library, prove the gain, and answer questions about it."""
    from selfstudy.recipes.engine import Engine

    began = time.monotonic()
    docs, home = folder / "docs", folder / "home"

    _heading(f"1. The documentation of Python {sys.version_info.major}.{sys.version_info.minor}'s standard library, as files")
    paths = write_docs(docs, chosen(modules or ()))
    output.show(f"{len(paths)} Markdown files in {docs}")

    _heading(f"2. selfstudy --home {home} add {docs}")
    with watching() as reporter:
        engine = Engine.open(home, create=True, sets=set_ or (), reporter=reporter)
        added = engine.add([docs], sync=True)
    output.show(tables.added(added.json()))

    _heading(f"3. selfstudy --home {home} adapt")
    with watching() as reporter:
        engine = Engine.open(home, sets=set_ or (), reporter=reporter)
        outcome = engine.adapt()
    output.show(tables.outcome(outcome.json()), f"\nReport: {home / outcome.report}")

    for number, question in enumerate((*QUESTIONS, FOREIGN), 4):
        _heading(f'{number}. selfstudy --home {home} ask "{question}"')
        with watching():
            answer = engine.ask(question)
        output.show(tables.answer(answer))
    output.show(f"\nThe demo took {duration(time.monotonic() - began)}; run again, every finished stage is kept.")


def _heading(text: str) -> None:
    output.show(Text(f"\n{text}", style="bold"))


def run(arguments: Sequence[str]) -> int:
    """Run the demo with command line `arguments`. Returns the exit code."""
    return guarded(app, "python -m selfstudy.apps.demo", arguments)


if __name__ == "__main__":
    output.tolerant()
    sys.exit(run(sys.argv[1:]))
