"""Garbage collection is paused in a block, and is afterwards as it was."""

from __future__ import annotations

import gc

import pytest

from indexer.core.collection import collection_paused


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
