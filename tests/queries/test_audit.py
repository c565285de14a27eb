"""Wrong typed labels are found, with the label that fits."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shell import Shell

from indexer.jobs.sample import write_shop
from queries.audit.held_out import FOLDS, Sums, keep_untaught_share
from queries.audit.noise import measure_noise

PLANTED = 33


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The sample shop and its taxonomy; the column `shelf` holds no, wrong and inner labels too."""
    folder = tmp_path_factory.mktemp("audit")
    write_shop(folder / "shop")
    path = folder / "shop" / "products.csv"
    rows = read(path)
    for number, row in enumerate(rows):
        row["shelf"] = ("", "Mugs & Co.", "mug", "footwear")[number % 4]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    shell = Shell(folder, in_process=True, model="pocket")
    shell("ingest", "shop/products.csv")
    shell("labels", "add", "shop/taxonomy.yaml")
    return shell


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def table(shell: Shell, name: str) -> list[dict[str, Any]]:
    """The rows of a table that was written."""
    rows: list[dict[str, Any]] = pq.read_table(shell.folder / name).to_pylist()
    return rows


def documented(heading: str) -> list[str]:
    """The columns that docs/columns.md tells of a command."""
    page = Path(__file__).parents[2] / "docs" / "columns.md"
    section = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.slow
def test_planted_errors_come_first(shop: Shell) -> None:
    """Nine of ten of as many items as errors were planted, and the label that fits is the truth."""
    report = shop.json(
        "audit", "--truth", "category", "--to", "errors.parquet", "--page", "errors.html"
    )[0]
    products = {row["id"]: row for row in read(shop.folder / "shop" / "products.csv")}
    rows = table(shop, "errors.parquet")
    chances = [row["wrong_probability"] for row in rows]
    assert chances == sorted(chances, reverse=True)
    first = [products[row["item_id"]] for row in rows[:PLANTED]]
    planted = [row["category"] != row["truth"] for row in first]
    assert sum(planted) / PLANTED >= 0.9
    fits = [row["label_id"] == product["truth"] for row, product in zip(rows, first, strict=False)]
    assert sum(fits) >= 0.8 * PLANTED
    assert report["expected_errors"] == pytest.approx(PLANTED, abs=8)
    assert (report["items"], report["judged"], report["suspects"]) == (656, 656, len(rows))
    page = (shop.folder / "errors.html").read_text(encoding="utf-8")
    assert page.count("<img") == min(100, len(rows))
    assert rows[0]["typed"] in page
    assert list(rows[0]) == documented("audit")


@pytest.mark.slow
def test_values_that_are_no_label_are_told_and_inner_labels_are_judged(shop: Shell) -> None:
    """A shelf of footwear that holds no footwear is wrong; an unknown name is left out."""
    report = shop.json("audit", "--truth", "shelf", "--to", "shelf.jsonl")[0]
    assert report["unknown"] == {"Mugs & Co.": 164}
    assert report["empty"] == 164
    assert report["judged"] == 328
    printed = shop("audit", "--truth", "shelf", "--to", "shelf.csv").stdout
    assert "164 items left out: 'Mugs & Co.' (164)" in " ".join(printed.split())


@pytest.mark.slow
def test_bad_input_is_refused_before_the_work(shop: Shell) -> None:
    """A column that is not there, one without labels, another ending."""
    told = shop("audit", "--truth", "categry", "--to", "e.parquet", code=2).stderr
    assert "Did you mean 'category'?" in " ".join(told.split())
    told = shop("audit", "--truth", "brand", "--to", "e.parquet", code=2).stderr
    assert "is no label" in told
    told = shop("audit", "--truth", "category", "--to", "e.txt", code=2).stderr
    assert ".parquet, .csv, .jsonl" in " ".join(told.split())
    assert not (shop.folder / "e.parquet").exists()


@pytest.mark.slow
def test_a_table_of_labels_is_audited_as_a_column_is(shop: Shell) -> None:
    """The same labels in a file give the same rows; what is in the file alone is counted."""
    products = read(shop.folder / "shop" / "products.csv")
    lines = [f"{row['id']},{row['category']}" for row in products]
    given = shop.folder / "given.csv"
    given.write_text("\n".join(["item_id,typed", *lines, "stranger,mug"]), encoding="utf-8")
    report = shop.json("audit", "given.csv", "--truth", "typed", "--to", "given.parquet")[0]
    assert (report["items"], report["judged"]) == (656, 656)
    assert report["strangers"] == len(products) + 1 - 656  # four pictures are damaged on purpose
    shop("audit", "--truth", "category", "--to", "column.parquet")
    assert table(shop, "given.parquet") == table(shop, "column.parquet")


@pytest.mark.slow
def test_an_audit_takes_the_options_of_an_evaluation(shop: Shell) -> None:
    """Items of a filter, labels of a branch, a value that means no label, another label set."""
    audit = ("audit", "--truth", "shelf", "--to", "some.parquet")
    assert shop.json(*audit, "--unknown", "Mugs & Co.")[0]["no_label"] == 164
    cheap = shop.json(*audit, "--filter", 'metadata["price"] < 40')[0]
    assert 20 < cheap["judged"] < cheap["items"] < 656
    branch = ("--under", "footwear")
    footwear = shop.json("audit", "--truth", "category", "--to", "f.parquet", *branch)
    assert 0 < footwear[0]["judged"] < 328
    (shop.folder / "colours.txt").write_text("red\nblue\ngreen\n", encoding="utf-8")
    shop("labels", "add", "colours.txt", "--set", "colour")
    colours = shop.json("audit", "--truth", "colour", "--to", "c.parquet", "--set", "colour")[0]
    assert colours["labels"] == 3
    assert colours["judged"] > 0


@pytest.mark.slow
def test_a_table_of_another_catalog_is_refused(shop: Shell) -> None:
    """None of its items is here; a column that it lacks is told with those it has."""
    (shop.folder / "other.csv").write_text("item_id,typed\nx,mug\ny,mug\n", encoding="utf-8")
    told = shop("audit", "other.csv", "--truth", "typed", "--to", "e.parquet", code=2).stderr
    assert "none of the 2 items of the table, such as 'x'" in told
    told = shop("audit", "other.csv", "--truth", "type", "--to", "e.parquet", code=2).stderr
    assert "Did you mean 'typed'?" in told


def test_a_fit_has_not_seen_its_fold() -> None:
    """The discriminant of a fold is that of the items of the others."""
    rng = np.random.default_rng(1)
    features = rng.standard_normal((200, 6)).astype(np.float32)
    labels, folds = rng.integers(0, 4, 200), rng.integers(0, FOLDS, 200)
    everything, without = Sums(4, 6), Sums(4, 6)
    everything.add(features, labels, folds)
    others = folds != 2
    without.add(features[others], labels[others], folds[others])
    np.testing.assert_allclose(
        everything.fit().discriminants[2].vectors, without.fit().discriminants[2].vectors
    )


def test_noise_is_measured_by_the_confident_joint() -> None:
    """Of sure predictions the share that contradicts is the error rate, and Bayes' rule uses it."""
    given = np.array([0] * 50 + [1] * 50)
    truth = given.copy()
    truth[:5] = 1
    probabilities = np.where(np.eye(2)[truth] > 0, 0.95, 0.05)
    noise = measure_noise(probabilities, given)
    assert noise.error_rate == pytest.approx(0.05)
    wrong = noise.wrong(probabilities, given)
    assert wrong[:5].min() > 0.4 > wrong[5:].max()


@given(st.integers(0, 1000), st.floats(0.1, 3), st.integers(1, 4))
def test_labels_without_examples_keep_their_share(seed: int, unit: float, taught: int) -> None:
    """Their scores stay, and the soft maximum of the others does, however much was added."""
    generator = np.random.default_rng(seed)
    scores, added = generator.normal(size=(6, 5)), 9 * generator.normal(size=(6, 5))
    mine = np.arange(5) < taught
    found = keep_untaught_share(scores, scores + added, mine, unit)
    assert np.array_equal(found[:, ~mine], scores[:, ~mine])
    sharp = unit / 2
    before, after = (np.exp(one[:, mine] / sharp).sum(axis=1) for one in (scores, found))
    assert np.allclose(before, after)
