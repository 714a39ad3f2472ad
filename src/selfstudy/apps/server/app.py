"""The application: routes, limits, faults and the page, over one Service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

from fastapi import FastAPI, HTTPException, Response
from fastapi.staticfiles import StaticFiles

from selfstudy import __version__
from selfstudy.apps.server import faults
from selfstudy.apps.server.access import Administers
from selfstudy.apps.server.job import looked
from selfstudy.apps.server.pool import Full, TooSlow
from selfstudy.apps.server.routes import asking, chat, documents, feedback, study, vectors
from selfstudy.apps.server.service import Service, log
from selfstudy.apps.server.settings import Serve
from selfstudy.apps.server.spans import send_to
from selfstudy.apps.server.watch import Watch
from selfstudy.core.errors import SelfstudyError

_ABOUT = "Ask documents, see the proof, vote, let it learn. A key goes into `Authorization: Bearer ss_...`."
_ENVELOPE = 100_000
"""Bytes that a multipart form adds to its file."""
_PAUSE = 2.0
_ROUND = 60.0
"""Seconds after which the homes are gone over again at the latest: there may be another, or other settings."""


def make(settings: Serve) -> FastAPI:
    """The application over `settings.home`. Nothing is reported to anyone: FastAPI's own telemetry is turned off."""
    service = Service(settings)
    spans = send_to(settings.spans) if settings.spans is not None else None

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_warm(service)), asyncio.create_task(_study_again(service))]
        yield
        for task in tasks:
            task.cancel()
        if spans is not None:
            spans.shutdown()
        service.close()

    app = FastAPI(
        title="selfstudy", version=__version__, description=_ABOUT, lifespan=life, docs_url=None, redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
    )  # fmt: skip
    app.state.service = service
    faults.install(app)
    for room in (asking, feedback, study, vectors, chat):
        app.include_router(room.router, max_body_size=settings.body_bytes)
    app.include_router(documents.router, max_body_size=settings.upload_bytes + _ENVELOPE)

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["health"])
    async def alive() -> dict[str, str]:
        """Whether the process lives."""
        return {"status": "ok", "version": __version__}

    @app.head("/readyz", include_in_schema=False, response_model=None)
    @app.get("/readyz", tags=["health"], responses={503: {"model": faults.Told, "description": "Not yet."}}, response_model=None)
    async def ready() -> dict[str, str] | Response:
        """Whether questions can be answered."""
        if not service.ready:
            return faults.told(
                503, "The model is being loaded, or the home cannot be used.", "Ask again in a moment.", headers=faults.AGAIN
            )
        return {"status": "ready"}

    @app.get("/metrics", tags=["health"], responses=faults.RESPONSES, response_class=Response)
    async def metrics(by: Administers) -> Response:
        """Figures for Prometheus, of all tenants together: for a key without a tenant."""
        if by.tenant:
            raise HTTPException(403, "The figures are those of all tenants: only a key without a tenant reads them.")
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app.mount("/", StaticFiles(directory=str(resources.files("selfstudy.apps.server").joinpath("page")), html=True))
    app.add_middleware(Watch, service=service)
    return app


async def _warm(service: Service) -> None:
    """Open what serves, and load what reads, before the first question comes."""
    while not service.ready:
        try:
            await service.asking.run(600.0, lambda: service.engine("").warm())
            service.ready = True
        except SelfstudyError as error:
            log.warning("not ready: %s", error.problem)
            await asyncio.sleep(_PAUSE)
        except Exception:  # else it would never be ready, and nobody would learn why
            log.exception("not ready")
            await asyncio.sleep(_PAUSE)


async def _study_again(service: Service) -> None:
    """Where the settings of a home want it: study when people's questions or votes give a reason. The gate decides."""
    while not service.ready:
        await asyncio.sleep(1.0)
    while True:
        waits = [await _look(service, tenant) for tenant in service.tenants()]
        await asyncio.sleep(min(waits))


async def _look(service: Service, tenant: str) -> float:
    """Look at a home if it is time, and study where there is a reason. Returns for how many seconds it need not be asked again."""
    try:
        wait, reasons = await service.asking.run(600.0, looked, service.home(tenant), service.settings.sets)
        if reasons:
            await service.changing.run(600.0, service.job(tenant).start)
            log.info("a study began: %s", " ".join(reasons))
        return min(wait, _ROUND)
    except (SelfstudyError, Full, TooSlow) as error:  # another worker may have begun
        log.warning("no study was begun: %s", error)
    except Exception:
        log.exception("no study was begun")
    return _ROUND


def worker() -> FastAPI:
    """The application of a worker, over the settings that it was left."""
    return make(Serve.handed_over())
