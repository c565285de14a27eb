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
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from indexer.core.durable import written_aside
from indexer.core.model_settings import ModelSettings
from indexer.core.records import Fingerprint
from indexer.encoder import onnx
from indexer.encoder.cache import cache_folder, state_of
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


def record_of(
    name: str, folder: Path, *, asked: Precision, device: str, settings: ModelSettings
) -> Path | None:
    """Where the record of a model lies, or would lie; None for a user without a cache folder.

    Args:
        name: as the fingerprint has it.
        folder: where all of the model's files are.
        asked: the precision that was asked for.
        device: where it computes, as torch names it.
        settings: how it is loaded and asked.
    """
    cache = cache_folder("models")
    if cache is None:
        return None
    facts = [
        name,
        str(asked),
        str(settings),
        *_processor(device),
        *(f"{one} {version(one)}" for one in _LIBRARIES),
        *(f"{one} {version(one)}" for one in onnx.LIBRARIES if onnx.is_installed()),
        *(
            f"{file.name} {file.read_bytes()!r}"
            for file in sorted(Path(__file__).parent.rglob("*.py"))
        ),
        *(state_of(file, folder) for file in sorted(folder.rglob("*")) if file.is_file()),
    ]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
    return cache / f"{key}.json"


def recall(record: Path) -> Remembered | None:
    """What is kept there; None where nothing is, or nothing that can be read."""
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
        found = kept["fingerprint"]
        probes = {name: tuple(found[name]) for name in ("text_probe", "picture_probe")}
        return Remembered(
            fingerprint=Fingerprint(**{**found, **probes}),
            choices={side: _choice(chosen) for side, chosen in kept["choices"].items()},
            texts_apart=bool(kept["texts_apart"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _choice(kept: dict[str, Any]) -> Choice:
    precision, backend = Precision(kept["precision"]), Backend(kept["backend"])
    return Choice(**{**kept, "precision": precision, "backend": backend})


def remember(record: Path, found: Remembered) -> None:
    """Keep it, all or nothing; where the folder can't be written it is found out again."""
    with contextlib.suppress(OSError), written_aside(record, shared=True) as aside:
        aside.write_text(json.dumps(asdict(found)), encoding="utf-8")


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
