"""/adapt, /history, /promote, /rollback, /audit and /reports: the study, what came of it, what serves, and what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Response
from fastapi import Path as InPath
from pydantic import BaseModel, Field

from selfstudy.apps.server.access import Administers
from selfstudy.apps.server.faults import RESPONSES
from selfstudy.recipes.engine import Engine

router = APIRouter(responses=RESPONSES, tags=["study"])
_REPORT = re.compile(r"audit|inside-[A-Za-z0-9._-]{1,64}|[0-9a-f]{8,64}")
"""The report of the audit, of an inspection, and of a candidate."""
_SANDBOX = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""A report holds its own script; in a sandbox it can reach nothing of this service."""


class Studied(BaseModel):
    """How a study goes. `state`: none, running, stopping, done, stopped, failed, interrupted (killed; starting it again goes on)."""

    state: str = Field(examples=["running"])
    id: str = ""
    started: float | None = None
    updated: float | None = None
    stage: str = Field("", examples=["synth.questions"])
    done: int = 0
    total: int = 0
    stages: list[dict[str, Any]] = []
    problem: str = ""
    mend: str = ""
    outcome: dict[str, Any] | None = None


class Promote(BaseModel):
    key: str = Field(min_length=4, max_length=64, description="The candidate's key, or its beginning.")
    force: bool = Field(False, description="Also one that the gate refused; the history records it.")


@router.post("/adapt", status_code=202)
async def start(by: Administers) -> Studied:
    """Study the documents in a process of its own; 409 where that is under way."""
    return Studied(**await by.service.changing.run(120.0, _started, by))


def _started(by: Administers) -> dict[str, Any]:
    by.service.engine(by.tenant)  # a home that is not there yet is made
    return by.service.job(by.tenant).start()


@router.get("/adapt")
async def progress(by: Administers) -> Studied:
    """How far the study is, and what came of the last one."""
    return Studied(**by.service.job(by.tenant).state())


@router.delete("/adapt")
async def cancel(by: Administers) -> Studied:
    """Stop it where it can go on later."""
    return Studied(**by.service.job(by.tenant).cancel())


@router.get("/drift")
async def drift(by: Administers) -> dict[str, Any]:
    """Whether people are content, whether they ask about other things than before, and why to study again (`reasons`)."""
    return await by.ask(lambda engine: engine.drift().json())


@router.get("/history")
async def history(by: Administers) -> dict[str, Any]:
    """What serves now, and every candidate, promotion and rollback, oldest first."""

    def told(engine: Engine) -> dict[str, Any]:
        return {"live": engine.serving().live.json(), "events": engine.history()}

    return await by.ask(told)


@router.post("/promote")
async def promote(wanted: Promote, by: Administers) -> dict[str, Any]:
    """Let a judged candidate serve; questions under way are answered by what served when they came."""
    return await by.change(lambda engine: _and_open(engine, engine.promote(wanted.key, wanted.force)))


@router.post("/rollback")
async def rollback(by: Administers) -> dict[str, Any]:
    """Let what served before serve again."""
    return await by.change(lambda engine: _and_open(engine, engine.rollback()))


def _and_open(engine: Engine, done: dict[str, Any]) -> dict[str, Any]:
    engine.serving()
    return done


@router.post("/audit")
async def audit(by: Administers) -> dict[str, int]:
    """Look at the documents for duplicates, versions, contradictions, noise and more: how many of each; the report is `audit`."""
    return await by.change(lambda engine: {found.name: found.count for found in engine.audit().findings})


@router.get("/reports")
async def reports(by: Administers) -> list[str]:
    """The reports that are here: keys of candidates, `audit`, and `inside-...` for each inspection."""
    return sorted(path.stem for path in _folder(by).glob("*.html") if _REPORT.fullmatch(path.stem))


@router.get("/reports/{key}", response_class=Response, responses={200: {"content": {"text/html": {}}}})
async def report(key: Annotated[str, InPath(pattern=rf"^(?:{_REPORT.pattern})$")], by: Administers) -> Response:
    """The report page of a candidate, the audit's or an inspection's."""
    path = _folder(by) / f"{key}.html"
    try:
        shown = path.read_bytes().replace(f"{by.service.home(by.tenant)}/".encode(), b"")  # where it lies is of no use elsewhere
        return Response(shown, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _SANDBOX})
    except FileNotFoundError as error:
        raise HTTPException(404, "There is no such report here.") from error


def _folder(by: Administers) -> Path:
    return by.service.home(by.tenant) / "reports"
