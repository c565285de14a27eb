"""Which of OpenBLAS' kernels are asked for, and that OpenBLAS takes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer import blas

AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"


def described(folder: Path, *, vendor: str, family: int, flags: str) -> Path:
    """A processor of two cores, as Linux describes it."""
    core = (
        f"vendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: 2\n"
        f"flags\t\t: fpu avx2 {flags}\nbugs\t\t:\n\n"
    )
    file = folder / "cpuinfo"
    file.write_text(core * 2, encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def before_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the start of the command."""
    monkeypatch.delitem(sys.modules, "numpy")
    # Set first, so that what a test sets is taken back with it.
    monkeypatch.setenv(blas.KERNELS, "")
    monkeypatch.delenv(blas.KERNELS)


def test_processors_that_openblas_does_not_know(tmp_path: Path) -> None:
    """Zen 5 with AVX-512."""
    blas.use_avx512(described(tmp_path, vendor="AuthenticAMD", family=26, flags=AVX512))
    assert os.environ[blas.KERNELS] == "SkylakeX"


@pytest.mark.parametrize(
    ("vendor", "family", "flags"),
    [
        ("AuthenticAMD", 26, ""),
        ("AuthenticAMD", 26, "avx512f"),
        ("AuthenticAMD", 25, AVX512),
        ("GenuineIntel", 26, AVX512),
    ],
    ids=["no AVX-512", "not all of it", "known to OpenBLAS", "Intel"],
)
def test_other_processors_are_left_alone(
    tmp_path: Path, vendor: str, family: int, flags: str
) -> None:
    """A kernel that a processor lacks would end the process."""
    blas.use_avx512(described(tmp_path, vendor=vendor, family=family, flags=flags))
    assert blas.KERNELS not in os.environ


def test_what_the_user_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty value too: it lets OpenBLAS choose."""
    monkeypatch.setenv(blas.KERNELS, "")
    blas.use_avx512(described(tmp_path, vendor="AuthenticAMD", family=26, flags=AVX512))
    assert os.environ[blas.KERNELS] == ""


def test_systems_without_a_description(tmp_path: Path) -> None:
    """Nothing is known, nothing is done."""
    blas.use_avx512(tmp_path / "none")
    assert blas.KERNELS not in os.environ


def test_openblas_takes_them() -> None:
    """On this machine, whatever it is: what is asked for before numpy is what it gets."""
    script = (
        "import os; from indexer import blas; blas.use_avx512(); import numpy, threadpoolctl; "
        "print(os.environ.get(blas.KERNELS), "
        "[one.get('architecture') for one in threadpoolctl.threadpool_info()])"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    asked, _, taken = ran.stdout.strip().partition(" ")
    assert asked == "None" or asked in taken
