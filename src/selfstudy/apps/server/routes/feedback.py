"""/feedback: votes on answers that were given, and clicks on their passages; and the ledger of what was asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from selfstudy.apps.server.access import Administers, Asks
from selfstudy.apps.server.faults import RESPONSES
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.ledger import LONGEST, Sign, Vote

router = APIRouter(responses=RESPONSES, tags=["feedback"])


class Voting(BaseModel):
    answer: str = Field(
        max_length=64, description="The `id` of an answer that you were given.", examples=["0123456789abcdef0123456789abcdef"]
    )
    verdict: Sign = Field(description="click: only that the source of `passage` was opened; also for what a search found.")
    corrected: str = Field("", max_length=LONGEST, description="What the answer should have said.")
    passage: str = Field("", max_length=64, description="The id of the hit that holds the answer.")

    @model_validator(mode="after")
    def _click(self) -> Self:
        if self.verdict == "click" and (self.corrected or not self.passage):
            raise ValueError("a click names a passage and nothing else")
        return self


class Voted(BaseModel):
    """The vote as it is kept."""

    answer: str
    verdict: Sign
    corrected: str
    passage: str
    at: float


@router.post("/feedback")
async def vote(given: Voting, by: Asks) -> Voted:
    """Keep a vote, in whose place a second one on the same answer comes; or a click, which is weaker than any vote."""

    def keep(engine: Engine) -> Vote:
        if given.verdict == "click":
            return engine.ledger.click(given.answer, by.name, given.passage)
        return engine.ledger.vote(given.answer, by.name, given.verdict, given.corrected.strip(), given.passage)

    kept = await by.ask(keep)
    by.service.metrics.votes.labels(kept.verdict).inc()
    return Voted(answer=kept.asked.id, verdict=kept.verdict, corrected=kept.corrected, passage=kept.passage, at=kept.at)


@router.get("/feedback")
async def votes(by: Administers, kind: Literal["votes", "clicks"] = "votes") -> list[dict[str, Any]]:
    """Every vote, or every click, with its question, answer and passages, oldest first."""
    return [vote.json() for vote in await by.ask(lambda engine: engine.ledger.votes() if kind == "votes" else engine.ledger.clicks())]


@router.get("/ledger")
async def ledger(by: Administers, last: Annotated[int, Query(ge=1, le=10_000)] = 100) -> list[dict[str, Any]]:
    """Who asked what, which passages were found, by which model over which index, newest first."""
    return [asked.json() for asked in await by.ask(lambda engine: engine.ledger.questions(last))]
