"""What was measured of a model, stored in the user's cache folder for the next start.

The fingerprint needs both sides of a model, and the choice of a precision needs two passes of
probe pictures. A record saves a later start these seconds.

A record can't be stale: its name is a hash of everything that it depends on. That is each file of
the model's folder with its size and the times at which its content and its inode last changed
(no tool sets the latter back), the versions of the libraries, this package's own code, the
device and its instructions, and the user's settings. Where any of these differs there is no
record, and the model is measured again.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter

from indexer.core.durable import written_aside
from indexer.core.records import Fingerprint
from indexer.encoder import onnx
from indexer.encoder.cache import cache_folder, file_states, hash_of
from indexer.encoder.checkpoint import Checkpoint
from indexer.encoder.precision import Precision, PrecisionChoice, instructions
from indexer.encoder.preparation import PreparedBy

_LIBRARIES = (
    *("numpy", "pillow", "safetensors", "sentence-transformers", "tokenizers", "torch"),
    "transformers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """What a start measured of a model.

    Attributes:
        choices: what its ``pictures`` and its ``texts`` are computed in, as far as it is chosen.
        batches_by_length: texts of different lengths can't share a batch.
        prepared_by: how pictures are prepared; None where it takes the model's own processor.
    """

    fingerprint: Fingerprint
    batches_by_length: bool
    prepared_by: PreparedBy | None = None
    choices: Mapping[str, PrecisionChoice] = field(default_factory=dict)


class ModelMemory:
    """The record of a model, as long as the model is loaded.

    Args:
        file: where it is stored; None for a model that is not on disk.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    @cached_property
    def record(self) -> ModelRecord | None:
        """What an earlier start stored, read at first use; None where that can't be read."""
        if self._file is None:
            return None
        try:
            return TypeAdapter(ModelRecord).validate_json(self._file.read_bytes())
        except (OSError, ValueError):
            return None

    def store_choice(self, side: str, choice: PrecisionChoice) -> None:
        """Store what a side computes in."""
        if self.record is not None:
            self.store(replace(self.record, choices={**self.record.choices, side: choice}))

    def store(self, record: ModelRecord) -> None:
        """Store what a start measured."""
        if self._file is None:
            return
        self.record = record
        # Where the folder can't be written, the next start measures again.
        with contextlib.suppress(OSError), written_aside(self._file, shared=True) as aside:
            aside.write_bytes(TypeAdapter(ModelRecord).dump_json(record))


def memory_of(checkpoint: Checkpoint, precision: Precision, device: str) -> ModelMemory:
    """The record of a model; none is stored where its folder or a cache is missing.

    Args:
        precision: as the user requested it.
        device: where the model computes, as torch names it.
    """
    folder, records = checkpoint.folder, cache_folder("models")
    if records is None or folder is None:
        return ModelMemory(None)
    facts = [
        checkpoint.name,
        str(precision),
        str(checkpoint.settings),
        *_processor(device),
        *_software(),
        *file_states(folder),
    ]
    return ModelMemory(records / f"{hash_of(facts)}.json")


@cache
def _software() -> list[str]:
    """Versions of the libraries, and this room's own code: what this process has loaded."""
    libraries = [*_LIBRARIES, *(onnx.LIBRARIES if onnx.is_installed() else ())]
    code = sorted(Path(__file__).parent.rglob("*.py"))
    return [
        *(f"{library} {version(library)}" for library in libraries),
        *(f"{file.name} {file.read_bytes()!r}" for file in code),
    ]


def _processor(device: str) -> list[str]:
    """What computes: rates measured on another processor do not hold here."""
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        return [device, torch.cuda.get_device_name(device)]
    name = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line for line in lines if line.startswith("model name")), name)
    return [device, name, instructions(), os.environ.get("ONEDNN_MAX_CPU_ISA", "")]
