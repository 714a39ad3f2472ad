"""Who may come in: keys, scopes, and what a browser on this machine may do without one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from selfstudy.apps.server.keys import OWNER, Scope, may
from selfstudy.apps.server.service import Caller, Service

_HERE = {"localhost", "127.0.0.1", "::1", "[::1]"}
_FORWARDED = ("forwarded", "x-forwarded-", "x-real-ip")
_bearer = HTTPBearer(auto_error=False, description="A key of `selfstudy keys add`. None is needed on this machine while there are no keys.")
Given = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def caller(request: Request, given: Given) -> Caller:
    """Whoever sent `request`. Raises 401 without a good key where one is needed, 403 for another page's request."""
    service: Service = request.app.state.service
    if given is not None:
        key = service.keys.find(given.credentials)
        if key is None and service.closed:
            raise HTTPException(401, "This key is not known here.", {"WWW-Authenticate": "Bearer"})
        if key is not None:
            request.state.caller = key.name
            return Caller(service, key.user, key.scope, key.tenant)
    if service.closed:
        raise HTTPException(401, "A key is needed: Authorization: Bearer ss_...", {"WWW-Authenticate": "Bearer"})
    _check_local(request)
    request.state.caller = OWNER
    return Caller(service, OWNER, "admin", "")


def _check_local(request: Request) -> None:
    """Without keys a browser is the danger: a page from elsewhere may send requests here, or give this address another name.

    And so is a proxy on this machine: whoever comes through it seems to be here.
    """
    if any(name.startswith(_FORWARDED) for name in request.headers):
        raise HTTPException(403, "Without keys nobody is let in through a proxy. Make a key first: selfstudy keys add NAME --scope admin.")
    host = request.headers.get("host", "")
    if _split(f"//{host}").hostname not in _HERE:
        raise HTTPException(403, "Without keys this service answers to localhost alone.")
    origin = request.headers.get("origin")
    if origin is not None and _split(origin).netloc != host:
        raise HTTPException(403, "Another site may not use this service.")


def _split(address: str) -> SplitResult:
    """The parts of an address; none of what is no address."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def needs(scope: Scope) -> object:
    """The dependency of a route that needs a key of `scope`."""

    def allowed(found: Annotated[Caller, Depends(caller)]) -> Caller:
        if not may(found.scope, scope):
            raise HTTPException(403, f"This needs a key of the scope {scope}; this one has {found.scope}.")
        return found

    return Depends(allowed)


Asks = Annotated[Caller, needs("ask")]
Writes = Annotated[Caller, needs("write")]
Administers = Annotated[Caller, needs("admin")]
