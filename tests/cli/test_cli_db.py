"""`zeroshelf db`: one process serves Milvus Lite, and all commands use it at a time."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell, write_rows, write_vectors

from indexer.jobs import database_server

ITEMS = 400


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Commands in this process, beside the server's; whatever serves at the end is ended."""
    run = Shell(tmp_path, in_process=True)
    rows = [{"id": f"i{row}", "title": f"item {row}"} for row in range(ITEMS)]
    write_rows(tmp_path / "items.jsonl", rows)
    write_vectors(tmp_path / "items.npy", ITEMS)
    write_rows(tmp_path / "few.jsonl", rows[:5])
    write_vectors(tmp_path / "few.npy", 5)
    yield run
    run("db", "stop", "--force")


def ingest(name: str = "items", catalog: str = "catalog") -> tuple[str, ...]:
    """The words that bring given vectors in."""
    return ("ingest", f"{name}.jsonl", "--vectors", f"{name}.npy", "--catalog", catalog)


def written_catalogs(shell: Shell) -> list[str]:
    """As the status has it."""
    (status,) = shell.json("db", "status")
    return [catalog["name"] for catalog in status["catalogs"] if catalog["written"]]


def until_written(shell: Shell) -> None:
    """Wait until a command holds the catalog's lock."""
    end = time.monotonic() + 120
    while written_catalogs(shell) != ["catalog"]:
        assert time.monotonic() < end


def test_a_started_server_is_found_by_all_commands_and_leaves_nothing(shell: Shell) -> None:
    """What one process wrote another reads; after the stop the folder is as before."""
    shell(*ingest("few"))
    before = sorted(path.name for path in shell.database.parent.iterdir())
    started = shell("db", "start").stderr
    (status,) = shell.json("db", "status")
    assert status["address"] in started
    assert status["process"] in started
    assert status["catalogs"] == [{"name": "catalog", "written": False}]
    shell(*ingest("items"))
    found = shell.json("search", "--item", "i7", "--limit", "3")
    assert len(found) == 3
    shell("doctor")
    (facts,) = shell.json("status")
    assert (facts["items_in_database"], facts["state"]) == (ITEMS, "complete")
    by_address = shell.json("status", "--db", status["address"])
    assert by_address[0]["items_in_database"] == ITEMS
    shell("db", "stop")
    assert sorted(path.name for path in shell.database.parent.iterdir()) == before
    with pytest.raises(ProcessLookupError):
        os.kill(int(status["process"]), 0)
    assert shell.json("status")[0]["items_in_database"] == ITEMS  # opened in that process again


def test_a_search_answers_while_another_process_ingests(shell: Shell) -> None:
    """Each search is answered, and all rows are there in the end."""
    shell(*ingest("few"))
    shell("db", "start")
    writing = shell.start(*ingest("items"), "--batch-size", 1)
    answers = 0
    while writing.poll() is None or not answers:
        assert shell.json("search", "--item", "i1", "--limit", "2")
        answers += 1
    _, told = writing.communicate()
    assert writing.returncode == 0, told
    assert shell.json("status")[0]["items_in_database"] == ITEMS


def test_two_ingests_of_one_catalog_are_refused_and_of_two_are_not(shell: Shell) -> None:
    """The catalog's lock guards its collections: Milvus Lite takes one writer of each."""
    shell(*ingest("few"))
    shell("db", "start")
    first = shell.start(*ingest("items"), "--batch-size", 1)
    until_written(shell)
    first.send_signal(signal.SIGSTOP)  # it does not end before the others have asked
    second = shell(*ingest("items"), code=1)
    assert "another zeroshelf command is writing to catalog 'catalog'" in second.stderr
    stopped = shell("db", "stop", code=1)
    assert "is writing to catalog 'catalog'" in stopped.stderr
    first.send_signal(signal.SIGCONT)
    other = shell.start(*ingest("items", "other"))
    for process in (first, other):
        _, told = process.communicate()
        assert process.returncode == 0, told
    facts = {row["catalog"]: row for row in shell.json("status")}
    assert [facts[name]["items_in_database"] for name in ("catalog", "other")] == [ITEMS, ITEMS]


def test_a_killed_server_is_told_and_started_again(shell: Shell) -> None:
    """Its record deceives nobody: commands open the database themselves, or by the next server."""
    shell(*ingest("few"))
    shell("db", "start")
    (status,) = shell.json("db", "status")
    os.kill(int(status["process"]), signal.SIGKILL)
    # A process lives on for moments after the signal is sent, and the record was right till then.
    os.waitid(os.P_PID, int(status["process"]), os.WEXITED | os.WNOWAIT)
    told = shell("db", "status", code=1).stderr
    assert f"process {status['process']}, was killed" in " ".join(told.split())
    assert shell.json("status")[0]["items_in_database"] == 5
    shell("db", "start")
    (again,) = shell.json("db", "status")
    assert again["process"] != status["process"]
    assert int(status["process"]) not in database_server._started  # it was waited for
    assert shell.json("status")[0]["items_in_database"] == 5


def test_a_second_start_is_refused_and_a_stop_without_one_says_so(shell: Shell) -> None:
    """With who serves already, and at which address."""
    shell("db", "start")
    (status,) = shell.json("db", "status")
    refused = shell("db", "start", code=2).stderr
    assert status["address"] in refused
    shell("db", "stop")
    assert "No server runs" in shell("db", "stop").stderr
    assert "No server runs" in shell("db", "status", code=1).stderr


def test_a_port_is_taken_as_given_or_refused(shell: Shell) -> None:
    """GRPC would share a port of another of its servers in silence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = shell("db", "start", "--port", port, code=1).stderr
        assert f"127.0.0.1:{port} can't be listened on" in refused
        assert not shell.database.with_name("milvus.db.server").exists()
    shell("db", "start", "--port", port)
    assert shell.json("db", "status")[0]["address"] == f"http://127.0.0.1:{port}"


def test_what_holds_the_database_is_told_and_the_remedy_with_it(shell: Shell) -> None:
    """A command that has it open keeps a server away, and another command; both say why."""
    holder = shell.start(
        "-c",
        "import sys, time, pathlib; from indexer.store import Database\n"
        "Database.connect(sys.argv[1]); pathlib.Path(sys.argv[2]).touch(); time.sleep(600)",
        shell.database,
        shell.folder / "open",
        program=(),
    )
    while not (shell.folder / "open").exists():
        assert holder.poll() is None, holder.communicate()
        time.sleep(0.01)
    try:
        (finding,) = shell.json("doctor", code=1)
        assert "zeroshelf db start" in finding["remedy"]
        assert "another process has it open" in shell("db", "start", code=1).stderr
    finally:
        holder.kill()
        holder.communicate()
    shell("db", "start")


def test_a_server_address_is_no_database_to_serve(shell: Shell) -> None:
    """It is a server already."""
    refused = shell("db", "start", "--db", "http://127.0.0.1:19530", code=2).stderr
    assert "is a server already" in refused


def test_the_address_of_the_server_is_the_same_database(shell: Shell) -> None:
    """A copy onto itself is refused, by whichever name."""
    shell(*ingest("few"))
    shell("db", "start")
    (status,) = shell.json("db", "status")
    refused = shell("copy", "--to-db", status["address"], code=2).stderr
    assert "is the database that the catalog is in" in refused
