"""An image tower by ONNX Runtime: the same vectors, exported once, made anew where damaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.core.protocols import Pixels
from indexer.encoder import PACKAGED_MODELS, SentenceTransformerEncoder, inference, onnx
from indexer.encoder.onnx import ExportError, is_installed
from indexer.encoder.precision import Backend, Precision, PrecisionChoice

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs zeroshelf[onnx]")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "zeroshelf" / "onnx"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The packaged model in a folder that may be changed."""
    return Path(shutil.copytree(PACKAGED_MODELS["pocket"], tmp_path / "model"))


def encoder_of(folder: Path) -> SentenceTransformerEncoder:
    """The model in a folder, exact."""
    return SentenceTransformerEncoder(str(folder), device="cpu", precision="float32")


def pictures(count: int = 8) -> list[Pixels]:
    """Some noise, at the packaged model's input size."""
    return list(np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8))


def test_float32_is_exact(folder: Path) -> None:
    """The vectors of torch within rounding, whatever the batch."""
    encoder = encoder_of(folder)
    expected = encoder.embed_pictures(pictures())
    run = encoder._inference.by_onnx(Precision.FLOAT32)
    np.testing.assert_allclose(run(pictures()), expected, atol=1e-5)
    np.testing.assert_allclose(run(pictures()[:1]), expected[:1], atol=1e-5)


def test_a_vector_in_int8_does_not_depend_on_its_batch(folder: Path) -> None:
    """One scale for all of a batch would make it so: white pictures beside it change nothing."""
    encoder = encoder_of(folder)
    run = encoder._inference.by_onnx(Precision.INT8)
    alone = run(pictures()[:1])
    white = np.full((64, 64, 3), 255, dtype=np.uint8)
    np.testing.assert_array_equal(run([white, *pictures(), white])[1:2], alone)
    expected = encoder.embed_pictures(pictures())
    found = run(pictures())
    assert not np.allclose(found, expected, atol=1e-6)  # it is int8 indeed
    assert (found * expected).sum(axis=1).min() > 0.98


def test_it_is_exported_once_and_made_anew_where_damaged(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte is enough, whatever the file's size and times say."""
    expected = encoder_of(folder)._inference.by_onnx(Precision.FLOAT32)(pictures())
    (file,) = cache.rglob("float32.onnx")
    made = file.stat().st_mtime_ns
    encoder_of(folder)._inference.by_onnx(Precision.FLOAT32)
    assert file.stat().st_mtime_ns == made
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 64
    for damaged in (bytes(content), b"", content[:1000]):
        file.write_bytes(damaged)
        found = encoder_of(folder)._inference.by_onnx(Precision.FLOAT32)(pictures())
        np.testing.assert_array_equal(found, expected)
    assert [one.name for one in cache.iterdir()] == [file.parent.name]

    def gone(*_given: Any) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(onnx, "_export", gone)
    encoder_of(folder)._inference.by_onnx(Precision.FLOAT32)


def test_other_weights_are_exported_anew(folder: Path, cache: Path) -> None:
    """Under the same name, in the same folder."""
    encoder_of(folder)._inference.by_onnx(Precision.FLOAT32)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes())
    encoder_of(folder)._inference.by_onnx(Precision.FLOAT32)
    assert len(list(cache.iterdir())) == 2


def test_what_can_not_be_exported_is_an_error_that_costs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder, a full disk, an operator that ONNX has not."""
    encoder = encoder_of(folder)
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", "/dev/null")
        with pytest.raises(ExportError, match="/dev/null"):
            encoder._inference.by_onnx(Precision.FLOAT32)
    import torch

    def unsupported(*_given: Any, **_options: Any) -> None:
        raise torch.onnx.errors.UnsupportedOperatorError("aten::new", 17, 18)

    monkeypatch.setattr(torch.onnx, "export", unsupported)
    with pytest.raises(ExportError, match="can't be exported"):
        encoder._inference.by_onnx(Precision.FLOAT32)


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.INT8])
def test_a_choice_is_taken_up_again(folder: Path, precision: Precision) -> None:
    """At the next start, without a trial; what it was made of may be gone by then."""
    first = encoder_of(folder)
    first.fingerprint  # noqa: B018 - embeds the probes
    first._memory.store_choice(
        "pictures", PrecisionChoice(precision=precision, backend=Backend.ONNX, speedup=2.0)
    )
    expected = first._inference.by_onnx(precision)(pictures())
    again = encoder_of(folder)
    np.testing.assert_array_equal(again.embed_pictures(pictures()), expected)
    assert again.precision is precision
    shutil.rmtree(folder.parent / "cache" / "zeroshelf" / "onnx")
    np.testing.assert_array_equal(encoder_of(folder).embed_pictures(pictures()), expected)


def test_without_the_extra_torch_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A choice that was made with it is left."""
    first = encoder_of(folder)
    expected = first.embed_pictures(pictures())
    first.fingerprint  # noqa: B018 - embeds the probes
    first._memory.store_choice(
        "pictures", PrecisionChoice(precision=Precision.FLOAT32, backend=Backend.ONNX)
    )
    monkeypatch.setattr(inference, "is_installed", lambda: False)
    again = encoder_of(folder)
    np.testing.assert_allclose(again.embed_pictures(pictures()), expected, atol=1e-6)
    assert again._inference.pictures.choice is None
