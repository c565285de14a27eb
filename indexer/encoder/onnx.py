"""An image tower by ONNX Runtime (``pip install 'zeroshelf[onnx]'``), exported once.

The export lies in the user's cache under a hash of the model's files, the versions of the
libraries and this module's code. A hash of its content is checked when it is read, and a damaged
export is made again.

In int8 ONNX Runtime rounds all of an activation tensor by one range. So each picture goes through
alone: otherwise a vector would depend on its batch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.core.errors import first_line
from indexer.core.hashing import file_sha256
from indexer.encoder.cache import cache_folder, file_states, hash_of, is_complete, write_folder
from indexer.encoder.precision import Precision

if TYPE_CHECKING:
    import torch

LIBRARIES = ("onnx", "onnxruntime")

# The first operator set that has LayerNormalization as one operator.
_OPSET = 17
_INPUT, _OUTPUT = "pixels", "vectors"

_log = logging.getLogger(__name__)


class ExportError(Exception):
    """A tower can't be exported, or ONNX Runtime can't run it; torch runs it instead."""


def is_installed() -> bool:
    """Whether the packages of the ``onnx`` extra are installed."""
    return all(importlib.util.find_spec(name) is not None for name in LIBRARIES)


class OnnxTower:
    """An exported image tower, called like the torch module.

    Args:
        file: as ``exported_file`` gives it.
        one_by_one: run each picture alone.
    """

    def __init__(self, file: Path, *, one_by_one: bool) -> None:
        import onnxruntime
        import torch

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Spinning threads would take cores from the threads that decode pictures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self._one_by_one = one_by_one
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors share no other class
            raise ExportError(f"ONNX Runtime can't run it: {first_line(error)}") from error

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (n, 3, height, width) to float32 (n, d)."""
        import torch

        batches = pixels.split(1) if self._one_by_one else [pixels]
        vectors = [
            self._session.run([_OUTPUT], {_INPUT: batch.contiguous().numpy()})[0]
            for batch in batches
        ]
        return torch.cat([torch.from_numpy(array) for array in vectors])


def exported_file(
    folder: Path, precision: Precision, tower: torch.nn.Module, pixels: torch.Tensor
) -> Path:
    """The ONNX file of a tower, from the cache or exported now.

    Args:
        folder: the model's files.
        precision: ``FLOAT32`` or ``INT8``.
        tower: float32 (n, 3, height, width) to float32 (n, d).
        pixels: float32 (2, 3, height, width), an example of its input.

    Raises:
        ExportError: the tower can't be exported, or the disk has no room for it.
    """
    cache = cache_folder("onnx")
    if cache is None:
        raise ExportError("there is no folder to keep the export in: set XDG_CACHE_HOME to one")
    facts = [
        str(precision),
        *(f"{name} {version(name)}" for name in ("torch", "transformers", *LIBRARIES)),
        Path(__file__).read_text(encoding="utf-8"),
        *file_states(folder),
    ]
    place, name = cache / hash_of(facts), f"{precision}.onnx"

    def write(writing: Path) -> None:
        if precision is Precision.INT8:
            _quantize(exported_file(folder, Precision.FLOAT32, tower, pixels), writing / name)
        else:
            _log.info("exporting the image tower for ONNX Runtime, once")
            _export(tower, pixels, writing / name)

    if not is_complete(place, file_sha256):
        try:
            write_folder(place, write, file_sha256)
        except OSError as error:
            raise ExportError(f"{str(cache)!r}: {first_line(error)}") from error
    return place / name


def _export(tower: torch.nn.Module, pixels: torch.Tensor, file: Path) -> None:
    import torch

    try:
        with warnings.catch_warnings(), torch.no_grad(), _quiet_logging():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                tower.eval(),
                (pixels,),
                str(file),
                input_names=[_INPUT],
                output_names=[_OUTPUT],
                dynamic_axes={_INPUT: {0: "n"}, _OUTPUT: {0: "n"}},
                opset_version=_OPSET,
                dynamo=False,  # the newer exporter needs another package
            )
    except Exception as error:  # whatever an exporter meets in a model of any family
        raise ExportError(f"its image tower can't be exported: {first_line(error)}") from error


def _quantize(plain: Path, file: Path) -> None:
    """Weights in int8 with a scale for each output; activations are quantized at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    try:
        with _quiet_logging():
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
def _quiet_logging() -> Iterator[None]:
    """The libraries give advice to their developers on the root logger."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
