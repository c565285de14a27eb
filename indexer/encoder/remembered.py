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
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from indexer.archive import replace_durably
from indexer.encoder.cache import cache_folder, state_of
from indexer.encoder.precision import Choice, Precision, has_int8_products
from indexer.model_settings import ModelSettings
from indexer.records import Fingerprint

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
        choice: what its pictures, or the texts of a text model, are computed in.
        texts_apart: texts of different lengths can't share a batch.
    """

    fingerprint: Fingerprint
    choice: Choice
    texts_apart: bool


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
        chosen, found = kept["choice"], kept["fingerprint"]
        probes = {name: tuple(found[name]) for name in ("text_probe", "picture_probe")}
        return Remembered(
            fingerprint=Fingerprint(**{**found, **probes}),
            choice=Choice(precision=Precision(chosen["precision"]), cosine=chosen["cosine"]),
            texts_apart=bool(kept["texts_apart"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(record: Path, found: Remembered) -> None:
    """Keep it, all or nothing; where the folder can't be written it is found out again."""
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=record.parent, suffix=".writing", delete=False
        ) as stream:
            json.dump(asdict(found), stream)
        replace_durably(Path(stream.name), record)


def _processor(device: str) -> list[str]:
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        return [device, torch.cuda.get_device_name(device)]
    return [device, torch.backends.cpu.get_cpu_capability(), str(has_int8_products())]
