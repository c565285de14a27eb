"""The console command, standing still before a step of its writing to the database: to be killed.

Arguments: a file that is there from then on, the number of the steps before, the command's own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.store.collection import Collection
from queries.cli import main


def held(step: Callable[..., Any], begun: Path, left: list[None]) -> Callable[..., Any]:
    """The step, which takes one of those that are left, and waits for ever where none is."""

    def stepped(*arguments: Any) -> Any:
        if not left:
            begun.touch()
            while True:
                time.sleep(1)
        left.pop()
        return step(*arguments)

    return stepped


if __name__ == "__main__":
    begun, before = Path(sys.argv[1]), [None] * int(sys.argv[2])
    for name in ("_write", "flush"):
        setattr(Collection, name, held(getattr(Collection, name), begun, before))
    sys.argv[1:] = sys.argv[3:]
    main()
