"""/search, /ask and /source: passages, answers with their proof, and where the proof stands."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from selfstudy.apps.server.access import Asks
from selfstudy.apps.server.cost import Clock, Cost
from selfstudy.apps.server.faults import RESPONSES, accident
from selfstudy.apps.server.sentences import Said, sentences_of
from selfstudy.apps.server.service import Caller, log
from selfstudy.core.records import Document, Message, Mode, Way
from selfstudy.index.question import LONGEST
from selfstudy.recipes.engine import Engine

router = APIRouter(responses=RESPONSES, tags=["ask"])
UNREAD = "the turns before were not read, since the settings name no model (llm)"
AROUND = 1500
"""Characters shown before and after a cited span."""

Question = Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["How long is the warranty?"])]
Superseded = Annotated[bool, Field(description="Outdated versions of documents too; hits and citations say `superseded_by`.")]
Where = Annotated[str | None, Field(max_length=2000, description="Only documents that match.", examples=["format = 'md'"])]


class Search(BaseModel):
    question: Question
    k: int = Field(10, ge=1, le=100)
    by: Way = "hybrid"
    where: Where = None
    superseded: Superseded = False
    exact: bool = Field(False, description="Cite in each hit, as `best`, the sentence or clause that says most about the question.")


class Found(BaseModel):
    id: str = Field(description="By which the ledger knows this question.")
    version: str = Field(description="Model and index that answered.", examples=["base@3"])
    hits: list[dict[str, Any]]


class Turn(BaseModel):
    """What was said before."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=32_000, examples=["How long is the warranty?"])


class Ask(BaseModel):
    question: Question
    conversation: list[Turn] = Field(
        [],
        max_length=1000,
        description="The turns before, oldest first. Where the settings name an `llm`, it puts the question so that it stands alone; else "
        "nobody reads them.",
    )
    where: Where = None
    superseded: Superseded = False
    mode: Mode | None = Field(
        None,
        description="All but plain go sentence by sentence and need a model. The settings' `reflect.mode` unless given.",
    )
    stream: bool = Field(
        False, description="Server-sent events: `sentence` for each sentence, then `answer`; `error` for what fails after the first."
    )


class Answered(BaseModel):
    """An Answer, the sentences of its text with the numbers of their citations, and the id to vote on it with.

    `question` is what was answered: of a follow-up, how it stands alone. `tree`: all that was considered where it was chosen sentence by
    sentence, as `selfstudy ask --explain --json` gives it; else null.
    """

    id: str
    version: str
    question: str
    text: str
    sentences: list[Said]
    citations: list[dict[str, Any]]
    hits: list[dict[str, Any]]
    confidence: float
    abstained: bool
    short: str = Field("", description="The words that answer by themselves, where there are such.")
    tree: dict[str, Any] | None = None
    notes: list[str] = Field([], description="What else happened that who asked should know.")
    cost: Cost = Cost()


class Source(BaseModel):
    """A stretch of a document around a span: `text[start:end]` is the span."""

    document: str
    title: str
    section: list[str]
    text: str
    start: int
    end: int
    before: bool = Field(description="Whether the document goes on before this stretch.")
    after: bool


@router.post("/search")
async def search(asked: Search, by: Asks) -> Found:
    """The best passages for a question."""

    def found(engine: Engine) -> Found:
        serving = engine.serving()
        hits = engine.search(asked.question, asked.k, asked.by, asked.where, asked.superseded, exact=asked.exact, serving=serving)
        id = engine.ledger.asked(by.name, "search", asked.question, hits, serving.version)
        return Found(id=id, version=serving.version, hits=[hit.public.json() for hit in hits])

    return await by.ask(found)


@router.post("/ask", response_model=Answered)
async def ask(asked: Ask, by: Asks) -> Answered | StreamingResponse:
    """An answer with citations, or that the documents do not hold one."""
    turns = [Message(turn.role, turn.content) for turn in asked.conversation]
    answered = await reply(by, asked.question, asked.where, "ask", asked.superseded, asked.mode, turns)
    return events(_told(answered)) if asked.stream else answered


async def reply(
    by: Caller,
    question: str,
    where: str | None,
    kind: str,
    superseded: bool = False,
    mode: Mode | None = None,
    conversation: Sequence[Message] = (),
) -> Answered:
    """The answer to a question, noted in the ledger; the turns before are read where there is a model to read them."""

    came = time.perf_counter()

    def answer(engine: Engine) -> Answered:
        clock = Clock(came)
        with clock.stage("answer"):
            serving = engine.serving()
            turns = conversation if engine.settings.llm is not None else ()
            found = engine.ask(question, where, superseded, mode=mode, conversation=turns, serving=clock.timed(serving)).public
            if conversation and not turns:
                found = replace(found, notes=(*found.notes, UNREAD))
        with clock.stage("note"):
            id = engine.ledger.asked(by.name, kind, question, found.hits, serving.version, found)
        cost = clock.cost()
        log.info("%s", json.dumps({"answer": id, "abstained": found.abstained, "version": serving.version} | cost.model_dump()))
        return Answered(id=id, version=serving.version, sentences=sentences_of(found), cost=cost, **found.json())

    answered = await by.ask(answer)
    by.service.metrics.answers.labels("not found" if answered.abstained else "answered").inc()
    return answered


async def _told(answered: Answered) -> AsyncIterator[tuple[str, Any]]:
    for said in answered.sentences:
        yield "sentence", said.model_dump()
        await asyncio.sleep(0)
    yield "answer", answered.model_dump()


def events(told: AsyncIterator[tuple[str, Any]]) -> StreamingResponse:
    """Server-sent events of named pieces of JSON; a piece without a name is sent as data alone."""

    async def lines() -> AsyncIterator[str]:
        try:
            async for name, value in told:
                data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                yield f"event: {name}\ndata: {data}\n\n" if name else f"data: {data}\n\n"
        except Exception:  # the status is sent already
            log.exception("a stream was broken off")
            yield f"event: error\ndata: {bytes(accident().body).decode()}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/source")
async def source(
    by: Asks,
    document: Annotated[str, Query(max_length=4096, examples=["manual.md"])],
    start: Annotated[int, Query(ge=0, le=2**53)] = 0,
    end: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Source:
    """What stands around a span of a document."""

    def found(engine: Engine) -> Document | None:
        snapshot = engine.serving().snapshot
        return snapshot.document(document) if document in snapshot.documents else None

    whole = await by.ask(found)
    if whole is None:
        raise HTTPException(404, "There is no such document here.")
    return around(whole, start, end)


def around(whole: Document, start: int, end: int) -> Source:
    """The stretch around `whole.text[start:end]`, from the beginning of a line where one is near."""
    start = min(start, len(whole.text))
    end = min(max(start, end), len(whole.text), start + 20_000)
    first = whole.text.rfind("\n", 0, max(0, start - AROUND)) + 1
    first = first if start - first <= 2 * AROUND else max(0, start - AROUND)
    last = whole.text.find("\n", min(len(whole.text), end + AROUND))
    last = last if 0 <= last - end <= 2 * AROUND else min(len(whole.text), end + AROUND)
    section = next((list(one.path) for one in reversed(whole.sections) if one.start <= start < one.end), [])
    return Source(
        document=whole.id, title=whole.title, section=section, text=whole.text[first:last],
        start=start - first, end=end - first, before=first > 0, after=last < len(whole.text),
    )  # fmt: skip
