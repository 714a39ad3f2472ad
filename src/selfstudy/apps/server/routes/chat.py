"""OpenAI's protocol: chat completions whose citations stay, and the models."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.apps.server.access import Asks
from selfstudy.apps.server.cost import Cost
from selfstudy.apps.server.faults import RESPONSES
from selfstudy.apps.server.routes.asking import Answered, events, reply
from selfstudy.apps.server.sentences import marks_of
from selfstudy.core.records import Message
from selfstudy.index.question import LONGEST

router = APIRouter(prefix="/v1", responses=RESPONSES, tags=["OpenAI's protocol"])
CHAT = "selfstudy"
EMBEDDER = "selfstudy-embedder"


class ChatMessage(BaseModel):
    """Of any role and kind. The last user's is the question; before it only what user and assistant said in words is read."""

    model_config = ConfigDict(extra="allow")

    role: str = Field(max_length=100, examples=["user"])
    content: Annotated[str | list[dict[str, Any]] | None, Field(examples=["How long is the warranty?"])] = None


class Chat(BaseModel):
    """As OpenAI's, of which `messages`, `model` and `stream` count: the last user turn is the question, and what answers is the documents.

    Where the settings name an `llm`, it reads the turns before, so that a follow-up is put as a question that stands alone. Whatever else
    the protocol knows is taken and changes nothing.
    """

    model_config = ConfigDict(extra="allow")

    model: str = Field(CHAT, max_length=200)
    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    stream: bool | None = False


class Completion(BaseModel):
    """As OpenAI's. `message.content` has marks [1] and ends with a list of what they stand for; `message.annotations` and `citations` hold
    the same as data; `answer_id` is what /feedback takes."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[dict[str, Any]]
    citations: list[dict[str, Any]]
    abstained: bool
    confidence: float
    notes: list[str]
    answer_id: str
    system_fingerprint: str
    usage: dict[str, int]
    cost: Cost


@router.post("/chat/completions", response_model=Completion)
async def chat(asked: Chat, by: Asks) -> Completion | StreamingResponse:
    """Answer the last user turn out of the documents, with citations."""
    _known(asked.model, CHAT)
    answered = await reply(by, _question(asked.messages), None, "chat", conversation=_before(asked.messages))
    if asked.stream:
        return events(_chunks(answered))
    message = {"role": "assistant", "content": answered.text + sources(answered), "refusal": None, "annotations": annotated(answered)}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}
    return Completion(choices=[choice], **_about(answered), **_proof(answered))


def _question(turns: list[ChatMessage]) -> str:
    """What the last user turn asks. Raises 400 where it asks nothing, too much, or not in words."""
    content = next((turn.content for turn in reversed(turns) if turn.role == "user"), None)
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    if any(part.get("type") != "text" or not isinstance(part.get("text"), str) for part in parts):
        raise HTTPException(400, "The question has parts that are no text. Send only those of the type text.")
    question = "\n".join(part["text"] for part in parts)
    if not question.strip():
        raise HTTPException(400, "No user turn holds a question.")
    if len(question) > LONGEST:
        raise HTTPException(400, f"The question has {len(question):,} characters; at most {LONGEST:,} are read.")
    return question


def _before(turns: list[ChatMessage]) -> list[Message]:
    """What user and assistant said in words before the last user turn."""
    last = max(place for place, turn in enumerate(turns) if turn.role == "user")
    roles: dict[str, Literal["user", "assistant"]] = {"user": "user", "assistant": "assistant"}
    said = [(turn.role, _words(turn.content)) for turn in turns[:last]]
    return [Message(roles[role], words) for role, words in said if role in roles and words.strip()]


def _words(content: str | list[dict[str, Any]] | None) -> str:
    if not isinstance(content, list):
        return content or ""
    return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))


def _known(model: str, *known: str) -> None:
    if model not in known:
        raise HTTPException(404, f"There is no model {model!r} here; there is {known[0]!r}.")


def _about(answered: Answered) -> dict[str, Any]:
    return {"id": f"chatcmpl-{answered.id}", "created": int(time.time()), "model": CHAT, "system_fingerprint": answered.version}


def _proof(answered: Answered) -> dict[str, Any]:
    return {
        "citations": answered.citations, "abstained": answered.abstained, "confidence": answered.confidence, "notes": answered.notes,
        "answer_id": answered.id, "usage": _usage(answered.cost), "cost": answered.cost.model_dump(),
    }  # fmt: skip


def _usage(cost: Cost) -> dict[str, int]:
    both = cost.prompt_tokens + cost.completion_tokens
    return {"prompt_tokens": cost.prompt_tokens, "completion_tokens": cost.completion_tokens, "total_tokens": both}


async def _chunks(answered: Answered) -> AsyncIterator[tuple[str, Any]]:
    """The answer sentence by sentence; what closes it holds the citations."""

    def chunk(delta: dict[str, Any], end: str | None = None, **more: Any) -> tuple[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}
        return "", _about(answered) | {"object": "chat.completion.chunk", "choices": [choice]} | more

    yield chunk({"role": "assistant", "content": ""})
    for place, said in enumerate(answered.sentences):
        marks = "".join(f"[{number}]" for number in said.citations)
        yield chunk({"content": f"{' ' if place else ''}{said.text}{' ' if marks else ''}{marks}"})
    if answered.citations:
        yield chunk({"content": sources(answered)})
    yield chunk({"annotations": annotated(answered)}, "stop", **_proof(answered))
    yield "", "[DONE]"


def sources(answered: Answered) -> str:
    """What the marks stand for, as lines below the answer: a client that knows no citations shows them all the same."""
    lines = [
        f"[{one['number']}] {_line(one['title'] or one['document'])} ({_line(', '.join(filter(None, (one['document'], one['where']))))})"
        for one in answered.citations
    ]
    return "\n\n" + "\n".join(lines) if lines else ""


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def annotated(answered: Answered) -> list[dict[str, Any]]:
    """The citations as OpenAI's annotations: the place of each mark in the text, and the document as its address."""
    quotes = {one["number"]: one["quote"] for one in answered.citations}
    places = {number: place for marks in marks_of(answered.text, quotes) for number, place in marks.items()}
    return [_annotation(one, places[one["number"]]) for one in answered.citations if one["number"] in places]


def _annotation(one: dict[str, Any], at: int) -> dict[str, Any]:
    title, address = one["title"] or one["document"], one["source"] or one["document"]
    cited = {"start_index": at, "end_index": at + len(f"[{one['number']}]"), "title": title, "url": address}
    return {"type": "url_citation", "url_citation": cited}


class Model(BaseModel):
    id: str = Field(examples=[CHAT])
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "selfstudy"


class Models(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/models")
async def models(by: Asks) -> Models:
    """What answers and what embeds."""
    return Models(data=[Model(id=name, created=0) for name in (CHAT, EMBEDDER)])


@router.get("/models/{model}")
async def model(model: str, by: Asks) -> Model:
    """One of them."""
    _known(model, CHAT, EMBEDDER)
    return Model(id=model, created=0)
