"""What a service is told when it starts; handed to its workers through the environment."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.apps.server import keys
from selfstudy.core import config
from selfstudy.recipes.settings import Settings

PASSED = "SELFSTUDY_SERVE"


class Serve(BaseModel):
    """How a service listens and what it allows. Sizes are in bytes, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path
    sets: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = Field(8321, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64)
    threads: int = Field(8, ge=1, le=256, description="questions of one worker that are worked on at once")
    queue: int = Field(64, ge=0, description="questions of one worker that wait beyond these; further ones are refused with 429")
    seconds: float = Field(60.0, gt=0, description="after so long a question is given up")
    reading: float = Field(30.0, gt=0, description="a pause of so long in a request's body ends it")
    grace: int = Field(20, ge=0, description="how long a stop waits for what is under way")
    body_bytes: int = Field(1_000_000, ge=1)
    upload_bytes: int = Field(50_000_000, ge=1)
    spans: str | None = Field(None, description="the collector of OpenTelemetry that spans are sent to, as OTLP over HTTP")
    homes: int = Field(16, ge=1, description="tenants' homes that one worker holds open")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def hand_over(self) -> None:
        """Leave these settings to the workers."""
        os.environ[PASSED] = self.model_dump_json()

    @classmethod
    def handed_over(cls) -> Serve:
        """The settings that this worker was left."""
        return cls.model_validate_json(os.environ[PASSED])


def sets_of(home: Path, sets: Sequence[str]) -> tuple[str, ...]:
    """`sets` for `home`; before them, for a tenant's, what the home that it is in has set and its own file does not set otherwise.

    The home's own questions say nothing about a tenant's documents. Raises BadConfig.
    """
    above = home.parent.parent
    if home.parent.name != keys.TENANTS or not (above / keys.NAME).exists():
        return tuple(sets)
    given = _over(_table(above) | {"own": {}}, _table(home))
    return (*(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items()), *sets)


def _table(home: Path) -> dict[str, Any]:
    path = home / "config.toml"
    config.load(Settings, path)  # says what is wrong with it
    return config.table(path)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Both tables in one; where both have a value, it is that of `above`."""
    both = {name: _over(below[name], value) if _are_tables(below.get(name), value) else value for name, value in above.items()}
    return below | both


def _are_tables(*values: object) -> bool:
    return all(isinstance(value, dict) for value in values)
