"""Finds the files of a model, and loads the model from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from indexer.core.model_settings import ModelSettings
from indexer.encoder.clip import ClipTowers, clip_folder
from indexer.encoder.loading import commit_of, load, loading_errors, name_of, snapshot_of
from indexer.encoder.open_clip import convert, is_open_clip
from indexer.encoder.precision import Precision, weights_dtype
from indexer.encoder.weights import require_floating
from indexer.encoder.whole_model import WholeModel


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of one model.

    Attributes:
        name: as a catalog stores it.
        folder: of the files, converted if open_clip wrote them; None for a model to be fetched.
        loaded_name: the name or folder that the libraries load.
        settings: of loading, prompts and width.
    """

    name: str
    folder: Path | None
    loaded_name: str
    settings: ModelSettings

    @property
    def revision(self) -> str:
        """Hash of a folder's weights, or the hub's commit; empty if unknown."""
        return commit_of(self.name, self.settings.revision)

    def open(self, device: str, precision: Precision) -> ClipTowers | WholeModel:
        """Load the model, with its weights in the number format of the device.

        Raises:
            ModelError: not at hand, or does not load; names model, cause and remedy.
        """
        if self.folder is not None:
            require_floating(self.folder, self.name)
        clip = None if self.folder is None else clip_folder(self.folder)
        if clip is not None and not self.settings.trust_remote_code:
            return ClipTowers(clip, device=device, dtype=weights_dtype(precision, device))
        loaded, report = load(
            self.loaded_name, device=device, precision=precision, settings=self.settings
        )
        model = WholeModel(loaded)
        with loading_errors(self.name):
            report.require_complete(self.name, model.probe)
        return model


def checkpoint_of(model: str, settings: ModelSettings) -> Checkpoint:
    """Find the files of a model; a folder of open_clip's is converted first.

    Args:
        model: a hub name, a local folder, or a name in ``PACKAGED_MODELS``.

    Raises:
        ModelError: no such folder, or one that can't be converted.
    """
    name = name_of(model)
    folder = snapshot_of(name, settings.revision)
    if folder is None or not is_open_clip(folder):
        return Checkpoint(name, folder, name, settings)
    folder = convert(folder, name=name)
    return Checkpoint(name, folder, str(folder), settings)
