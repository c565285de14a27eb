"""What a model computes in: quick float32 is exact, int8 keeps vectors, auto says its choice."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from indexer.catalog.fingerprints import require_same
from indexer.core.errors import ModelError
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.encoder import PACKAGED_MODELS, SentenceTransformerEncoder, precision, runtime
from indexer.encoder import linear as linear_module
from indexer.encoder.linear import Int8Linear, PackedLinear, Replacement, computes_correctly
from indexer.encoder.onnx import ExportError
from indexer.encoder.precision import Backend, Precision, PrecisionChoice, weights_dtype
from indexer.encoder.probes import probe_picture
from indexer.encoder.runtime import Export, Forward, Runtime, Side
from indexer.sources.decoding import Decoder

CASES = [(PackedLinear, 1e-5), (Int8Linear, 0.06)]


def photos(shared_data: Path, encoder: SentenceTransformerEncoder, count: int) -> list[Pixels]:
    """Some real photos as the model's input."""
    files = sorted((shared_data / "clothing").glob("*/*.jpg"))[:: 372 // count]
    return [encoder.prepare(Decoder().decode(one.read_bytes(), one.name)) for one in files]


def linear(bias: bool = True) -> nn.Linear:
    """A layer with inputs of about 1 and outputs of about 1."""
    torch.manual_seed(0)
    layer = nn.Linear(96, 48, bias=bias)
    nn.init.normal_(layer.weight, std=96**-0.5)
    return layer


@pytest.mark.parametrize(("layer", "tolerance"), CASES)
@pytest.mark.parametrize("shape", [(1, 96), (33, 96), (2, 5, 96), (2, 3, 4, 96)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_the_plain_one(
    layer: type[PackedLinear], tolerance: float, shape: tuple[int, ...], bias: bool
) -> None:
    """Whatever the shape, with a bias and without, also of rows that are far from 0."""
    plain = linear(bias)
    quick = layer(plain)
    rows = torch.randn(shape) + 2
    with torch.inference_mode():
        expected = plain(rows)
        torch.testing.assert_close(quick(rows), expected, atol=tolerance, rtol=tolerance)
        flipped = rows.transpose(0, -2).contiguous().transpose(0, -2)
        torch.testing.assert_close(quick(flipped), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("layer", "tolerance"), CASES)
def test_rows_of_one_value_divide_by_nothing(layer: type[PackedLinear], tolerance: float) -> None:
    """Zeros, and a value that all of a row has."""
    plain = linear()
    rows = torch.stack([torch.zeros(96), torch.full((96,), 3.0)])
    with torch.inference_mode():
        torch.testing.assert_close(
            layer(plain)(rows), plain(rows), atol=3 * tolerance, rtol=tolerance
        )


def test_a_row_does_not_depend_on_the_others() -> None:
    """A row of large values in the batch moves nothing in its neighbours."""
    quick = Int8Linear(linear())
    rows = torch.randn(5, 96)
    with torch.inference_mode():
        alone = quick(rows)
        among = quick(torch.cat([rows, 1000 * torch.randn(40, 96)]))
    torch.testing.assert_close(among[:5], alone, atol=0, rtol=0)


@pytest.mark.parametrize("layer", [PackedLinear, Int8Linear])
def test_gradients_flow_before_and_after_packing(layer: type[PackedLinear]) -> None:
    """Heat maps by attention differentiate what was packed for speed."""
    plain = linear()
    expected = plain.weight.detach().sum(dim=0)
    quick = layer(plain)
    for _ in range(2):
        rows = torch.randn(3, 96, requires_grad=True)
        quick(rows).sum().backward()
        assert rows.grad is not None
        torch.testing.assert_close(rows.grad[0], expected, atol=0.1, rtol=0)
        with torch.inference_mode():
            quick(torch.randn(3, 96))


def test_a_product_that_fails_or_is_wrong_is_not_taken() -> None:
    """A build of torch without the operator is one where the plain layer stays."""

    class Missing(PackedLinear):
        def _product(self, rows: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = torch.ops.mkldnn.not_there(rows)
            return found

    class Wrong(PackedLinear):
        def _product(self, rows: torch.Tensor) -> torch.Tensor:
            return super()._product(rows) * 1.1

    assert not computes_correctly(Missing, tolerance=1.0)
    assert not computes_correctly(Wrong, tolerance=1e-5)
    assert computes_correctly(PackedLinear, tolerance=1e-5)


def test_layers_can_be_put_back() -> None:
    """And layers of attention modules, which read their own weights, are left alone."""
    model = nn.Sequential(linear(), nn.Sequential(linear()), nn.MultiheadAttention(48, 2))
    before = list(model.modules())
    replacement = Replacement(model, PackedLinear)
    replacement.apply()
    assert sum(isinstance(one, PackedLinear) for one in model.modules()) == 2
    replacement.revert()
    assert list(model.modules()) == before


def test_int8_keeps_vectors_and_labels(shared_data: Path, shared_models: Path) -> None:
    """On photos: cosine 0.99 to float32, labels that agree in 99 of 100, texts the very same."""
    folder = str(shared_models / "lit-mobilenetv2-tinybert")
    exact = SentenceTransformerEncoder(folder, device="cpu", precision="float32")
    quick = SentenceTransformerEncoder(folder, device="cpu", precision="int8")
    assert (exact.precision, quick.precision) == (Precision.FLOAT32, Precision.INT8)
    pictures = photos(shared_data, exact, 100)
    one, other = exact.embed_pictures(pictures), quick.embed_pictures(pictures)
    assert (one * other).sum(axis=1).min() >= 0.99
    names = sorted(folder.name for folder in (shared_data / "clothing").iterdir())
    labels = exact.embed_texts([f"a photo of a {name}" for name in names])
    np.testing.assert_array_equal(quick.embed_texts(names), exact.embed_texts(names))
    agree = (one @ labels.T).argmax(axis=1) == (other @ labels.T).argmax(axis=1)
    assert agree.mean() >= 0.99
    require_same(exact.fingerprint, quick.fingerprint, catalog="shop")


def test_int8_of_a_transformer_keeps_vectors_and_batches(shared_data: Path) -> None:
    """The packaged ViT in int8: near float32, and the same alone as among others."""
    exact = SentenceTransformerEncoder("pocket", device="cpu")
    quick = SentenceTransformerEncoder("pocket", device="cpu", precision="int8")
    pictures = photos(shared_data, exact, 40)
    one, other = exact.embed_pictures(pictures), quick.embed_pictures(pictures)
    assert not np.allclose(one, other, atol=1e-6)  # it is int8 indeed
    assert (one * other).sum(axis=1).min() >= 0.99
    alone = np.concatenate([quick.embed_pictures([picture]) for picture in pictures[:5]])
    # Attention in float32 sums in another order, and a value on the edge rounds otherwise.
    assert (alone * other[:5]).sum(axis=1).min() >= 0.9999
    assert quick.fingerprint.precision == "int8"
    require_same(exact.fingerprint, quick.fingerprint, catalog="shop")


def test_heat_maps_of_a_packed_model() -> None:
    """Attention is traced through layers in int8 and comes out as in float32, nearly."""
    maps = []
    for asked in ("float32", "int8"):
        encoder = SentenceTransformerEncoder("pocket", device="cpu", precision=asked)
        picture = encoder.prepare(probe_picture())
        direction = encoder.embed_texts(["a red ball"])
        maps.append(encoder.attention_relevance(picture, direction).ravel())
    assert np.corrcoef(*maps)[0, 1] > 0.95


def test_small_models_stay_in_float32() -> None:
    """They spend more on rounding than int8 saves."""
    assert SentenceTransformerEncoder("pocket", device="cpu").precision is Precision.FLOAT32


class Clock:
    """Seconds that follow from what a tower is made of, not from the machine."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds since the start."""
        return self.now


class Timed(nn.Module):
    """A wide model of one layer; passes take the time that its layer's kind is given."""

    def __init__(self, clock: Clock, seconds: dict[type, float]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(512, 512)
        self.visual_projection = nn.Linear(512, 64)
        self.clock, self.seconds = clock, seconds

    def vectors(self, inputs: Any) -> FloatArray:
        """float32 (n, 64), rows of length 1, of n seeds."""
        self.clock.now += len(inputs) * self.seconds.get(type(self.layer), 1.0)
        rows = [torch.randn(512, generator=torch.Generator().manual_seed(one)) for one in inputs]
        with torch.inference_mode():
            vectors = self.visual_projection(self.layer(torch.stack(rows)))
        found: FloatArray = nn.functional.normalize(vectors).numpy()
        return found


def timed(
    asked: Precision,
    seconds: dict[type, float],
    *,
    export: Export | None = None,
    turned: float = 0.0,
    packs_at_once: bool = False,
) -> tuple[Runtime, Timed, list[PrecisionChoice]]:
    """A runtime of a tower; ``turned`` is how far an export's vectors are off."""
    clock = Clock()
    tower = Timed(clock, seconds)

    def session(precision: Precision) -> Forward:
        def forward(inputs: Any) -> FloatArray:
            clock.now += len(inputs) * seconds[Path]
            plain = Timed(Clock(), {}).vectors(inputs)
            noise = np.random.default_rng(0).standard_normal(plain.shape).astype(np.float32)
            off = turned if precision is Precision.INT8 else 0.0
            moved: FloatArray = plain + off * noise
            return moved / np.linalg.norm(moved, axis=1, keepdims=True)

        return forward

    chosen: list[PrecisionChoice] = []
    side = Side(
        tower=lambda: tower,
        forward=tower.vectors,
        key=lambda one: one,
        loaded=Precision.FLOAT32,
        device="cpu",
        reference=lambda: tower.vectors,
        packs_at_once=packs_at_once,
        export=session if Path in seconds else export,
    )
    return Runtime(side, asked, on_choice=chosen.append, clock=clock), tower, chosen


@pytest.fixture
def vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with products of bytes, whose layers are as quick in each format."""
    monkeypatch.setattr(runtime, "has_int8_products", lambda: True)
    monkeypatch.setattr(linear_module, "layer_speed", lambda *_: 1.0)


@pytest.mark.usefixtures("vnni")
def test_auto_takes_what_is_quickest_and_keeps_vectors_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Int8 of all but the projection, whose output is the vector; the choice is kept."""
    found, tower, chosen = timed(Precision.AUTO, {PackedLinear: 0.8, Int8Linear: 0.4})
    with caplog.at_level(logging.INFO):
        found(range(15))
        assert found.choice is None
        assert type(tower.layer) is nn.Linear  # until there are enough, what is exact
        found([*range(15), 15])
    assert chosen == [found.choice]
    assert (found.precision, chosen[0].backend) == (Precision.INT8, Backend.PACKED)
    assert type(tower.layer) is Int8Linear
    assert type(tower.visual_projection) is nn.Linear
    assert chosen[0].speedup == pytest.approx(2.5)
    assert "precision int8" in caplog.text
    assert "2.50 times" in caplog.text
    assert "--precision float32" in caplog.text


@pytest.mark.usefixtures("vnni")
@pytest.mark.parametrize(
    ("seconds", "layer"),
    [
        ({PackedLinear: 0.94, Int8Linear: 0.92}, PackedLinear),
        ({PackedLinear: 0.97, Int8Linear: 1.2}, nn.Linear),
        ({PackedLinear: 1.5, Int8Linear: 0.97}, nn.Linear),
    ],
)
def test_what_gains_less_than_a_twentieth_is_not_taken(
    seconds: dict[type, float], layer: type[nn.Module]
) -> None:
    """Neither packed weights nor int8."""
    found, tower, chosen = timed(Precision.AUTO, seconds)
    found(range(16))
    assert type(tower.layer) is layer
    assert chosen[0].precision is Precision.FLOAT32


@pytest.mark.usefixtures("vnni")
def test_auto_falls_back_where_vectors_turn_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that int8 does not suit is computed in float32."""
    monkeypatch.setattr(precision, "SAME_COSINE", 0.99999999)
    found, tower, _ = timed(Precision.AUTO, {PackedLinear: 0.8, Int8Linear: 0.1})
    with caplog.at_level(logging.INFO):
        found(range(16))
    assert found.precision is Precision.FLOAT32
    assert type(tower.layer) is PackedLinear
    assert "int8 by packed weights was not taken" in caplog.text


@pytest.mark.parametrize("asked", [Precision.FLOAT32, Precision.AUTO])
@pytest.mark.parametrize("gains", [True, False])
def test_texts_are_packed_by_the_processor_and_not_by_the_clock(
    monkeypatch: pytest.MonkeyPatch, asked: Precision, gains: bool
) -> None:
    """From the first one on, though packed weights take twice or half of the time here."""
    monkeypatch.setattr(linear_module, "packing_gains", lambda: gains)
    monkeypatch.setattr(runtime, "has_int8_products", lambda: False)
    for seconds in (0.5, 2.0):
        found, tower, chosen = timed(asked, {PackedLinear: seconds}, packs_at_once=True)
        for inputs in (range(1), range(20)):
            found(inputs)
            assert type(tower.layer) is (PackedLinear if gains else nn.Linear)
        assert found.precision is Precision.FLOAT32
        assert all(choice.precision is Precision.FLOAT32 for choice in chosen)


def test_texts_are_the_same_before_and_after_pictures_were_embedded(
    shared_models: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides of a model that is loaded whole are one module; the choice for one is its own."""
    monkeypatch.setattr(precision, "LEAST_GAIN", 0.0)  # whatever the clock says
    folder = str(shared_models / "lit-mobilenetv2-tinybert")
    texts = ["a red mug", "shoes", "a long dress of blue silk"]
    for asked in ("float32", "int8"):
        encoder = SentenceTransformerEncoder(folder, device="cpu", precision=asked)
        before = encoder.embed_texts(texts)
        encoder.embed_pictures(photos(shared_data, encoder, 20))
        np.testing.assert_array_equal(encoder.embed_texts(texts), before)


@pytest.mark.usefixtures("vnni")
def test_pictures_that_are_all_alike_decide_nothing() -> None:
    """A service warms up with one blank picture, many times."""
    found, _, chosen = timed(Precision.AUTO, {Int8Linear: 0.4})
    for _ in range(5):
        found([7] * 32)
    assert chosen == []


@pytest.mark.usefixtures("vnni")
@pytest.mark.parametrize(
    ("cosine", "caught"), [("SAME_COSINE", "warned"), ("WORST_COSINE", "refused")]
)
def test_int8_that_was_asked_for_and_turns_vectors(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, cosine: str, caught: str
) -> None:
    """A little: a warning with figures and remedy; so that labels would be others: refused."""
    monkeypatch.setattr(precision, cosine, 1.5)
    found, tower, _ = timed(Precision.INT8, {Int8Linear: 0.4})
    found(range(3))
    assert type(tower.layer) is Int8Linear  # at once, as was asked
    if caught == "refused":
        with pytest.raises(ModelError, match=r"Labels would be others: use --precision float32"):
            found(range(16))
        return
    found(range(16))
    assert found.precision is Precision.INT8
    assert "2.50 times the rate of float32" in caplog.text
    assert "--precision float32" in caplog.text


@pytest.mark.usefixtures("vnni")
def test_int8_that_was_asked_for_and_gains_nothing_is_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is taken all the same."""
    found, _, _ = timed(Precision.INT8, {Int8Linear: 1.25})
    found(range(16))
    assert found.precision is Precision.INT8
    assert "0.80 times" in caplog.text
    assert "gains nothing" in caplog.text


@pytest.mark.parametrize("asked", [Precision.INT8, Precision.BFLOAT16])
def test_a_format_that_is_far_slower_is_refused_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch, asked: Precision
) -> None:
    """As int8 is without VNNI: 70 times; by a layer's time, no picture waits for it."""
    monkeypatch.setattr(linear_module, "layer_speed", lambda *_: 1 / 70)
    found, _, _ = timed(asked, {})
    with pytest.raises(ModelError, match=rf"{asked}: .* 70 times slower.*--precision float32"):
        found([0])


@pytest.mark.usefixtures("vnni")
def test_int8_without_instructions_is_not_tried_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where oneDNN is kept from using them."""
    monkeypatch.setattr(linear_module, "layer_speed", lambda *_: 1 / 70)
    found, tower, _ = timed(Precision.AUTO, {Int8Linear: 0.4, PackedLinear: 0.8})
    found(range(16))
    assert type(tower.layer) is PackedLinear


def exported(asked: Precision, seconds: float, *, turned: float = 0.0) -> PrecisionChoice:
    """What is chosen where ONNX Runtime takes so long, packed weights .8 and plain ones 1."""
    found, _, chosen = timed(asked, {PackedLinear: 0.8, Path: seconds}, turned=turned)
    found(range(16))
    assert not chosen[0].complete
    assert chosen[0].backend is Backend.PACKED
    found(range(240))
    assert chosen[1].complete
    found(range(1000))
    assert len(chosen) == 2
    return chosen[1]


def test_an_export_is_taken_where_it_is_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    """After enough pictures that it pays; float32 where int8 turns the centred vectors."""
    monkeypatch.setattr(runtime, "has_int8_products", lambda: False)
    quick = exported(Precision.AUTO, 0.5)
    assert (quick.precision, quick.backend) == (Precision.FLOAT32, Backend.ONNX)
    assert exported(Precision.FLOAT32, 0.5).backend is Backend.ONNX
    assert exported(Precision.AUTO, 0.79).backend is Backend.PACKED
    assert exported(Precision.AUTO, 0.5, turned=0.3).precision is Precision.FLOAT32


def test_a_tower_that_can_not_be_exported_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """And it is said."""

    def export(_precision: Precision) -> Forward:
        raise ExportError("its image tower can't be exported: an operator")

    found, tower, chosen = timed(Precision.FLOAT32, {PackedLinear: 0.8}, export=export)
    with caplog.at_level(logging.INFO):
        found(range(16))
        found(range(240))
    assert type(tower.layer) is PackedLinear
    assert chosen[-1].complete
    assert "an operator" in caplog.text


def test_what_all_pictures_share_does_not_count() -> None:
    """Vectors that differ by a hundredth keep their cosine, and their centred ones do not."""
    random = np.random.default_rng(0)
    exact = np.ones((20, 64), dtype=np.float32) + 0.01 * random.standard_normal((20, 64))
    other = np.ones((20, 64), dtype=np.float32) + 0.01 * random.standard_normal((20, 64))
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(other, axis=1)
    assert ((exact * other).sum(axis=1) / lengths).min() > 0.999
    assert precision.centred_cosine(other, exact) < 0.5
    assert precision.centred_cosine(exact, exact) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("asked", "device", "dtype"),
    [
        (Precision.AUTO, "cuda", "float16"),
        (Precision.AUTO, "cuda:1", "float16"),
        (Precision.AUTO, "cpu", "float32"),
        (Precision.INT8, "cpu", "float32"),
        (Precision.BFLOAT16, "cpu", "bfloat16"),
    ],
)
def test_weights_are_loaded_in_the_format_of_the_device(
    asked: Precision, device: str, dtype: str
) -> None:
    """Half precision on a GPU, float32 on a CPU, unless something is asked for."""
    assert weights_dtype(asked, device) == dtype


def test_int8_on_a_gpu_is_refused() -> None:
    """With the device and the remedy."""
    with pytest.raises(ModelError, match=r"'cuda'.*--device cpu"):
        weights_dtype(Precision.INT8, "cuda")


def test_a_packed_model_is_the_model_that_sentence_transformers_has() -> None:
    """float32 by oneDNN gives the vectors of plain float32, within 1e-5."""
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformerEncoder("pocket", device="cpu", precision="float32")
    folder = str(PACKAGED_MODELS["pocket"])
    plain: Any = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": "float32"})
    texts = ["a red mug", "shoes " * 30]
    vectors = plain.encode(texts, show_progress_bar=False)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.embed_texts(texts), vectors, atol=1e-5)
