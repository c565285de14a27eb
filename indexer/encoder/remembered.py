"""What was found out about a model, kept in the user's cache folder for the next start.

Its fingerprint takes both of its sides, and the choice of a precision takes two passes of probe
pictures: seconds that a start would spend on finding out what the last one did.

Why that is safe: a record is found by all that its content follows from. That is each file of
the model's folder with its size and the times at which its content and its inode last changed
(no tool sets the latter back), the versions of the libraries, this package's own code, the
device and its instructions, and what was asked for. Whatever differs, there is no record, and
the model is probed as at the first time.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from indexer.core.durable import written_aside
from indexer.core.records import Fingerprint
from indexer.encoder import onnx
from indexer.encoder.cache import cache_folder, hash_of, states_of
from indexer.encoder.checkpoint import Checkpoint
from indexer.encoder.precision import Backend, Choice, Precision, instructions

_LIBRARIES = (
    "numpy",
    "pillow",
    "safetensors",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What loading a model showed.

    Attributes:
        choices: what its ``pictures`` and its ``texts`` are computed in, as far as it is chosen.
        texts_apart: texts of different lengths can't share a batch.
    """

    fingerprint: Fingerprint
    texts_apart: bool
    choices: Mapping[str, Choice] = field(default_factory=dict)


class ModelMemory:
    """The record of one model, as long as it is loaded.

    Args:
        record: where it is kept; None for a model that is not on disk.
    """

    def __init__(self, record: Path | None) -> None:
        self._record = record

    @cached_property
    def recalled(self) -> Remembered | None:
        """What earlier starts found out, read when it is first needed."""
        return None if self._record is None else recall(self._record)

    def keep(self, fingerprint: Fingerprint, *, texts_apart: bool) -> None:
        """Remember what a first start found out."""
        self._remember(Remembered(fingerprint=fingerprint, texts_apart=texts_apart))

    def keep_choice(self, side: str, choice: Choice) -> None:
        """Remember what a side computes in."""
        if self.recalled is not None:
            choices = {**self.recalled.choices, side: choice}
            self._remember(replace(self.recalled, choices=choices))

    def _remember(self, remembered: Remembered) -> None:
        if self._record is not None:
            self.recalled = remembered
            remember(self._record, remembered)


def memory_of(checkpoint: Checkpoint, precision: Precision, device: str) -> ModelMemory:
    """What is known of a model; nothing where its folder or a cache is missing.

    Args:
        precision: as the user asked for it.
        device: where it computes, as torch names it.
    """
    folder, cache = checkpoint.folder, cache_folder("models")
    if cache is None or folder is None:
        return ModelMemory(None)
    facts = [
        checkpoint.name,
        str(precision),
        str(checkpoint.settings),
        *_processor(device),
        *(f"{library} {version(library)}" for library in _LIBRARIES),
        *(f"{library} {version(library)}" for library in onnx.LIBRARIES if onnx.is_installed()),
        *(
            f"{file.name} {file.read_bytes()!r}"
            for file in sorted(Path(__file__).parent.rglob("*.py"))
        ),
        *states_of(folder),
    ]
    return ModelMemory(cache / f"{hash_of(facts)}.json")


def recall(record: Path) -> Remembered | None:
    """What is kept there; None where nothing is, or nothing that can be read."""
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
        fingerprint = stored["fingerprint"]
        probes = {name: tuple(fingerprint[name]) for name in ("text_probe", "picture_probe")}
        return Remembered(
            fingerprint=Fingerprint(**{**fingerprint, **probes}),
            choices={side: _choice(choice) for side, choice in stored["choices"].items()},
            texts_apart=bool(stored["texts_apart"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _choice(stored: dict[str, Any]) -> Choice:
    precision, backend = Precision(stored["precision"]), Backend(stored["backend"])
    return Choice(**{**stored, "precision": precision, "backend": backend})


def remember(record: Path, remembered: Remembered) -> None:
    """Keep it, all or nothing; where the folder can't be written it is found out again."""
    with contextlib.suppress(OSError), written_aside(record, shared=True) as aside:
        aside.write_text(json.dumps(asdict(remembered)), encoding="utf-8")


def _processor(device: str) -> list[str]:
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        return [device, torch.cuda.get_device_name(device)]
    return [device, _processor_name(), instructions(), os.environ.get("ONEDNN_MAX_CPU_ISA", "")]


def _processor_name() -> str:
    """What the processor calls itself: figures of one are not those of another."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor()
