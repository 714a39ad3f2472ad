"""What the routes work with: the homes, the keys, the pools, the figures; and who is asking."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from selfstudy.apps.server.job import Job
from selfstudy.apps.server.keys import TENANTS, Keys, Scope
from selfstudy.apps.server.metrics import Metrics
from selfstudy.apps.server.pool import Pool
from selfstudy.apps.server.settings import Serve, sets_of
from selfstudy.core.errors import Busy
from selfstudy.recipes.engine import Engine

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger("selfstudy.service")
_WRITES = 32
_AGAIN = 0.25


class Service:
    """One worker of the service."""

    def __init__(self, settings: Serve) -> None:
        self.settings = settings
        self.keys = Keys(settings.home)
        self.metrics = Metrics()
        self.asking = Pool("ask", settings.threads, settings.queue)
        self.changing = Pool("change", 1, _WRITES)
        self.ready = False
        self.jobs: dict[Path, Job] = {}
        self._engines: OrderedDict[Path, Engine] = OrderedDict()
        self._opening = threading.Lock()

    @property
    def closed(self) -> bool:
        """Whether a key is needed: as soon as there is one, and always where others can reach the service."""
        return bool(self.keys.all()) or not self.settings.loopback

    def home(self, tenant: str) -> Path:
        """A home for each tenant; they share nothing but the process."""
        return self.settings.home / TENANTS / tenant if tenant else self.settings.home

    def tenants(self) -> list[str]:
        """The tenants that have a home; "" is who has none of his own."""
        return ["", *sorted(path.name for path in (self.settings.home / TENANTS).glob("*/"))]

    def engine(self, tenant: str) -> Engine:
        """The Engine over a tenant's home, made where there is none yet. Raises HomeError, BadConfig."""
        home = self.home(tenant)
        with self._opening:
            engine = self._engines.get(home)
            if engine is None:
                engine = self._engines[home] = Engine.open(home, create=True, sets=sets_of(home, self.settings.sets), eager=True)
            self._engines.move_to_end(home)
            while len(self._engines) > self.settings.homes:
                self._engines.popitem(last=False)
                gc.collect()  # its models stand in circles of references, and would stay for long
        return engine

    def job(self, tenant: str) -> Job:
        """The study of a tenant's home."""
        home = self.home(tenant)
        return self.jobs.setdefault(home, Job(home, self.settings.sets))

    def close(self) -> None:
        """Stop what this worker started: a study goes on where it was when it is started again."""
        self.asking.close()
        self.changing.close()
        for job in self.jobs.values():
            job.close()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, and for which tenant: the key says both, and nothing else in a request can."""

    service: Service
    name: str
    scope: Scope
    tenant: str

    async def ask(self, function: Callable[[Engine], T]) -> T:
        """`function` of the caller's Engine, in the pool for questions. Raises Full, TooSlow."""
        with self.service.metrics.waiting.track_inprogress():
            return await self.service.asking.run(self.service.settings.seconds, lambda: function(self.service.engine(self.tenant)))

    async def change(self, function: Callable[[Engine], T]) -> T:
        """`function` of the caller's Engine, one at a time; where another process writes, it waits for it as long as allowed."""
        until = asyncio.get_running_loop().time() + self.service.settings.seconds
        while True:
            try:
                return await self.service.changing.run(3600.0, lambda: function(self.service.engine(self.tenant)))
            except Busy as error:
                if asyncio.get_running_loop().time() >= until:
                    raise Busy("Somebody else is changing these documents.", "Try again in a moment.") from error
                await asyncio.sleep(_AGAIN)
