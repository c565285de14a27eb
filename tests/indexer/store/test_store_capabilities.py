"""What a database offers, by the version that it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.store import Database, capabilities
from indexer.store.capabilities import SINCE, Capability, server_info


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("v2.3.5-lite", (2, 3, 5)),
        ("milvus_lite-3.2.2", (3, 2, 2)),
        ("v2.6.24", (2, 6, 24)),
        ("2.6-20260916-abc", (2, 6)),
        ("v3.0.1-gpu", (3, 0, 1)),
        ("master", ()),
    ],
)
def test_versions_are_read(version: str, number: tuple[int, ...]) -> None:
    """However they are dressed."""
    assert server_info(version).number == number


def test_an_old_server_has_the_basics() -> None:
    """What 2.3.5 lacks was seen to be refused or ignored by it."""
    found = server_info("v2.3.5-lite")
    assert not found.is_lite
    assert found.is_tested
    assert found.capabilities == {Capability.BULK_IMPORT}


def test_a_new_server_has_everything() -> None:
    """By its documentation."""
    assert server_info("v2.6.24").capabilities == set(SINCE)
    assert server_info("v3.1.0").capabilities == set(SINCE)
    assert not server_info("v2.6.24").is_tested


def test_every_capability_is_used() -> None:
    """What is only recognised is of no use to anyone."""
    source = Path(capabilities.__file__).parents[1]
    texts = [file.read_text() for file in source.rglob("*.py") if file.name != "capabilities.py"]
    for one in Capability:
        assert any(f"Capability.{one.name}" in text for text in texts), one


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v2.4.0", {"partition keys", "float16 vectors"}),
        ("v2.5.9", {"partition keys", "float16 vectors"}),
        (
            "v2.6.0",
            {
                "partition keys",
                "float16 vectors",
                "JSON indexes",
                "quantized indexes",
                "refined indexes",
            },
        ),
    ],
)
def test_capabilities_come_with_versions(version: str, expected: set[str]) -> None:
    """Beside imports, which all have."""
    assert server_info(version).capabilities == expected | {Capability.BULK_IMPORT}


def test_lite_is_told_from_a_server_of_the_same_number() -> None:
    """Milvus Lite 3 has neither imports nor small vectors."""
    found = server_info("milvus_lite-3.2.2")
    assert found.is_lite
    assert Capability.BULK_IMPORT not in found.capabilities
    assert Capability.FLOAT16_VECTORS not in found.capabilities


def test_servers_without_upsert_are_too_old() -> None:
    """Milvus Lite never is, and what can't be read is given the benefit of the doubt."""
    assert server_info("v2.2.16").is_too_old
    assert not any(server_info(one).is_too_old for one in ("v2.3.0", "milvus_lite-2.0.0", "master"))


def test_a_version_that_can_not_be_read_has_the_basics() -> None:
    """Nothing is tried that it may lack."""
    assert server_info("master").capabilities == frozenset()


def test_a_database_is_asked(database: Database) -> None:
    """Each kind gives a version that can be read."""
    found = database.server_info()
    assert found.is_lite == database.is_lite
    assert found.is_tested
