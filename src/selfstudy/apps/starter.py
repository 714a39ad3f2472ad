"""`python -m selfstudy.apps.starter`: build the starter model out of labelled sets, hours on two cores, kept from step to step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from selfstudy.apps import output
from selfstudy.apps.cli import guarded
from selfstudy.apps.progress import watching

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: python -m selfstudy.apps.starter --data ../shared/data")
def starter(
    data: Annotated[Path, typer.Option(help="The folder that holds the labelled sets.")],
    work: Annotated[Path, typer.Option(help="Where finished steps and checkpoints are kept.")] = Path("starter"),
    epochs: Annotated[float, typer.Option(help="Passes over the rows.")] = 2.0,
) -> None:
    """Train the starter model, measure it on documents that it never saw, and put it where the package ships it from."""
    from selfstudy.core.run import Run
    from selfstudy.models.starter.load import FOLDER
    from selfstudy.recipes.starter import build, publish
    from selfstudy.train.labelled import Fit

    with watching() as reporter:
        going_on = Fit(num_train_epochs=1, per_device_train_batch_size=8, learning_rate=1e-4)
        read, measured = build(Run(work, reporter), data, Fit(num_train_epochs=epochs, learning_rate=1.5e-4), going_on)
    publish(read, measured, FOLDER)
    output.show((FOLDER / "README.md").read_text("utf-8"))


def run(arguments: Sequence[str]) -> int:
    """Run the build with command line `arguments`. Returns the exit code."""
    return guarded(app, "python -m selfstudy.apps.starter", arguments)


if __name__ == "__main__":
    output.tolerant()
    sys.exit(run(sys.argv[1:]))
