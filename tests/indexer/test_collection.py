"""Garbage collection is paused in a block, and is afterwards as it was."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from indexer.core import collection
from indexer.core.collection import collection_paused, freeze_loaded


class Circle:
    """An object that refers to itself: only the collection can free it."""

    def __init__(self) -> None:
        self.itself = self


def fail_within() -> None:
    """A block in a block, and an error in the outer one."""
    with collection_paused():
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError


def test_collection_is_afterwards_as_it_was() -> None:
    """After an error too, and in a process that has switched it off itself."""
    assert gc.isenabled()
    with pytest.raises(KeyError):
        fail_within()
    assert gc.isenabled()
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_small_collections_leave_out_what_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full one looks through it: garbage among it is freed then."""
    monkeypatch.setattr(collection, "_is_frozen", False)  # the tests' own process is
    with collection_paused():
        circle = Circle()
    is_freed = weakref.ref(circle)
    del circle
    gc.collect(1)
    assert is_freed() is not None
    gc.collect()
    assert is_freed() is None


def test_what_is_frozen_stays_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service freezes what it has loaded, and may load more afterwards."""
    monkeypatch.setattr(collection, "_is_frozen", False)
    freeze_loaded()
    frozen = gc.get_freeze_count()
    with collection_paused():
        pass
    assert gc.get_freeze_count() == frozen > 0


END = """
import atexit, gc
from indexer.core.collection import skip_collection_at_exit

class Circle:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("collected")

gc.disable()
{calls}
atexit.register(print, "handled")
Circle()
"""


@pytest.mark.parametrize(
    ("calls", "printed"),
    [
        ("", ["handled", "collected"]),
        ("skip_collection_at_exit()", ["handled"]),
        ("skip_collection_at_exit(); skip_collection_at_exit()", ["handled"]),
    ],
    ids=["as Python does", "skipped", "skipped twice"],
)
def test_a_process_ends_without_a_collection(calls: str, printed: list[str]) -> None:
    """Handlers run as ever."""
    done = subprocess.run(
        [sys.executable, "-c", END.format(calls=calls)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == printed
