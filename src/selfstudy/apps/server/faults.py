"""What goes wrong, as HTTP: one shape for all of it, in two lines for a person and in the fields that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from selfstudy.apps.server.pool import Full, TooSlow
from selfstudy.apps.server.service import log
from selfstudy.core.errors import BadInput, BadModel, Busy, HomeError, MissingExtra, NotEnough, SelfstudyError, Stopped

AGAIN = {"Retry-After": "1"}
_STATUS: tuple[tuple[type[SelfstudyError], int], ...] = (
    (BadInput, 400), (Busy, 409), (NotEnough, 409), (Stopped, 503), (MissingExtra, 501), (BadModel, 503), (HomeError, 503)
)  # fmt: skip


class Fault(BaseModel):
    """What was given and expected, and how to mend it."""

    kind: str = Field(examples=["BadInput"])
    problem: str = Field(examples=["The question is empty."])
    mend: str = Field(examples=["Give a question of at least one word."])
    message: str = Field(examples=["The question is empty. Give a question of at least one word."])
    type: str = Field(examples=["invalid_request_error"])
    code: str | None = None
    param: str | None = None


class Told(BaseModel):
    """The body of every answer that is no success."""

    error: Fault


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Told, "description": about}
    for status, about in {
        400: "The request cannot be used.", 401: "A key is needed.", 403: "This key may not do that.", 404: "There is no such thing.",
        408: "The body did not come.", 409: "Something else is under way.", 413: "The body is too large.", 422: "The request is malformed.",
        429: "Too many questions wait; come again.", 500: "A fault of the program.", 501: "Not installed.", 503: "Not able now.",
        504: "It took too long.",
    }.items()
}  # fmt: skip


def told(
    status: int, problem: str, mend: str = "", kind: str = "", headers: dict[str, str] | None = None, code: str | None = None
) -> JSONResponse:
    """The answer for a fault."""
    group = "invalid_request_error" if status < 429 else "server_error"
    message = f"{problem} {mend}".strip()
    fault = Fault(kind=kind or str(status), problem=problem, mend=mend, message=message, type=group, code=code)
    return JSONResponse(Told(error=fault).model_dump(), status, headers)


def accident() -> JSONResponse:
    """The answer for what nobody expected."""
    return told(500, "Something went wrong that should not.", "The service's log says where.", "Unexpected")


def install(app: FastAPI) -> None:
    """Let `app` tell every fault in this shape, and never a trace or what was sent."""

    @app.exception_handler(SelfstudyError)
    async def expected(request: Request, error: SelfstudyError) -> JSONResponse:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        if status >= 500:
            log.warning("%s: %s", type(error).__name__, error.problem)
        home = str(request.app.state.service.settings.home)  # where this machine keeps it is nobody's business
        problem, mend = (text.replace(home, "the home") for text in (error.problem, error.mend))
        return told(status, problem, mend, type(error).__name__, AGAIN if status in (409, 503) else None)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return told(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5]]
        return told(422, "; ".join(faults).encode("utf-8", "replace").decode() + ".", "/openapi.json says what is expected.", "Malformed")

    @app.exception_handler(Full)
    async def full(request: Request, error: Full) -> JSONResponse:
        return told(429, "Too many questions are waiting.", "Come again in a moment.", "Full", AGAIN)

    @app.exception_handler(TooSlow)
    async def slow(request: Request, error: TooSlow) -> JSONResponse:
        return told(504, "This took longer than allowed and was given up.", "Ask for less, or again later.", "TooSlow")
