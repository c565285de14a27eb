"""Query vectors, result tables, and pages that hostile titles can't break."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from queries.categorizing.tables import FORMATS, TableWriter
from queries.pages.parts import Pictures
from queries.pages.search import search_page
from queries.results import SearchHit
from queries.search.query_vector import query_vector


def unit(*values: float) -> FloatArray:
    """float32, length 1."""
    vector = np.array(values, dtype=np.float32)
    return np.asarray(vector / np.linalg.norm(vector))


WORDS, PICTURE = unit(1, 0, 0), unit(0, 1, 0)


def test_words_or_a_picture_alone_are_the_query() -> None:
    """The weight has nothing to weigh."""
    np.testing.assert_array_equal(query_vector(WORDS, None, text_weight=0.1), WORDS)
    np.testing.assert_array_equal(query_vector(None, PICTURE, text_weight=0.9), PICTURE)


@given(weight=st.floats(0, 1))
def test_both_are_mixed_by_weight(weight: float) -> None:
    """A weighted sum at length 1: all words at 1, all picture at 0."""
    mixed = query_vector(WORDS, PICTURE, text_weight=weight)
    assert float(np.linalg.norm(mixed)) == pytest.approx(1, abs=1e-6)
    ratio = np.arctan2(float(mixed @ PICTURE), float(mixed @ WORDS))
    assert ratio == pytest.approx(np.arctan2(1 - weight, weight), abs=1e-5)


def test_nothing_to_search_for_is_wrong_usage() -> None:
    """So are words and a picture that cancel each other out."""
    with pytest.raises(UsageError, match="nothing to search for"):
        query_vector(None, None)
    with pytest.raises(UsageError, match="--text-weight"):
        query_vector(WORDS, -WORDS, text_weight=0.5)


TABLE = pa.table({"id": ["a'", 'b"\n,', "\N{GRINNING FACE}"], "score": pa.array([0.5, 1.0, None])})


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, by its ending."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().split("\n") if line]
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_comes_back_in_order(tmp_path: Path, suffix: str) -> None:
    """Several blocks, one file."""
    path = tmp_path / f"out{suffix}"
    with TableWriter(path) as writer:
        writer.write(TABLE)
        writer.write(TABLE)
    assert [row["id"] for row in read(path)] == TABLE.column("id").to_pylist() * 2


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_job_that_fails_leaves_the_table_before(tmp_path: Path, suffix: str) -> None:
    """The old file stays whole, and nothing half lies beside it."""
    path = tmp_path / f"out{suffix}"
    path.write_text("before")

    def job() -> None:
        with TableWriter(path) as writer:
            writer.write(TABLE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["out", "out.txt", "out.json", "out.parquet.gz"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    """The endings that work are told."""
    with pytest.raises(UsageError, match=r"\.parquet, \.csv, \.jsonl"):
        TableWriter(tmp_path / name)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """It is not made in silence."""
    with pytest.raises(UsageError, match="nowhere"):
        TableWriter(tmp_path / "nowhere" / "out.csv")


class Elements(HTMLParser):
    """Collects what a browser would see: elements, their attributes, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.words.append(data)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title><script>1</script>",
    "&lt;b&gt; &amp; <!-- ",
    "</div></li></ol>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_shows_hostile_texts_as_texts(tmp_path: Path, text: str) -> None:
    """Title, id, label and query are shown letter by letter; no element comes of them."""
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    hit = SearchHit(
        item_id=text,
        similarity=0.5,
        title=text,
        source=str(tmp_path / "a.png"),
        metadata={text: text},
        label=text,
        label_id=text,
        score=0.5,
    )
    with Fetcher() as fetcher:
        page = search_page([hit], query=text, catalog="shop", pictures=Pictures(fetcher, Decoder()))
    seen = Elements()
    seen.feed(page)
    assert not {"script", "svg", "b"} & set(seen.names)
    assert seen.names.count("img") == 1
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert seen.words.count(text) >= 2


def test_a_page_without_a_picture_says_so(tmp_path: Path) -> None:
    """What can't be read is a note, not a broken picture."""
    hit = SearchHit(
        item_id="a",
        similarity=0.5,
        title="",
        source=str(tmp_path / "gone.png"),
        metadata={},
        label="",
        label_id="",
        score=0.0,
    )
    with Fetcher() as fetcher:
        page = search_page([hit], query="q", catalog="c", pictures=Pictures(fetcher, Decoder()))
    assert "no picture" in page
    assert "<img" not in page
