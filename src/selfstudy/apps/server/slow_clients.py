"""Connections whose client does not say in time what it wants are closed: whoever holds a thousand of them open locks out all others."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 15.0
"""For a first byte, and from the first byte of a request's head to its last."""


class TimedProtocol(H11Protocol):
    """uvicorn's own, which waits for both for ever."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._late is None and self.conn.their_state is h11.IDLE:
            self._wait()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._done()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(SECONDS, self.transport.close)

    def _done(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
