"""Pictures and titles together: sides of other spreads, items without a title, a catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import add_items, add_titles, set_labels

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.labels.head import plain
from indexer.labels.sets import LabelSet
from queries.categorizing.categorize import CategorizeReport, categorize
from queries.classify import Classifier
from queries.deciding.fusion import Fusion, blend_shares, fit_fusion
from queries.deciding.question import Question
from queries.deciding.scorer import Scorer
from queries.deciding.settings import TEXT_WEIGHT, Settings
from queries.inputs.stored import stored_items
from queries.teaching.calibrate import calibrate


def scorer() -> Scorer:
    """Two labels, along the axes of the plane."""
    labels = LabelSet(
        labels=tuple(Label(label_id=one, name=one, path=(one,)) for one in "ab"),
        definitions=("a", "b"),
        vectors=np.eye(2, dtype=np.float32),
    )
    return Scorer(head=plain(labels, 1.0), unit=1.0, temperature=1.0)


def test_sides_count_in_units_of_their_own_spread() -> None:
    """Pictures spread by 1, titles by 10, in full agreement: half and half is the picture's."""
    pictures = np.array([[1.0, -1.0], [-1.0, 1.0]])
    picture_share, title_share = blend_shares(pictures, 10 * pictures, 0.5)
    assert (picture_share, title_share) == pytest.approx((0.5, 0.05))


def test_the_blend_has_the_spread_of_the_pictures() -> None:
    """Whatever the weight, and whatever the titles say."""
    random = np.random.default_rng(1)
    pictures, titles = random.normal(size=(50, 7)), 9 * random.normal(size=(50, 7)) + 4
    for weight in (0.0, 0.3, 1.0):
        one, other = blend_shares(pictures, titles, weight)
        blended = one * pictures + other * titles
        assert blended.std(axis=1).mean() == pytest.approx(pictures.std(axis=1).mean())


def test_a_side_without_a_spread_keeps_its_unit() -> None:
    """Of a single label no score spreads: the shares stay finite and small."""
    assert blend_shares(np.array([[0.3], [0.2]]), np.array([[0.1], [0.4]]), 0.4) == (0.6, 0.4)


def test_a_title_changes_scores_and_no_title_leaves_them() -> None:
    """By hand: .5 of (1, 0) and 2 of the title's (0, 1) are (.5, 2)."""
    fusion = Fusion(titles=scorer(), picture_share=0.5, title_share=2.0)
    titles = np.array([[0, 1], [0, 0]], dtype=np.float32)
    found = fusion.blend(np.array([[1.0, 0.0], [1.0, 0.0]]), titles)
    np.testing.assert_allclose(found, [[0.5, 2.0], [1.0, 0.0]])


def shop(folder: Path, titles: FloatArray | None) -> CatalogOptions:
    """Items whose pictures say little between two labels, with these vectors of titles."""
    random = np.random.default_rng(5)
    labels = np.eye(2, 16, dtype=np.float32)
    pictures = normalise(labels[[0] * 20 + [1] * 20] * 0.2 + random.normal(size=(40, 16)))
    options = CatalogOptions(data_dir=folder)
    add_items(options, pictures)
    if titles is not None:
        add_titles(options, titles)
    set_labels(options, labels)
    return options


def run(
    options: CatalogOptions,
    weight: float | None = None,
    *,
    adapt: bool = False,
    multi_label: bool = False,
) -> tuple[CategorizeReport, dict[str, str]]:
    """Categorize; the labels by item."""
    to = options.data_dir / "out.parquet"
    settings = Settings(multi_label=multi_label, text_weight=weight)
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, Question(adapt=adapt, settings=settings))
    table = pq.read_table(to)
    return report, dict(
        zip(table.column("item_id").to_pylist(), table.column("label_id").to_pylist(), strict=True)
    )


def telling() -> FloatArray:
    """Titles that name the label of items 0 to 38; item 39 has none."""
    titles = np.eye(2, 16, dtype=np.float32)[[0] * 20 + [1] * 20]
    titles[39] = 0
    return titles


TRUTH = {f"i{row}": "l0" if row < 20 else "l1" for row in range(40)}


@pytest.mark.parametrize("adapt", [False, True])
def test_titles_that_tell_mend_labels(tmp_path: Path, *, adapt: bool) -> None:
    """By titles alone all are right that have one; item 39 is labelled by its picture."""
    options = shop(tmp_path, telling())
    _, by_picture = run(options, 0.0, adapt=adapt)
    report, by_title = run(options, 1.0, adapt=adapt)
    assert report.text_weight == 1.0
    assert by_picture != TRUTH
    assert {name: TRUTH[name] for name in TRUTH if name != "i39"}.items() <= by_title.items()
    assert by_title["i39"] == by_picture["i39"]


def test_titles_count_by_default_where_there_are_some(tmp_path: Path) -> None:
    """With the default weight, and more labels are right than by pictures."""
    options = shop(tmp_path, telling())
    report, found = run(options)
    _, by_picture = run(options, 0.0)
    assert report.text_weight == TEXT_WEIGHT
    right = [sum(one[name] == TRUTH[name] for name in TRUTH) for one in (found, by_picture)]
    assert right[0] > right[1]


def test_a_catalog_without_titles_is_labelled_by_pictures(tmp_path: Path) -> None:
    """The default changes no figure there, and the report says so."""
    options = shop(tmp_path, None)
    plain_report, by_picture = run(options, 0.0)
    report, found = run(options)
    assert (report.text_weight, plain_report.text_weight) == (0.0, 0.0)
    assert found == by_picture


def test_labels_that_are_scored_alone_leave_titles_out(tmp_path: Path) -> None:
    """By default in silence; asked for both, it is refused."""
    options = shop(tmp_path, telling())
    assert run(options, multi_label=True)[0].text_weight == 0.0
    with pytest.raises(UsageError, match="--text-weight blends"):
        run(options, 0.5, multi_label=True)


@pytest.mark.parametrize("adapt", [False, True])
@pytest.mark.parametrize("calibrated", [False, True])
def test_classify_says_of_items_with_titles_what_categorize_says(
    tmp_path: Path, *, adapt: bool, calibrated: bool
) -> None:
    """The same label, score and status by both, with a title and without, for all items."""
    options = shop(tmp_path, telling())
    if calibrated:
        file = tmp_path / "truth.csv"
        rows = [f"{name},{label}" for name, label in TRUTH.items()]
        file.write_text("\n".join(["item_id,label_id", *rows]))
        with open_catalog(options, write=True) as catalog:
            calibrate(catalog, file=file)
    settings = Settings(target_precision=0.7 if calibrated else None)
    to = tmp_path / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, Question(adapt=adapt, settings=settings))
    assert report.text_weight == TEXT_WEIGHT
    rows = pq.read_table(to).to_pylist()
    with open_catalog(options) as catalog:
        given = stored_items(catalog, [row["item_id"] for row in rows])
        classifier = Classifier(catalog, Question(adapt=adapt, settings=settings))
        found = classifier.classify(given.vectors, titles=given.titles)
    assert given.titles is not None
    for row, (best, *_) in zip(rows, found, strict=True):
        assert (best.label_id, best.status) == (row["label_id"], row["status"])
        assert best.score == pytest.approx(row["score"], abs=1e-6)
    assert len({row["status"] for row in rows}) > 1 or not calibrated


def test_scores_with_titles_are_calibrated_on_their_own(tmp_path: Path) -> None:
    """Titles that tell are sure where pictures are not: each kind has its temperature."""
    options = shop(tmp_path, telling())
    file = tmp_path / "truth.csv"
    file.write_text("\n".join(["item_id,label_id", *(f"{k},{v}" for k, v in TRUTH.items())]))
    with open_catalog(options, write=True) as catalog:
        report = calibrate(catalog, file=file, settings=Settings(text_weight=1.0))
        by_pictures = calibrate(catalog, file=file, settings=Settings(text_weight=0.0))
    assert report.titled_items == 39
    assert report.accuracy > by_pictures.accuracy
    assert report.held_out.error < 0.05


def test_what_titles_taught_is_kept_until_something_changes(tmp_path: Path) -> None:
    """A second run reads no title to measure; another weight, or many new items, measure."""
    options = shop(tmp_path, telling())
    run(options, adapt=True)
    with open_catalog(options) as catalog:
        predictor = Classifier(catalog).predictor
        kept = fit_fusion(catalog, predictor.scorer, TEXT_WEIGHT)
        measured = fit_fusion(catalog, predictor.scorer, TEXT_WEIGHT + 0.1)
        sampled = _measured_again(catalog, predictor.scorer)
    assert kept is not None
    assert measured is not None
    assert kept.title_share != measured.title_share
    assert (kept.picture_share, kept.title_share) == pytest.approx(sampled)


def test_plain_and_adapted_runs_keep_what_they_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In turns, neither measures again."""
    options = shop(tmp_path, telling())
    labels = [run(options, adapt=adapt)[1] for adapt in (True, False)]

    def measured(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr("queries.deciding.fusion._sample", measured)
    assert [run(options, adapt=adapt)[1] for adapt in (True, False)] == labels


def _measured_again(catalog: OpenCatalog, scorer: Scorer) -> tuple[float, float]:
    """The shares without what is kept."""
    (catalog.folder.labels / "fits.json").unlink()
    found = fit_fusion(catalog, scorer, TEXT_WEIGHT)
    assert found is not None
    return found.picture_share, found.title_share
