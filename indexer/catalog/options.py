"""The options that name a catalog; light, since every command's help loads them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.core.given_values import refuse_below
from indexer.core.label_sets import CATEGORY
from indexer.core.model_settings import AS_THE_MODEL_HAS_IT, ModelSettings

if TYPE_CHECKING:
    from indexer.catalog.folder import CatalogFolder
    from indexer.core.records import Fingerprint
    from indexer.encoder import SentenceTransformerEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogOptions:
    """Which catalog, where, and by which model; the common options of every command.

    Attributes:
        db: a Milvus Lite path or a server's URI; None is ``milvus.db`` in the data folder.
        model: hub name, folder or packaged name; None is the catalog's own model.
        settings: how the model is loaded and used.
        set_name: the label set that commands work on.
    """

    catalog: str = "catalog"
    db: str | None = None
    token: str = field(default="", repr=False)
    data_dir: Path = Path(".zeroshelf")
    model: str | None = None
    device: str | None = None
    precision: str = "auto"
    batch_size: int = 32
    settings: ModelSettings = AS_THE_MODEL_HAS_IT
    set_name: str = CATEGORY

    def __post_init__(self) -> None:
        refuse_below(1, batch_size=self.batch_size)
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        for name in ("db", "model"):  # a path may be given as one
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else str(value))

    def of_set(self, set_name: str) -> CatalogOptions:
        """The options for another label set of the catalog."""
        return replace(self, set_name=set_name)

    def of_catalog(self, made_by: Fingerprint) -> CatalogOptions:
        """The options with the model settings of an existing catalog."""
        return replace(self, settings=self.settings.of_catalog(made_by))

    @property
    def without_model(self) -> CatalogOptions:
        """The options for the catalog's own model, whatever model they name."""
        return replace(self, model=None, settings=AS_THE_MODEL_HAS_IT)

    @property
    def folder(self) -> CatalogFolder:
        """The catalog's folder."""
        from indexer.catalog.folder import CatalogFolder

        return CatalogFolder(self.data_dir, self.catalog, set_name=self.set_name)

    @property
    def db_uri(self) -> str:
        """The database's address."""
        return self.db or str(self.data_dir / "milvus.db")

    def load_encoder(self, model: str) -> SentenceTransformerEncoder:
        """Load a model with the options that are given."""
        from indexer.encoder import load_encoder

        return load_encoder(
            model,
            device=self.device,
            precision=self.precision,
            batch_size=self.batch_size,
            settings=self.settings,
        )
