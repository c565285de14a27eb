"""What a label set has beside its labels, as one text: the database keeps it with them.

So a catalog that is recovered from its database alone has its gates again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from indexer.labels.files import AdaptationFolder
from indexer.labels.gates import GateFile, gate_of_values

_BY_PIXELS = "by-pixels"
"""A file in the folder of a set whose labels pixels decide, where these were measured."""


def read_settings(folder: Path) -> str:
    """The settings of a label set as JSON; empty where all are the default.

    Args:
        folder: of the set's labels.

    Raises:
        CatalogError: the gate's file is damaged.
    """
    gate = [asdict(branch) for branch in GateFile(folder).load()]
    settings = {
        **({"gate": gate} if gate else {}),
        **({"by_pixels": True} if is_by_pixels(folder) else {}),
        **({"adapt": False} if AdaptationFolder(folder).is_disabled else {}),
    }
    return json.dumps(settings, ensure_ascii=False, sort_keys=True) if settings else ""


def write_settings(folder: Path, text: str) -> None:
    """Give a label set the settings that ``read_settings`` read."""
    settings = json.loads(text) if text else {}
    folder.mkdir(parents=True, exist_ok=True)
    GateFile(folder).save(gate_of_values(settings.get("gate", ())))
    set_by_pixels(folder, settings.get("by_pixels", False))
    if not settings.get("adapt", True):
        AdaptationFolder(folder).disable()


def is_by_pixels(folder: Path) -> bool:
    """Whether a label set is decided by pixels; ``folder``: of its labels."""
    return (folder / _BY_PIXELS).exists()


def set_by_pixels(folder: Path, by_pixels: bool) -> None:
    """Let a label set be decided by pixels, or by embeddings again."""
    if by_pixels:
        (folder / _BY_PIXELS).touch()
    else:
        (folder / _BY_PIXELS).unlink(missing_ok=True)
