"""An HTTP endpoint that speaks OpenAI's protocol: where it is, with what key, how patiently it is asked, what it costs."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from selfstudy.core.errors import BadModel, Stopped
from selfstudy.core.plugs import extra

KEY, URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"


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
    """Counts what was asked of endpoints, and says when the budget is used up."""

    def __init__(self, budget: Budget | None = None, prices: dict[str, Price] | None = None) -> None:
        self.budget = budget or Budget()
        self.prices = prices or {}
        self.calls = self.kept = self.prompt_tokens = self.completion_tokens = 0
        self.money = 0.0
        self.unpriced: set[str] = set()
        self.models: dict[str, int] = {}

    def begin(self) -> None:
        """Count a call that begins. Raises Stopped where the budget allows none."""
        spent = {"calls": self.calls, "tokens": self.prompt_tokens + self.completion_tokens, "money": self.money}
        for name, used in spent.items():
            limit = getattr(self.budget, name)
            if limit is not None and used >= limit:
                raise Stopped(
                    f"The budget of {limit:g} {name} is used up after {self.calls} calls.",
                    "What was answered is kept; run the same command with a larger --budget to go on.",
                )
        self.calls += 1

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


class Endpoint:
    """One endpoint with its key. `client()` opens a client of the openai package; `clean` keeps the key out of what is shown."""

    def __init__(self, settings: Api | None = None, folder: Path = Path()) -> None:
        self.settings = settings or Api()
        found = _environment(folder)
        self._key = found.get(KEY) or (self.settings.key.get_secret_value() if self.settings.key else "")
        self.url = (found.get(URL) or self.settings.base_url or "https://api.openai.com/v1").rstrip("/")

    def client(self) -> Any:
        """An asynchronous client, to be closed by the caller. Raises MissingExtra, BadModel where there is no key."""
        openai = extra("openai", "api")
        if not self._key:
            raise BadModel(
                f"There is no key for {self.url}.",
                f"Set {KEY} in the environment or in a file .env here; for an endpoint that wants none, any word will do.",
            )
        return openai.AsyncOpenAI(api_key=self._key, base_url=self.url, timeout=self.settings.timeout, max_retries=self.settings.retries)

    def clean(self, text: str) -> str:
        """`text` without the key, whole or as endpoints abbreviate it."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return re.sub(r"\bsk-[\w*.-]{6,}", "[key]", text)

    def failure(self, error: Exception) -> BadModel:
        """What a person should read where the endpoint cannot be used at all."""
        status = getattr(error, "status_code", None)
        told = " ".join(self.clean(str(error)).split())[:200]
        if status in (401, 403):
            return BadModel(
                f"{self.url} does not accept the key ({status}): {told}", f"Look at {KEY}, and at {URL} which says who is asked."
            )
        if status == 404:
            return BadModel(
                f"{self.url} does not know what was asked for: {told}", "Look at the model's name and at the end of the URL (/v1)."
            )
        if status is not None:
            return BadModel(f"{self.url} refuses the request ({status}): {told}", "Look at the model's name, and at what it can do.")
        return BadModel(f"{self.url} cannot be reached: {told}", f"Look at {URL} and at whether the endpoint is up.")


def _environment(folder: Path) -> dict[str, str]:
    """The two variables: of the environment, else of `.env`."""
    found: dict[str, str] = {}
    if (folder / ".env").is_file():
        values = extra("dotenv", "api").dotenv_values(folder / ".env")
        found = {name: value for name in (KEY, URL) if (value := values.get(name))}
    return found | {name: value for name in (KEY, URL) if (value := os.environ.get(name))}
