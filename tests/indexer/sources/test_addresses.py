"""Addresses: braces, joining, names."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.core.errors import SourceError
from indexer.sources import addresses


@pytest.mark.parametrize(
    ("pattern", "expanded"),
    [
        ("a.tar", ["a.tar"]),
        ("{000..002}.tar", ["000.tar", "001.tar", "002.tar"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{a,b}/{0..1}", ["a/0", "a/1", "b/0", "b/1"]),
        ("s3://b/{08..10}.tar", ["s3://b/08.tar", "s3://b/09.tar", "s3://b/10.tar"]),
        ("{single}", ["{single}"]),
        ("{}", ["{}"]),
    ],
)
def test_braces(pattern: str, expanded: list[str]) -> None:
    """As a shell expands them, leading zeros kept."""
    assert addresses.expand(pattern) == expanded


@pytest.mark.parametrize("pattern", ["{2..1}", "{0..99999999}", "{0..9999}{0..9999}"])
def test_bad_braces(pattern: str) -> None:
    """Backward and endless ranges are refused."""
    with pytest.raises(SourceError):
        addresses.expand(pattern)


def test_name_with_braces(tmp_path: Path) -> None:
    """A file that really has braces in its name is itself."""
    path = tmp_path / "{0..1}.tar"
    path.touch()
    assert addresses.expand(str(path)) == [str(path)]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/a/b.csv", "b.csv"),
        ("/a/b/", "b"),
        ("https://x.org/t.csv?sig=a/b", "t.csv"),
        ("s3://bucket/k#1.jpg", "k#1.jpg"),
    ],
)
def test_name(address: str, name: str) -> None:
    """The last part, without a URL's query."""
    assert addresses.name(address) == name
