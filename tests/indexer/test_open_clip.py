"""Folders that open_clip wrote: its vectors, without it, or a refusal that says why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import open_clip_models
import pytest
from safetensors.torch import load_file
from web_server import Served, running

from indexer.core.errors import ModelError
from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.open_clip import convert, is_open_clip

EXPECTED = json.loads((Path(__file__).parent / "open_clip_expected.json").read_text())
KINDS = list(open_clip_models.CONFIGS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "zeroshelf" / "open_clip"


@pytest.fixture(scope="module")
def folders(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind; not to be changed."""
    bpe = shared_data / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    return {
        kind: open_clip_models.write(
            tmp_path_factory.mktemp(kind), kind, EXPECTED[kind]["shapes"], bpe
        )
        for kind in KINDS
    }


def encoder_of(folder: Path) -> SentenceTransformerEncoder:
    """The model in a folder, exact."""
    return SentenceTransformerEncoder(str(folder), device="cpu", precision="float32")


def changed(folder: Path, to: Path, **settings: Any) -> Path:
    """A copy whose configuration has other settings; ``vision_cfg`` and ``text_cfg`` are merged."""
    shutil.copytree(folder, to)
    path = to / "open_clip_config.json"
    config = json.loads(path.read_text())
    for key, value in settings.items():
        part = config["preprocess_cfg"] if key == "preprocess_cfg" else config["model_cfg"]
        if key == "preprocess_cfg":
            part |= value
        elif value is None:
            del part[key]
        elif isinstance(value, dict):
            part[key] = part.get(key, {}) | value
        else:
            part[key] = value
    path.write_text(json.dumps(config))
    return to


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_open_clip(folders: dict[str, Path], kind: str) -> None:
    """Of pictures of any shape, by the model's own processor and by the quick way."""
    encoder = encoder_of(folders[kind])
    pictures = open_clip_models.pictures()
    seen = encoder.embed_pictures([encoder.process(one) for one in pictures])
    np.testing.assert_allclose(seen, EXPECTED[kind]["pictures"], atol=5e-6)
    assert encoder.logit_scale == pytest.approx(14.0, rel=1e-5)
    quick = encoder.embed_pictures([encoder.prepare(one) for one in pictures])
    assert (quick * seen).sum(axis=1).min() >= 0.9999


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_of_open_clip(folders: dict[str, Path], kind: str) -> None:
    """With capitals, punctuation, and more tokens than there are positions."""
    read = encoder_of(folders[kind]).embed_texts(open_clip_models.TEXTS)
    np.testing.assert_allclose(read, EXPECTED[kind]["texts"], atol=5e-6)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "another image tower of timm": (
        "siglip",
        {"vision_cfg": {"timm_model_name": "fastvit_mci0", "timm_pool": "avg"}},
        "fastvit_mci0",
    ),
    "a ResNet": ("clip", {"vision_cfg": {"layers": [3, 4, 6, 3]}}, "ResNet"),
    "texts by a model of the hub": (
        "clip",
        {"text_cfg": {"hf_model_name": "xlm-roberta-base"}},
        "hf_model_name is 'xlm-roberta-base'",
    ),
    "texts that see all of themselves": (
        "clip",
        {"text_cfg": {"no_causal_mask": True}},
        "no_causal_mask is True",
    ),
    "a model of sounds": ("clip", {"vision_cfg": None, "audio_cfg": {}}, "no image tower .audio"),
    "MobileCLIP": (
        "clip",
        {"vision_cfg": {"timm_model_name": "vit_base_mci_224", "timm_pool": "token"}},
        "vit_base_mci_224",
    ),
    "EVA": ("clip", {"vision_cfg": {"timm_model_name": "eva02_base_patch16_clip_224"}}, "eva02"),
    "native resolution": (
        "siglip",
        {"vision_cfg": {"timm_model_name": "naflexvit_base_patch16_siglip"}},
        "naflexvit_base_patch16_siglip",
    ),
    "no norm before the layers": ("clip", {"vision_cfg": {"no_ln_pre": True}}, "no_ln_pre"),
    "texts pooled at another token": ("clip", {"text_cfg": {"pool_type": "eos"}}, "pool_type"),
    "another text architecture": ("clip", {"text_cfg": {"text_arch": "modern"}}, "text_arch"),
    "CoCa": ("clip", {"multimodal_cfg": {"layers": 2}}, "multimodal_cfg"),
    "pooling by attention": ("clip", {"vision_cfg": {"attentional_pool": True}}, "attentional"),
    "an average of tokens": ("clip", {"vision_cfg": {"pool_type": "avg"}}, "pool_type is 'avg'"),
    "average pooling of SigLIP": ("siglip", {"vision_cfg": {"timm_pool": "avg"}}, "timm_pool"),
    "padded pictures": ("clip", {"preprocess_cfg": {"resize_mode": "longest"}}, "longest"),
    "pictures that are not square": ("clip", {"vision_cfg": {"image_size": [32, 64]}}, "square"),
    "a setting of later versions": ("clip", {"vision_cfg": {"rope": True}}, "vision_cfg.rope"),
    "a way of tokenizing": ("siglip", {"text_cfg": {"tokenizer_mode": "clips"}}, "clips"),
    "another depth than the weights": ("clip", {"vision_cfg": {"image_size": 64}}, "position"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_transformers_has_not_is_refused(
    folders: dict[str, Path], tmp_path: Path, cache: Path, case: str
) -> None:
    """Before anything is embedded, by name, with what can be done instead."""
    kind, settings, cause = REFUSED[case]
    folder = changed(folders[kind], tmp_path / "model", **settings)
    with pytest.raises(ModelError, match=cause) as caught:
        encoder_of(folder)
    assert str(folder) in str(caught.value)
    assert "ingest --vectors" in str(caught.value)
    assert not cache.exists() or not list(cache.iterdir())


def reweighted(folder: Path, to: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy with other weights; what ``change`` gives is pickled, as torch saves checkpoints."""
    import torch

    shutil.copytree(folder, to)
    given = change(dict(load_file(to / "open_clip_model.safetensors")))
    (to / "open_clip_model.safetensors").unlink()
    torch.save(given, to / "open_clip_pytorch_model.bin")
    return to


def test_checkpoints_of_training_are_read(folders: dict[str, Path], tmp_path: Path) -> None:
    """Pickled, within ``state_dict``, and with the prefix of training on several GPUs."""
    folder = reweighted(
        folders["clip"],
        tmp_path / "model",
        lambda given: {"state_dict": {f"module.{name}": one for name, one in given.items()}},
    )
    read = encoder_of(folder).embed_texts(open_clip_models.TEXTS)
    np.testing.assert_allclose(read, EXPECTED["clip"]["texts"], atol=5e-6)


def test_half_precision_stays_what_it_is(folders: dict[str, Path], tmp_path: Path) -> None:
    """Weights in float16 are converted as they are, and computed in float32 on a CPU."""
    folder = reweighted(
        folders["clip"],
        tmp_path / "model",
        lambda given: {name: one.half() for name, one in given.items()},
    )
    config = json.loads((convert(folder, name="m") / "config.json").read_text())
    assert config["dtype"] == "float16"
    read = encoder_of(folder).embed_texts(open_clip_models.TEXTS)
    assert (read * EXPECTED["clip"]["texts"]).sum(axis=1).min() > 0.9999


@pytest.mark.parametrize("missing", ["visual.proj", "ln_final.bias", "token_embedding.weight"])
def test_missing_weights_are_named(folders: dict[str, Path], tmp_path: Path, missing: str) -> None:
    """No random tower takes their place."""

    def without(given: dict[str, Any]) -> dict[str, Any]:
        return {name: one for name, one in given.items() if name != missing}

    folder = reweighted(folders["clip"], tmp_path / "model", without)
    with pytest.raises(ModelError, match="weights lack"):
        encoder_of(folder)


def test_weights_that_have_no_place_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    """Scales of layers, say, which no setting told of."""

    def scaled(given: dict[str, Any]) -> dict[str, Any]:
        return given | {"visual.transformer.resblocks.0.ls_1.gamma": given["logit_scale"]}

    folder = reweighted(folders["clip"], tmp_path / "model", scaled)
    with pytest.raises(ModelError, match=r"parts of their own.*ls_1\.gamma"):
        encoder_of(folder)


def test_pickled_code_is_not_run(folders: dict[str, Path], tmp_path: Path) -> None:
    """A file that holds more than weights is refused."""
    folder = reweighted(folders["clip"], tmp_path / "model", lambda _: Path("code"))
    with pytest.raises(ModelError, match="more than weights"):
        encoder_of(folder)


def test_without_weights_or_tokenizer_it_says_what_to_put_there(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of the files that are looked for; a hub that fails is asked once for them."""
    bare = Path(shutil.copytree(folders["clip"], tmp_path / "bare"))
    (bare / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match="Put its weights there"):
        encoder_of(bare)
    mute = Path(shutil.copytree(folders["siglip"], tmp_path / "mute"))
    (mute / "tokenizer.json").unlink()
    with running() as hub:
        hub.paths["api/models/timm/ViT-B-16-SigLIP"] = Served(status=503)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url("").rstrip("/"))
        with pytest.raises(ModelError, match=r"timm/ViT-B-16-SigLIP.*503.*Copy the tokenizer's"):
            encoder_of(mute)
        asked = {path: count for path, count in hub.asked.items() if "timm" in path}
        assert asked == {"api/models/timm/ViT-B-16-SigLIP": 1}


def test_it_is_converted_once(folders: dict[str, Path], cache: Path) -> None:
    """The next start finds it; a file that was cut off, or one that is gone, is made anew."""
    place = convert(folders["clip"], name="m")
    written = (place / "model.safetensors").stat().st_mtime_ns
    assert convert(folders["clip"], name="m") == place
    assert (place / "model.safetensors").stat().st_mtime_ns == written
    for damage in (lambda file: file.unlink(), lambda file: file.write_bytes(b"cut off")):
        damage(place / "model.safetensors")
        assert convert(folders["clip"], name="m") == place
        assert (place / "model.safetensors").stat().st_size > 1000
    assert [one.name for one in cache.iterdir()] == [place.name]


def test_other_weights_are_converted_anew(folders: dict[str, Path], tmp_path: Path) -> None:
    """Under the same names, in the same folder."""
    folder = Path(shutil.copytree(folders["clip"], tmp_path / "model"))
    before = convert(folder, name="m")
    file = folder / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes())
    assert convert(folder, name="m") != before


def test_transformers_own_files_come_first(folders: dict[str, Path], tmp_path: Path) -> None:
    """LAION's folders have both; those that ask for code of their own are open_clip's."""
    folder = Path(shutil.copytree(folders["clip"], tmp_path / "model"))
    assert is_open_clip(folder)
    (folder / "config.json").write_text('{"model_type": "clip"}')
    assert not is_open_clip(folder)
    (folder / "config.json").write_text('{"model_type": "x", "auto_map": {"AutoModel": "y.Z"}}')
    assert is_open_clip(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_cfg": {}}', '{"model_cfg": 1}'])
def test_a_damaged_configuration_is_one_clear_error(
    folders: dict[str, Path], tmp_path: Path, content: str
) -> None:
    """Named, with what to do."""
    folder = Path(shutil.copytree(folders["clip"], tmp_path / "model"))
    (folder / "open_clip_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"open_clip_config\.json.*Fetch the file again"):
        encoder_of(folder)


def test_a_catalog_keeps_the_folder_it_was_given(folders: dict[str, Path]) -> None:
    """The fingerprint names the model, not the copy in a cache that may be deleted."""
    fingerprint = encoder_of(folders["clip"]).fingerprint
    assert fingerprint.model == str(folders["clip"])
    assert len(fingerprint.revision) == 16


@pytest.mark.parametrize("name", ["shop/clip", "hf-hub:shop/clip"])
def test_a_model_in_the_hubs_cache_is_found_by_its_name(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As ``hf download`` leaves it, with open_clip's way to name it and without."""
    commit = "0123456789" * 4
    place = tmp_path / "hub" / "models--shop--clip"
    shutil.copytree(folders["clip"], place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    encoder = SentenceTransformerEncoder(name, device="cpu", precision="float32")
    read = encoder.embed_texts(open_clip_models.TEXTS)
    np.testing.assert_allclose(read, EXPECTED["clip"]["texts"], atol=5e-6)
    assert (encoder.name, encoder.fingerprint.revision) == ("shop/clip", commit)


def test_a_folder_may_be_named_as_open_clip_names_it(folders: dict[str, Path]) -> None:
    """And is remembered as a folder."""
    encoder = SentenceTransformerEncoder(f"local-dir:{folders['clip']}", device="cpu")
    assert encoder.name == str(folders["clip"])
