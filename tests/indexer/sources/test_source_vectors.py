"""Precomputed vectors beside a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import numpy.typing as npt
import pytest

from indexer.core.errors import ItemError, SourceError
from indexer.core.protocols import Source
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item, Kind
from indexer.sources import TableOptions, open_sources, read_vector

ROWS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def opened(
    folder: Path,
    array: npt.NDArray[Any],
    lines: tuple[str, ...] = ("id,title", "a,A", "b,B", "c,C"),
    **options: Any,
) -> Source:
    """A table and its vectors as one source."""
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    np.save(folder / "v.npy", array)
    return open_sources(
        [str(folder / "t.csv")], TableOptions(vectors=str(folder / "v.npy"), **options)
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_rows_in_step(tmp_path: Path, dtype: str) -> None:
    """Each row has its vector as float32, its title, and an address to read it again."""
    items = list(opened(tmp_path, ROWS.astype(dtype)))
    assert [item.item_id for item in items if isinstance(item, Item)] == ["a", "b", "c"]
    for number, item in enumerate(items):
        assert isinstance(item, Item)
        assert item.kind == Kind.VECTOR
        assert item.vector is not None
        assert item.vector.dtype == np.float32
        np.testing.assert_array_equal(item.vector, ROWS[number].astype(dtype).astype("float32"))


def test_sources_without_pictures(tmp_path: Path) -> None:
    """Without an image column the item's source is the vector, which reads again."""
    items = list(opened(tmp_path, ROWS))
    assert isinstance(items[2], Item)
    assert items[2].source == f"{tmp_path}/v.npy#2"
    np.testing.assert_array_equal(read_vector(items[2].source), ROWS[2])


def test_sources_with_pictures(tmp_path: Path) -> None:
    """With an image column pages can show the picture; where it is empty, the vector."""
    items = list(opened(tmp_path, ROWS, ("id,image", "a,1.jpg", "b,", "c,3.jpg")))
    sources = [item.source for item in items if isinstance(item, Item)]
    assert sources == [f"{tmp_path}/1.jpg", f"{tmp_path}/v.npy#1", f"{tmp_path}/3.jpg"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, 1e300])
def test_bad_vector(tmp_path: Path, bad: float) -> None:
    """NaN, infinity, zero and beyond float32: one dead letter that names the row."""
    array = ROWS.astype(np.float64)
    array[1] = bad
    failure = list(opened(tmp_path, array, ("id,image", "a,1", "b,2", "c,3")))[1]
    assert isinstance(failure, Failure)
    assert failure.reason == Reason.BAD_VECTOR
    assert failure.item.item_id == "b"
    assert failure.item.source == f"{tmp_path}/v.npy#1"


def test_bad_row_keeps_step(tmp_path: Path) -> None:
    """A row that can't be read takes its vector with it; the next has its own."""
    items = list(opened(tmp_path, ROWS, ("id,title", "a,A", ",B", "c,C")))
    assert isinstance(items[1], Failure)
    assert items[1].reason == Reason.BAD_ID
    assert isinstance(items[2], Item)
    np.testing.assert_array_equal(items[2].vector, ROWS[2])


def test_other_count(tmp_path: Path) -> None:
    """Table and vectors of other lengths are refused with both counts."""
    with pytest.raises(SourceError, match=r"v\.npy has 3 rows, .*t\.csv has 2"):
        opened(tmp_path, ROWS, ("id,title", "a,A", "b,B"))


def test_other_width(tmp_path: Path) -> None:
    """A width that the catalog does not have is refused with both widths."""
    with pytest.raises(SourceError, match="have width 4, the catalog has 512"):
        opened(tmp_path, ROWS, width=512)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3, np.float32),
        np.zeros((3, 4), np.int64),
        np.array([["a"]] * 3),
        np.zeros((3, 1, 1)),
    ],
)
def test_not_a_matrix_of_floats(tmp_path: Path, array: npt.NDArray[Any]) -> None:
    """Other shapes and types are refused with what is needed."""
    with pytest.raises(SourceError, match="needed are float16, float32 or float64"):
        opened(tmp_path, array)


def test_stored_by_columns(tmp_path: Path) -> None:
    """An array in Fortran order is refused with the remedy."""
    with pytest.raises(SourceError, match="ascontiguousarray"):
        opened(tmp_path, np.asfortranarray(ROWS))


@pytest.mark.parametrize("kept", [0, 5, 100, 150])
def test_cut_short(tmp_path: Path, kept: int) -> None:
    """A file without all of its rows, or of its header, is refused at once."""
    opened(tmp_path, ROWS)
    path = tmp_path / "v.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SourceError, match=r"v\.npy"):
        open_sources([str(tmp_path / "t.csv")], TableOptions(vectors=str(path)))


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    """An array of objects would run code: refused."""
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(ItemError, match="needed are float16"):
        read_vector(f"{tmp_path}/o.npy#0")


@pytest.mark.parametrize("row", ["9", "-1", "x", ""])
def test_no_such_row(tmp_path: Path, row: str) -> None:
    """A row that is not there is MISSING."""
    np.save(tmp_path / "v.npy", ROWS)
    with pytest.raises(ItemError, match="no such row") as caught:
        read_vector(f"{tmp_path}/v.npy#{row}")
    assert caught.value.reason == Reason.MISSING


def test_pairs_of_files(tmp_path: Path) -> None:
    """Braces in table and vectors expand in step, as clip-retrieval writes them."""
    for number in range(2):
        (tmp_path / f"t{number}.csv").write_text(f"id\n{number}\n")
        np.save(tmp_path / f"v{number}.npy", ROWS[number : number + 1])
    options = TableOptions(vectors=str(tmp_path / "v{0..1}.npy"))
    source = open_sources([str(tmp_path / "t{0..1}.csv")], options)
    assert source.count() == 2
    vectors = [item.vector for item in source if isinstance(item, Item)]
    np.testing.assert_array_equal(vectors, ROWS[:2])


def test_vectors_need_a_table(tmp_path: Path) -> None:
    """Vectors without rows that name them are refused."""
    np.save(tmp_path / "v.npy", ROWS)
    with pytest.raises(SourceError, match="needs a table"):
        open_sources([str(tmp_path)], TableOptions(vectors=str(tmp_path / "v.npy")))


def test_fsspec_address(tmp_path: Path) -> None:
    """Table and vectors may both lie behind a protocol."""
    np.save(tmp_path / "v.npy", ROWS)
    files = fsspec.filesystem("memory")
    files.pipe("/vectors-source/v.npy", (tmp_path / "v.npy").read_bytes())
    files.pipe("/vectors-source/t.csv", b"id\na\nb\nc\n")
    options = TableOptions(vectors="memory://vectors-source/v.npy")
    items = list(open_sources(["memory://vectors-source/t.csv"], options))
    assert isinstance(items[1], Item)
    np.testing.assert_array_equal(read_vector(items[1].source), ROWS[1])


def test_real_vectors(data: Path) -> None:
    """The real CLIP vectors come through bit by bit."""
    vectors = data / "fashion" / "clip_vit_b32.npy"
    table = str(data / "fashion" / "products.csv")
    items = list(open_sources([table], TableOptions(vectors=str(vectors), width=512)))
    found = [item.vector for item in items if isinstance(item, Item)]
    np.testing.assert_array_equal(np.array(found), np.load(vectors))
