"""Work beside the main thread."""

from __future__ import annotations

import threading

import pytest

from indexer.core.threads import beside


def test_work_beside_is_done_in_order_when_it_is_left() -> None:
    """In one other thread."""
    done: list[tuple[int, int]] = []
    with beside() as start:
        for number in range(3):
            start(lambda number=number: done.append((number, threading.get_ident())))
    assert [number for number, _ in done] == [0, 1, 2]
    assert {thread for _, thread in done} != {threading.get_ident()}


def fail() -> None:
    """As a database without room does."""
    raise OSError("no room")


def test_what_fails_beside_is_raised_when_it_is_left() -> None:
    """What comes after it is run."""
    done: list[int] = []

    def run() -> None:
        with beside() as start:
            start(fail)
            start(lambda: done.append(1))

    with pytest.raises(OSError, match="no room"):
        run()
    assert done == [1]
