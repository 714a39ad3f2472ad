"""/feedback: votes on answers that were given; and the ledger of what was asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from selfstudy.apps.server.access import Administers, Asks
from selfstudy.apps.server.faults import RESPONSES
from selfstudy.recipes.ledger import LONGEST

router = APIRouter(responses=RESPONSES, tags=["feedback"])


class Voting(BaseModel):
    answer: str = Field(
        max_length=64, description="The `id` of an answer that you were given.", examples=["0123456789abcdef0123456789abcdef"]
    )
    verdict: Literal["up", "down"]
    corrected: str = Field("", max_length=LONGEST, description="What the answer should have said.")
    passage: str = Field("", max_length=64, description="The id of the hit that holds the answer.")


class Voted(BaseModel):
    """The vote as it is kept."""

    answer: str
    verdict: Literal["up", "down"]
    corrected: str
    passage: str
    at: float


@router.post("/feedback")
async def vote(given: Voting, by: Asks) -> Voted:
    """Keep a vote; a second one on the same answer takes the place of the first."""
    kept = await by.ask(lambda engine: engine.ledger.vote(given.answer, by.name, given.verdict, given.corrected.strip(), given.passage))
    by.service.metrics.votes.labels(kept.verdict).inc()
    return Voted(answer=kept.asked.id, verdict=kept.verdict, corrected=kept.corrected, passage=kept.passage, at=kept.at)


@router.get("/feedback")
async def votes(by: Administers) -> list[dict[str, Any]]:
    """Every vote with its question, answer and passages, oldest first."""
    return [vote.json() for vote in await by.ask(lambda engine: engine.ledger.votes())]


@router.get("/ledger")
async def ledger(by: Administers, last: Annotated[int, Query(ge=1, le=10_000)] = 100) -> list[dict[str, Any]]:
    """Who asked what, which passages were found, by which model over which index, newest first."""
    return [asked.json() for asked in await by.ask(lambda engine: engine.ledger.questions(last))]
