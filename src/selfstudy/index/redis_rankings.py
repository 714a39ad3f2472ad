"""Rankings kept in Redis, where several processes or machines serve the same questions."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from selfstudy.core.errors import BadInput
from selfstudy.core.plugs import extra

_PREFIX = "selfstudy:ranking:"
_SECONDS = 24 * 3600
_PATIENCE = 0.25  # seconds for Redis to answer: a search takes less
_REST = 30.0  # seconds without Redis after it did not


class InRedis:
    """At most `most` rankings in the Redis of `url`, each for a day.

    A key has one of `most` places, and the place says which key it holds, so that whatever number of homes and processes share a Redis,
    they hold no more. Redis is a convenience: while it does not answer, nothing is found and nothing kept. Raises BadInput, MissingExtra.
    """

    def __init__(self, url: str, most: int) -> None:
        self.most = most
        self._silent_until = 0.0
        redis = extra("redis", "redis")
        self._failures = (redis.RedisError, OSError)
        try:
            self._client: Any = redis.Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
        except ValueError as error:  # the address may hold a password: it is not repeated
            raise BadInput("cache.redis is no address of a Redis server.", 'Give one like "redis://localhost:6379/0".') from error

    def get(self, keys: Sequence[str]) -> dict[str, str]:
        found = self._tried(lambda: self._client.mget([self._place(key) for key in keys])) if keys else None
        read = {key: _unpacked(value, key) for key, value in zip(keys, found or [], strict=False) if value is not None}
        return {key: ranking for key, ranking in read.items() if ranking is not None}

    def put(self, rankings: Mapping[str, str]) -> None:
        def write() -> None:
            with self._client.pipeline(transaction=False) as pipe:
                for key, ranking in rankings.items():
                    pipe.set(self._place(key), json.dumps([key, ranking]), ex=_SECONDS)
                pipe.execute()

        self._tried(write)

    def _place(self, key: str) -> str:
        return f"{_PREFIX}{int(key[:12], 16) % self.most}"

    def _tried(self, work: Any) -> Any:
        if time.monotonic() < self._silent_until:
            return None
        try:
            return work()
        except self._failures:
            self._silent_until = time.monotonic() + _REST
            return None


def _unpacked(value: bytes, key: str) -> str | None:
    """The ranking that `value` holds for `key`; None where the place holds another's."""
    try:
        whose, ranking = json.loads(value)
    except (ValueError, TypeError):
        return None
    return ranking if whose == key and isinstance(ranking, str) else None
