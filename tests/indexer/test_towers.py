"""A CLIP is read a tower at a time, and what was found out about a model is kept."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.catalog.fingerprints import require_same
from indexer.core.errors import ModelError, ModelMismatchError
from indexer.core.protocols import Pixels
from indexer.encoder import PACKAGED_MODELS, SentenceTransformerEncoder
from indexer.encoder.clip import ClipTowers, clip_folder
from indexer.encoder.whole_model import WholeModel

POCKET = PACKAGED_MODELS["pocket"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "zeroshelf" / "models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The packaged model in a folder that may be changed."""
    return Path(shutil.copytree(POCKET, tmp_path / "model"))


def encoder_of(model: Path, precision: str = "auto") -> SentenceTransformerEncoder:
    """The model in a folder, on the CPU."""
    return SentenceTransformerEncoder(str(model), device="cpu", precision=precision)


def towers(encoder: SentenceTransformerEncoder) -> set[str]:
    """Which towers were read."""
    return {"pictures", "texts"} & set(vars(encoder._model))


def pictures(count: int = 3) -> list[Pixels]:
    """Some noise, at the packaged model's input size."""
    return list(np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8))


def test_who_embeds_pictures_never_reads_the_text_tower(folder: Path) -> None:
    """Nor the other way round; only a model that is new here is probed on both sides."""
    first = encoder_of(folder)
    assert towers(first) == set()
    first.fingerprint  # noqa: B018 - embeds the probes
    assert towers(first) == {"pictures", "texts"}
    seeing, reading = encoder_of(folder), encoder_of(folder)
    assert seeing.fingerprint == reading.fingerprint == first.fingerprint
    assert seeing.width == first.width
    assert towers(seeing) == set()
    given = [seeing.prepare(one) for one in pictures()]
    np.testing.assert_array_equal(seeing.embed_pictures(given), first.embed_pictures(given))
    assert towers(seeing) == {"pictures"}
    texts = ["a red mug", "shoes"]
    np.testing.assert_array_equal(reading.embed_texts(texts), first.embed_texts(texts))
    assert towers(reading) == {"texts"}


def test_the_weights_of_a_tower_are_all_that_is_read(folder: Path) -> None:
    """A file without the other tower's weights is enough, once the model is known."""
    from safetensors.numpy import load_file, save_file

    known = encoder_of(folder).embed_pictures(pictures())
    file = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(file).items() if "text" not in name}
    save_file(kept, file, metadata={"format": "pt"})
    np.testing.assert_array_equal(encoder_of(folder).embed_pictures(pictures()), known)


def test_a_clip_needs_no_sentence_transformers(tmp_path: Path) -> None:
    """Its import takes longer than a tower."""
    code = (
        "import sys; from indexer.encoder import SentenceTransformerEncoder as E\n"
        "encoder = E('pocket', device='cpu'); encoder.embed_texts(['mug']); encoder.fingerprint\n"
        "print('sentence_transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_other_models_are_read_at_once_and_remembered_too(shared_models: Path) -> None:
    """A dual encoder of other towers: loaded whole, its fingerprint kept."""
    first = encoder_of(shared_models / "lit-mobilenetv2-tinybert")
    again = encoder_of(shared_models / "lit-mobilenetv2-tinybert")
    assert isinstance(again._model, WholeModel)
    assert first.fingerprint == again.fingerprint
    assert not {"pictures", "texts"} & set(vars(again._inference))  # no probe went through it


@pytest.mark.parametrize("precision", ["float32", "int8", "bfloat16"])
def test_a_remembered_precision_gives_the_same_vectors(folder: Path, precision: str) -> None:
    """What was chosen once is taken again, layer for layer."""
    first = encoder_of(folder, precision)
    first.fingerprint  # noqa: B018 - embeds the probes
    again = encoder_of(folder, precision)
    assert again.precision == first.precision == precision
    assert towers(again) == set()
    assert again.fingerprint.precision == precision
    np.testing.assert_array_equal(
        again.embed_pictures(pictures()), first.embed_pictures(pictures())
    )


def test_a_remembered_choice_is_told_again(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the figures that it was made by, which no trial measured this time."""
    for name in ("is_wide", "has_int8_products"):
        monkeypatch.setattr(f"indexer.encoder.runtime.{name}", lambda *_: True)
    monkeypatch.setattr("indexer.encoder.linear.layer_speed", lambda *_: 1.0)
    monkeypatch.setattr("indexer.encoder.precision.LEAST_GAIN", 0.0)  # whatever the clock says
    monkeypatch.setattr("indexer.encoder.precision.SAME_COSINE", 0.9)  # noise is hard
    monkeypatch.setattr("indexer.encoder.inference.is_installed", lambda: False)
    with caplog.at_level(logging.INFO):
        first = encoder_of(folder)
        first.fingerprint  # noqa: B018 - embeds the probes
        vectors = first.embed_pictures(pictures(16))
        told = [one.getMessage() for one in caplog.records if "int8" in one.getMessage()]
        caplog.clear()
        again = encoder_of(folder)
        np.testing.assert_array_equal(again.embed_pictures(pictures(16)), vectors)
    assert [one.getMessage() for one in caplog.records] == told
    assert len(told) == 1
    assert again.precision == "int8"


@pytest.mark.parametrize("file", ["model.safetensors", "processor_config.json"])
def test_a_folder_that_changed_is_probed_again(folder: Path, file: str) -> None:
    """Also where the file has the size and the time of change that it had before."""
    encoder_of(folder).fingerprint  # noqa: B018 - embeds the probes
    path = folder / file
    before = path.stat()
    content = path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    again = encoder_of(folder)
    again.fingerprint  # noqa: B018 - embeds the probes
    assert towers(again) == {"pictures", "texts"}


def test_other_weights_under_the_same_name_are_found_out(folder: Path) -> None:
    """What is remembered of the old ones does not speak for the new ones."""
    from safetensors.numpy import load_file, save_file

    stored = encoder_of(folder).fingerprint
    file = folder / "model.safetensors"
    generator = np.random.default_rng(0)
    other = {
        name: np.asarray(value + generator.normal(scale=0.05, size=value.shape), value.dtype)
        for name, value in load_file(file).items()
    }
    save_file(other, file, metadata={"format": "pt"})
    with pytest.raises(ModelMismatchError):
        require_same(stored, encoder_of(folder).fingerprint, catalog="shop")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"choice": {}, "fingerprint": {}}'])
def test_a_damaged_record_is_made_anew(folder: Path, cache: Path, content: str) -> None:
    """Whatever it holds, the model is probed and the record written again."""
    expected = encoder_of(folder).fingerprint
    (record,) = cache.iterdir()
    good = record.read_text()
    record.write_text(content)
    assert encoder_of(folder).fingerprint == expected
    assert json.loads(record.read_text()) == json.loads(good)


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nowhere"])
def test_a_cache_folder_that_can_not_be_written_is_done_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The model is probed at each start."""
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert encoder_of(folder).fingerprint == encoder_of(folder).fingerprint


def test_a_user_without_a_home_has_no_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers that run under any number."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", _without_home)
    assert encoder_of(folder)._memory._file is None


def _without_home(path: Path) -> Path:
    if path.parts[0] == "~":
        raise RuntimeError("Could not determine home directory.")
    return path


def described(folder: Path, modules: list[dict[str, Any]], prompts: dict[str, str]) -> Path:
    """The folder as sentence-transformers would have written it."""
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    return folder


def test_a_clip_that_sentence_transformers_wrote_is_a_clip(folder: Path) -> None:
    """At the top, or in a folder below as the models of the hub have it."""
    module = {"idx": 0, "name": "0", "type": "sentence_transformers.models.CLIPModel"}
    assert clip_folder(described(folder, [module | {"path": ""}], {})) == folder
    below = folder.parent / "whole"
    below.mkdir()
    folder.rename(below / "0_CLIPModel")
    described(below, [module | {"path": "0_CLIPModel"}], {})
    assert clip_folder(below) == below / "0_CLIPModel"
    assert isinstance(encoder_of(below)._model, ClipTowers)
    np.testing.assert_allclose(
        encoder_of(below).embed_texts(["mug"]), encoder_of(POCKET).embed_texts(["mug"]), atol=1e-6
    )


def test_a_clip_with_more_than_its_towers_is_left_to_sentence_transformers(folder: Path) -> None:
    """Another module behind it, or a prefix before each text."""
    module = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.CLIPModel"}
    dense = {"idx": 1, "name": "1", "path": "1", "type": "sentence_transformers.models.Dense"}
    assert clip_folder(described(folder, [module, dense], {})) is None
    assert clip_folder(described(folder, [dense], {})) is None
    assert clip_folder(described(folder, [module], {"query": "query: "})) is None


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json", "config.json"])
def test_an_incomplete_folder_is_no_clip(folder: Path, missing: str) -> None:
    """What is wrong with it is said by who loads it as a whole."""
    (folder / missing).unlink()
    assert clip_folder(folder) is None


def test_a_file_that_is_cut_off_is_one_clear_error(folder: Path) -> None:
    """Said when the tower is read: the folder and the cause."""
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match="does not load") as caught:
        encoder_of(folder).embed_pictures(pictures())
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["pocket", "lit-mobilenetv2-tinybert"])
def test_threads_share_one_encoder(shared_models: Path, name: str) -> None:
    """Texts and pictures from eight threads at once, the model not yet read: each its own rows."""
    model = POCKET if name == "pocket" else shared_models / name
    alone = encoder_of(model, "float32")
    texts = [["mug", "a long " * number, f"item {number}"] for number in range(24)]
    drawn = np.random.default_rng(0).integers(0, 256, (24, 2, 80, 90, 3), dtype=np.uint8)

    def of_texts(encoder: SentenceTransformerEncoder, number: int) -> Any:
        return encoder.embed_texts(texts[number])

    def of_pictures(encoder: SentenceTransformerEncoder, number: int) -> Any:
        return encoder.embed_pictures([encoder.prepare(one) for one in drawn[number]])

    calls = [(one, number) for number in range(24) for one in (of_texts, of_pictures)]
    expected = [call(alone, number) for call, number in calls]
    shared = encoder_of(model, "float32")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: one[0](shared, one[1]), calls))
    for ours, theirs in zip(found, expected, strict=True):
        # The first ones to come decide whether weights are packed, which rounds otherwise.
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_one_thread_at_a_time_is_in_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokenizers can't be borrowed twice, and two forward passes would only share the cores."""
    encoder = encoder_of(POCKET, "float32")
    entered = threading.Semaphore(1)

    def alone(call: Any) -> Any:
        def checked(*given: Any, **options: Any) -> Any:
            assert entered.acquire(blocking=False), "another thread is in the model"
            try:
                time.sleep(0.01)
                return call(*given, **options)
            finally:
                entered.release()

        return checked

    for name in ("encode_texts", "picture_vectors"):
        monkeypatch.setattr(encoder._model, name, alone(getattr(encoder._model, name)))
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(encoder.embed_texts, ["mug"]) for _ in range(8)]
        done += [pool.submit(encoder.embed_pictures, pictures(1)) for _ in range(8)]
    assert all(one.result().shape == (1, encoder.width) for one in done)


@pytest.mark.skipif(sys.platform != "linux", reason="torch has another OpenMP there")
@pytest.mark.parametrize(
    ("asked", "spins"), [({}, "2000"), ({"OMP_WAIT_POLICY": "passive"}, "0")], ids=["no", "yes"]
)
def test_threads_spin_for_a_moment_unless_the_user_says_how_they_wait(
    asked: dict[str, str], spins: str
) -> None:
    """What torch's OpenMP was started with, as it tells itself."""
    ours = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    rest = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from indexer.encoder import loading; loading.resolve_device('cpu')",
        ],
        env=rest | asked | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr
