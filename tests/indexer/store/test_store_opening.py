"""Opening a database: addresses, locks, wrong paths, servers that are away or refuse."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import store_rows
from store_rows import FINGERPRINT

from indexer.core.errors import (
    ConfigError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
)
from indexer.store import Database
from indexer.store.addresses import parse

HOLD = """
import sys
from indexer.store import Database
database = Database.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""

OPEN = """
import sys
from indexer.store import Database
try:
    Database.connect(sys.argv[1])
except Exception as error:
    print(type(error).__name__)
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that has the database open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_a_lite_database_is_made_where_it_is_missing(tmp_path: Path) -> None:
    """Parent folders too; spaces and umlauts in the path do no harm; it is there next time."""
    path = tmp_path / "söme where" / "deep" / "milvus.db"
    with Database.connect(str(path)) as database:
        assert (database.is_lite, database.address) == (True, str(path))
        database.create_catalog("c", FINGERPRINT)
        items = database.items("c")
        items.upsert(store_rows.items(5), [None] * 5)
        items.flush()
        database.set_label_version("c", "v1")
    with Database.connect(str(path)) as database:
        assert database.has_catalog("c")
        assert database.fingerprint("c") == FINGERPRINT
        assert database.label_version("c") == "v1"
        assert database.items("c").count() == 5


def test_a_second_process_is_refused_at_once(tmp_path: Path) -> None:
    """The one lock is named, quickly, and nothing else is printed."""
    path = tmp_path / "milvus.db"
    process = hold(path)
    try:
        start = time.monotonic()
        with pytest.raises(StoreLockedError, match="another process has it open"):
            Database.connect(str(path))
        assert time.monotonic() - start < 60
        other = subprocess.run(
            [sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=True
        )
        assert (other.stdout, other.stderr) == ("StoreLockedError\n", "")
    finally:
        process.communicate("")
    Database.connect(str(path)).close()


def test_closing_frees_the_database_for_others(tmp_path: Path) -> None:
    """After close another process can open it, while this one lives on."""
    path = tmp_path / "milvus.db"
    Database.connect(str(path)).close()
    hold(path).communicate("")


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    """The lock goes with the process."""
    path = tmp_path / "milvus.db"
    process = hold(path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    Database.connect(str(path)).close()


def test_one_process_may_open_it_twice(tmp_path: Path) -> None:
    """The second handle works on when the first is closed, even twice."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "milvus.db")
    first = Database.connect(str(tmp_path / "milvus.db"))
    with Database.connect(str(link)) as second:
        first.close()
        first.close()
        assert not second.has_catalog("c")


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\x00"])
def test_a_plain_file_is_not_a_database(tmp_path: Path, content: bytes) -> None:
    """Nor is a database of Milvus Lite 2, which was a file; it is left as it was."""
    path = tmp_path / "milvus.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="a plain file"):
        Database.connect(str(path))
    assert path.read_bytes() == content


def test_a_folder_of_other_things_is_not_a_database(tmp_path: Path) -> None:
    """Milvus Lite would move in."""
    path = tmp_path / "photos.db"
    path.mkdir()
    (path / "cat.jpg").touch()
    with pytest.raises(StoreError, match="a folder with other files"):
        Database.connect(str(path))
    assert [entry.name for entry in path.iterdir()] == ["cat.jpg"]


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    """The system's cause is passed on."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="File exists"):
        Database.connect(str(tmp_path / "file" / "milvus.db"))


def test_a_server_that_is_not_there_is_reported_at_once() -> None:
    """A closed port is no reason to retry for minutes."""
    start = time.monotonic()
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1: connecting failed"):
        Database.connect("http://user:secret@127.0.0.1:1")
    assert time.monotonic() - start < 60


def test_a_server_that_says_nothing_is_reported_soon() -> None:
    """An open port that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            Database.connect(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - start < 60


@pytest.mark.server
@pytest.mark.parametrize("token", ["", "root:wrong", "nobody:Milvus"])
def test_a_wrong_token_is_told_from_an_absent_server(server_uri: str, token: str) -> None:
    """The server is there; it is the token."""
    address = "http://" + server_uri.rpartition("@")[2]
    with pytest.raises(StoreError, match="check the token") as raised:
        Database.connect(address, token=token)
    assert not isinstance(raised.value, StoreUnavailableError)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "localhost:19530",
        "milvus",
        "folder/",
        ".db",
        "ftp://host/milvus.db",
        "http://host:port",
        "http://host:99999",
    ],
)
def test_refuses_what_is_no_address(uri: str) -> None:
    """A mistyped server does not become a folder."""
    with pytest.raises(ConfigError, match="database"):
        parse(uri)


def test_messages_hide_the_password() -> None:
    """Only the server's part of the address is for people."""
    assert str(parse("http://root:secret@host:19530/db")) == "http://host:19530/db"
    assert str(parse("https://host")) == "https://host"


def test_importing_the_store_is_light() -> None:
    """`--help` must not wait for pymilvus."""
    code = "import sys, indexer.store; print({'pymilvus', 'grpc', 'pandas'} & set(sys.modules))"
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert read.stdout == "set()\n"
