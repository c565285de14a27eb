"""The scikit-learn face: conventions, zero-shot, few-shot, and what it can be given."""

from __future__ import annotations

import csv
import json
import pickle
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from catalogs import make_catalog
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.encoder import SentenceTransformerEncoder
from indexer.ingestion.pipeline import PipelineSizes
from indexer.jobs.adapt import adapt
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.jobs.sample import write_shop
from indexer.sources import Fetcher
from indexer.sources.decoding.contents import ContentDecoder
from pocket.drawing import draw, product_type
from queries import ZeroShotClassifier
from queries.classify import Classifier
from queries.deciding.question import Question
from queries.inputs.embedding import embed_queries
from queries.inputs.query import Query

NAMES = ["mug", "boot", "laptop"]

NOT_HELD: dict[str, str] = {}
"""Checks of scikit-learn that can't hold, with the reason; there are none."""


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """A picture of each of ``NAMES``."""
    rng = random.Random(1)
    return [draw(product_type(name), colour="red", size=128, rng=rng) for name in NAMES]


@pytest.fixture(scope="module")
def zero_shot() -> Any:
    """Fitted to names only."""
    return ZeroShotClassifier("pocket").fit(NAMES)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the checks feed in what scikit-learn itself warns of
def test_conventions_of_scikit_learn_hold() -> None:
    """Every check passes on vectors; one is skipped where SciPy's array API is not on."""
    results = check_estimator(
        ZeroShotClassifier(), expected_failed_checks=NOT_HELD, on_fail="raise", on_skip=None
    )
    assert {one["check_name"] for one in results if one["status"] == "skipped"} <= {
        "check_array_api_input"
    }
    assert len([one for one in results if one["status"] == "passed"]) > 50


def test_names_are_all_it_needs(zero_shot: Any, pictures: list[Image.Image]) -> None:
    """Pictures get their names; classes are sorted, probabilities sum to one."""
    assert zero_shot.classes_.tolist() == sorted(NAMES)
    assert zero_shot.predict(pictures).tolist() == NAMES
    shares = zero_shot.predict_proba(pictures)
    assert shares.shape == (3, 3)
    assert shares.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("form", ["arrays", "stack", "paths", "strings", "vectors"])
def test_inputs_come_in_any_form(
    zero_shot: Any, pictures: list[Image.Image], form: str, tmp_path: Path
) -> None:
    """The same pictures give the same labels, however they are given."""
    arrays = [np.asarray(one) for one in pictures]
    paths = [tmp_path / f"{name}.png" for name in NAMES]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    encoder = zero_shot.encoder_
    given: dict[str, Any] = {
        "arrays": arrays,
        "stack": np.stack(arrays),
        "paths": paths,
        "strings": [str(path) for path in paths],
        "vectors": encoder.embed_pictures([encoder.prepare(one) for one in arrays]),
    }
    assert zero_shot.predict(given[form]).tolist() == NAMES


def test_texts_are_labelled_too(zero_shot: Any) -> None:
    """Strings that name no file are texts."""
    assert zero_shot.predict(["a red boot", "a photo of a mug"]).tolist() == ["boot", "mug"]


def test_a_file_name_can_be_a_text(zero_shot: Any, tmp_path: Path) -> None:
    """What a string is can be said, so that no file on the disk changes it."""
    path = tmp_path / "boot"
    path.write_text("no picture")
    model = clone(zero_shot).set_params(input_kind="text").fit(NAMES)
    assert model.predict([str(path)]).shape == (1,)


def test_examples_count_beside_names(pictures: list[Image.Image]) -> None:
    """``fit(X, y)`` keeps the names: one example each does not spoil them."""
    model = ZeroShotClassifier("pocket").fit(pictures, NAMES)
    assert model.predict(pictures).tolist() == NAMES


def test_labels_may_carry_more_than_a_name(zero_shot: Any, pictures: list[Image.Image]) -> None:
    """``Label`` objects reach the templates with their parents."""
    labels = [Label(label_id=name, name=name, path=("thing", name)) for name in NAMES]
    model = ZeroShotClassifier("pocket", templates=["a {label}, a type of {parent}"]).fit(labels)
    assert model.classes_.tolist() == zero_shot.classes_.tolist()
    assert model.predict(pictures).tolist() == NAMES


def test_vectors_alone_can_be_learnt_and_cross_validated() -> None:
    """Without a model examples are all there is."""
    generator = np.random.default_rng(0)
    centres = normalise(generator.normal(size=(4, 16)))
    truth = np.arange(80) % 4
    block = centres[truth] + 0.15 * generator.normal(size=(80, 16))
    assert cross_val_score(ZeroShotClassifier(), block, truth, cv=4).mean() > 0.9


def test_a_vector_without_direction_is_told() -> None:
    """It gets the first class, since no other is nearer to it."""
    block, names = clusters(40, seed=0)
    classifier = ZeroShotClassifier().fit(block, names)
    block[[3, 5]] = 0
    with pytest.warns(UserWarning, match="2 of 40 vectors are zeros only, the first at place 3"):
        classifier.predict(block)
    with pytest.warns(UserWarning, match="2 of 40 vectors are zeros only"):
        ZeroShotClassifier().fit(block, names)


def clusters(count: int, seed: int) -> tuple[FloatArray, list[str]]:
    """Vectors around four labels that overlap, and the names of these."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(4, size=count)
    vectors = np.eye(4, 16)[truth] + 0.6 * generator.normal(size=(count, 16))
    return normalise(vectors), [f"label {place}" for place in truth]


def test_sets_hold_the_truth_as_often_as_they_shall() -> None:
    """Of new items; the first of each set is what ``predict`` says, and more coverage is more."""
    model = ZeroShotClassifier().fit(*clusters(80, 1)).conformalize(*clusters(400, 2))
    items, truth = clusters(2000, 3)
    sizes = []
    for coverage in (0.8, 0.95):
        found = pickle.loads(pickle.dumps(model)).predict_set(items, coverage=coverage)
        held = np.mean([one in labels for one, labels in zip(truth, found, strict=True)])
        assert held == pytest.approx(coverage, abs=0.035)
        assert [labels[0] for labels in found] == model.predict(items).tolist()
        sizes.append(np.mean([len(labels) for labels in found]))
    assert 1 <= sizes[0] < sizes[1] < 4


def test_sets_that_can_not_be_are_refused() -> None:
    """With what to give; labels that are fitted anew need new items."""
    model, items = ZeroShotClassifier().fit(*clusters(80, 1)), clusters(18, 2)
    with pytest.raises(NotFittedError, match=r"conformalize\(X, y\) first"):
        model.predict_set(items[0])
    with pytest.raises(UsageError, match="'sofa' is no label"):
        model.conformalize(items[0], [*items[1][:-1], "sofa"])
    with pytest.raises(UsageError, match=r"takes 19 labelled items.*given 18"):
        model.conformalize(*items).predict_set(items[0])
    with pytest.raises(UsageError, match="above 0 and below 1"):
        model.predict_set(items[0], coverage=1.0)
    with pytest.raises(NotFittedError):
        model.fit(*clusters(80, 1)).predict_set(items[0], coverage=0.9)


def test_a_catalog_adapts_the_labels(tmp_path: Path) -> None:
    """``CatalogOptions`` bring the model and the items; the result is another head."""
    vectors = normalise(np.random.default_rng(0).normal(size=(60, 256)) + 0.2)
    made = make_catalog(tmp_path / "data", vectors, vectors[:3])
    options = CatalogOptions(data_dir=made.data_dir, model="pocket", device="cpu")
    model = ZeroShotClassifier(options).fit(NAMES)
    plain = ZeroShotClassifier(options, adapt=False).fit(NAMES)
    assert model.scorer_.head.is_adapted
    assert not plain.scorer_.head.is_adapted


@pytest.fixture(scope="module")
def titled_shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[CatalogOptions, list[Any]]:
    """A catalog of the sample shop's first products with their titles, and its table's rows."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    with (folder / "products.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["truth"] in NAMES or row["title"]]
    rows = [row | {"image": str(folder / row["image"])} for row in rows[:40]]
    table = folder / "few.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))
    options = CatalogOptions(data_dir=folder / "data", model="pocket", device="cpu")
    ingest(options, [str(table)], IngestOptions(sizes=PipelineSizes(workers=1, batch_size=16)))
    (folder / "labels.txt").write_text("\n".join([*NAMES, "jacket", "candle"]))
    add_labels(options, str(folder / "labels.txt"))
    adapt(options)
    return options, rows[:12]


@pytest.mark.parametrize("adapted", [True, False])
def test_titles_of_a_frame_count_as_in_classify(
    titled_shop: tuple[CatalogOptions, list[Any]], adapted: bool
) -> None:
    """The same labels by the same scores as the command gives to these titles."""
    options, rows = titled_shop
    with open_catalog(options) as catalog, Fetcher() as fetcher:
        found = embed_queries(
            catalog.encoder,
            [Query(name=row["id"], source=row["image"], title=row["title"]) for row in rows],
            decoder=ContentDecoder(),
            fetcher=fetcher,
        )
        classifier = Classifier(catalog, Question(adapt=adapted))
        expected = classifier.classify(found.vectors, titles=found.titles, limit=5)
        alone = classifier.classify(found.vectors, limit=5)
    model = ZeroShotClassifier(options, adapt=adapted).fit([*NAMES, "jacket", "candle"])
    frame = pd.DataFrame(rows)
    for given in (frame, pa.table({"image": frame.image, "title": frame.title})):
        shares = model.predict_proba(given)
        assert shares.max(axis=1) == pytest.approx([one[0].score for one in expected], abs=1e-5)
        assert model.predict(given).tolist() == [one[0].label for one in expected]
    without = model.predict_proba(frame[["image"]]).max(axis=1)
    assert without == pytest.approx([one[0].score for one in alone], abs=1e-5)
    assert not np.allclose(without, shares.max(axis=1))
    off = clone(model).set_params(text_weight=0).fit([*NAMES, "jacket", "candle"])
    assert off.predict_proba(frame).max(axis=1) == pytest.approx(without)


def test_missing_titles_leave_pictures_alone(
    titled_shop: tuple[CatalogOptions, list[Any]],
) -> None:
    """None, NaN and blanks are no titles; other rows keep theirs."""
    options, rows = titled_shop
    model = ZeroShotClassifier(options).fit(NAMES)
    frame = pd.DataFrame(rows[:4])
    both = model.predict_proba(frame)
    alone = model.predict_proba(frame[["image"]])
    frame.loc[1:3, "title"] = [None, float("nan"), "  "]
    mixed = model.predict_proba(frame)
    np.testing.assert_allclose(mixed[0], both[0], rtol=1e-6)
    np.testing.assert_allclose(mixed[1:], alone[1:], rtol=1e-6)


def test_examples_bring_titles_to_weigh_by(pictures: list[Image.Image]) -> None:
    """Without a catalog; titles that name another label than the picture have a say."""
    table = {"what": pictures * 4, "said": [f"a {name}" for name in NAMES] * 4}
    model = ZeroShotClassifier("pocket", image_column="what", text_column="said", text_weight=1)
    model.fit(table, NAMES * 4)
    assert model.predict(table).tolist() == NAMES * 4
    astray = {"what": pictures, "said": ["a boot", "a laptop", "a mug"]}
    assert model.predict(astray).tolist() == ["boot", "laptop", "mug"]


def test_titles_count_beside_names_alone(zero_shot: Any, pictures: list[Image.Image]) -> None:
    """Each is weighed by its own scores, so an answer does not depend on those beside it."""
    titles = ["a mug", "a boot", "a laptop"]
    table = {"image": pictures, "title": titles}
    together = zero_shot.predict_proba(table)
    assert (together != zero_shot.predict_proba(pictures)).any()
    for row, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        alone = zero_shot.predict_proba({"image": [picture], "title": [title]})
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)
    with pytest.raises(UsageError, match=r"no column 'image'.*'photo', 'title'"):
        zero_shot.predict({"photo": pictures, "title": ["", "", ""]})


@pytest.mark.parametrize(
    "inputs",
    [
        ["no/such/picture.jpg"],
        ["gone.png", "a mug"],
        ["there.png", "typo"],
        ["C:\\shop\\mug.JPEG", "/data/boot.webp"],
    ],
)
def test_a_path_without_a_file_is_no_text(
    zero_shot: Any,
    pictures: list[Image.Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    inputs: list[str],
) -> None:
    """The error names it, and how texts are said to be texts."""
    monkeypatch.chdir(tmp_path)
    pictures[0].save("there.png")
    missing = next(one for one in inputs if one != "there.png")
    with pytest.raises(UsageError, match=f"{re.escape(repr(missing))} is no file.*input_kind"):
        zero_shot.predict(inputs)
    texts = ZeroShotClassifier(zero_shot.catalog_or_model, input_kind="text").fit(["mug", "boot"])
    assert len(texts.predict(inputs)) == len(inputs)


@pytest.mark.parametrize("given", ["name", "model"])
def test_a_fitted_classifier_is_pickled(pictures: list[Image.Image], given: str) -> None:
    """Before and after, on pictures, titles and vectors; the model goes by its name."""
    made = "pocket" if given == "name" else SentenceTransformerEncoder("pocket", device="cpu")
    classifier = ZeroShotClassifier(made).fit(NAMES)
    stream = pickle.dumps(classifier)
    assert len(stream) < 200_000
    again = pickle.loads(stream)
    vectors = np.eye(classifier.n_features_in_, dtype=np.float32)[:4]
    np.testing.assert_array_equal(again.predict(vectors), classifier.predict(vectors))
    assert again.encoder_ is None
    table = {"image": pictures, "title": ["a mug", "", "a laptop"]}
    np.testing.assert_allclose(
        again.predict_proba(table), classifier.predict_proba(table), atol=1e-6
    )
    np.testing.assert_array_equal(
        clone(again).fit(NAMES).predict(pictures), again.predict(pictures)
    )


def test_examples_bring_titles_to_an_adapted_catalog_without_any(
    pictures: list[Image.Image], tmp_path: Path
) -> None:
    """The titles that ``fit`` was given are what they are weighed by."""
    vectors = normalise(np.random.default_rng(0).normal(size=(60, 256)) + 0.2)
    made = make_catalog(tmp_path / "data", vectors, vectors[:3])
    options = CatalogOptions(data_dir=made.data_dir, model="pocket", device="cpu")
    model = ZeroShotClassifier(options, text_weight=1)
    table = {"image": pictures * 4, "title": [f"a {name}" for name in NAMES] * 4}
    model.fit(table, NAMES * 4)
    assert model.scorer_.head.is_adapted
    astray = {"image": pictures, "title": ["a boot", "a laptop", "a mug"]}
    assert model.predict(astray).tolist() == ["boot", "laptop", "mug"]


def test_titles_beside_numbers_are_refused_at_once(pictures: list[Image.Image]) -> None:
    """A label without a name says nothing that a title could be near to."""
    table = {"image": pictures * 2, "title": [f"a {name}" for name in NAMES] * 2}
    with pytest.raises(UsageError, match=r"y is int64.*text_weight=0"):
        ZeroShotClassifier("pocket").fit(table, [0, 1, 2] * 2)
    model = ZeroShotClassifier("pocket", text_weight=0).fit(table, [0, 1, 2] * 2)
    assert model.predict(table).tolist() == [0, 1, 2] * 2


def test_a_column_may_be_a_stack_of_pictures(zero_shot: Any, pictures: list[Image.Image]) -> None:
    """As an array of uint8 (n, height, width, 3)."""
    table = {"image": np.stack([np.asarray(one) for one in pictures])}
    assert zero_shot.predict(table).tolist() == NAMES


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_is_a_share(weight: float) -> None:
    """As the command line has it."""
    with pytest.raises(UsageError, match="from 0 to 1"):
        ZeroShotClassifier("pocket", text_weight=weight).fit(NAMES)


def test_parameters_can_be_cloned_and_kept() -> None:
    """``clone`` gives an unfitted equal; a fitted one survives pickling."""
    model = ZeroShotClassifier(templates=["a {}"], random_state=3)
    assert clone(model).get_params() == model.get_params()
    block, truth = np.eye(8)[[0, 1] * 10], [0, 1] * 10
    again = pickle.loads(pickle.dumps(model.fit(block, truth)))
    assert again.predict(block).tolist() == truth


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "no labels"), (["mug", "mug"], "stands twice")],
)
def test_labels_that_can_not_be_are_refused(labels: list[str], message: str) -> None:
    """With what is wrong with them."""
    with pytest.raises(UsageError, match=message):
        ZeroShotClassifier("pocket").fit(labels)


def test_names_without_a_model_are_refused() -> None:
    """The error names what to give."""
    with pytest.raises(UsageError, match="need a model"):
        ZeroShotClassifier().fit(NAMES)
