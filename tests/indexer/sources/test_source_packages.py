"""Addresses whose protocol needs a package of its own."""

from __future__ import annotations

import importlib.util

import pytest

from indexer.core.errors import SourceError
from indexer.sources import addresses

ABSENT = next(
    (pair for pair in (("s3", "s3fs"), ("gs", "gcsfs")) if not importlib.util.find_spec(pair[1])),
    None,
)


@pytest.mark.skipif(ABSENT is None, reason="every such package is installed here")
def test_the_package_is_named_with_its_command() -> None:
    """Whether a file is opened or a folder is asked for."""
    assert ABSENT is not None
    protocol, package = ABSENT
    for ask in (addresses.open_binary, addresses.is_folder):
        with pytest.raises(SourceError, match=f"run: pip install {package}$"):
            ask(f"{protocol}://bucket/table.csv")
