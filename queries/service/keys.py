"""API keys: random, with a scope, stored as hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from indexer.errors import ConfigError, UsageError

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

    def includes(self, other: Scope) -> bool:
        """Whether a key of this scope may do what the other may."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


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


class KeyFile:
    """The keys of a data folder, in a file that only its owner reads.

    A running service sees changes at its next request.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "keys.json"
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
        self._refresh()
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        self._keys[key_id] = ApiKey(
            key_id=key_id,
            name=name,
            scope=scope,
            digest=_digest(secret),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._save()
        return f"{PREFIX}_{key_id}_{secret}"

    def revoke(self, key_id: str) -> None:
        """Make a key invalid.

        Raises:
            UsageError: there is none of this id.
        """
        self._refresh()
        if self._keys.pop(key_id, None) is None:
            raise UsageError(f"there is no key {key_id!r}. See them with: zeroshelf keys list")
        self._save()

    def check(self, text: str) -> ApiKey | None:
        """The key that a text is, None where it is none that holds."""
        self._refresh()
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get(key_id)
        # Compared in constant time, and also where the id is unknown.
        same = hmac.compare_digest(_digest(secret), key.digest if key else _NOBODY)
        return key if same and prefix == PREFIX else None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._keys, self._seen = {}, None
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._seen:
            return
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            self._keys = {
                row["key_id"]: ApiKey(**(row | {"scope": Scope(row["scope"])})) for row in rows
            }
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"the keys in {str(self._path)!r} are damaged ({error}). Restore the file, or "
                "delete it and make new keys."
            ) from error
        self._seen = stamp

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_suffix(".writing")
        rows = [asdict(key) for key in self._keys.values()]
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(rows, file, indent=1)
        aside.replace(self._path)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
