"""A catalog's folder: names, the fingerprint, and who may write."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEncoder

from indexer.catalog.folder import CatalogFolder, catalog_names
from indexer.catalog.opening import CatalogOptions, open_or_create
from indexer.core.errors import CatalogError, ConfigError
from indexer.core.layout import Layout, VectorType

FINGERPRINT = replace(
    FakeEncoder.fingerprint, text_probe=(0.1, -0.25), picture_probe=(1.0,), model="a 'b' \"c\""
)

HOLD = """
import sys
from pathlib import Path
from indexer.catalog.folder import CatalogFolder
with CatalogFolder(Path(sys.argv[1]), "shop").locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["a", "_b", "shop_2", "A" * 60])
def test_good_names(tmp_path: Path, name: str) -> None:
    """Letters, digits and underscores, as Milvus allows."""
    assert CatalogFolder(tmp_path, name).name == name


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "../up", "a" * 61, "mäx", "a\n", "a/b"])
def test_bad_names_are_refused(tmp_path: Path, name: str) -> None:
    """What could leave the folder or break a collection's name never gets that far."""
    with pytest.raises(ConfigError, match="catalog name"):
        CatalogFolder(tmp_path, name)


def test_the_fingerprint_comes_back_as_it_was(tmp_path: Path) -> None:
    """All fields, probes included."""
    folder = CatalogFolder(tmp_path, "shop")
    folder.create(FINGERPRINT)
    assert folder.fingerprint() == FINGERPRINT


def test_what_the_database_has_not_is_refused_before_a_catalog_is_made(tmp_path: Path) -> None:
    """A next attempt without it starts anew, with the partition key that it then names."""
    options = CatalogOptions(data_dir=tmp_path)
    half = Layout(vector_type=VectorType.FLOAT16)
    with (
        pytest.raises(ConfigError, match="--vector-type float16"),
        open_or_create(options, made_by=FINGERPRINT, layout=half),
    ):
        raise AssertionError("it was not refused")
    assert not options.folder.exists()
    with open_or_create(options, made_by=FINGERPRINT, partition_key="shop") as catalog:
        assert catalog.partition_key == "shop"


def test_a_missing_catalog_names_those_there_are(tmp_path: Path) -> None:
    """A misspelt name is easily corrected."""
    CatalogFolder(tmp_path, "shop").create(FINGERPRINT)
    with pytest.raises(CatalogError, match=r"'shpo'.*there are: shop"):
        CatalogFolder(tmp_path, "shpo").fingerprint()
    assert catalog_names(tmp_path) == ["shop"]


def test_a_catalog_of_another_layout_is_refused(tmp_path: Path) -> None:
    """A newer zeroshelf's catalog is not misread."""
    folder = CatalogFolder(tmp_path, "shop")
    folder.create(FINGERPRINT)
    file = folder.root / "catalog.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema": 99}))
    with pytest.raises(CatalogError, match="layout 99"):
        folder.fingerprint()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"schema": 1}', '{"schema": 1, "fingerprint": {"model": "m"}}'],
)
def test_a_damaged_description_is_named(tmp_path: Path, content: str) -> None:
    """Whatever is wrong with the file, the message says which it is."""
    folder = CatalogFolder(tmp_path, "shop")
    folder.create(FINGERPRINT)
    for name in ("catalog.json", "catalog.copy.json"):
        (folder.root / name).write_text(content)
    with pytest.raises(CatalogError, match=r"catalog\.json.*damaged"):
        folder.fingerprint()


def test_a_second_process_is_refused_while_one_writes(tmp_path: Path) -> None:
    """The lock holds between processes, is told at once, and is free after a kill."""
    folder = CatalogFolder(tmp_path, "shop")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CatalogError, match="another zeroshelf command"), folder.locked():
            pass
        holder.kill()
    with folder.locked():
        pass
