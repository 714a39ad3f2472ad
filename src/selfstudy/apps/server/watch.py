"""What is around every request: headers that keep a browser safe, a limit on slow bodies, a line in the log, figures."""

from __future__ import annotations

import asyncio
import json
import secrets
import time

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfstudy.apps.server.cost import TRACER
from selfstudy.apps.server.faults import accident, told
from selfstudy.apps.server.service import Service, log
from selfstudy.core.errors import HomeError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Watch:
    """ASGI around the whole application. Neither a body, a query nor a key is ever logged: the route's pattern stands for the path."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, id = time.perf_counter(), secrets.token_hex(8)
        status = 0
        whole = False

        async def patient() -> Message:
            nonlocal whole
            if whole:
                return await receive()  # waits for the client to go away, as long as the answer takes
            try:
                message = await asyncio.wait_for(receive(), self._service.settings.reading)
            except TimeoutError as error:
                raise HTTPException(408, "The request's body stopped coming.") from error
            whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def safe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                added = [(name, value) for name, value in _HEADERS if name not in given]
                message["headers"] = [*message["headers"], *added, (b"x-request-id", id.encode())]
            await send(message)

        with TRACER.start_as_current_span("request", kind=SpanKind.SERVER, attributes={"selfstudy.request": id}) as span:
            try:
                if (refusal := self._refused(scope)) is not None:
                    await refusal(scope, receive, safe)
                else:
                    await self._app(scope, patient, safe)
            except Exception:
                if not status:
                    await accident()(scope, receive, safe)
                raise  # the server's log shows the trace
            finally:
                route = getattr(scope.get("route"), "path", "none")
                span.update_name(f"{_method(scope)} {route}")
                facts = {"http.request.method": _method(scope), "http.route": route, "http.response.status_code": status or 499}
                span.set_attributes(facts)
                self._note(scope, status or 499, time.perf_counter() - began, id)

    def _refused(self, scope: Scope) -> Response | None:
        """Nobody sends a body before showing a key, where one is needed: it would be read before any route looks at the key."""
        if scope["method"] in ("GET", "HEAD"):
            return None
        kind, _, secret = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            if not self._service.closed or (kind.lower() == "bearer" and self._service.keys.find(secret.strip()) is not None):
                return None
        except HomeError as error:
            return told(503, "The keys cannot be read.", kind=type(error).__name__)
        return told(401, "A key is needed: Authorization: Bearer ss_...", headers={"WWW-Authenticate": "Bearer"})

    def _note(self, scope: Scope, status: int, seconds: float, id: str) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = _method(scope)
        self._service.metrics.requests.labels(method, route, str(status)).inc()
        self._service.metrics.seconds.labels(method, route).observe(seconds)
        who = scope.get("state", {}).get("caller", "")
        line = {"id": id, "method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1), "key": who}
        log.info("%s", json.dumps(line))


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"
