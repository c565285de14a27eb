"""The speed benchmark of ingestion: its inputs and its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.ingestion import copies_of_photos, lacks_profile, median_row
from benchmarks.ingestion_memory import WIDTH, write_vectors
from indexer.sources import TableOptions, open_sources
from indexer.sources.decoding import Decoder


def test_copies_of_a_photo_differ_in_bytes_and_not_in_pixels(
    shared_data: Path, tmp_path: Path
) -> None:
    """Else they would be embedded once, and the benchmark would measure nothing."""
    photos = list(filter(lacks_profile, (shared_data / "photos").glob("*.JPEG")))
    files = copies_of_photos(tmp_path / "pictures", len(photos) + 1)
    first, again = files[0].read_bytes(), files[-1].read_bytes()
    assert first != again
    decode = Decoder().decode
    np.testing.assert_array_equal(decode(first, "first"), decode(again, "again"))


def test_written_vectors_are_a_source(tmp_path: Path) -> None:
    """Table and vectors are in step, and every row can be stored."""
    table, vectors = write_vectors(tmp_path, 30)
    source = open_sources([str(table)], TableOptions(vectors=str(vectors), image_column="none"))
    assert len(list(source)) == 30
    assert np.load(vectors).shape == (30, WIDTH)


def test_a_row_compares_rounds_of_the_same_time() -> None:
    """The ratio is the median of ratios, not the ratio of medians."""
    row = median_row("work", "loop", [10.0, 2.0, 30.0], [5.0, 1.0, 5.0], "pictures/s", 3.0)
    assert (row["ours"], row["theirs"], row["ratio"]) == (10.0, 5.0, pytest.approx(2.0))
    assert row["reached"] is False
