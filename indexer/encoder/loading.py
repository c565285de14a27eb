"""Finds models, at hand or on the hub, and loads them quietly."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.core.collection import collection_paused
from indexer.core.errors import ModelError, ModelUsageError, first_line
from indexer.core.model_settings import ModelSettings
from indexer.encoder.precision import Precision, weights_dtype
from indexer.encoder.weights import LoadingReport, loading_report

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "sentence-transformers/clip-ViT-B-32"
_MODELS = Path(__file__).parents[1] / "models"
PACKAGED_MODELS = {"pocket": _MODELS / "pocket", "pocket-sounds": _MODELS / "pocket_sounds"}
"""Short names of models that ship in the package."""

_CONFIG_FILES = ("config.json", "modules.json", "open_clip_config.json")
"""Each model on the hub has one of these files."""

_HUB, _LOCAL = "hf-hub:", "local-dir:"
# The hub client by itself tries again for about a minute before it gives up.
_HUB_TIMEOUT_S = 5.0
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_FREED_BYTES_KEPT = 512 * 2**20
_SPINS = "2000"
_DAMAGE = (
    *(OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, ImportError),
    ArithmeticError,
)

OTHER_TOKENIZER = (
    "Its tokenizer has tokens that the weights have not: take the tokenizer's files from the same "
    "folder as the weights."
)
OTHER_SETTINGS = (
    "Its config.json, tokenizer or image processor do not belong to its weights: take all files "
    "from the same folder."
)


def weights_hash(folder: Path) -> str:
    """Hash of the name, the size and the first mebibyte of each weights file."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".safetensors", ".bin"}:
            with file.open("rb") as stream:
                head = stream.read(2**20)
            digest.update(f"{file.name}:{file.stat().st_size}:".encode() + head)
    return digest.hexdigest()[:16]


def folder_of(model: str) -> Path | None:
    """The local folder that a model name stands for; None for a name on the hub."""
    model = model.removeprefix(_LOCAL)
    folder = PACKAGED_MODELS.get(model, Path(model).expanduser())
    if folder.is_dir():
        return folder
    looks_like_path = model.startswith((".", "/", "~")) or model.count("/") > 1
    if looks_like_path or model in PACKAGED_MODELS:
        raise ModelUsageError(f"model folder {str(folder)!r} does not exist. Check --model.")
    return None


def name_of(model: str) -> str:
    """The name of a model as a catalog stores it.

    For a folder this is its absolute path, since the next command may run elsewhere. open_clip's
    prefixes of names (``hf-hub:NAME``, ``local-dir:FOLDER``) are accepted.

    Raises:
        ModelError: it names a folder that does not exist.
    """
    model = model.removeprefix(_HUB)
    folder = folder_of(model)
    return str(folder.resolve()) if folder and model not in PACKAGED_MODELS else model


def snapshot_of(model: str, revision: str | None = None) -> Path | None:
    """The folder that a model's files lie in: its own, or the hub's in the local cache.

    Args:
        revision: branch, tag or commit on the hub; None is its main branch.

    Raises:
        ModelError: a revision of a folder.
    """
    folder = folder_of(model)
    if folder is not None and revision is not None:
        raise ModelUsageError(
            f"--revision {revision!r} is for models of the hub, and {model!r} is a folder."
        )
    if folder is not None:
        return folder
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        places = [try_to_load_from_cache(model, file, revision=revision) for file in _CONFIG_FILES]
    except HFValidationError:  # no valid name; loading it says so
        return None
    # Other values mark files that the hub does not have.
    return next((Path(place).parent for place in places if isinstance(place, str)), None)


def commit_of(model: str, revision: str | None = None) -> str:
    """Hash of the weights in a model's folder, or the hub's commit; empty if unknown."""
    folder = folder_of(model)
    if folder is not None:
        return weights_hash(folder)
    snapshot = snapshot_of(model, revision)  # the hub's cache names it by the commit
    return "" if snapshot is None else snapshot.name


def resolve_device(device: str | None) -> str:
    """The requested device, or else the best one; also sets up threads and memory for torch.

    Raises:
        ModelError: there is no such device.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _limit_spinning()
    _keep_freed_memory()
    with collection_paused():
        import torch

    if device is None:
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    # A build without the device's code asserts, and one without its driver raises.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelUsageError(
            f"--device {device!r} can't be used: {first_line(error)}. Leave it out for the best "
            "that there is, or give --device cpu."
        ) from error
    return device


def load(
    model: str, *, device: str, precision: Precision, settings: ModelSettings
) -> tuple[SentenceTransformer, LoadingReport]:
    """Load a model from a folder, the local cache or the hub, with the report on its weights.

    Raises:
        ModelError: not at hand, or does not load; names model, cause and remedy.
    """
    folder = folder_of(model)
    with quiet(), loading_report() as report:
        from sentence_transformers import SentenceTransformer

        options: dict[str, Any] = {
            "device": device,
            "model_kwargs": {"dtype": weights_dtype(precision, device)},
            "revision": settings.revision,
            "trust_remote_code": settings.trust_remote_code,
            "truncate_dim": settings.truncate_dim,
        }
        if folder is not None:
            with loading_errors(folder):
                loaded = SentenceTransformer(str(folder), local_files_only=True, **options)
            return loaded, report
        try:
            return SentenceTransformer(model, local_files_only=True, **options), report
        except (OSError, ValueError) as error:
            _refuse_remote_code(model, error)
            require_on_hub(model, settings.revision, error)
        try:
            return SentenceTransformer(model, **options), report
        except _load_errors() as error:
            _refuse_remote_code(model, error)
            raise ModelError(
                f"model {model!r} can't be fetched or does not load: {first_line(error)}. Run the "
                "command again, or give a local folder with --model FOLDER. A model of open_clip "
                f"is fetched with: hf download {model}"
            ) from error


@contextlib.contextmanager
def loading_errors(folder: Path | str) -> Iterator[None]:
    """Turn every error of the libraries about a model's folder into one error.

    Raises:
        ModelError: names folder, cause and remedy.
    """
    try:
        yield
    except _load_errors() as error:
        _refuse_remote_code(str(folder), error)
        if "sentencepiece" in str(error).lower():
            raise ModelError(
                f"model folder {str(folder)!r} does not load: its tokenizer needs the package "
                "sentencepiece. Install it with: pip install 'zeroshelf[sentencepiece]'"
            ) from error
        remedy = "It must hold a model that sentence-transformers or transformers saved."
        if isinstance(error, IndexError):  # of an embedding of tokens
            remedy = OTHER_TOKENIZER
        raise ModelError(
            f"model folder {str(folder)!r} does not load: {first_line(error)}. {remedy}"
        ) from error


def _load_errors() -> tuple[type[Exception], ...]:
    """What the libraries raise for a folder without a usable model."""
    from safetensors import SafetensorError

    return (*_DAMAGE, SafetensorError)


def _limit_spinning() -> None:
    """Let waiting threads spin for 0.06 ms before they sleep.

    Threads that sleep at once must be woken at every layer: one picture by ViT-B/32 in int8 took
    82 ms on two cores, 23 ms with this setting; in batches of 32 an eighth more. GNU's default of
    9 ms is no faster and takes the cores of other programs: beside two of them one picture took
    7.8 s, 160 ms with this setting, 44 ms asleep.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # for OpenMP libraries other than GNU's
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def _keep_freed_memory() -> None:
    """Let glibc keep the memory that torch frees, since the next forward pass needs it again.

    Returning it to the system costs a page fault for every 4 KiB.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # other C libraries have no mallopt
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the largest that glibc takes
            mallopt(_M_TRIM_THRESHOLD, _FREED_BYTES_KEPT)


def _refuse_remote_code(model: str, error: Exception) -> None:
    """Name --trust-remote-code where a model needs its own Python code."""
    if "trust_remote_code" in str(error):
        raise ModelError(
            f"model {model!r} brings Python code of its own, which is not run unless it is asked "
            "for. Read its .py files, and where you trust them give --trust-remote-code."
        ) from error


def query_hub(model: str, revision: str | None = None) -> None:
    """Ask the hub for a model once, with a short timeout; raises what the hub client raises."""
    from huggingface_hub import HfApi

    HfApi().model_info(model, revision=revision, timeout=_HUB_TIMEOUT_S)


def require_on_hub(model: str, revision: str | None, cached: Exception | None = None) -> None:
    """Query the hub once with a short timeout, before a download that retries often.

    Raises:
        ModelError: the hub does not answer, or has no such model.
    """
    at = f" at revision {revision!r}" if revision else ""
    try:
        query_hub(model, revision)
    except Exception as error:  # noqa: BLE001 - the hub client raises errors of three libraries
        raise ModelError(
            f"model {model!r}{at} is not in the local cache, and the model hub can't provide it: "
            f"{first_line(error)}. Give a local folder with --model FOLDER, "
            "or fetch it once on a machine with network (its cache folder is HF_HOME) and copy it; "
            "'--model pocket' needs no download and is good for a first look."
        ) from cached


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' own progress bars and deprecation notes off the user's screen."""
    with collection_paused():
        from huggingface_hub.utils import logging as hub_logging
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        hub_logging.set_verbosity_error()
        logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
