"""The control of descriptions: texts that only their label's description tells apart."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.sources import TableOptions
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question
from queries.evaluation.controls import letters, same_length, words_of
from queries.evaluation.evaluate import Evaluation, as_json, evaluate

KINDS = ("mug", "boot", "guitar", "laptop", "sofa", "shirt")
TEMPLATES = ("{label}", "{label}, {description}")


def evaluated(
    folder: Path, names: Sequence[str], descriptions: Sequence[str], templates: Sequence[str]
) -> Evaluation:
    """A catalog of texts about six kinds of things, and labels of these names."""
    options = CatalogOptions(data_dir=folder / "data", model="pocket", device="cpu")
    items = [("id", "title", "truth")] + [
        (f"{kind}{shade}", f"a {shade} {kind}", f"l{place}")
        for place, kind in enumerate(KINDS)
        for shade in ("red", "blue", "black", "white")
    ]
    labels = [("id", "name", "description")] + [
        (f"l{place}", *pair) for place, pair in enumerate(zip(names, descriptions, strict=True))
    ]
    for name, rows in (("items", items), ("labels", labels)):
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
    how = IngestOptions(
        table=TableOptions(image_column="none"), sizes=PipelineSizes(workers=1, batch_size=16)
    )
    ingest(options, [str(folder / "items.csv")], how)
    add_labels(options, str(folder / "labels.csv"), templates=templates)
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, folder / "out.parquet", Question(adapt=False))
        return evaluate(catalog, folder / "out.parquet", truth="truth", control=True, adapt=False)


def test_descriptions_that_tell_beat_random_words(tmp_path: Path) -> None:
    """Names say nothing here, so words at random can't help, and the descriptions must."""
    codes = [f"article {place}" for place in range(len(KINDS))]
    control = evaluated(tmp_path, codes, KINDS, TEMPLATES).control
    assert control is not None
    assert (control.items, control.described) == (24, 6)
    assert control.descriptions > 0.9
    assert control.names < 0.5
    assert control.gain == pytest.approx(control.descriptions - control.random_words)
    assert 0 < control.low <= control.gain <= control.high
    assert control.verdict.startswith("Descriptions help")


def test_descriptions_that_tell_nothing_are_found_out(tmp_path: Path) -> None:
    """Names tell all, and the descriptions are as good as any words: the interval holds 0."""
    same = ["nice and new thing of ours"] * len(KINDS)
    found = evaluated(tmp_path, KINDS, same, TEMPLATES)
    assert found.control is not None
    assert found.control.low <= 0
    assert "does not help beyond chance" in found.control.verdict
    assert as_json(found)["control"]["verdict"] == found.control.verdict


def test_without_a_description_there_is_nothing_to_replace(tmp_path: Path) -> None:
    """The templates must ask for one; the error shows such."""
    with pytest.raises(UsageError, match=r"no prompt template has \{description\}"):
        evaluated(tmp_path, KINDS, KINDS, ["{label}"])


def test_random_texts_are_as_long() -> None:
    """As many words, of the vocabulary only; the same seed draws the same."""
    first, second = (np.random.default_rng(3) for _ in range(2))
    text = same_length("one two  three", words_of(["x", "y"]), first)
    assert len(text.split()) == 3
    assert set(text.split()) <= {"x", "y"}
    assert text == same_length("one two  three", words_of(["x", "y"]), second)
    assert {len(letters(first)) for _ in range(200)} == set(range(3, 9))
