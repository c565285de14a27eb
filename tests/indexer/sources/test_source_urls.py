"""Lists of URLs, and URLs given as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.core.errors import SourceError
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item, Kind
from indexer.sources import open_sources


def test_list(tmp_path: Path) -> None:
    """One item a line, called by its URL; comments and empty lines are left out."""
    path = tmp_path / "urls.txt"
    path.write_text("\ufeff# shoes\nhttps://x.org/a.jpg?w=1\n\n  https://x.org/b \nlocal/c.jpg\n")
    source = open_sources([str(path)])
    assert [(item.item_id, item.source) for item in source if isinstance(item, Item)] == [
        ("https://x.org/a.jpg?w=1", "https://x.org/a.jpg?w=1"),
        ("https://x.org/b", "https://x.org/b"),
        ("local/c.jpg", f"{tmp_path}/local/c.jpg"),
    ]
    assert source.count() == 3


def test_given_directly() -> None:
    """A URL as a source is one item, whether or not it ends like a picture."""
    urls = ["https://x.org/a.jpg?w=1", "http://cdn.org/image/5"]
    source = open_sources(urls)
    assert list(source) == [Item(item_id=url, kind=Kind.PICTURE, source=url) for url in urls]
    assert source.count() == 2


def test_bad_lines(tmp_path: Path) -> None:
    """A line that is not UTF-8 or too long is a dead letter, not the end."""
    path = tmp_path / "urls.txt"
    path.write_bytes(b"https://x.org/\xff\nhttps://x.org/" + b"y" * 3000 + b"\nhttps://x.org/z\n")
    first, second, third = open_sources([str(path)])
    assert isinstance(first, Failure)
    assert first.reason == Reason.UNREADABLE
    assert isinstance(second, Failure)
    assert second.reason == Reason.BAD_ID
    assert isinstance(third, Item)


def test_empty_list(tmp_path: Path) -> None:
    """A list of comments only is an error."""
    (tmp_path / "urls.txt").write_text("# none\n")
    with pytest.raises(SourceError, match="nothing to read"):
        open_sources([str(tmp_path / "urls.txt")])


def test_mixed_sources(tmp_path: Path) -> None:
    """Several sources are read one after the other."""
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.jpg").touch()
    (tmp_path / "t.csv").write_text("id,image\n1,a.jpg\n")
    source = open_sources([str(tmp_path / "t.csv"), "https://x.org/b.png", str(tmp_path / "pics")])
    found = [item.item_id for item in source if isinstance(item, Item)]
    assert found == ["1", "https://x.org/b.png", "a.jpg"]
    assert source.count() == 3


@pytest.mark.parametrize("address", ["nosuchprotocol://x/y.csv", "memory://nothing-here/t.csv"])
def test_addresses_that_fail(address: str) -> None:
    """An unknown protocol or a missing remote file is an error that names it."""
    with pytest.raises(SourceError, match=address):
        open_sources([address])
