"""What verbs of the command line have in common: the home, the settings of one run, and --json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.apps.progress import watching

if TYPE_CHECKING:
    from selfstudy.recipes.engine import Engine

HOME = Path(".selfstudy")


@dataclass(slots=True)
class Given:
    """What was said for whatever the verb is; the verb finds it as its context's `obj`."""

    home: Path = HOME
    sets: list[str] = field(default_factory=list)

    @contextmanager
    def engine(self, create: bool = False, sets: Sequence[str] = ()) -> Iterator[Engine]:
        """The Engine of the home, its progress shown on standard error."""
        from selfstudy.recipes.engine import Engine

        with watching() as reporter:
            yield Engine.open(self.home, create=create, sets=[*self.sets, *sets], reporter=reporter)


def _set(context: typer.Context, said: list[str] | None) -> None:
    context.ensure_object(Given).sets.extend(said or ())


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", callback=_set, help="A setting for this run, like training.minutes=8; may be repeated.")
]
"""Stands before the verb or behind it; what is said comes into `Given.sets`, so that no verb hands it on."""
