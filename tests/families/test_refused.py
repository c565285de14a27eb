"""A model that is not all there, or not what it says, is refused before anything is embedded."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from family_checkpoints import clip_model, edit, save_clip
from family_peers import TEXTS
from family_text_models import bert, read_back, save
from family_tokenizers import wordpiece
from safetensors.torch import load_file, save_file

from indexer.core.errors import ModelError
from indexer.core.model_settings import ModelSettings
from indexer.encoder import SentenceTransformerEncoder

CheckpointOf = Callable[[str], Path]
Weights = dict[str, torch.Tensor]


@pytest.fixture
def copied(checkpoint: CheckpointOf, tmp_path: Path) -> CheckpointOf:
    """A family's folder that may be changed."""
    return lambda name: Path(shutil.copytree(checkpoint(name), tmp_path / name))


def rewrite(folder: Path, change: Callable[[Weights], Weights]) -> Path:
    """Change the weights of a folder."""
    file = folder / "model.safetensors"
    changed = {name: value.contiguous() for name, value in change(load_file(file)).items()}
    save_file(changed, file, metadata={"format": "pt"})
    return folder


def without(part: str) -> Callable[[Weights], Weights]:
    """Leave out weights whose name has a part."""
    return lambda weights: {name: value for name, value in weights.items() if part not in name}


def wrapped(weights: Weights) -> Weights:
    """Names as a wrapper for training on many GPUs gives them."""
    return {f"module.{name}": value for name, value in weights.items()}


def probe(folder: Path, **settings: object) -> SentenceTransformerEncoder:
    """The model, both of its sides embedded once."""
    given = ModelSettings(**settings)  # type: ignore[arg-type]
    encoder = SentenceTransformerEncoder(str(folder), device="cpu", settings=given)
    encoder.fingerprint  # noqa: B018 - embeds the probes
    return encoder


MISSING = {
    "a projection": ("clip", without("visual_projection"), "visual_projection.weight"),
    "a layer of texts": ("clip", without("text_model.encoder.layers.1"), "layers.1"),
    "a layer of pictures": ("siglip2", without("vision_model.encoder.layers.0"), "layers.0"),
    "a whole tower": ("dual-encoder", without("text_model"), "text_model.embeddings"),
    "running means": ("align", without("running_mean"), "running_mean"),
    "a part of a text model": ("text", without("layer.1.output"), "layer.1.output"),
}


@pytest.mark.parametrize("case", MISSING)
def test_missing_weights_are_named(case: str, copied: CheckpointOf) -> None:
    """With the folder and what to do; also in a model that was used before they were lost."""
    family, change, name = MISSING[case]
    folder = copied(family)
    probe(folder)
    rewrite(folder, change)
    with pytest.raises(ModelError, match=re.escape(name)) as caught:
        probe(folder)
    assert str(folder) in str(caught.value)
    assert "save_pretrained" in str(caught.value)


@pytest.mark.parametrize("family", ["clip", "dual-encoder", "text"])
def test_a_wrappers_names_are_told(family: str, copied: CheckpointOf) -> None:
    """The prefix is named."""
    with pytest.raises(ModelError, match=r"'module\.' before each"):
        probe(rewrite(copied(family), wrapped))


@pytest.mark.parametrize("family", ["clip", "siglip2"])
def test_weights_of_another_size_are_named(family: str, copied: CheckpointOf) -> None:
    """With both shapes."""
    folder = copied(family)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 50
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"position_embedding\.weight.* 77x24|.* 64x32") as caught:
        probe(folder)
    assert "50x" in str(caught.value)


def shallow(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration that says one layer less."""
    parts = {key: shallow(part) for key, part in config.items() if isinstance(part, dict)}
    depth = {"num_hidden_layers": config.get("num_hidden_layers", 1) - 1}
    return config | parts | (depth if "num_hidden_layers" in config else {})


@pytest.mark.parametrize("family", ["clip", "siglip2", "text", "chinese-clip"])
def test_a_deeper_model_than_its_configuration_says_is_refused(
    family: str, copied: CheckpointOf
) -> None:
    """It would be cut off in silence: the layers that are left over are named."""
    folder = copied(family)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(shallow(config)))
    with pytest.raises(ModelError, match=r"layers don't take: .*layers?\.1\.") as caught:
        probe(folder)
    assert str(folder) in str(caught.value)
    assert "from the same folder" in str(caught.value)


@pytest.mark.parametrize("family", ["clip", "text"])
def test_a_layer_with_weights_of_its_own_is_refused(family: str, copied: CheckpointOf) -> None:
    """Norms of queries, say, that the configuration does not tell of."""

    def normed(weights: Weights) -> Weights:
        layer = next(name for name in weights if ".0." in name and name.endswith("weight"))
        name = f"{layer[: layer.index('.0.')]}.0.attention_norm.weight"
        return weights | {name: torch.ones(3)}

    with pytest.raises(ModelError, match=r"layers don't take: .*attention_norm\.weight"):
        probe(rewrite(copied(family), normed))


@pytest.mark.parametrize("whole", [False, True])
def test_a_shard_that_was_not_copied_is_named(whole: bool, copied: CheckpointOf) -> None:
    """Of a CLIP whose towers are read alone, and of a model that is loaded whole."""
    folder = copied("clip-sharded")
    shard = sorted(folder.glob("model-*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(ModelError, match=re.escape(shard.name)) as caught:
        probe(folder, trust_remote_code=whole)  # by which it is loaded whole
    assert str(folder) in str(caught.value)


def test_weights_that_no_vector_depends_on_may_be_missing(copied: CheckpointOf) -> None:
    """A pooler, behind which nothing is asked for; and weights that are stored once for two."""
    probe(rewrite(copied("text"), without("pooler")))
    probe(copied("text-t5"))


def test_a_missing_scale_is_told(copied: CheckpointOf, caplog: pytest.LogCaptureFixture) -> None:
    """It is no weight of a vector: the model is usable, and the convention is named."""
    folder = rewrite(copied("clip"), without("logit_scale"))
    with caplog.at_level(logging.WARNING):
        assert probe(folder).logit_scale == 20
    assert "carries no logit scale" in caplog.text


def test_a_model_that_gives_all_texts_one_vector_is_refused(copied: CheckpointOf) -> None:
    """A CLIP takes a text's vector at its last token; where no token is that, at the first."""
    folder = copied("clip")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 12345
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"gives all texts the same vector.*eos_token_id"):
        probe(folder)


def test_a_tokenizer_of_a_larger_model_is_told(copied: CheckpointOf) -> None:
    """It has tokens that the weights have not: no smaller batch helps."""
    folder = copied("clip")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["vocab_size"] = 300
    (folder / "config.json").write_text(json.dumps(config))

    def cut(weights: Weights) -> Weights:
        name = next(name for name in weights if name.endswith("token_embedding.weight"))
        return weights | {name: weights[name][:300]}

    with pytest.raises(ModelError, match="Its tokenizer has tokens that the weights have not"):
        probe(rewrite(folder, cut))


@pytest.mark.parametrize("value", [float("nan"), 900.0])
def test_a_scale_that_can_not_be_is_told(copied: CheckpointOf, value: float) -> None:
    """Scores would be no numbers, or the command would end with an OverflowError."""

    def changed(weights: Weights) -> Weights:
        return weights | {"logit_scale": torch.tensor(value)}

    with pytest.raises(ModelError, match=r"its logit_scale is .*: the weights are damaged"):
        probe(rewrite(copied("clip"), changed))


@pytest.mark.parametrize(("setting", "value"), [("image_mean", [0.5]), ("size", {"height": 8})])
def test_an_image_processor_that_is_set_wrongly_is_told(
    copied: CheckpointOf, setting: str, value: object
) -> None:
    """With the folder; never a traceback."""
    folder = copied("clip")
    file = folder / "processor_config.json"
    settings = json.loads(file.read_text())
    settings["image_processor"][setting] = value
    file.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=re.escape(str(folder))):
        probe(folder)


def test_towers_of_different_widths_are_refused(tmp_path: Path) -> None:
    """They have no space in common."""
    from sentence_transformers.base.modules import Router, Transformer

    pictures = tmp_path / "clip"
    pictures.mkdir()
    save_clip(pictures)
    words = read_back(bert(), wordpiece())
    router = Router({"text": words, "image": [Transformer(str(pictures))]}, default_route="text")
    save(tmp_path / "router", [router])
    with pytest.raises(ModelError, match="24 dimensions and its pictures 16"):
        probe(tmp_path / "router")


def test_a_package_that_a_tokenizer_needs_is_named(checkpoint: CheckpointOf) -> None:
    """With the extra that brings it."""
    code = (
        "import sys; sys.modules['sentencepiece'] = None\n"
        "from indexer.encoder import SentenceTransformerEncoder\n"
        "from indexer.core.errors import ModelError\n"
        "try: SentenceTransformerEncoder(sys.argv[1], device='cpu')\n"
        "except ModelError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(checkpoint("siglip"))], capture_output=True, text=True
    )
    assert "pip install 'zeroshelf[sentencepiece]'" in done.stdout


CODE = """
from transformers import CLIPConfig, CLIPModel

class OwnConfig(CLIPConfig):
    model_type = "own"

class OwnModel(CLIPModel):
    config_class = OwnConfig
"""


def test_code_of_a_models_own_runs_only_where_it_is_asked_for(tmp_path: Path) -> None:
    """The option is named; with it the vectors are those of the model that the code makes."""
    folder, plain = tmp_path / "own", tmp_path / "plain"
    for place in (folder, plain):
        place.mkdir()
        torch.manual_seed(0)
        save_clip(place, clip_model())
    classes = {"AutoConfig": "own_code.OwnConfig", "AutoModel": "own_code.OwnModel"}
    edit(folder / "config.json", model_type="own", auto_map=classes)
    (folder / "own_code.py").write_text(CODE)
    with pytest.raises(ModelError, match="--trust-remote-code"):
        probe(folder)
    found = probe(folder, trust_remote_code=True).embed_texts(TEXTS)
    np.testing.assert_allclose(found, probe(plain).embed_texts(TEXTS), atol=1e-5)


def test_a_revision_of_a_folder_is_refused(checkpoint: CheckpointOf) -> None:
    """Folders have none."""
    with pytest.raises(ModelError, match="--revision 'v2' is for models of the hub"):
        probe(checkpoint("text"), revision="v2")
    with pytest.raises(ModelError, match="--revision 'v2' is for models of the hub"):
        probe(checkpoint("clip"), revision="v2")


@pytest.mark.parametrize("family", ["clip", "siglip2", "text"])
def test_vectors_are_cut_where_it_is_asked_for(family: str, checkpoint: CheckpointOf) -> None:
    """To the first dimensions, at length 1; more than there are is refused."""
    folder = checkpoint(family)
    cut, whole = probe(folder, truncate_dim=8), probe(folder)
    first = whole.embed_texts(TEXTS)[:, :8]
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    assert cut.width == cut.fingerprint.width == 8
    assert cut.fingerprint.truncated
    np.testing.assert_allclose(cut.embed_texts(TEXTS), first, atol=1e-5)
    with pytest.raises(ModelError, match=f"--truncate-dim 999: .* {whole.width} dimensions"):
        probe(folder, truncate_dim=999)
