"""What all tests share: where the real data lies, and skips with a reason without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.encoder import SentenceTransformerEncoder

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the real data in ../shared/data")
    return SHARED / "data"


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of real models."""
    if not (SHARED / "models").is_dir():
        pytest.skip("needs the real models in ../shared/models")
    return SHARED / "models"


@pytest.fixture(scope="session")
def pocket() -> SentenceTransformerEncoder:
    """The model in the package, loaded once."""
    return SentenceTransformerEncoder("pocket", device="cpu")
