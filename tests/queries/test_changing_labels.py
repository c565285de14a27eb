"""Labels that come, go, merge and are reworded: never below plain ones, in whatever order."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from catalogs import make_catalog, set_labels
from label_sets import labels_of

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs.labels import remove_labels
from indexer.labels.adaptation import fit
from indexer.labels.head import adapted, plain
from queries.categorizing.categorize import CategorizeReport, categorize
from queries.classify import Classifier
from queries.deciding.question import Question
from queries.scoring.ranking import rank

WIDTH, ITEMS, CLASSES = 24, 300, 10
Rows = npt.NDArray[np.int64]


class Shop:
    """Pictures and texts in two cones apart, as dual encoders have them."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        cones = self.random.normal(size=(2, WIDTH))
        self.directions = self.random.normal(size=(CLASSES, WIDTH))
        shares = self.random.dirichlet(np.full(CLASSES, 2.0))
        self.truth = self.random.choice(CLASSES, ITEMS, p=shares)
        noise = self.random.normal(size=(ITEMS, WIDTH))
        self.items = normalise(2.0 * cones[0] + self.directions[self.truth] + 0.7 * noise)
        noise = self.random.normal(size=(CLASSES, WIDTH))
        self.texts = normalise(2.0 * cones[1] + self.directions + 0.5 * noise)

    def reworded(self, row: int) -> None:
        """Give a label a text of a cosine of about 0.995 to what it had."""
        noise = normalise(self.random.normal(size=(1, WIDTH)))
        self.texts[row] = normalise(self.texts[row : row + 1] + 0.1 * noise)[0]


def week(shop: Shop, days: int) -> Iterator[tuple[str, list[int]]]:
    """What happens to the labels, day by day, and those that are there then."""
    random = shop.random
    labels = sorted(random.choice(CLASSES, CLASSES // 2, replace=False).tolist())
    yield "start", labels
    for _ in range(days):
        absent = [one for one in range(CLASSES) if one not in labels]
        event = str(random.choice(["add", "remove", "reword", "merge"]))
        if event == "add" and absent:
            labels = [*labels, int(random.choice(absent))]
        elif event == "remove" and len(labels) > 3:
            gone = int(random.choice(labels))
            labels = [one for one in labels if one != gone]
        elif event == "merge" and len(labels) > 3:
            first, second = random.choice(labels, 2, replace=False).tolist()
            both = shop.texts[first] + shop.texts[second]
            shop.texts[first] = normalise(both[np.newaxis])[0]
            shop.truth[shop.truth == second] = first
            labels = [one for one in labels if one != second]
        else:
            shop.reworded(int(random.choice(labels)))
            event = "reword"
        yield event, labels


def right(found: Sequence[str], shop: Shop, labels: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Bool (n,), of the items whose label is there: whether it was found."""
    place = {one: f"l{row}" for row, one in enumerate(labels)}
    wanted = [place.get(int(one)) for one in shop.truth]
    return np.array([a == b for a, b in zip(found, wanted, strict=True) if b is not None])


def assert_not_below(ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_], what: str) -> None:
    """No worse than chance explains: two and a half standard errors of the paired difference."""
    difference = ours.astype(float) - theirs
    error = float(difference.std()) / np.sqrt(len(difference))
    assert difference.mean() >= -2.5 * error - 1e-9, (what, ours.mean(), theirs.mean())


def categorized(options: CatalogOptions) -> tuple[CategorizeReport, list[str]]:
    """Label all; the report, and the labels in the order of the items."""
    to = options.data_dir / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, Question(limit=1))
    rows = {row["item_id"]: row["label_id"] for row in pq.read_table(to).to_pylist()}
    return report, [rows[f"i{row}"] for row in range(ITEMS)]


def classified(options: CatalogOptions, items: FloatArray, *, adapt: bool = True) -> list[str]:
    """The label of each vector, by a question."""
    with open_catalog(options) as catalog:
        found = Classifier(catalog, Question(adapt=adapt), by_search=False).classify(items, limit=1)
    return [one.label_id for (one,) in found]


@pytest.mark.parametrize("seed", range(2))
def test_no_week_is_worse_than_plain_labels(tmp_path: Path, seed: int) -> None:
    """After each change, by a question before the next categorization, and by that one too."""
    shop, options = Shop(seed), CatalogOptions(data_dir=tmp_path / "data")
    for number, (event, labels) in enumerate(week(shop, days=4)):
        if number:
            set_labels(options, shop.texts[labels])
        else:
            options = make_catalog(tmp_path / "data", shop.items, shop.texts[labels])
            categorized(options)
        plain_labels = right(classified(options, shop.items, adapt=False), shop, labels)
        asked = classified(options, shop.items)
        report, found = categorized(options)
        assert_not_below(right(asked, shop, labels), plain_labels, f"classify after {event}")
        assert_not_below(right(found, shop, labels), plain_labels, f"categorize after {event}")
        assert asked == found
        assert report.adapted
        assert (report.fitted is None) == (number == 0)


def test_a_late_label_finds_its_pictures(tmp_path: Path) -> None:
    """As well as if it had been there from the beginning, with the same adaptation."""
    shop = Shop(7)
    late = int(np.bincount(shop.truth).argmax())
    early = [one for one in range(CLASSES) if one != late]
    options = make_catalog(tmp_path / "late", shop.items, shop.texts[early])
    categorized(options)
    set_labels(options, shop.texts[[*early, late]])
    asked = classified(options, shop.items)
    report, found = categorized(options)
    other = make_catalog(tmp_path / "early", shop.items, shop.texts[[*early, late]])
    wanted_report, wanted = categorized(other)
    assert asked == found == wanted
    assert report.label_version == wanted_report.label_version


def test_a_question_says_that_labels_have_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until a categorization has fitted them; nothing is said to who asks for plain labels."""
    shop = Shop(3)
    options = make_catalog(tmp_path, shop.items, shop.texts)
    categorized(options)
    remove_labels(options, ["l0"])

    def told(*, adapt: bool = True) -> list[str]:
        caplog.clear()
        classified(options, shop.items[:3], adapt=adapt)
        return [one.getMessage() for one in caplog.records if one.name == "queries.classify"]

    with caplog.at_level(logging.WARNING):
        assert not told(adapt=False)
        (message,) = told()
        assert "have changed since they were fitted" in message
        assert "zeroshelf categorize" in message
        categorized(options)
        assert not told()


def test_no_choice_of_real_labels_is_worse_than_plain(shared_data: Path) -> None:
    """Of real CLIP vectors: any active labels, and any items, few classes of them too."""
    random = np.random.default_rng(0)
    folder = shared_data
    items = np.load(folder / "fashion" / "clip_vit_b32.npy")
    texts = np.load(folder / "lvis" / "clip_vit_b32.npy")
    places = {row["id"]: place for place, row in enumerate(_table(folder / "lvis" / "labels.csv"))}
    truth = np.array(
        [places.get(row["truth"], -1) for row in _table(folder / "fashion" / "products.csv")]
    )
    occurring = np.unique(truth[truth >= 0])
    for number in range(30):
        chosen = np.sort(random.choice(occurring, random.integers(2, 33), replace=False))
        rows = random.permutation(len(items))[: random.integers(40, 1_000)]
        if number % 3 == 0:
            classes = random.choice(occurring, 3, replace=False)
            rows = np.flatnonzero(np.isin(truth, classes))
        known = np.isin(truth[rows], chosen)
        if len(rows) < 16 or known.sum() < 5:
            continue
        labels = labels_of(texts[chosen])
        found = fit(items[rows], labels.vectors)
        both = [
            chosen[rank(items[rows], head, limit=1).labels[:, 0]][known] == truth[rows][known]
            for head in (adapted(labels, found), plain(labels, 100.0))
        ]
        assert_not_below(both[0], both[1], f"draw {number}")


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
