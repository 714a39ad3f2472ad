"""Any LLM behind an endpoint that speaks OpenAI's protocol: `openai:<model>`."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from selfstudy.core.errors import BadModel
from selfstudy.core.plugs import extra
from selfstudy.core.ports import Progress, silent
from selfstudy.core.records import Message, Reply, Token, digest
from selfstudy.models.api import Api, Endpoint, Meter, hopeless
from selfstudy.models.replies import Remembered, Replies
from selfstudy.models.structured import complaint, instruction, spoken, value_of

T = TypeVar("T")
_TRIES = 3
"""Tries for a reply that arrives and cannot be used: empty, half, against the schema."""
_REFUSALS = 8
"""So many conversations are refused before any is answered, until it is not they that are at fault."""
_NOT_TAKEN = re.compile(
    r"\b(?:unsupported|unknown|unrecogni[sz]ed|unexpected|extra|deprecated|instead|only the default|only 1)\b"
    r"|\bnot (?:support|(?:be )?(?:supported|known|recogni[sz]ed|permitted|allowed|available))",
    re.IGNORECASE,
)
NO_PROTOCOL = "what came is a text, like a web page"


class OpenAI:
    """An LLM behind HTTP. Replies are kept in `replies`; faults are not, so that the next run asks again."""

    def __init__(self, model: str, endpoint: Endpoint, replies: Replies | None = None, meter: Meter | None = None) -> None:
        if not model.strip():
            raise BadModel("'openai:' names no model.", "Write openai:<model>, with the name that the endpoint knows it by.")
        self.model = model
        self.endpoint = endpoint
        self.replies = replies
        self.meter = meter or Meter(prices=endpoint.settings.prices)
        self.without: set[str] = set()  # parameters that the endpoint turned out not to take
        self.refused: set[str] = set()  # conversations that were refused before any was answered
        self.reached = False

    @property
    def name(self) -> str:
        return f"openai:{self.model}"

    @property
    def fingerprint(self) -> str:
        thinking = self.endpoint.settings.thinking
        return digest("openai", self.model, self.endpoint.url, *([str(thinking)] if thinking else []))  # what was cut off is asked anew

    def remembered(self) -> Remembered | None:
        """What was answered before, as an LLM that asks nothing; None where nothing is kept."""
        thinking = self.endpoint.settings.thinking
        return Remembered(self.name, self.fingerprint, self.replies, thinking) if self.replies is not None else None

    def chat(
        self,
        batch: Sequence[Sequence[Message]],
        schema: dict[str, Any] | None = None,
        logprobs: int = 0,
        max_tokens: int = 512,
        temperature: float = 0.0,
        progress: Progress = silent,
    ) -> list[Reply]:
        """As `core.ports.LLM.chat`. At most `concurrency` requests are under way at once; equal conversations are asked once.

        To `max_tokens` come those of the settings for thinking, since endpoints count what a model thinks as written.
        """
        most = max_tokens + self.endpoint.settings.thinking
        asked = {"schema": schema, "logprobs": logprobs, "max_tokens": most, "temperature": temperature}
        return in_thread(self._all(batch, asked, progress))

    async def _all(self, batch: Sequence[Sequence[Message]], asked: dict[str, Any], progress: Progress) -> list[Reply]:
        keys = [Replies.key(llm=self.fingerprint, messages=[m.json() for m in messages], **asked) for messages in batch]
        times = Counter(keys)
        found: dict[str, Reply] = {}
        if self.replies is not None:
            found = {key: kept for key in times if (kept := self.replies.get(key)) is not None}
            self.meter.kept += len(found)
        waiting = {key: list(messages) for key, messages in zip(keys, batch, strict=True) if key not in found}
        if waiting:
            async with self.endpoint.client(self.meter) as client:
                calls = _Calls(self, client, asked)
                done = sum(times[key] for key in found)

                async def one(key: str) -> None:
                    nonlocal done
                    reply = await calls.reply(waiting[key])
                    if self.replies is not None and not reply.fault:
                        self.replies.put(key, reply)
                    found[key] = reply
                    done += times[key]
                    progress(done, len(batch))

                await calls.crew.every(list(waiting), one, self.reached)
        return [found[key] for key in keys]


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

    async def every(self, items: Sequence[T], work: Callable[[T], Awaitable[None]], reached: bool) -> None:
        """`work` for all items at once; of an endpoint that was not `reached` yet for the first one before, so that one which cannot be
        used is asked once, not a thousand times.
        """
        if not reached:
            await work(items[0])
        tasks = [asyncio.ensure_future(work(item)) for item in (items if reached else items[1:])]
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
            except TimeoutError as error:
                return Reply("", fault=self.llm.endpoint.passing(error), transient=True)

    async def _usable(self, messages: list[Message]) -> Reply:
        """Ask until the reply can be used, three times at most."""
        schema, without = self.asked["schema"], self.llm.without
        prompt = completion = 0
        reply, worded = Reply(""), False
        for attempt in range(_TRIES):
            unshown = schema is not None and "response_format" not in without
            reply = await self._one(messages)
            prompt, completion = prompt + reply.prompt_tokens, completion + reply.completion_tokens
            if not reply.fault or reply.fault.startswith("refused") or (reply.cut and not reply.text):
                break  # another try would be cut off in the middle of the same thoughts
            if reply.text and schema is not None and attempt < _TRIES - 1:
                worded = worded or (unshown and not reply.cut)
                messages = [
                    *messages,
                    Message("assistant", reply.text),
                    Message("user", complaint(reply.fault, schema if unshown else None)),
                ]
        if worded and not reply.fault:
            without.add("response_format")  # it was taken and ignored: words helped
        if reply.fault == NO_PROTOCOL and not self.llm.reached:
            raise self.llm.endpoint.failure(ValueError(reply.fault))
        return replace(reply, prompt_tokens=prompt, completion_tokens=completion)

    async def _one(self, messages: list[Message], worded: bool = False) -> Reply:
        """One request; `worded` asks for the schema in words. A fault of the endpoint's is one of the reply, unless there is no hope."""
        openai, llm = self.openai, self.llm
        request = self._request(messages, worded)
        await self.pace.wait()
        try:
            with llm.meter.call():
                raw = await self.client.chat.completions.with_raw_response.create(**request)
            self.pace.note(raw.headers)
            return self._read(raw.parse(), messages)
        except openai.APIStatusError as error:
            return await self._refused(error, request, messages)
        except openai.APIConnectionError as error:
            if not llm.reached:
                raise llm.endpoint.failure(error) from None
            return Reply("", fault=llm.endpoint.passing(error), transient=True)
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:  # a body of another shape
            return Reply("", fault=f"the reply is not of the protocol: {llm.endpoint.clean(str(error))[:100]}")

    async def _refused(self, error: Any, request: dict[str, Any], messages: list[Message]) -> Reply:
        """Ask again without what the endpoint does not take. Raises BadModel and Stopped where no other conversation would fare better."""
        llm, worded = self.llm, self.asked["schema"] is not None and "response_format" not in request
        if why := llm.endpoint.passing(error):
            return Reply("", fault=why, transient=True)
        if name := not_taken(str(error), request):
            llm.without.add(name)
            return await self._one(messages, worded)
        if hopeless(error):
            raise llm.endpoint.failure(error) from None
        if "response_format" in request:  # many endpoints that know none do not say so
            reply = await self._one(messages, worded=True)
            if reply.text:
                llm.without.add("response_format")
            return reply
        llm.refused.add(digest(*(message.content for message in messages)))
        if len(llm.refused) >= _REFUSALS and not llm.reached:
            raise llm.endpoint.failure(error) from None
        return Reply("", fault=f"refused: {llm.endpoint.clean(str(error))[:200]}")

    def _request(self, messages: list[Message], worded: bool) -> dict[str, Any]:
        schema, without = self.asked["schema"], self.llm.without
        sent = [message.json() for message in messages]
        longest = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
        request: dict[str, Any] = {"model": self.llm.model, longest: self.asked["max_tokens"]}
        if "temperature" not in without:
            request["temperature"] = self.asked["temperature"]
        if self.asked["logprobs"] and "logprobs" not in without:
            request |= {"logprobs": True, "top_logprobs": self.asked["logprobs"]}
        if schema is not None and (worded or "response_format" in without):
            sent = [{"role": "system", "content": instruction(schema)}, *sent]
        elif schema is not None:
            request["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
        return request | {"messages": sent}

    def _read(self, answer: Any, messages: list[Message]) -> Reply:
        """The endpoint's answer as a Reply; what is missing in it becomes a fault."""
        if isinstance(answer, str):
            return Reply("", fault=NO_PROTOCOL)
        self.llm.reached = True
        choices = getattr(answer, "choices", None) or []
        message = getattr(choices[0], "message", None) if choices else None
        said = str(getattr(message, "content", None) or "")
        prompt, completion = self.llm.meter.read(self.llm.model, answer, [one.content for one in messages], said)
        refusal = getattr(message, "refusal", None)
        finish = getattr(choices[0], "finish_reason", None) if choices else None
        text, cut = spoken(said), finish == "length"
        data, fault = None, ""
        if refusal or finish == "content_filter":
            fault = f"refused: {self.llm.endpoint.clean(str(refusal or 'content filter'))[:200]}"
        elif not text:
            spent = f"cut off at {self.asked['max_tokens']} tokens before it said a word; api.thinking=N gives a model N more to think with"
            fault = spent if cut else "the reply is empty"
        elif self.asked["schema"] is not None:
            try:
                data = value_of(text, self.asked["schema"])
            except ValueError as error:
                fault = f"cut off at {self.asked['max_tokens']} tokens" if cut else str(error)
        model = str(getattr(answer, "model", None) or "")
        return Reply(text, data, fault, model, _tokens(choices), prompt, completion, cut=cut)


def not_taken(told: str, request: dict[str, Any]) -> str:
    """The parameter of `request` that an endpoint does not take by what it told; "" where it told nothing of the kind."""
    if "response_format" in request and ("response_format" in told or "json_schema" in told):
        return "response_format"
    named = [name for name in ("max_tokens", "temperature", "logprobs") if name in request and name in told]
    return named[0] if named and _NOT_TAKEN.search(told) else ""


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
