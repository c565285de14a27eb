"""What a model computes in: quick float32 is exact, int8 keeps vectors, auto says its choice."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from indexer.decode import Decoder
from indexer.encoder import PACKAGED_MODELS, SentenceTransformerEncoder, precision
from indexer.encoder.linear import Int8Linear, PackedLinear, is_right, replace_linear
from indexer.encoder.precision import Precision, settle, weights_dtype
from indexer.errors import ModelError
from indexer.fingerprints import require_same
from indexer.protocols import Pixels
from indexer.records import FloatArray

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

    assert not is_right(Missing, tolerance=1.0)
    assert not is_right(Wrong, tolerance=1e-5)
    assert is_right(PackedLinear, tolerance=1e-5)


def test_layers_can_be_put_back() -> None:
    """And layers of attention modules, which read their own weights, are left alone."""
    model = nn.Sequential(linear(), nn.Sequential(linear()), nn.MultiheadAttention(48, 2))
    before = list(model.modules())
    undo = replace_linear(model, PackedLinear)
    assert sum(isinstance(one, PackedLinear) for one in model.modules()) == 2
    undo()
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
        picture = encoder.prepare(precision.probe_pictures()[1])
        direction = encoder.embed_texts(["a red ball"])
        maps.append(encoder.attention_relevance(picture, direction).ravel())
    assert np.corrcoef(*maps)[0, 1] > 0.95


def test_small_models_stay_in_float32() -> None:
    """They spend more on rounding than int8 saves."""
    assert SentenceTransformerEncoder("pocket", device="cpu").precision is Precision.FLOAT32


class Tower(nn.Module):
    """A wide model of one layer, whose vectors of fixed inputs are the probes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(512, 512)
        self.visual_projection = nn.Linear(512, 64)

    def probe(self) -> FloatArray:
        """float32 (4, 64), rows of length 1."""
        rows = torch.randn(4, 512, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            vectors = self.visual_projection(self.layer(rows))
        found: FloatArray = nn.functional.normalize(vectors).numpy()
        return found


def test_auto_takes_int8_for_a_wide_model_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projection, whose output is the vector, stays in float32."""
    monkeypatch.setattr(precision, "has_int8_products", lambda: True)
    model = Tower()
    with caplog.at_level(logging.INFO):
        assert settle(model, Precision.AUTO, model.probe).precision is Precision.INT8
    assert type(model.layer) is Int8Linear
    assert type(model.visual_projection) is PackedLinear
    assert "precision int8" in caplog.text
    assert "--precision float32" in caplog.text


def test_auto_falls_back_where_vectors_turn_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that int8 does not suit is computed in float32."""
    monkeypatch.setattr(precision, "has_int8_products", lambda: True)
    monkeypatch.setattr(precision, "SAME_COSINE", 1.5)
    model = Tower()
    with caplog.at_level(logging.INFO):
        assert settle(model, Precision.AUTO, model.probe).precision is Precision.FLOAT32
    assert type(model.layer) is PackedLinear
    assert "precision float32" in caplog.text


def test_int8_that_was_asked_for_is_taken_with_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user decides; the message has the figure and the remedy."""
    monkeypatch.setattr(precision, "SAME_COSINE", 1.5)
    model = Tower()
    assert settle(model, Precision.INT8, model.probe).precision is Precision.INT8
    assert "--precision float32" in caplog.text


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
