"""An HTTP endpoint that speaks OpenAI's protocol: where it is, with what key, how patiently it is asked, what it costs."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from selfstudy.core.errors import BadModel, SelfstudyError, Stopped
from selfstudy.core.plugs import extra
from selfstudy.core.text import model_tokens, without_user

_log = logging.getLogger("selfstudy")
KEY, URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
_OF_EVERY_CALL = {"model_not_found", "invalid_model", "unknown_model", "unsupported_parameter", "unsupported_value", "unknown_parameter"}
_NO_MODEL = re.compile(
    r"\b(?:no such|unknown|invalid|unsupported) model\b|\bmodel\b.{0,80}\b(?:not found|not exist)|\bnot a valid model\b", re.IGNORECASE
)


class Price(BaseModel):
    """What a million tokens cost, in whatever money the budget is in."""

    model_config = ConfigDict(extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(0.0, ge=0)

    def of(self, prompt: int, completion: int) -> float:
        """The price of so many tokens."""
        return (prompt * self.input + completion * self.output) / 1e6


class Api(BaseModel):
    """How an endpoint is asked. The environment and a file `.env` beside the work win over `base_url` and `key`."""

    model_config = ConfigDict(extra="forbid")

    base_url: str | None = Field(None, description="where the endpoint is; OpenAI's own where nothing says otherwise")
    key: SecretStr | None = Field(None, exclude=True, description=f"the key; better in {KEY} or in .env than here")
    concurrency: int = Field(8, ge=1, exclude=True, description="requests under way at once")
    timeout: float = Field(60.0, gt=0, exclude=True, description="seconds that the endpoint may be silent")
    deadline: float = Field(300.0, gt=0, exclude=True, description="seconds after which one request is given up, its retries included")
    thinking: int = Field(
        0, ge=0, exclude=True, description="further tokens of every reply, for models that think before they speak: try 4000"
    )
    retries: int = Field(6, ge=0, exclude=True, description="new tries after 429, 5xx or a cut connection, each later than the last")
    prices: dict[str, Price] = Field(default_factory=dict, exclude=True, description="by model: the price of a million tokens")


class Budget(BaseModel):
    """Limits of a run; None is no limit. What was answered before is kept and costs nothing."""

    model_config = ConfigDict(extra="forbid")

    calls: int | None = Field(None, ge=0)
    tokens: int | None = Field(None, ge=0)
    money: float | None = Field(None, ge=0)


spent: ContextVar[Counter[str] | None] = ContextVar("spent", default=None)
"""Where the tokens of what is asked from here on are counted too (`prompt`, `completion`): what one answer cost."""


class Meter:
    """Counts what was asked of endpoints, and says when the budget is used up.

    Where an endpoint does not tell what it used, that is estimated from the texts, and the model is named in `estimated`.
    """

    def __init__(self, budget: Budget | None = None, prices: dict[str, Price] | None = None) -> None:
        self.budget = budget or Budget()
        self.prices = prices or {}
        self.calls = self.kept = self.prompt_tokens = self.completion_tokens = 0
        self.under_way = self.retries = 0
        self.money = 0.0
        self.unpriced: set[str] = set()
        self.estimated: set[str] = set()
        self.models: dict[str, int] = {}

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call; the endpoint is asked within. Raises Stopped where the budget allows none.

        What is under way will cost what a call cost so far, on average, so that calls side by side do not overshoot together.
        """
        spent = {"calls": self.calls, "tokens": self.prompt_tokens + self.completion_tokens, "money": self.money}
        answered = max(1, self.calls - self.under_way)
        for name, used in spent.items():
            limit = getattr(self.budget, name)
            expected = 0.0 if name == "calls" else self.under_way * used / answered
            if limit is not None and used + expected >= limit:
                raise Stopped(
                    f"The budget of {limit:g} {name} is used up after {self.calls} calls.",
                    "What was answered is kept; run the same command with a larger --budget to go on.",
                )
        self.calls += 1
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def retried(self, request: Any) -> None:
        """Count a request of httpx's that asks the same once more, as a call: it may have to be paid for."""
        if request.headers.get("x-stainless-retry-count", "0") != "0":
            self.calls += 1
            if not self.retries:
                _log.warning("%s did not answer as it should; asking again.", request.url.host)
            self.retries += 1

    def read(self, asked: str, answer: Any, prompt: Iterable[str], completion: str = "") -> tuple[int, int]:
        """Count an endpoint's answer to the texts `prompt`. Returns the tokens that were read and written."""
        usage = getattr(answer, "usage", None)
        used = _number(getattr(usage, "prompt_tokens", None)), _number(getattr(usage, "completion_tokens", None))
        if not used[0]:
            self.estimated.add(asked)
            used = sum(map(model_tokens, prompt)), model_tokens(completion)
        self.count(asked, str(getattr(answer, "model", None) or ""), *used)
        return used

    def count(self, asked: str, answered: str, prompt: int, completion: int) -> None:
        """Count a reply of the model that was asked for, by the model that says it answered."""
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        if (here := spent.get()) is not None:
            here.update(prompt=prompt, completion=completion)
        self.models[answered or asked] = self.models.get(answered or asked, 0) + 1
        price = self.prices.get(asked)
        if price is None:
            self.unpriced.add(asked)
        else:
            self.money += price.of(prompt, completion)


def _number(told: Any) -> int:
    return int(told) if isinstance(told, int | float) and 0 < told < 1e12 else 0


class Endpoint:
    """One endpoint with its key. `client()` opens a client of the openai package; `clean` keeps the key out of what is shown.

    `url` is what may be shown: without the user, the password and the keys that may stand in it.
    """

    def __init__(self, settings: Api | None = None, folder: Path = Path()) -> None:
        self.settings = settings or Api()
        found = _environment(folder)
        self._key = (found.get(KEY) or (self.settings.key.get_secret_value() if self.settings.key else "")).strip()
        self._base = (found.get(URL) or self.settings.base_url or "https://api.openai.com/v1").strip().rstrip("/")
        self.url = without_user(self._base)

    def client(self, meter: Meter) -> Any:
        """An asynchronous client, to be closed by the caller; its retries are counted in `meter`.

        Raises MissingExtra, BadModel where there is no key that could be sent.
        """
        openai = extra("openai", "api")
        if not self._key:
            raise BadModel(
                f"There is no key for {self.url}.",
                f"Set {KEY} in the environment or in a file .env here; for an endpoint that wants none, any word will do.",
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise BadModel(
                f"The key for {self.url} holds characters that cannot be sent.", f"Look at {KEY}: a key is of plain letters and digits."
            )
        http = openai.DefaultAsyncHttpxClient(event_hooks={"request": [meter.retried]})
        return openai.AsyncOpenAI(
            api_key=self._key, base_url=self._base, timeout=self.settings.timeout, max_retries=self.settings.retries, http_client=http
        )

    def clean(self, text: str) -> str:
        """`text` without the key, whole, as URLs write it or as endpoints abbreviate it, and without what is secret in URLs."""
        text = without_user(text)
        for key in {self._key, quote(self._key), quote(self._key, safe=""), quote_plus(self._key)} - {""}:
            text = text.replace(key, "[key]")
        return re.sub(r"\bsk-[\w*.-]{6,}", "[key]", text)

    def passing(self, error: Exception) -> str:
        """Why a request failed that may go through later; "" for a failure that stays."""
        status = getattr(error, "status_code", None)
        if isinstance(error, TimeoutError):
            return f"no whole reply within {self.settings.deadline:g} s (api.deadline)"
        if _silent(error):
            return f"no reply within {self.settings.timeout:g} s (api.timeout)"
        if status == 429 and not _used_up(error):
            return "the endpoint stayed too busy (429)"
        if status is not None and (status >= 500 or status in (408, 409, 425)):
            return f"the endpoint failed ({status})"
        return "the connection broke" if isinstance(error, extra("openai", "api").APIConnectionError) else ""

    def failure(self, error: Exception) -> SelfstudyError:
        """What a person should read where the endpoint cannot be used: Stopped where it may be later, else BadModel."""
        status = getattr(error, "status_code", None)
        told = " ".join(self.clean(str(error)).split())[:200]
        if _used_up(error):
            return Stopped(f"{self.url} says that the quota is used up.", "What was answered is kept; run the same command again to go on.")
        if status in (401, 403):
            return BadModel(
                f"{self.url} does not accept the key ({status}): {told}", f"Look at {KEY}, and at {URL} which says who is asked."
            )
        if status == 404:
            return BadModel(
                f"{self.url} does not know what was asked for: {told}", "Look at the model's name and at the end of the URL (/v1)."
            )
        if (why := self.passing(error)) and (status is not None or isinstance(error, TimeoutError)):
            return Stopped(f"{self.url}: {why}.", "What was answered is kept; run the same command again later to go on.")
        if status is not None:
            return BadModel(f"{self.url} refuses the request ({status}): {told}", "Look at the model's name, and at what it can do.")
        if _silent(error):
            return BadModel(
                f"{self.url} gave {why}: it is there, and slow.",
                "Wait longer (--set api.timeout=600 --set api.deadline=3600), or ask less at once (--set api.concurrency=1).",
            )
        if why:
            return BadModel(f"{self.url} cannot be reached: {told}", f"Look at {URL} and at whether the endpoint is up.")
        return BadModel(f"{self.url} does not answer by the protocol: {told}", f"Look at {URL}: most end in /v1.")


def hopeless(error: Exception) -> bool:
    """Whether no other request would fare better: no access, no money, no such model, a parameter of every call."""
    if getattr(error, "status_code", None) in (401, 403, 404) or _used_up(error):
        return True
    code, parameter = (str(getattr(error, name, None) or "") for name in ("code", "param"))
    if parameter.startswith("messages"):
        return False
    return parameter == "model" or code in _OF_EVERY_CALL or _NO_MODEL.search(str(error)) is not None


def _silent(error: Exception) -> bool:
    """Whether an endpoint took the request and did not answer in time."""
    timed_out = isinstance(error, extra("openai", "api").APITimeoutError)
    return timed_out and not type(error.__cause__).__name__.startswith("Connect")


def _used_up(error: Exception) -> bool:
    return getattr(error, "status_code", None) == 402 or getattr(error, "code", None) == "insufficient_quota"


def _environment(folder: Path) -> dict[str, str]:
    """The two variables: of the environment, else of `.env`."""
    found: dict[str, str] = {}
    if (folder / ".env").is_file():
        values = extra("dotenv", "api").dotenv_values(folder / ".env")
        found = {name: value for name in (KEY, URL) if (value := values.get(name))}
    return found | {name: value for name in (KEY, URL) if (value := os.environ.get(name))}
