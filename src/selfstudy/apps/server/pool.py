"""The Engine is synchronous: its calls run in a bounded pool of threads with a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Full(Exception):
    """The queue is full: the client should come again in a moment."""


class TooSlow(Exception):
    """A call took longer than allowed."""


class Pool:
    """At most `threads` calls at once and `queue` more that wait. Used from one event loop."""

    def __init__(self, name: str, threads: int, queue: int) -> None:
        self.pending = 0
        self._most = threads + queue
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns. Raises Full, TooSlow, or what the function raises.

        A call that is given up goes on in its thread and holds its place until it ends: the bound stays a bound.
        """
        if self.pending >= self._most:
            raise Full
        self.pending += 1
        work = self._threads.submit(copy_context().run, partial(function, *args, **kwargs))
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: self._tell(loop))
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(work)), seconds)
        except TimeoutError as error:
            if work.done():
                raise  # the function's own
            work.cancel()  # where it still waits, it never begins
            raise TooSlow from error

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody counts any more
            loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        self.pending -= 1

    def close(self) -> None:
        """Let what runs end; what waits never begins."""
        self._threads.shutdown(wait=False, cancel_futures=True)
