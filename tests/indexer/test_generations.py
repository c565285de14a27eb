"""What a catalog says of its generations, and leases on them."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEncoder
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.folder import CatalogFolder
from indexer.catalog.generations import Generations, from_json, to_json
from indexer.catalog.locks import exclusive_lease, shared_lease

FIRST, SECOND = (replace(FakeEncoder.fingerprint, model=name) for name in ("first", "second"))

HOLD = """
import sys
from pathlib import Path
from indexer.catalog.locks import shared_lease
with shared_lease(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@given(st.lists(st.sampled_from(["start", "swap", "keep", "back", "forget"]), max_size=12))
def test_every_way_leads_to_a_description_that_can_be_read(steps: list[str]) -> None:
    """All generations that it names have a fingerprint; one is current; JSON gives it back."""
    found, newest = Generations(fingerprints={1: FIRST}), 1
    for step in steps:
        if step == "start" and found.filling is None:
            newest += 1
            found = found.started(newest, SECOND)
        elif step in {"swap", "keep"} and found.filling is not None:
            found = found.swapped(keep_old=step == "keep")
        elif step == "back" and found.previous is not None:
            found = found.rolled_back()
        elif step == "forget":
            found = found.forgotten()
        assert found.in_use <= set(found.fingerprints)
        assert found.current not in {found.previous, found.filling}
        assert from_json(json.loads(json.dumps(to_json(found)))) == found


def test_a_rollback_and_another_give_what_there_was() -> None:
    """The two generations change places."""
    found = Generations(fingerprints={1: FIRST}).started(2, SECOND).swapped(keep_old=True)
    assert (found.current, found.previous, found.filling) == (2, 1, None)
    back = found.rolled_back()
    assert (back.current, back.previous) == (1, 2)
    assert back.rolled_back() == found
    assert found.forgotten().fingerprints == {2: SECOND}


def test_a_generation_that_another_process_reads_is_not_free(tmp_path: Path) -> None:
    """Until it ends, even by a kill."""
    lease = tmp_path / "readers.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lease)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with shared_lease(lease):  # readers do not exclude each other
            pass
        with exclusive_lease(lease, patience_s=0.2) as free:
            assert not free
        holder.kill()
    with exclusive_lease(lease, patience_s=5.0) as free:
        assert free


def test_a_reader_finds_the_generation_that_counts(tmp_path: Path) -> None:
    """And stays with it when another takes its place; an old layout is one generation."""
    folder = CatalogFolder(tmp_path, "shop")
    folder.create(FIRST, partition_key="colour")
    found = folder.generations()
    folder.at(2).home.mkdir(parents=True)
    with folder.leased() as reader:
        folder.write_description(found.started(2, SECOND).swapped(keep_old=False))
        assert (reader.number, folder.number) == (1, 2)
        assert reader.archive != folder.archive
        with folder.exclusive_lease(1) as free:
            assert not free
    with folder.exclusive_lease(1) as free:
        assert free
    assert folder.fingerprint() == SECOND
    assert folder.generations().partition_key == "colour"


def test_a_reader_does_not_wait_for_a_generation_to_be_dropped(tmp_path: Path) -> None:
    """A drop takes a server seconds: who read the old description in between looks again."""
    folder = CatalogFolder(tmp_path, "shop")
    folder.create(FIRST)
    found = folder.generations()
    folder.at(2).home.mkdir(parents=True)

    def read() -> int:
        with folder.leased() as reader:
            return reader.number

    with folder.exclusive_lease(1) as free, ThreadPoolExecutor(1) as pool:
        assert free
        number = pool.submit(read)
        assert wait([number], timeout=0.2).not_done
        folder.write_description(found.started(2, SECOND).swapped(keep_old=False))
        assert number.result(timeout=60) == 2


@pytest.mark.parametrize("gone", ["current", "kept", "fingerprints"])
def test_a_description_that_lacks_a_part_is_refused(gone: str) -> None:
    """Not read as something else."""
    stored = to_json(Generations(fingerprints={1: FIRST}))
    del stored[gone]
    with pytest.raises((KeyError, ValueError)):
        from_json(stored)
