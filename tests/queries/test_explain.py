"""Explanations of decisions on a small catalog of drawn products."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from catalogs import make_catalog
from shell import Shell, write_rows

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import UsageError
from indexer.core.vectors import normalise
from indexer.ingestion.pipeline import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from indexer.sources.decoding.contents import ContentDecoder
from pocket.drawing import draw, product_type
from queries.deciding.question import Question
from queries.explanation.evidence import PredictedInput
from queries.explanation.explain import explain
from queries.explanation.subjects import Subject, content_subject, item_subject, text_subject

NAMES = ("mug", "boot", "laptop", "guitar")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog of eight pictures, two of each of four labels."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "pictures").mkdir()
    rng = random.Random(3)
    for name in NAMES:
        for colour in ("red", "blue"):
            picture = draw(product_type(name), colour=colour, size=128, rng=rng)
            picture.save(folder / "pictures" / f"{name}-{colour}.png")
    (folder / "labels.txt").write_text("\n".join(NAMES))
    options = options_of(folder)
    ingest(
        options,
        [str(folder / "pictures")],
        IngestOptions(sizes=PipelineSizes(workers=1, batch_size=8)),
    )
    add_labels(options, str(folder / "labels.txt"), templates=["a photo of a {}.", "a {}"])
    return folder


def options_of(folder: Path) -> CatalogOptions:
    """The catalog of a folder."""
    return CatalogOptions(data_dir=folder / ".zeroshelf", model="pocket", device="cpu")


def item_of(catalog: OpenCatalog, name: str) -> Subject:
    """A stored picture."""
    with Fetcher() as fetcher:
        return item_subject(catalog, f"{name}.png", decoder=Decoder(), fetcher=fetcher)


def test_the_prompts_are_those_that_were_embedded(folder: Path) -> None:
    """Both prompts of winner and runner-up, with cosines whose mean vector gave the label's."""
    with open_catalog(options_of(folder)) as catalog:
        found = explain(catalog, item_of(catalog, "mug-red"), heat_map="none")
    assert found.winner.label == "mug"
    assert {one.text for one in found.winner.prompts} == {"a photo of a mug.", "a mug"}
    cosines = [one.similarity for one in found.winner.prompts]
    assert cosines == sorted(cosines, reverse=True)
    assert min(cosines) <= found.winner.similarity + 0.02
    assert found.runner_up is not None
    assert {one.text for one in found.runner_up.prompts} == {
        f"a photo of a {found.runner_up.label}.",
        f"a {found.runner_up.label}",
    }


def test_the_parts_of_the_separation_add_up_to_the_odds(folder: Path) -> None:
    """And the odds are those of the two scores that are shown."""
    with open_catalog(options_of(folder)) as catalog:
        found = explain(catalog, item_of(catalog, "boot-blue"), heat_map="none")
    parts, first, second = found.separation, found.predictions[0], found.predictions[1]
    assert parts is not None
    assert parts.match + parts.bias + parts.examples == pytest.approx(parts.log_odds)
    assert np.log(first.score / second.score) == pytest.approx(parts.log_odds, abs=1e-3)
    assert parts.similarity == pytest.approx(first.similarity - second.similarity, abs=1e-6)


def test_the_item_itself_is_no_neighbour(folder: Path) -> None:
    """Without labelled items the nearest others come, of no label."""
    with open_catalog(options_of(folder)) as catalog:
        found = explain(catalog, item_of(catalog, "mug-red"), neighbours=3, heat_map="none")
    assert len(found.neighbours) == 3
    assert "mug-red.png" not in {one.item_id for one in found.neighbours}
    assert {one.origin for one in found.neighbours} == {""}


@pytest.mark.parametrize("origin", ["taught", "calibration"])
def test_labelled_items_come_before_items_without_label(folder: Path, origin: str) -> None:
    """Only they are shown where there are some; one that only calibrates is not called taught."""
    with open_catalog(options_of(folder)) as catalog:
        known = item_of(catalog, "mug-blue")
        labelled = LabelledFolder(catalog.folder.labels)
        items = LabelledItems(("mug-blue.png",), ("guitar",), known.vector[np.newaxis])
        labelled.save_items("calibrating", items)
        if origin == "taught":
            labelled.save_items("taught", items)
        try:
            found = explain(catalog, item_of(catalog, "mug-red"), heat_map="none")
        finally:
            labelled.save_items("calibrating", None)
            labelled.save_items("taught", None)
    assert [(one.item_id, one.label, one.origin) for one in found.neighbours] == [
        ("mug-blue.png", "guitar", origin)
    ]


@pytest.mark.parametrize("method", ["occlusion", "attention"])
def test_a_picture_has_a_heat_map(folder: Path, method: str) -> None:
    """For the winner, for the runner-up, and for the one rather than the other."""
    with open_catalog(options_of(folder)) as catalog, Fetcher() as fetcher:
        source = str(folder / "pictures" / "guitar-red.png")
        subject = content_subject(catalog, source, decoder=ContentDecoder(), fetcher=fetcher)
        heat = explain(catalog, subject, heat_map=method).heat_map
    assert heat is not None
    assert heat.method == method
    for grid in (heat.winner, heat.runner_up, heat.rather, heat.opposite):
        assert grid is not None
        assert grid.shape == (8, 8)
        assert (grid >= 0).all()


def test_a_text_has_words_instead(folder: Path) -> None:
    """The word that names the product carries the most."""
    with open_catalog(options_of(folder)) as catalog:
        found = explain(catalog, text_subject(catalog, "a photo of a mug"))
    assert found.heat_map is None
    assert max(found.words, key=lambda one: one.evidence).word == "mug"


def test_a_picture_that_is_gone_is_a_note(folder: Path) -> None:
    """The stored vector still explains all but the heat map."""
    picture = folder / "pictures" / "laptop-red.png"
    content = picture.read_bytes()
    picture.unlink()
    try:
        with open_catalog(options_of(folder)) as catalog:
            found = explain(catalog, item_of(catalog, "laptop-red"))
    finally:
        picture.write_bytes(content)
    assert found.winner.label == "laptop"
    assert found.heat_map is None
    assert "can't be read any more" in found.notes[0]


def test_an_unknown_item_is_named(folder: Path) -> None:
    """A clear error, not an empty page."""
    with (
        open_catalog(options_of(folder)) as catalog,
        pytest.raises(UsageError, match=r"no item 'nothing\.png'"),
    ):
        item_of(catalog, "nothing")


def test_one_label_has_no_runner_up(folder: Path) -> None:
    """Its own score is what the heat map is of."""
    with open_catalog(options_of(folder)) as catalog:
        found = explain(catalog, item_of(catalog, "mug-red"), Question(labels=("mug",)))
    assert found.runner_up is None
    assert found.separation is None
    assert found.heat_map is not None
    assert found.heat_map.runner_up is None


def test_a_catalog_of_given_vectors_is_explained_without_a_model(tmp_path: Path) -> None:
    """Odds and neighbours need none; what can't be shown is said."""
    vectors = normalise(np.random.default_rng(0).normal(size=(6, 8)))
    options = make_catalog(tmp_path / "data", vectors, vectors[:3])
    with open_catalog(options) as catalog, Fetcher() as fetcher:
        subject = item_subject(catalog, "i1", decoder=Decoder(), fetcher=fetcher)
        found = explain(catalog, subject)
    assert found.winner.label_id == "l1"
    assert found.winner.prompts == ()
    assert "was given" in found.notes[0]


def test_an_item_of_a_given_vector_shows_the_picture_that_came_with_it(tmp_path: Path) -> None:
    """On the command's page: its own, and those of its neighbours; without one the page stands."""
    vectors = normalise(np.random.default_rng(0).normal(size=(4, 8)))
    rng = random.Random(3)
    for number in range(3):
        picture = draw(product_type("mug"), colour="red", size=64, rng=rng)
        picture.save(tmp_path / f"{number}.png")
    write_rows(
        tmp_path / "items.jsonl",
        [{"id": f"i{at}", "image": f"{at}.png" if at < 3 else ""} for at in range(4)],
    )
    np.save(tmp_path / "vectors.npy", vectors)
    write_rows(tmp_path / "labels.jsonl", [{"id": f"l{at}", "name": f"l{at}"} for at in range(2)])
    np.save(tmp_path / "labels.npy", vectors[:2])
    shell = Shell(tmp_path, in_process=True)
    shell("ingest", "items.jsonl", "--vectors", "vectors.npy")
    shell("labels", "add", "labels.jsonl", "--vectors", "labels.npy")
    for item_id, shown in (("i0", 3), ("i3", 3)):
        page = shell("explain", "--item", item_id, "--output", "html").stdout
        assert len(re.findall(r'<img [^>]*src="data:image/jpeg', page)) == shown
        assert ('alt="its picture"' in page) == (item_id == "i0")


def test_separation_names_a_choice_that_only_the_catalog_made(folder: Path) -> None:
    """Asked for the pair the other way round all signs turn."""
    from queries.classify import Classifier

    with open_catalog(options_of(folder)) as catalog:
        predictor = Classifier(catalog).predictor
        decision = PredictedInput(predictor=predictor, vector=item_of(catalog, "mug-red").vector)
        first, second = (label.label_id for label in predictor.labels.labels[:2])
        one, other = decision.separate(first, second), decision.separate(second, first)
    assert one.log_odds == pytest.approx(-other.log_odds)
    assert one.similarity == pytest.approx(-other.similarity)


@pytest.mark.slow
def test_the_command_prints_json_and_a_page(folder: Path) -> None:
    """JSON holds grids as lists; the page is one file with its pictures inside."""
    shell = Shell(folder, in_process=True, model="pocket")
    values = shell.json("explain", "pictures/mug-red.png")
    assert (values["winner"]["label"], values["heat_map"]) == ("mug", None)
    values = shell.json("explain", "pictures/mug-red.png", "--heat-map", "occlusion")
    assert len(values["heat_map"]["winner"]) == 8
    assert json.dumps(values)
    shown = ("--output", "html", "--heat-map", "occlusion")
    page = shell("explain", "--item", "mug-red.png", *shown).stdout
    assert "Why mug?" in page
    assert len(re.findall(r'<img [^>]*src="data:image/jpeg', page)) == 4 + 7
    assert not re.findall(r'(src|href)="http', page)
    shell("explain", code=2)
    shell("explain", "pictures/none.png", code=2)
