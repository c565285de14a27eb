"""What is installed is what is needed: the two packages, the model, the word list."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    # Isolated, a build would fetch its setuptools; torch has brought one.
    offline = ("--no-deps", "--no-index", "--no-build-isolation")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir"]
    subprocess.run([*command, folder, ROOT], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel_file: Path) -> list[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel_file) as wheel:
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
    for model in ("pocket", "pocket_sounds"):
        assert {f"indexer/models/{model}/{file}" for file in wanted} <= set(names)
    assert "indexer/data/shop.tar.xz" in names
    assert "queries/pages/templates/demo.html" in names
    assert "queries/pages/templates/page.css" in names
    assert {"queries/pages/scripts/map_view.js", "queries/pages/scripts/map.css"} <= set(names)
    assert "indexer/py.typed" in names
    assert "queries/py.typed" in names


@pytest.mark.slow
def test_the_wheel_works_in_a_fresh_environment(wheel_file: Path, tmp_path: Path) -> None:
    """Its command answers from there; the packages that it needs are lent by this environment."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--no-deps", wheel_file], check=True, capture_output=True)
    site_packages = next((tmp_path / "env").glob("lib/python*/site-packages"))
    lent = sysconfig.get_path("purelib")
    (site_packages / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    where = [python, "-c", "import indexer, queries; print(indexer.__file__, queries.__file__)"]
    files = _output(where, tmp_path).split()
    assert all(Path(file).is_relative_to(site_packages) for file in files)
    command = tmp_path / "env" / "bin" / "zeroshelf"
    assert _output([command, "--version"], tmp_path) == f"zeroshelf {version('zeroshelf')}\n"
    _output([command, "sample", "shop"], tmp_path)
    assert (tmp_path / "shop" / "products.csv").exists()
    added = _output([command, "labels", "add", "shop/taxonomy.yaml", "--dry-run"], tmp_path)
    assert "teapot" in added


def _output(command: Sequence[str | Path], folder: Path) -> str:
    """What a command prints, run in a folder."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=folder, env=environment
    )
    return done.stdout
