"""Any LLM behind an endpoint that speaks OpenAI's protocol: `openai:<model>`."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from selfstudy.core.errors import BadModel, Stopped
from selfstudy.core.plugs import extra
from selfstudy.core.ports import Progress, silent
from selfstudy.core.records import Message, Reply, Token, digest
from selfstudy.models.api import Api, Endpoint, Meter
from selfstudy.models.replies import Replies
from selfstudy.models.structured import complaint, instruction, value_of

T = TypeVar("T")
_TRIES = 3
"""Tries for a reply that arrives and cannot be used: empty, half, against the schema."""


class OpenAI:
    """An LLM behind HTTP. Replies are kept in `replies`; faults are not, so that the next run asks again."""

    def __init__(self, model: str, endpoint: Endpoint, replies: Replies | None = None, meter: Meter | None = None) -> None:
        if not model.strip():
            raise BadModel("'openai:' names no model.", "Write openai:<model>, with the name that the endpoint knows it by.")
        self.model = model
        self.endpoint = endpoint
        self.replies = replies
        self.meter = meter or Meter(prices=endpoint.settings.prices)
        self._plain = False  # set where the endpoint turned out to know no structured output
        self._reached = False

    @property
    def name(self) -> str:
        return f"openai:{self.model}"

    @property
    def fingerprint(self) -> str:
        return digest("openai", self.model, self.endpoint.url)

    def chat(
        self,
        batch: Sequence[Sequence[Message]],
        schema: dict[str, Any] | None = None,
        logprobs: int = 0,
        max_tokens: int = 512,
        temperature: float = 0.0,
        progress: Progress = silent,
    ) -> list[Reply]:
        """As `core.ports.LLM.chat`. At most `concurrency` requests are under way at once."""
        asked = {"schema": schema, "logprobs": logprobs, "max_tokens": max_tokens, "temperature": temperature}
        return in_thread(self._all(batch, asked, progress))

    async def _all(self, batch: Sequence[Sequence[Message]], asked: dict[str, Any], progress: Progress) -> list[Reply]:
        found: list[Reply | None] = [None] * len(batch)
        keys = [Replies.key(llm=self.fingerprint, messages=[m.json() for m in messages], **asked) for messages in batch]
        for place, key in enumerate(keys):
            if self.replies is not None and (kept := self.replies.get(key)) is not None:
                found[place] = kept
                self.meter.kept += 1
        waiting = [place for place, reply in enumerate(found) if reply is None]
        if waiting:
            async with self.endpoint.client() as client:
                calls = _Calls(self, client, asked)
                done = len(batch) - len(waiting)

                async def one(place: int) -> None:
                    nonlocal done
                    reply = await calls.reply(list(batch[place]))
                    if self.replies is not None and not reply.fault:
                        self.replies.put(keys[place], reply)
                    found[place] = reply
                    done += 1
                    progress(done, len(batch))

                await calls.crew.every(waiting, one)
        return [reply for reply in found if reply is not None]


class _Halted(Exception):
    """A call that was not begun since another one failed."""


class Crew:
    """So many calls at once, and none any more after one has failed; what is under way ends first, since it is paid for."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)
        self._halted = False

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a free place."""
        async with self._free:
            if self._halted:
                raise _Halted
            yield

    async def every(self, items: Sequence[int], work: Callable[[int], Awaitable[None]]) -> None:
        """`work` for the first item, then for all others at once: an endpoint that cannot be used is asked once, not a thousand times."""
        await work(items[0])
        tasks = [asyncio.ensure_future(work(item)) for item in items[1:]]
        for task in tasks:
            task.add_done_callback(self._look)
        failures = [found for found in await asyncio.gather(*tasks, return_exceptions=True) if found is not None]
        if failures:
            raise next((one for one in failures if not isinstance(one, _Halted)), failures[0])

    def _look(self, task: asyncio.Future[None]) -> None:
        self._halted |= task.cancelled() or task.exception() is not None


class _Calls:
    """The requests of one batch: so many at once, slowed down where the endpoint says that its limit is near."""

    def __init__(self, llm: OpenAI, client: Any, asked: dict[str, Any]) -> None:
        self.llm = llm
        self.client = client
        self.asked = asked
        self.openai = extra("openai", "api")
        self.crew = Crew(llm.endpoint.settings.concurrency)
        self.pace = Pace()

    async def reply(self, messages: list[Message]) -> Reply:
        async with self.crew.place():
            try:
                async with asyncio.timeout(self.llm.endpoint.settings.deadline):
                    return await self._usable(messages)
            except TimeoutError:
                return Reply("", fault=f"no whole reply within {self.llm.endpoint.settings.deadline:g} s", transient=True)

    async def _usable(self, messages: list[Message]) -> Reply:
        """Ask until the reply can be used, three times at most."""
        prompt = completion = 0
        reply = Reply("")
        for attempt in range(_TRIES):
            reply = await self._one(messages)
            prompt, completion = prompt + reply.prompt_tokens, completion + reply.completion_tokens
            if not reply.fault or reply.fault.startswith("refused"):
                break
            if reply.text and self.asked["schema"] is not None and attempt < _TRIES - 1:
                messages = [*messages, Message("assistant", reply.text), Message("user", complaint(reply.fault))]
        return replace(reply, prompt_tokens=prompt, completion_tokens=completion)

    async def _one(self, messages: list[Message]) -> Reply:
        openai, llm = self.openai, self.llm
        await self.pace.wait()
        llm.meter.begin()
        try:
            raw = await self.client.chat.completions.with_raw_response.create(**self._request(messages))
            self.pace.note(raw.headers)
            answer = raw.parse()
        except openai.BadRequestError as error:
            if self.asked["schema"] is not None and not llm._plain:
                llm._plain = True  # many endpoints know no response_format: say it in words
                return await self._one(messages)
            if not llm._reached:
                raise llm.endpoint.failure(error) from None
            return Reply("", fault=f"refused: {llm.endpoint.clean(str(error))[:200]}")
        except openai.RateLimitError as error:
            if getattr(error, "code", None) == "insufficient_quota":
                raise Stopped(
                    f"{llm.endpoint.url} says that the quota is used up.", "What was answered is kept; run the same command again to go on."
                ) from None
            return Reply("", fault="the endpoint stayed too busy (429)", transient=True)
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise llm.endpoint.failure(error) from None
        except openai.APIStatusError as error:
            return Reply("", fault=f"the endpoint failed ({error.status_code})", transient=True)
        except openai.APIConnectionError as error:
            if not llm._reached:
                raise llm.endpoint.failure(error) from None
            return Reply("", fault="the connection broke", transient=True)
        except (ValueError, openai.OpenAIError) as error:  # a body that is no JSON, or not of the protocol
            return Reply("", fault=f"the reply is not of the protocol: {llm.endpoint.clean(str(error))[:100]}")
        llm._reached = True
        return self._read(answer)

    def _request(self, messages: list[Message]) -> dict[str, Any]:
        schema = self.asked["schema"]
        sent = [message.json() for message in messages]
        request: dict[str, Any] = {
            "model": self.llm.model, "max_tokens": self.asked["max_tokens"], "temperature": self.asked["temperature"],
        }  # fmt: skip
        if schema is not None and self.llm._plain:
            sent = [{"role": "system", "content": instruction(schema)}, *sent]
        elif schema is not None:
            request["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
        if self.asked["logprobs"]:
            request |= {"logprobs": True, "top_logprobs": self.asked["logprobs"]}
        return request | {"messages": sent}

    def _read(self, answer: Any) -> Reply:
        """The endpoint's answer as a Reply; what is missing in it becomes a fault."""
        usage = getattr(answer, "usage", None)
        prompt, completion = (int(getattr(usage, name, None) or 0) for name in ("prompt_tokens", "completion_tokens"))
        model = str(getattr(answer, "model", None) or "")
        self.llm.meter.count(self.llm.model, model, prompt, completion)
        choices = getattr(answer, "choices", None) or []
        message = getattr(choices[0], "message", None) if choices else None
        text = str(getattr(message, "content", None) or "").strip()
        refusal = getattr(message, "refusal", None)
        finish = getattr(choices[0], "finish_reason", None) if choices else None
        data, fault = None, ""
        if refusal or finish == "content_filter":
            fault = f"refused: {str(refusal or 'content filter')[:200]}"
        elif not text:
            fault = "the reply is empty"
        elif self.asked["schema"] is not None:
            try:
                data = value_of(text, self.asked["schema"])
            except ValueError as error:
                fault = f"cut off at {self.asked['max_tokens']} tokens" if finish == "length" else str(error)
        return Reply(text, data, fault, model, _tokens(choices), prompt, completion)


class Pace:
    """Waits where the last reply's rate-limit headers say that nothing is left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._until = 0.0
        self._clock = clock
        self._sleep = sleep

    async def wait(self) -> None:
        """Wait until the endpoint has something left again."""
        while (left := self._until - self._clock()) > 0:
            await self._sleep(left)

    def note(self, headers: Mapping[str, str]) -> None:
        """Read `x-ratelimit-remaining-*` and `x-ratelimit-reset-*` of requests and tokens."""
        for what in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{what}") == "0":
                self._until = max(self._until, self._clock() + seconds(headers.get(f"x-ratelimit-reset-{what}") or ""))


def seconds(text: str) -> float:
    """The seconds of a duration as rate-limit headers write it: 20ms, 1s, 6m0s, 1h2m3.5s; at most two minutes, 0 for anything else."""
    scale = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text.strip())
    return min(sum(float(number) * scale[unit] for number, unit in parts), 120.0)


def _tokens(choices: Sequence[Any]) -> tuple[Token, ...]:
    content = getattr(getattr(choices[0], "logprobs", None), "content", None) if choices else None
    return tuple(
        Token(one.token, float(one.logprob), {other.token: float(other.logprob) for other in one.top_logprobs or ()})
        for one in content or ()
    )


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work` in an event loop of its own, wherever the caller stands (a notebook has a loop already)."""
    begun: list[tuple[asyncio.AbstractEventLoop, Any]] = []

    async def main() -> T:
        begun.append((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(copy_context().run, asyncio.run, main())  # what the caller counts in, is counted in there too
        try:
            return future.result()
        except KeyboardInterrupt:
            for loop, task in begun:
                loop.call_soon_threadsafe(task.cancel)
            raise


def load(model: str, *, api: Api | None = None, cache: Path | None = None, meter: Meter | None = None, **_: Any) -> OpenAI:
    """The LLM `openai:<model>`; replies are kept under `cache`. Raises BadModel, MissingExtra."""
    return OpenAI(model, Endpoint(api), Replies(cache) if cache is not None else None, meter)
