"""Label sets and adaptations on disk: versions, damage, putting off."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.core.errors import CatalogError
from indexer.core.records import Label
from indexer.labels.adaptation import Adaptation
from indexer.labels.files import AdaptationFolder, Fitted, LabelFolder
from indexer.labels.sets import LabelSet


def fitted(trust: float = 0.5) -> Fitted:
    """A small adaptation."""
    return Fitted(
        adaptation=Adaptation(
            offset=np.arange(3, dtype=np.float32),
            trust=trust,
            radius=0.7,
            vectors=np.eye(2, 3, dtype=np.float32),
            biases=np.array([0.25, -1], dtype=np.float32),
            spread=0.1,
            effective_labels=1.9,
            gate=1.0,
            items=20,
        ),
        label_version="v1",
        catalog_items=21,
        newest_shard=3,
    )


def labels(*names: str) -> LabelSet:
    """A label set with these names."""
    return LabelSet(
        labels=tuple(
            Label(label_id=name, name=name, path=(name,), synonyms=("é", "'")) for name in names
        ),
        definitions=tuple(names),
        vectors=np.eye(len(names), 4, dtype=np.float32),
    )


def test_an_adaptation_comes_back_as_it_was(tmp_path: Path) -> None:
    """All of it, and what it came from."""
    folder = AdaptationFolder(tmp_path / "labels")
    assert folder.load() is None
    folder.save(fitted())
    found = folder.load()
    assert found is not None
    assert found.adaptation.version == fitted().adaptation.version
    assert (found.label_version, found.catalog_items, found.newest_shard) == ("v1", 21, 3)
    assert (found.adaptation.items, found.adaptation.gate) == (20, 1.0)
    np.testing.assert_array_equal(found.adaptation.biases, fitted().adaptation.biases)


def test_the_newest_adaptation_counts_and_a_few_are_kept(tmp_path: Path) -> None:
    """A file a version, the oldest go."""
    folder = AdaptationFolder(tmp_path)
    for trust in (0.1, 0.2, 0.3):
        folder.save(fitted(trust))
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adaptation-00000002.npz",
        "adaptation-00000003.npz",
    ]
    found = folder.load()
    assert found is not None
    assert found.adaptation.trust == 0.3


def test_adaptation_can_be_put_off(tmp_path: Path) -> None:
    """Then there is none, until one is saved."""
    folder = AdaptationFolder(tmp_path)
    folder.save(fitted())
    folder.disable()
    assert (folder.is_disabled, folder.load()) == (True, None)
    folder.save(fitted())
    assert not folder.is_disabled
    assert folder.load() is not None


@pytest.mark.parametrize("place", [0, 40, 300, 900, -30])
def test_a_flipped_byte_is_found(tmp_path: Path, place: int) -> None:
    """A damaged file is refused, or read as it was written; nothing else comes of it."""
    folder = AdaptationFolder(tmp_path)
    folder.save(fitted())
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 0xFF
    file.write_bytes(content)
    found = None
    with contextlib.suppress(CatalogError):
        found = folder.load()
    assert found is None or found.adaptation.version == fitted().adaptation.version


@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_cut_file_is_named(tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture) -> None:
    """A file that ends early is none, and the way out is told: it can be fitted again."""
    folder = AdaptationFolder(tmp_path)
    folder.save(fitted())
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:size])
    assert folder.load() is None
    assert "adaptation-00000001.npz is damaged" in caplog.text
    assert "labels adapt" in caplog.text


def test_changed_numbers_do_not_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file whose parts are whole but not those of its hash is damaged."""
    folder = AdaptationFolder(tmp_path)
    folder.save(fitted())
    (file,) = tmp_path.iterdir()
    with np.load(file) as stored:
        parts = dict(stored)
    np.savez(file, **parts | {"trust": 0.9})
    assert folder.load() is None
    assert "hash" in caplog.text
    np.savez(file, **{name: part for name, part in parts.items() if name != "biases"})
    assert folder.load() is None
    assert "biases" in caplog.text


def test_a_label_set_comes_back_as_it_was(tmp_path: Path) -> None:
    """Labels, definitions and vectors, by one version; none is an empty set."""
    folder = LabelFolder(tmp_path / "labels")
    assert len(folder.load(4)) == 0
    assert folder.current() is None
    folder.save(labels("a", "b"))
    assert folder.load(4).version == labels("a", "b").version
    for names in (("a",), ("b",)):
        folder.save(labels(*names))
    assert [one.name for one in folder.load(4).labels] == ["b"]
    assert len(list(folder.folder.iterdir())) == 2


def test_a_damaged_label_set_is_named(tmp_path: Path) -> None:
    """With the way back."""
    folder = LabelFolder(tmp_path)
    folder.save(labels("a", "b"))
    file = folder.current()
    assert file is not None
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CatalogError, match=r"labels-00000001\.parquet.*--replace"):
        folder.load(4)


def test_equal_adaptations_are_told_from_others() -> None:
    """What does not decide does not count: items, gate."""
    one = fitted().adaptation
    assert replace(one, items=5, gate=0.0).version == one.version
    assert replace(one, spread=0.2).version != one.version
