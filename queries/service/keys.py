"""API keys: random, with a scope, stored as hashes."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from indexer.core.durable import written_aside
from indexer.core.errors import ConfigError, UsageError

PREFIX = "zs"
_NOBODY = hashlib.sha256(b"").hexdigest()


class Scope(StrEnum):
    """What a key may do; each scope includes those before it.

    Reading classifies, searches and looks; writing brings items in and out, reviews, and runs
    jobs; administering changes what all labels rest on: the taxonomy, and what is taught.
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, scope: Scope) -> bool:
        """Whether a key of this scope may do what the other may."""
        order = list(Scope)
        return order.index(self) >= order.index(scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret.

    Attributes:
        digest: SHA-256 of the secret, hex. The secret is 256 random bits, so that a slow
            hash, made for passwords, would add nothing.
    """

    key_id: str
    name: str
    scope: Scope
    digest: str
    created: str


class Keys(Protocol):
    """Who may ask a service."""

    @property
    def in_use(self) -> bool:
        """Whether a key is asked for."""

    def check(self, text: str) -> ApiKey | None:
        """The key that a text is, None where it is none that holds."""


class KeyFile:
    """The keys of a data folder, in a file that only its owner reads.

    A running service sees changes at its next request. Changes are made one after the other,
    under a lock, to what the file holds then: a key that was revoked meanwhile stays so.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "keys.json"
        from filelock import FileLock

        self._lock = FileLock(data_dir / "keys.lock")
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    @property
    def in_use(self) -> bool:
        """Whether there were ever keys; all of them may be revoked."""
        return self._path.exists()

    def all(self) -> Sequence[ApiKey]:
        """The keys that hold, oldest first."""
        self._refresh()
        return tuple(self._keys.values())

    def create(self, name: str, scope: Scope) -> str:
        """Make a key; its text is returned once and stored nowhere."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        key = ApiKey(
            key_id=key_id,
            name=name,
            scope=scope,
            digest=_digest(secret),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with self._changing() as keys:
            keys[key_id] = key
        return f"{PREFIX}_{key_id}_{secret}"

    def revoke(self, key_id: str) -> None:
        """Make a key invalid.

        Raises:
            UsageError: there is none of this id.
        """
        with self._changing() as keys:
            if keys.pop(key_id, None) is None:
                raise UsageError(f"there is no key {key_id!r}. See them with: zeroshelf keys list")

    def check(self, text: str) -> ApiKey | None:
        """The key that a text is, None where it is none that holds."""
        self._refresh()
        prefix, _, secret_part = text.partition("_")
        key_id, _, secret = secret_part.partition("_")
        key = self._keys.get(key_id)
        # Compared in constant time, and also where the id is unknown.
        matches = hmac.compare_digest(_digest(secret), key.digest if key else _NOBODY)
        return key if matches and prefix == PREFIX else None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._keys, self._seen = {}, None
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._seen:
            return
        self._keys = self._read()
        self._seen = stamp

    def _read(self) -> dict[str, ApiKey]:
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            if not isinstance(rows, list):
                raise TypeError("it is no list of keys")
            return {row["key_id"]: ApiKey(**(row | {"scope": Scope(row["scope"])})) for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"the keys in {str(self._path)!r} are damaged ({error}): nobody is let in by them. "
                "Restore the file from a backup. Without one, delete it and make new keys with: "
                "zeroshelf keys add NAME"
            ) from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, ApiKey]]:
        """The keys as the file has them now; written back after the block."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            keys = self._read() if self._path.exists() else {}
            yield keys
            with written_aside(self._path) as aside:
                aside.touch(mode=0o600)
                aside.write_text(json.dumps([asdict(key) for key in keys.values()], indent=1))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
