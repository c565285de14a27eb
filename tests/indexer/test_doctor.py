"""The examination of a catalog's database, healthy and not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, make_catalog, set_labels
from numpy.testing import assert_array_equal
from shell import Shell

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs import doctor
from indexer.jobs.capacity import capacity_for
from indexer.jobs.copying import copy
from indexer.jobs.doctor import State, examine
from indexer.store import Database
from indexer.store.state import Memory, read_memory


def unit(rows: int, seed: int = 0, width: int = 8) -> FloatArray:
    """float32 (rows, width), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(rows, width)))


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CatalogOptions]:
    """A catalog of 20 items and 3 labels, in each kind of database in turn."""
    made = make_catalog(tmp_path / "data", unit(20), unit(3, seed=1))
    if request.param == "lite":
        yield made
        return
    there = replace(made, db=request.getfixturevalue("server_uri"))
    copy(made, to_db=there.db_uri)
    yield there
    with Database.connect(there.db_uri) as database:
        if database.has_catalog(there.catalog):
            database.drop_catalog(there.catalog)


def bad(options: CatalogOptions) -> dict[str, tuple[State, str, str]]:
    """What is not good, by check."""
    return {
        one.check: (one.state, one.found, one.remedy)
        for one in examine(options)
        if one.state is not State.GOOD
    }


def test_a_healthy_database_has_nothing_bad(options: CatalogOptions) -> None:
    """Every check is told."""
    checks = [one.check for one in examine(options)]
    assert bad(options) == {}
    assert checks[:8] == [
        "connection",
        "version",
        "capabilities",
        "model",
        "items",
        "labels",
        "index",
        "load state",
    ]
    assert checks[8:] == ["memory for 20 items", "disk for 20 items"]


def test_lost_rows_are_found(options: CatalogOptions) -> None:
    """With the command that brings them back."""
    with open_catalog(options) as catalog:
        catalog.items.delete(["i3"])
        catalog.items.flush()
    assert bad(options) == {
        "items": (
            State.PROBLEM,
            "19 of 20 in the archive",
            "zeroshelf rebuild --catalog catalog",
        )
    }


def test_rows_that_wait_are_found(options: CatalogOptions) -> None:
    """They went to another database."""
    other = replace(options, db=str(options.data_dir / "other.db"))
    copy(options, to_db=other.db_uri)
    add_items(other, unit(2, seed=5), prefix="new")
    (state, found, _) = bad(options)["items"]
    assert (state, found) == (
        State.WARNING,
        "20 of 22 in the archive; up to 2 rows wait to be stored",
    )


def test_labels_that_are_behind_are_written(options: CatalogOptions) -> None:
    """The database has those of before: whoever finds that brings it to those of the catalog."""
    vectors = unit(2, seed=3)
    set_labels(replace(options, db=str(options.data_dir / "other.db")), vectors)
    assert "labels" not in bad(options)
    with Database.connect(options.db_uri) as database:
        stored = database.labels(options.catalog).labels()
        assert_array_equal(np.stack([row.vector[:-1] for row in stored]), vectors)


def test_a_catalog_that_is_not_in_the_database_is_found(options: CatalogOptions) -> None:
    """Its collections were dropped."""
    with Database.connect(options.db_uri) as database:
        database.drop_catalog(options.catalog)
    (state, _, remedy) = bad(options)["catalog"]
    assert (state, remedy) == (State.PROBLEM, "zeroshelf rebuild --catalog catalog")


def test_the_catalog_of_another_model_is_found(options: CatalogOptions, tmp_path: Path) -> None:
    """Another data folder has made it."""
    other = make_catalog(tmp_path / "other", unit(4, width=12), unit(2, width=12))
    (state, found, remedy) = bad(replace(other, db=options.db_uri))["model"]
    assert state is State.PROBLEM
    assert "8 dimensions" in found
    assert "--data-dir" in remedy


def test_a_released_collection_is_found_and_loaded(options: CatalogOptions) -> None:
    """The next command finds it loaded; Milvus Lite loads at each opening anyway."""
    with Database.connect(options.db_uri) as database:
        database._client.release_collection(f"{options.catalog}_items_001")
        is_lite = database.is_lite
    assert is_lite or bad(options)["load state"][0] is State.WARNING
    assert "load state" not in bad(options)


def test_a_lost_index_is_found(options: CatalogOptions) -> None:
    """Opening builds it anew; that it was lost is told."""
    with Database.connect(options.db_uri) as database:
        database._client.release_collection(f"{options.catalog}_items_001")
        database._client.drop_index(f"{options.catalog}_items_001", "vector")
    assert bad(options)["index"][:2] == (State.PROBLEM, "none")


@pytest.mark.server
@pytest.mark.parametrize(("token", "check"), [("root:wrong", "credentials"), ("", "credentials")])
def test_a_wrong_password_is_found(tmp_path: Path, server_uri: str, token: str, check: str) -> None:
    """It is the token, not the server."""
    address = "http://" + server_uri.rpartition("@")[2]
    (finding,) = examine(CatalogOptions(data_dir=tmp_path, db=address, token=token))
    assert (finding.check, finding.state) == (check, State.PROBLEM)
    assert "token" in finding.remedy
    assert "wrong" not in finding.found


def test_a_server_that_is_not_there_is_found(tmp_path: Path) -> None:
    """With the command that starts one."""
    (finding,) = examine(CatalogOptions(data_dir=tmp_path, db="http://127.0.0.1:1"))
    assert (finding.check, finding.state) == ("connection", State.PROBLEM)
    assert "docker compose" in finding.remedy


def test_a_lite_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """An examination changes nothing."""
    (finding,) = examine(CatalogOptions(data_dir=tmp_path / "data"))
    assert finding.state is State.PROBLEM
    assert "there is no database" in finding.found
    assert not (tmp_path / "data").exists()


def test_room_is_judged_by_the_planned_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times the catalog fits; more than the memory or a comfortable Lite does not."""
    made = make_catalog(tmp_path / "data", unit(20), unit(3, seed=1))
    assert all(one.state is State.GOOD for one in examine(made, planned_items=200))
    monkeypatch.setattr(doctor, "_free_memory", lambda: 10**8)
    findings = {one.check: one for one in examine(made, planned_items=1_000_000)}
    assert findings["size"].state is State.WARNING
    assert "zeroshelf copy" in findings["size"].remedy
    memory = findings["memory for 1,000,000 items"]
    assert (memory.state, memory.found) == (
        State.PROBLEM,
        "about 0.3 GB more needed, 0.1 GB free of this machine",
    )


def test_room_agrees_with_what_was_measured() -> None:
    """100,000 items of width 512 in Milvus Lite: 394 MB on disk and 1.7 GB of memory."""
    room = capacity_for(100_000, 512, is_lite=True)
    assert room.memory_bytes == pytest.approx(1.7e9, rel=0.05)
    archive = capacity_for(100_000, 512, is_lite=False).disk_bytes
    assert room.disk_bytes - archive == pytest.approx(394e6, rel=0.05)


def test_memory_of_a_server_is_counted_once_a_machine() -> None:
    """Two query nodes on one machine each tell of all of its memory; other nodes don't count."""

    def node(kind: str, ip: str) -> dict[str, object]:
        told = {"ip": ip, "memory": 100, "memory_usage": 40}
        return {"infos": {"type": kind, "hardware_infos": told}}

    nodes = [node("querynode", "a:1"), node("querynode", "a:2"), node("querynode", "b:1")]
    assert read_memory({"nodes_info": [*nodes, node("datanode", "c:1")]}) == Memory(
        total=200, used=80
    )
    assert read_memory({"nodes_info": [node("datanode", "c:1")]}) is None
    assert read_memory({}) is None


@pytest.mark.server
def test_a_server_tells_its_memory(server_uri: str) -> None:
    """Some, and less than all is used."""
    with Database.connect(server_uri) as database:
        found = database.memory()
    assert found is not None
    assert 0 < found.used < found.total


def test_the_command_says_what_to_do_and_fails_on_problems(tmp_path: Path) -> None:
    """A table for people, rows for machines, the exit code for scripts."""
    made = make_catalog(tmp_path / "data", unit(20), unit(3, seed=1))
    shell = Shell(tmp_path, in_process=True, data_dir=made.data_dir)
    assert "20 of 20 in the archive" in shell("doctor").stdout
    assert "there is no catalog 'shpo'" in shell("doctor", "--catalog", "shpo", code=2).stdout
    with open_catalog(made) as catalog:
        catalog.items.delete(["i3"])
        catalog.items.flush()
    done = shell("doctor", code=1)
    told = "".join(done.stdout.split())  # paths are broken at any letter
    assert f"->zeroshelfrebuild--data-dir{made.data_dir}--catalogcatalog" in told
    rows = json.loads(shell("doctor", "--output", "json", code=1).stdout)
    assert {row["check"] for row in rows if row["state"] == "problem"} == {"items"}
