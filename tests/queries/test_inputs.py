"""What ``classify`` is given: pictures in blocks, standard input, and bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from PIL import Image

from indexer.core.errors import UsageError
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.sources import Fetcher, TableOptions
from indexer.sources.decoding.contents import ContentDecoder
from queries.inputs.embedded import EmbeddedInputs
from queries.inputs.embedding import embed_queries
from queries.inputs.query import Query, queries_of


class CountingEncoder(FakeEncoder):
    """Remembers how many pictures it was handed at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: list[int] = []

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """float32 (n, width) of the pixels."""
        self.handed.append(len(pictures))
        return super().embed_pictures(pictures)


def _embedded(encoder: FakeEncoder, names: Sequence[str]) -> EmbeddedInputs:
    with Fetcher() as fetcher:
        asked = queries_of(names)
        return embed_queries(encoder, asked, decoder=ContentDecoder(), fetcher=fetcher)


def test_pictures_are_decoded_a_block_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with the number of inputs; the order is theirs, bad ones apart."""
    monkeypatch.setattr("queries.inputs.embedding.BLOCK", 2)
    names = [str(tmp_path / f"{shade}.png") for shade in range(5)]
    for shade, name in enumerate(names):
        Image.new("RGB", (4, 4), (shade, 0, 0)).save(name)
    names.insert(1, str(tmp_path / "missing.png"))
    encoder = CountingEncoder()

    found = _embedded(encoder, names)

    assert encoder.handed == [2, 2, 1]
    assert found.names == (names[0], *names[2:])
    assert list(found.errors) == [1]
    alone = [_embedded(FakeEncoder(), [name]).vectors[0] for name in found.names]
    np.testing.assert_array_equal(found.vectors, alone)


def test_no_input_gives_no_vector() -> None:
    """An empty standard input is no error."""
    found = _embedded(FakeEncoder(), [])
    assert found.names == ()
    assert len(found.vectors) == 0


def test_a_table_asks_one_a_row(tmp_path: Path) -> None:
    """By id, picture and title; a row without an id is an error of its own."""
    (tmp_path / "t.csv").write_text("sku,image,title\n7,a.png,a mug\n,b.png,\n")
    table = TableOptions(id_column="sku")
    one, other = queries_of([str(tmp_path / "t.csv")], table=table)
    assert one == Query(name="7", source=str(tmp_path / "a.png"), title="a mug")
    assert "no id in the column 'sku'" in other.problem


def test_a_text_that_ends_like_a_table_is_a_text() -> None:
    """No file of that name: it is what is said."""
    (found,) = queries_of(["prices.csv"], text=True)
    assert found == Query(name="prices.csv", title="prices.csv")


def test_titles_are_for_all_pictures_or_for_none(tmp_path: Path) -> None:
    """In the order of the pictures; another number is refused."""
    pictures = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    for picture in pictures:
        Path(picture).touch()
    found = queries_of(pictures, titles=["mug", ""])
    assert [one.title for one in found] == ["mug", ""]
    with pytest.raises(UsageError, match="1 titles for 2 pictures"):
        queries_of(pictures, titles=["mug"])
    with pytest.raises(UsageError, match="--title is for pictures"):
        queries_of(["a mug"], text=True, titles=["mug"])


def test_titles_are_embedded_once_and_beside_their_pictures(tmp_path: Path) -> None:
    """Rows of titles follow the pictures that could be read; no title is a row of zeros."""
    names = [str(tmp_path / f"{shade}.png") for shade in range(3)]
    for shade, name in enumerate(names):
        Image.new("RGB", (4, 4), (shade, 0, 0)).save(name)
    asked = queries_of([*names, "missing.png"], titles=["mug", "", "mug", "lost"])
    encoder = CountingEncoder()
    with Fetcher() as fetcher:
        found = embed_queries(encoder, asked, decoder=ContentDecoder(), fetcher=fetcher)
        without = embed_queries(
            encoder, asked, titles=False, decoder=ContentDecoder(), fetcher=fetcher
        )
    assert found.titles is not None
    np.testing.assert_array_equal(found.titles.any(axis=1), [True, False, True])
    np.testing.assert_array_equal(found.titles[0], encoder.embed_texts(["mug"])[0])
    assert without.titles is None
