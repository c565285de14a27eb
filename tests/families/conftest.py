"""Each checkpoint is made once, and its peers are loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from family_checkpoints import make

from indexer.encoder import SentenceTransformerEncoder


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is remembered of models lies in a folder of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family, made when it is first asked for."""
    root, made = tmp_path_factory.mktemp("families"), dict[str, Path]()

    def folder_of(name: str) -> Path:
        if name not in made:
            made[name] = make(name, root / name)
        return made[name]

    return folder_of


@pytest.fixture(scope="session")
def encoder_of(
    checkpoint: Callable[[str], Path],
) -> Callable[[str], SentenceTransformerEncoder]:
    """Our encoder of a family, in float32 on the CPU."""
    loaded: dict[str, SentenceTransformerEncoder] = {}

    def encoder(name: str) -> SentenceTransformerEncoder:
        if name not in loaded:
            folder = str(checkpoint(name))
            loaded[name] = SentenceTransformerEncoder(folder, device="cpu", precision="float32")
        return loaded[name]

    return encoder


@pytest.fixture(scope="session")
def peer_of(checkpoint: Callable[[str], Path]) -> Callable[[str], Any]:
    """sentence-transformers' own model of a family."""
    loaded: dict[str, Any] = {}

    def peer(name: str) -> Any:
        from sentence_transformers import SentenceTransformer

        if name not in loaded:
            loaded[name] = SentenceTransformer(
                str(checkpoint(name)),
                device="cpu",
                local_files_only=True,
                model_kwargs={"dtype": "float32"},
            )
        return loaded[name]

    return peer
