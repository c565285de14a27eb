"""Pictures by one model, texts by another of its space."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from student_models import multilingual, student, word_model

from indexer.catalog.fingerprints import require_same, same_model
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.alignment import alignment_of
from indexer.core.errors import ModelError, ModelMismatchError, UsageError
from indexer.core.model_settings import ModelSettings
from indexer.encoder import PairedEncoder, SentenceTransformerEncoder, load_encoder
from indexer.encoder.paired import PHRASES
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.jobs.reembed import ReembedOptions, reembed
from indexer.jobs.sample import write_shop

PRODUCTS = 82


@pytest.fixture(scope="module", name="student")
def _student(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text model that was taught the packaged model's vectors, in two languages."""
    with (shop / "products.csv").open(encoding="utf-8") as stream:
        titles = [row["title"] for row in csv.DictReader(stream)]
    return student(titles, tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As wide, and of no space in common."""
    words = sorted({word for text in PHRASES for word in text.split()})
    weights = np.random.default_rng(0).standard_normal((len(words), 256)).astype(np.float32)
    return word_model(words, weights, tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn products with titles."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    table = folder / "products.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[: PRODUCTS + 1]))
    return folder


def options_of(tmp_path: Path, texts: Path | None, **given: Any) -> CatalogOptions:
    """A catalog of the packaged model, its texts by another."""
    settings = ModelSettings(text_model=None if texts is None else str(texts))
    options = CatalogOptions(data_dir=tmp_path / "data", model="pocket", device="cpu")
    return replace(options, settings=settings, **given)


def ingested(tmp_path: Path, shop: Path, texts: Path) -> CatalogOptions:
    """The shop by two models; later commands name neither."""
    options = options_of(tmp_path, texts)
    ingest(options, [str(shop / "products.csv")], IngestOptions(sizes=PipelineSizes(workers=1)))
    return replace(options, model=None, settings=ModelSettings())


def test_texts_are_the_other_models(student: Path) -> None:
    """Pictures are the first one's; what identifies them says both."""
    both = load_encoder("pocket", device="cpu", settings=ModelSettings(text_model=str(student)))
    alone = SentenceTransformerEncoder("pocket", device="cpu")
    texts = SentenceTransformerEncoder(str(student), device="cpu")
    assert isinstance(both, PairedEncoder)
    words = ["a red mug", "shoes"]
    np.testing.assert_array_equal(both.embed_texts(words), texts.embed_texts(words))
    np.testing.assert_array_equal(both.embed_queries(words), texts.embed_queries(words))
    picture = alone.prepare(np.full((80, 90, 3), 200, dtype=np.uint8))
    np.testing.assert_array_equal(both.embed_pictures([picture]), alone.embed_pictures([picture]))
    found = both.fingerprint
    assert (found.model, found.text_model) == ("pocket", str(student))
    assert found.text_revision == texts.fingerprint.revision
    assert found.logit_scale == alone.fingerprint.logit_scale
    assert not same_model(found, alone.fingerprint)


def test_a_multilingual_text_tower_is_read_as_sentence_transformers_does(tmp_path: Path) -> None:
    """Transformer, mean and dense layer in files of 2021; longer texts are cut at its own limit."""
    from sentence_transformers import SentenceTransformer

    folder = multilingual(tmp_path / "multilingual", width=256, longest=24)
    both = load_encoder("pocket", device="cpu", settings=ModelSettings(text_model=str(folder)))
    peer = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    texts = ["ein rotes kleid", "schuhe", "a red dress", "ein blauer stuhl aus holz " * 9, "ü"]
    expected = peer.encode(texts, show_progress_bar=False, normalize_embeddings=True)
    np.testing.assert_allclose(both.embed_texts(texts), expected, atol=1e-5)
    np.testing.assert_allclose(both.embed_queries(texts), expected, atol=1e-5)
    assert list(both.overlong(texts)) == [texts[3]]


def test_both_languages_are_read(student: Path) -> None:
    """A label in the one is found by the other."""
    both = load_encoder("pocket", device="cpu", settings=ModelSettings(text_model=str(student)))
    english, german = both.embed_texts(["a red dress"]), both.embed_texts(["ein rot kleid"])
    others = both.embed_texts(["a wooden table", "a cat"])
    assert (english @ german.T).item() > (german @ others.T).max()


def test_widths_and_kinds_are_checked(student: Path, shared_models: Path) -> None:
    """Before anything is embedded."""
    other = str(shared_models / "lit-mobilenetv2-tinybert")
    with pytest.raises(ModelError, match=r"256.*not of one space|not of one space"):
        load_encoder("pocket", device="cpu", settings=ModelSettings(text_model=other))
    with pytest.raises(ModelError, match="embeds texts only"):
        load_encoder(str(student), device="cpu", settings=ModelSettings(text_model="pocket"))


def test_a_model_for_its_own_texts_is_one_model() -> None:
    """Nothing is loaded twice."""
    found = load_encoder("pocket", device="cpu", settings=ModelSettings(text_model="pocket"))
    assert not isinstance(found, PairedEncoder)


def test_what_does_not_belong_together_is_told_apart(student: Path, stranger: Path) -> None:
    """By the first model's own text tower."""
    found = [
        load_encoder("pocket", device="cpu", settings=ModelSettings(text_model=str(texts)))
        for texts in (student, stranger)
    ]
    good, bad = (one.text_alignment for one in found if isinstance(one, PairedEncoder))
    assert good.share > 0.9
    assert not good.is_chance
    assert bad.is_chance


@pytest.mark.parametrize("seed", range(20))
def test_chance_is_chance(seed: int) -> None:
    """Vectors of no common space, each side with a direction that all of it shares."""
    random = np.random.default_rng(seed)
    one, other = random.standard_normal((2, 60, 32)).astype(np.float32) + 3
    assert alignment_of(one, other).is_chance
    assert not alignment_of(one, one + random.standard_normal(one.shape, np.float32)).is_chance


def test_a_catalog_keeps_both_models(
    tmp_path: Path, shop: Path, student: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Later commands name neither; one without the other is refused by name."""
    options = ingested(tmp_path, shop, student)
    assert "titles" not in caplog.text
    add_labels(options, str(shop / "taxonomy.yaml"))
    stored = json.loads((options.folder.home / "catalog.json").read_text())["fingerprints"]["1"]
    assert (stored["model"], stored["text_model"]) == ("pocket", str(student))
    with open_catalog(options) as catalog:
        assert isinstance(catalog.encoder, PairedEncoder)
        alone = SentenceTransformerEncoder("pocket", device="cpu").fingerprint
        with pytest.raises(ModelMismatchError) as caught:
            require_same(catalog.fingerprint, replace(alone, text_probe=(1.0,) * 64), catalog="c")
        assert f"--text-model {student}" in str(caught.value)


def test_titles_that_do_not_fit_their_pictures_are_warned_about(
    tmp_path: Path, shop: Path, stranger: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the catalog's own titles, too."""
    ingested(tmp_path, shop, stranger)
    assert "does not seem to be of the space" in caplog.text
    assert "do not agree with its pictures" in caplog.text


def test_either_model_is_changed(
    tmp_path: Path, shop: Path, student: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The other for texts alone, and back to the model's own texts."""
    options = options_of(tmp_path, None)
    ingest(options, [str(shop / "products.csv")], IngestOptions(sizes=PipelineSizes(workers=1)))
    how = ReembedOptions(ingest=IngestOptions(sizes=PipelineSizes(workers=1)))
    with pytest.raises(UsageError, match="--text-model"):
        reembed(replace(options, model=None), how)
    report = reembed(replace(options_of(tmp_path, student), model=None), how)
    assert report.model == f"pocket, texts by {student}"
    assert report.before == "pocket"
    assert "chance" not in caplog.text
    report = reembed(options, how)
    assert (report.model, report.before) == ("pocket", f"pocket, texts by {student}")
