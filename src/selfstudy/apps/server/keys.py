"""API keys: shown once, kept as hashes, each with a scope and a tenant."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from selfstudy.core.errors import BadInput, HomeError
from selfstudy.core.files import Lock, make_folder, read_json, write_json
from selfstudy.core.records import Record

NAME = "keys.json"
TENANTS = "tenants"
OWNER, MCP = "owner", "mcp"
"""Under these names the ledger notes what is asked without a key, and over the Model Context Protocol."""
Scope = Literal["ask", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("ask", "write", "admin")
"""Each may do what stands before it too: ask; change documents; study, promote, see figures and the ledger."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def may(held: Scope, wanted: Scope) -> bool:
    """Whether the scope `held` opens what needs `wanted`."""
    return SCOPES.index(held) >= SCOPES.index(wanted)


@dataclass(frozen=True, slots=True)
class Key(Record):
    """`hash` is the SHA-256 of the key, which is 256 random bits: no slower hash would protect it better."""

    name: str
    scope: Scope
    tenant: str
    hash: str
    made: str

    @property
    def user(self) -> str:
        """Whom the ledger notes: who gets a key of a name that was free again is somebody else."""
        return f"{self.name}#{self.hash[:8]}"


class Keys:
    """The keys of a home, read again when their file changes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / NAME
        self._seen: tuple[int, int] | None = None
        self._by_hash: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Every key, by name. Raises HomeError where the file is damaged: then nobody comes in."""
        self._refresh()
        return sorted(self._by_hash.values(), key=lambda key: key.name)

    def find(self, secret: str) -> Key | None:
        """The key that `secret` is, if it is one."""
        self._refresh()
        return self._by_hash.get(_hash(secret))

    def add(self, name: str, scope: Scope, tenant: str = "") -> str:
        """Make a key and return it: the only time that it is seen. Raises BadInput for a name that is taken or cannot be one."""
        if name in (OWNER, MCP):
            raise BadInput(f"{name!r} stands for whoever needs no key.", "Give the key another name.")
        for what, said in (("key", name), *([("tenant", tenant)] if tenant else [])):
            if not _NAME.fullmatch(said):
                raise BadInput(f"{said!r} cannot be the name of a {what}.", "Use small letters, digits, dots and dashes, at most 63.")
        make_folder(self._home)
        with Lock(self._home / "keys.lock", "changing keys", wait=10):
            known = self.all()
            if any(key.name == name for key in known):
                raise BadInput(f"There is a key {name!r} already.", f"`selfstudy keys remove {name}` takes it away.")
            secret = f"ss_{secrets.token_urlsafe(32)}"
            self._save([*known, Key(name, scope, tenant, _hash(secret), datetime.now(UTC).isoformat(timespec="seconds"))])
        return secret

    def remove(self, name: str) -> None:
        """Take a key away, at once for every worker. Raises BadInput where there is none of this name."""
        if all(key.name != name for key in self.all()):  # before the lock, which makes no home
            raise BadInput(f"There is no key {name!r}.", "`selfstudy keys list` shows them.")
        with Lock(self._home / "keys.lock", "changing keys", wait=10):
            self._save([key for key in self.all() if key.name != name])

    def _save(self, keys: list[Key]) -> None:
        write_json(self._path, [key.json() for key in keys])
        self._path.chmod(0o600)

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._seen, self._by_hash = None, {}
            return
        if self._seen != (seen := (found.st_mtime_ns, found.st_ino)):
            try:
                keys = [Key.load(one) for one in read_json(self._path)]
            except (ValueError, TypeError) as error:
                raise HomeError(f"{self._path} is damaged.", "Put back a copy of the file, or remove it and make new keys.") from error
            self._by_hash = {key.hash: key for key in keys}
            self._seen = seen


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
