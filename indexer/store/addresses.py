"""Database addresses: a Milvus Lite folder or a Milvus server, told apart by the URI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from indexer.core.errors import ConfigError
from indexer.store.running_server import find_server

SERVER_SCHEMES = ("http", "https", "tcp", "unix")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a database is.

    Attributes:
        uri: as given.
        path: the folder of a Milvus Lite database, absolute, links resolved; None for a server.
    """

    uri: str
    path: Path | None = None

    @property
    def is_lite(self) -> bool:
        """Whether it is a Milvus Lite folder."""
        return self.path is not None

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, so that no HTTP proxy may stand between."""
        host = urlsplit(self.uri).hostname or ""
        return self.is_lite or host in ("localhost", "::1") or host.startswith("127.")

    def __str__(self) -> str:
        """The address for people: the path, or the URI without user name and password."""
        if self.path is not None:
            return str(self.path)
        return self.uri.replace(f"{urlsplit(self.uri).netloc.rpartition('@')[0]}@", "", 1)


def parse(uri: str) -> Address:
    """Read a database URI.

    Args:
        uri: ``http(s)://HOST:PORT`` (or ``tcp://``, ``unix:``) for a server, or a path
            that ends in ``.db`` for Milvus Lite.

    Raises:
        ConfigError: it is neither.
    """
    scheme = uri.partition(":")[0].lower()
    if scheme in SERVER_SCHEMES and ":" in uri:
        _check_port(uri)
        return Address(uri=uri)
    # Without this rule, `localhost:19530` would become a folder of that name.
    if "://" in uri or not uri.endswith(".db") or Path(uri).name == ".db":
        raise ConfigError(
            f"database {uri!r}: not an address; give the path of a Milvus Lite database "
            "that ends in .db, or a server as http://HOST:19530"
        )
    return Address(uri=uri, path=Path(uri).expanduser().resolve())


def same_database(uri: str, other_uri: str) -> bool:
    """Whether two URIs are the same address, whoever signs in.

    The path of a Milvus Lite database and the address of the process that serves it are the same.

    Raises:
        ConfigError: one of them is no address.
    """
    return _reached_at(parse(uri)) == _reached_at(parse(other_uri))


def _reached_at(address: Address) -> str:
    server = None if address.path is None else find_server(address.path)
    if server is not None:
        address = Address(uri=server.uri)
    where = str(address).rstrip("/")
    return where.replace("//localhost:", "//127.0.0.1:", 1)


def _check_port(uri: str) -> None:
    try:
        _ = urlsplit(uri).port
    except ValueError as error:
        raise ConfigError(
            f"database {uri!r}: {error}; give a server as http://HOST:19530"
        ) from error
