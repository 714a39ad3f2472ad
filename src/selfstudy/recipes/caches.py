"""What is kept so that it need not be worked out again: vectors on disk, rankings in memory and, where there is one, in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from selfstudy.core.recent import Recent
from selfstudy.index.cached import Rankings
from selfstudy.index.redis_rankings import InRedis
from selfstudy.models.kept import KeptVectors


class Cache(BaseModel):
    """How much is kept."""

    model_config = ConfigDict(extra="forbid")

    vectors_mib: int = Field(1024, ge=0, description="most disk for vectors that were made before, in MiB; 0 keeps none")
    rankings: int = Field(1000, ge=0, description="most rankings of questions that were asked; 0 keeps none")
    hot: int = Field(
        10_000, ge=0, description="passages from which a service keeps words and bits of vectors in memory to search faster; 0: never"
    )
    redis: SecretStr | None = Field(None, description="a Redis that keeps rankings for several processes: redis://host:6379/0")


def vectors_of(home: Path, config: Cache) -> KeptVectors | None:
    """The kept vectors of a home; None where none shall be kept."""
    return KeptVectors.at(home / "cache" / "vectors", config.vectors_mib * 2**20) if config.vectors_mib else None


def rankings_of(config: Cache) -> Rankings | None:
    """Where rankings are kept; None where none shall be. Raises BadInput, MissingExtra."""
    if not config.rankings:
        return None
    memory: Recent[str] = Recent(config.rankings)
    return memory if config.redis is None else Both(memory, InRedis(config.redis.get_secret_value(), config.rankings))


class Both:
    """`near`, and behind it `far`, which is shared."""

    def __init__(self, near: Rankings, far: Rankings) -> None:
        self._near = near
        self._far = far

    def get(self, keys: Sequence[str]) -> dict[str, str]:
        found = self._near.get(keys)
        if missing := [key for key in keys if key not in found]:
            shared = self._far.get(missing)
            self._near.put(shared)
            found |= shared
        return found

    def put(self, rankings: Mapping[str, str]) -> None:
        self._near.put(rankings)
        self._far.put(rankings)
