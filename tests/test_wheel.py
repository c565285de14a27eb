"""What is installed is what is needed: the two packages, the model, the word list."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    # Isolated, a build would fetch its setuptools; torch has brought one.
    offline = ("--no-deps", "--no-index", "--no-build-isolation")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir"]
    subprocess.run([*command, folder, ROOT], check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return wheel.namelist()


@pytest.mark.slow
def test_the_wheel_holds_only_the_two_packages(names: list[str]) -> None:
    """Neither tests nor the training of the model are installed."""
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"indexer", "queries"}


@pytest.mark.slow
def test_the_wheel_holds_the_data_and_the_types(names: list[str]) -> None:
    """Model, sample shop and pages work after an installation; type checkers see the types."""
    wanted = ("model.safetensors", "config.json", "tokenizer.json", "processor_config.json")
    for file in wanted:
        assert f"indexer/models/pocket/{file}" in names
    assert "indexer/data/shop.tar.xz" in names
    assert "queries/pages/templates/demo.html" in names
    assert "queries/pages/templates/page.css" in names
    assert "indexer/py.typed" in names
    assert "queries/py.typed" in names
