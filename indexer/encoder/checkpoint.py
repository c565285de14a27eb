"""A model's files: where they lie, and how a model is opened from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from indexer.core.model_settings import ModelSettings
from indexer.encoder.clip import ClipTowers, clip_folder
from indexer.encoder.loading import commit_of, load, name_of, reading, snapshot_of
from indexer.encoder.open_clip import converted, is_open_clip
from indexer.encoder.precision import Precision, weights_dtype
from indexer.encoder.whole import WholeModel


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of one model.

    Attributes:
        name: what a catalog remembers of it.
        folder: where they lie, a conversion's where open_clip wrote them; None for a model that
            has to be fetched.
        loaded_name: what the libraries load it by.
        settings: how it is loaded and asked.
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
        """The model, with its weights in the number format of the device.

        Raises:
            ModelError: not at hand, or does not load; names model, cause and remedy.
        """
        clip = None if self.folder is None else clip_folder(self.folder)
        if clip is not None and not self.settings.trust_remote_code:
            return ClipTowers(clip, device=device, dtype=weights_dtype(precision, device))
        loaded, report = load(
            self.loaded_name, device=device, precision=precision, settings=self.settings
        )
        model = WholeModel(loaded)
        with reading(self.name):
            report.require_complete(self.name, model.probe)
        return model


def checkpoint_of(model: str, settings: ModelSettings) -> Checkpoint:
    """Where the files of a model lie; a folder of open_clip's is converted first.

    Args:
        model: a hub name, a local folder, or a name in ``PACKAGED_MODELS``.

    Raises:
        ModelError: no such folder, or one that can't be converted.
    """
    name = name_of(model)
    folder = snapshot_of(name, settings.revision)
    if folder is None or not is_open_clip(folder):
        return Checkpoint(name, folder, name, settings)
    folder = converted(folder, name=name)
    return Checkpoint(name, folder, str(folder), settings)
