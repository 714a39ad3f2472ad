"""Following folders: what changes in them is read as soon as it rests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from selfstudy.core.errors import Busy
from selfstudy.core.run import Stop
from selfstudy.corpus.folder import glance
from selfstudy.recipes.ingest import Added

EVERY = 3.0
"""Seconds between two looks: a look at 10,000 files takes some hundredths of one."""


def watch(add: Callable[[], Added], paths: Sequence[Path], told: Callable[[Added], None], every: float = EVERY) -> NoReturn:
    """Call `add` now, and again whenever files in `paths` came, went or changed and then rested from one look to the next.

    `told` gets what each of them did. While another process writes to the home it waits. Ends by Ctrl-C alone, which raises Stopped, or by
    what `add` raises: Stopped, BadInput where a path itself is gone.
    """
    done: dict[str, tuple[int, int]] | None = None
    before: dict[str, tuple[int, int]] | None = None
    stop = Stop()
    with stop.on_interrupt():  # an interrupt that is raised wherever it happens to fall may be lost in what cannot raise
        while True:
            now = glance(paths)
            if now != done and (done is None or now == before):
                try:
                    added = add()
                except Busy:
                    pass
                else:
                    done = now
                    told(added)
            before = now
            stop.check()
            time.sleep(every)
