"""What scikit-learn's users give: columns of data frames, single values, missing ones."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from indexer.core.errors import UsageError
from pocket.drawing import draw, product_type
from queries import Catalog, ZeroShotClassifier

NAMES = ["mug", "boot", "laptop"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A file with a picture of each of ``NAMES``."""
    folder, rng = tmp_path_factory.mktemp("pictures"), random.Random(1)
    paths = [folder / f"{name}.png" for name in NAMES]
    for path in paths:
        draw(product_type(path.stem), colour="red", size=96, rng=rng).save(path)
    return list(map(str, paths))


@pytest.fixture(scope="module")
def classifier() -> Any:
    """Fitted to names only."""
    return ZeroShotClassifier("pocket").fit(NAMES)


COLUMNS: list[Any] = [
    lambda values: pd.Series(values, index=[7, 8, 9]),
    pd.Index,
    pl.Series,
    pa.array,
    lambda values: pa.chunked_array([values]),
    lambda values: np.array(values, dtype=object),
    iter,
    lambda values: dict.fromkeys(values).keys(),
    lambda values: [
        Path(value).read_bytes() if Path(value).is_file() else value for value in values
    ],
]


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_are_inputs_and_labels(classifier: Any, files: list[str], column: Any) -> None:
    """Of pandas, polars, Arrow and numpy, and what is gone through once."""
    assert classifier.predict(column(files)).tolist() == NAMES
    assert ZeroShotClassifier("pocket").fit(column(NAMES)).classes_.tolist() == sorted(NAMES)
    taught = ZeroShotClassifier("pocket").fit(column(files), column(NAMES))
    assert taught.classes_.tolist() == sorted(NAMES)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("mug.png", "X is a list: give ['mug.png']"),
        (Path("mug.png"), "X is a list: give [PosixPath('mug.png')]"),
        (Image.new("RGB", (8, 8)), "X is a list: give [picture]"),
        (np.zeros((8, 8, 3), np.uint8), "X is a list: give [picture]"),
        ([], "there are no inputs"),
        (pd.DataFrame({"image": []}), "there are no inputs"),
        ([None], "input 0 is None"),
        (["a mug", None, float("nan")], "input 1 is None (2 of 3"),
        ([float("nan"), "a mug"], "input 0 is nan"),
        ([pd.NA, "a mug"], "input 0 is <NA>"),
        (["a mug", " "], "input 1 is ' '"),
        ([np.zeros((8, 8), np.uint8)], "shape (8, 8)"),
        (pd.DataFrame({"file": ["mug.png"]}), "no column 'image'"),
        ({"image": ["a.png", "b.png"], "title": ["a"]}, "1 values of 'title' for 2 of 'image'"),
    ],
)
def test_inputs_that_can_not_be_are_refused(classifier: Any, inputs: Any, message: str) -> None:
    """With the place and what to do; none is labelled by what it is not."""
    with pytest.raises(UsageError, match=re.escape(message)):
        classifier.predict(inputs)


@pytest.mark.parametrize("labels", [["mug", ""], ["mug", None], [float("nan"), "mug"], "mug"])
def test_labels_without_a_name_are_refused(labels: Any) -> None:
    """A missing value is no class, and a text no list of letters."""
    with pytest.raises(UsageError, match=r"label \d is|X is a list"):
        ZeroShotClassifier("pocket").fit(labels)


def test_a_catalog_is_given_by_its_options() -> None:
    """The error says so."""
    with pytest.raises(UsageError, match=r"Catalog\('shop'\)\.options"):
        ZeroShotClassifier(Catalog("shop")).fit(NAMES)  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_examples_without_a_label_are_refused(missing: Any) -> None:
    """None and NaN beside names are no classes ``None`` and ``nan``; as scikit-learn says it."""
    with pytest.raises(ValueError, match="y contains NaN or None: 1 of 2, the first at place 1"):
        ZeroShotClassifier().fit(np.eye(2), ["mug", missing])
