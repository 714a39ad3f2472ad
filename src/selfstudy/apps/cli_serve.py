"""`selfstudy serve`, `mcp` and `keys`: the service over HTTP, the tools for models, and who may use the service."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, Literal

import typer

from selfstudy.apps import output, tables
from selfstudy.apps.given import Json, Set
from selfstudy.core.errors import BadInput, SelfstudyError
from selfstudy.core.plugs import extra

_PATIENCE = 30
"""Seconds that a worker may be too busy to say that it lives, above all while it loads its models; uvicorn's five would kill it then."""
keys_app = typer.Typer(help="Who may use the service.", rich_markup_mode=None)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen at; any but this machine's own needs a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8321,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; each loads the model.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Questions of one worker that are worked on at once.")] = 8,
    queue: Annotated[int, typer.Option(min=0, help="Questions that wait beyond these; further ones are refused with 429.")] = 64,
    seconds: Annotated[float, typer.Option(min=0.1, help="After so long a question is given up.")] = 60.0,
    spans: Annotated[
        str | None, typer.Option(metavar="URL", help="Send spans of OpenTelemetry to this collector, like http://localhost:4318/v1/traces.")
    ] = None,
    upload: Annotated[int, typer.Option(min=1, metavar="BYTES", help="The largest file that may be uploaded.")] = 50_000_000,
    set_: Set = None,
) -> None:
    """Serve questions over HTTP, with a page for the browser, until stopped by Ctrl-C."""
    uvicorn = extra("uvicorn", "serve")
    extra("fastapi", "serve"), extra("python_multipart", "serve"), extra("prometheus_client", "serve")
    if spans is not None:
        extra("opentelemetry.sdk.trace", "spans"), extra("opentelemetry.exporter.otlp.proto.http.trace_exporter", "spans")
    from selfstudy.apps.server.keys import Keys
    from selfstudy.apps.server.settings import Serve
    from selfstudy.apps.server.slow_clients import TimedProtocol
    from selfstudy.recipes.engine import Engine

    settings = Serve(
        home=context.obj.home.absolute(), sets=tuple(context.obj.sets), host=host, port=_free(host, port), workers=workers,
        threads=threads, queue=queue, seconds=seconds, upload_bytes=upload, spans=spans,
    )  # fmt: skip
    if not settings.loopback and not Keys(settings.home).all():
        raise BadInput(
            f"{host} can be reached from elsewhere, and nobody has a key.",
            f"Make one first: selfstudy --home {context.obj.home} keys add NAME --scope ask. Or listen at 127.0.0.1.",
        )
    engine = Engine.open(settings.home, create=True, sets=settings.sets)  # what is wrong with the home is told here, not in the log
    if sys.stderr.isatty():
        output.say(tables.served(settings.url, settings.home, len(engine.store.snapshot().documents)))
    settings.hand_over()
    with tempfile.TemporaryDirectory(prefix="selfstudy-figures-") as figures:
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = figures
        uvicorn.run(
            "selfstudy.apps.server.app:worker", factory=True, host=host, port=settings.port, workers=workers, access_log=False,
            log_config=_LOG, server_header=False, timeout_graceful_shutdown=settings.grace, limit_concurrency=1000, proxy_headers=False,
            timeout_worker_healthcheck=_PATIENCE, http=TimedProtocol,
        )  # fmt: skip


def _free(host: str, port: int) -> int:
    """The port to listen at: `port` itself, or a free one for 0. Raises BadInput where nobody can listen there."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
            return int(free.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadInput(f"Port {port} is in use.", "Name another; `serve --port 0` takes a free one.") from error
        why = (error.strerror or type(error).__name__).lower()
        raise BadInput(f"Nobody can listen at port {port} of {host}: {why}.", "Name another --host or --port.") from error


def mcp(
    context: typer.Context,
    add: Annotated[bool, typer.Option("--add", help="Offer the tool `add` too, which puts texts into the collection.")] = False,
    set_: Set = None,
) -> None:
    """Offer search and ask as tools of the Model Context Protocol, over standard input and output, until that is closed."""
    extra("mcp.server", "mcp")
    from selfstudy.apps.mcp_server import server
    from selfstudy.recipes.engine import Engine

    engine = Engine.open(context.obj.home, create=add, sets=context.obj.sets, eager=True)
    engine.serving()  # loaded before the first question comes
    Thread(target=_warm, args=(engine,), daemon=True).start()  # the reader takes some seconds more, while tools are listed
    server(engine, add).run()


def _warm(engine: Any) -> None:
    with suppress(SelfstudyError):  # whoever asks is told
        engine.warm()


_LOG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "selfstudy.apps.server.log_format.Lines"}},
    "handlers": {"errors": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
    "loggers": {name: {"handlers": ["errors"], "level": "INFO", "propagate": False} for name in ("uvicorn", "selfstudy.service")},
}
"""Everything goes to standard error, a JSON object a line; no request's path or query is in it, since they may hold what somebody asked."""


@keys_app.command("add", epilog="Example: selfstudy keys add anna --scope write")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose key it is; the ledger shows this name.")],
    scope: Annotated[
        Literal["ask", "write", "admin"], typer.Option(help="ask; write: documents too; admin: study and promote too.")
    ] = "ask",
    tenant: Annotated[str, typer.Option(help="A home of its own inside this one, which no other tenant sees.")] = "",
    json: Json = False,
) -> None:
    """Make a key. It is shown this once; only its hash is kept."""
    secret = _keys(context.obj.home).add(name, scope, tenant)
    output.show_json({"name": name, "scope": scope, "tenant": tenant, "key": secret}) if json else output.show(secret)


@keys_app.command("list", epilog="Example: selfstudy keys list")
def listing(context: typer.Context, json: Json = False) -> None:
    """The names of the keys with their scopes and tenants."""
    found = [{"name": key.name, "scope": key.scope, "tenant": key.tenant, "made": key.made} for key in _keys(context.obj.home).all()]
    output.show_json(found) if json else output.show(tables.keys(found))


@keys_app.command("remove", epilog="Example: selfstudy keys remove anna")
def remove(context: typer.Context, name: Annotated[str, typer.Argument(help="Whose key it is.")], json: Json = False) -> None:
    """Take a key away; a running service refuses it from then on."""
    keys = _keys(context.obj.home)
    keys.remove(name)
    left = len(keys.all())
    output.show_json({"removed": name, "left": left}) if json else output.show(
        f"Removed {name}." if left else f"Removed {name}. No key is left: a service on this machine alone is open to whoever uses it."
    )


def _keys(home: Path) -> Any:
    from selfstudy.apps.server.keys import Keys

    return Keys(home)
