"""An image tower by ONNX Runtime (``pip install 'zeroshelf[onnx]'``), exported once.

The export lies in the user's cache under what it follows from: the model's files, the versions
of the libraries, this package's code. It comes there in one rename, and with a hash of its
content, which is checked when it is read: a damaged one is made anew.

In int8 the range of an activation is found for all of a tensor at once. So pictures go through
one at a time: otherwise a vector would depend on its batch.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.core.errors import first_line
from indexer.encoder.cache import cache_folder, state_of
from indexer.encoder.precision import Precision

if TYPE_CHECKING:
    import torch

LIBRARIES = ("onnx", "onnxruntime")

_OPSET = 17
_INPUT, _OUTPUT = "pixels", "vectors"
_HASH = "content.json"

_log = logging.getLogger(__name__)


class ExportError(Exception):
    """A tower can't be exported, or ONNX Runtime can't run it; nothing is lost by it."""


def is_installed() -> bool:
    """Whether the packages of the extra are there."""
    return all(importlib.util.find_spec(name) is not None for name in LIBRARIES)


@dataclass(frozen=True, slots=True)
class Tower:
    """An image tower by torch.

    Attributes:
        vectors: what the module makes of float32 (n, 3, height, width).
    """

    module: torch.nn.Module
    vectors: Callable[[Any, torch.Tensor], torch.Tensor]


class OnnxTower:
    """An exported image tower, in the place of the torch module.

    Args:
        file: as ``exported`` gives it.
        one_by_one: pictures go through alone.
    """

    def __init__(self, file: Path, *, one_by_one: bool) -> None:
        import onnxruntime
        import torch

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Threads that wait by spinning take the cores from those that decode pictures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self._one_by_one = one_by_one
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no class in common but this
            raise ExportError(f"ONNX Runtime can't run it: {first_line(error)}") from error

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (n, 3, height, width) to float32 (n, d)."""
        import torch

        parts = pixels.split(1) if self._one_by_one else [pixels]
        found = [
            self._session.run([_OUTPUT], {_INPUT: part.contiguous().numpy()})[0] for part in parts
        ]
        return torch.cat([torch.from_numpy(one) for one in found])


def exported(
    folder: Path,
    precision: Precision,
    tower: Tower,
    pixels: torch.Tensor,
) -> Path:
    """The file of a tower, out of the cache or exported now.

    Args:
        folder: the model's files.
        precision: ``FLOAT32`` or ``INT8``.
        tower: the image tower by torch.
        pixels: float32 (2, 3, height, width), an example of what it takes.

    Raises:
        ExportError: the tower can't be exported, or there is no room for it.
    """
    cache = cache_folder("onnx")
    if cache is None:
        raise ExportError("there is no folder to keep the export in: set XDG_CACHE_HOME to one")
    place = cache / _key(folder, precision)
    if not _is_whole(place):
        try:
            _make(place, folder, precision, tower, pixels)
        except OSError as error:
            raise ExportError(f"{str(cache)!r}: {first_line(error)}") from error
    return place / _name(precision)


def _name(precision: Precision) -> str:
    return f"{precision}.onnx"


def _key(folder: Path, precision: Precision) -> str:
    facts = [
        str(precision),
        *(f"{name} {version(name)}" for name in ("torch", "transformers", *LIBRARIES)),
        Path(__file__).read_text(encoding="utf-8"),
        *(state_of(file, folder) for file in sorted(folder.rglob("*")) if file.is_file()),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def _make(
    place: Path,
    folder: Path,
    precision: Precision,
    tower: Tower,
    pixels: torch.Tensor,
) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    writing = Path(tempfile.mkdtemp(dir=place.parent, suffix=".writing"))
    try:
        file = writing / _name(precision)
        if precision is Precision.INT8:
            _quantize(exported(folder, Precision.FLOAT32, tower, pixels), file)
        else:
            _log.info("exporting the image tower for ONNX Runtime, once")
            _export(tower, pixels, file)
        hashes = {one.name: _hash(one) for one in writing.iterdir()}
        (writing / _HASH).write_text(json.dumps(hashes), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was first: its file is as good
            writing.rename(place)
    finally:
        shutil.rmtree(writing, ignore_errors=True)


def _is_whole(place: Path) -> bool:
    try:
        hashes = json.loads((place / _HASH).read_text(encoding="utf-8"))
        return all(_hash(place / name) == wanted for name, wanted in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _export(tower: Tower, pixels: torch.Tensor, file: Path) -> None:
    import torch

    class Module(torch.nn.Module):
        """What the exporter traces; it must hold the weights to see them."""

        def __init__(self) -> None:
            super().__init__()
            self.module = tower.module

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return tower.vectors(self.module, pixels)

    try:
        with warnings.catch_warnings(), torch.no_grad(), _logging_less():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Module().eval(),
                (pixels,),
                str(file),
                input_names=[_INPUT],
                output_names=[_OUTPUT],
                dynamic_axes={_INPUT: {0: "n"}, _OUTPUT: {0: "n"}},
                opset_version=_OPSET,
                dynamo=False,  # the other exporter needs a package more
            )
    except Exception as error:  # whatever an exporter meets in a model of any family
        raise ExportError(f"its image tower can't be exported: {first_line(error)}") from error


def _quantize(plain: Path, file: Path) -> None:
    """Weights in int8, a scale an output; activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    try:
        with _logging_less():
            quantize_dynamic(
                plain,
                file,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,  # sums of two products must fit 16 bits without VNNI
                op_types_to_quantize=["MatMul"],
            )
    except Exception as error:
        raise ExportError(f"it can't be quantized: {first_line(error)}") from error


@contextlib.contextmanager
def _logging_less() -> Iterator[None]:
    """The libraries give advice to their developers on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
