"""A catalog: its archive, database and model, each made when it is first needed."""

from __future__ import annotations

import contextlib
import logging
from functools import cached_property, partial
from typing import TYPE_CHECKING

from indexer.catalog.archive import Archive
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.decisions import ItemDecisions, carry_missing_decisions
from indexer.catalog.fingerprints import PRECOMPUTED, model_of, require_same
from indexer.catalog.folder import CatalogFolder
from indexer.catalog.label_writer import (
    StoredLabels,
    labels_are_stored,
    write_labels,
    write_settings,
)
from indexer.catalog.lag import Lag, measure_lag
from indexer.catalog.ledger import Ledger
from indexer.catalog.options import CatalogOptions
from indexer.catalog.origins import Origins
from indexer.catalog.text_index import TextIndex
from indexer.core.errors import CatalogError, UnknownCatalogError
from indexer.core.label_sets import ATTRIBUTE_PREFIX, CATEGORY, set_option
from indexer.core.layout import AS_IT_IS, Layout
from indexer.core.records import Fingerprint
from indexer.labels.adaptation import Adaptation
from indexer.labels.files import AdaptationFolder, LabelFolder
from indexer.labels.prompt_sets import PromptSet
from indexer.labels.sets import LabelSet

if TYPE_CHECKING:
    from indexer.encoder import SentenceTransformerEncoder
    from indexer.store import Database, MilvusItems, MilvusLabels

_log = logging.getLogger(__name__)


class OpenCatalog:
    """An opened catalog: its folder's files, its database, and its model on demand.

    It stays with the generation that it was opened at, files and collections alike, so a reader
    never searches vectors of one model with a query of another.

    Use ``open_catalog``. Expensive attributes are made when they are first read.
    """

    def __init__(
        self,
        options: CatalogOptions,
        folder: CatalogFolder,
        fingerprint: Fingerprint,
        stack: contextlib.ExitStack,
        *,
        is_writer: bool = False,
    ) -> None:
        self.options = options.of_catalog(fingerprint)
        self.folder = folder
        self.fingerprint = fingerprint
        self.archive = Archive(self.folder.archive, width=fingerprint.width)
        self.label_folder = LabelFolder(self.folder.labels)
        self.adaptation_folder = AdaptationFolder(self.folder.labels)
        self.is_writer = is_writer
        self._stack = stack
        self._of_sets: dict[str, OpenCatalog] = {folder.set_name: self}

    def of_set(self, set_name: str) -> OpenCatalog:
        """The same catalog at another of its label sets; all but labels and decisions is shared.

        Raises:
            UsageError: there is no such set.
        """
        if set_name not in self._of_sets:
            self.folder.of_set(set_name).require_set()
            self._of_sets[set_name] = _OpenCatalogOfSet(self, set_name)
        return self._of_sets[set_name]

    @property
    def sets(self) -> list[OpenCatalog]:
        """The catalog at each of its label sets, the category first."""
        return [self.of_set(name) for name in self.folder.set_names()]

    @property
    def decisions(self) -> ItemDecisions:
        """What the last categorizations decided of the items, by all label sets."""
        return ItemDecisions(self.folder)

    @cached_property
    def ledger(self) -> Ledger:
        """The index of the archive."""
        ledger = Ledger(
            self.folder.ledger,
            self.archive,
            partition_key=self.partition_key,
            on_missing=partial(carry_missing_decisions, self.archive, self.decisions),
        )
        self._stack.callback(ledger.close)
        return ledger

    @property
    def value_columns(self) -> set[str]:
        """Columns whose values can be counted and shown: of metadata, and of the label sets."""
        sets = {f"{ATTRIBUTE_PREFIX}{name}" for name in self.folder.set_names() if name != CATEGORY}
        return self.metadata_columns() | sets

    def metadata_columns(self) -> set[str]:
        """Columns of the items' metadata: those that an item has, and those of the tables."""
        return self.texts.columns() | set(self.folder.column_types())

    @property
    def texts(self) -> TextIndex:
        """The index of the items' words, as of the ledger's newest shard."""
        self._texts.follow(self.archive, self.ledger)
        return self._texts

    @cached_property
    def _texts(self) -> TextIndex:
        texts = TextIndex(self.folder.texts, columns=self.folder.text_columns())
        self._stack.callback(texts.close)
        return texts

    @cached_property
    def origins(self) -> Origins:
        """Which source each item came from last."""
        origins = Origins(self.folder.origins)
        self._stack.callback(origins.close)
        return origins

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The items that could not be used."""
        return DeadLetters(self.folder.dead_letters)

    @cached_property
    def label_set(self) -> LabelSet:
        """The labels with their vectors, as they were at the first reading."""
        return self.label_folder.load(self.fingerprint.width)

    @cached_property
    def prompts(self) -> PromptSet:
        """The prompts of the labels with their vectors."""
        prompts = self.label_folder.prompts(self.fingerprint.width)
        if self.label_set.templates and not len(prompts):
            _log.warning(
                "the prompts of the labels of catalog %r are gone. Make them again with: zeroshelf "
                "labels add FILE --replace%s",
                self.folder.name,
                set_option(self.folder.set_name),
            )
        return prompts

    @cached_property
    def adaptation(self) -> Adaptation | None:
        """The adaptation of the labels; None where there is none that fits them."""
        return self.adaptation_folder.of_labels(self.label_set.leaves)

    @cached_property
    def database(self) -> Database:
        """The connection to Milvus."""
        from indexer.store import Database

        options = self.options
        return self._stack.enter_context(Database.connect(options.db_uri, token=options.token))

    @cached_property
    def items(self) -> MilvusItems:
        """The ``items`` collection; the ledger tracks it from here on."""
        self._check_database()
        name, generation = self.folder.name, self.folder.number
        # By its id: a collection that was made again under the same name is empty.
        self.ledger.stored.track(self.database.collection_id(name, generation))
        items = self.database.items(name, generation).with_columns(self.metadata_columns)
        if self.is_writer:
            # Rows that a restored older collection lacks have to be stored again.
            self.ledger.stored.mark_lost(items.stored_version())
        return items

    @cached_property
    def partition_key(self) -> str:
        """The metadata column that the items are partitioned by; empty for none."""
        return self.folder.generations().partition_key

    def items_in(self, partition: str | None) -> MilvusItems:
        """The items of one partition; all of them for None.

        Raises:
            UsageError: the catalog is not divided, or has no such partition.
        """
        if partition is None:
            return self.items
        self.require_partition(partition)
        return self.items.in_partition(partition)

    def require_partition(self, partition: str) -> None:
        """Refuse a partition that no item belongs to.

        Raises:
            UsageError: the catalog is not divided, or has no such partition.
        """
        self.ledger.partitions.require(
            partition, catalog=self.folder.name, column=self.partition_key
        )

    @cached_property
    def labels(self) -> MilvusLabels:
        """The ``labels`` collection, with the labels of the catalog's folder.

        If a command was killed between writing the files and the database, this writes the
        collection.

        Raises:
            CatalogError: it has to be written, and another command writes to the catalog.
        """
        if self.is_writer:
            self.store_labels()
        else:
            self._check_database()
            if not self._labels_are_stored():
                self._finish_label_write()
        folder = self.folder
        return self.database.labels(folder.name, folder.number, set_name=folder.set_name)

    @cached_property
    def encoder(self) -> SentenceTransformerEncoder:
        """The model that made the catalog's vectors, checked against its fingerprint.

        Raises:
            ModelError: the model is missing, not named, or another one.
        """
        model = model_of(self.options, self.fingerprint, catalog=self.folder.name)
        encoder = self.options.load_encoder(model)
        require_same(self.fingerprint, encoder.fingerprint, catalog=self.folder.name)
        if not self.fingerprint.is_probed:
            _log.warning(
                "catalog %r holds precomputed vectors: that %s made them can't be checked.",
                self.folder.name,
                model,
            )
        return encoder

    @property
    def has_model(self) -> bool:
        """Whether a model is named that can embed words and pictures."""
        return (self.options.model or self.fingerprint.model) != PRECOMPUTED

    @cached_property
    def lag(self) -> Lag:
        """How the database differs from the archive, by counts and by its version."""
        items = self.items
        version = items.stored_version()
        return measure_lag(self.archive, self.ledger, rows=items.count(), version=version)

    def report_lag(self) -> None:
        """Warn where the database differs from the archive."""
        address, name = self.database.address, self.folder.name
        for warning in self.lag.warnings(address, name, is_stored_now=self.is_writer):
            _log.warning("%s", warning)

    @property
    def adaptation_is_outdated(self) -> bool:
        """Whether the labels changed after they were adapted."""
        return self.adaptation is None and self.adaptation_folder.load() is not None

    def create_collections(
        self, *, layout: Layout = AS_IT_IS, current: bool = True, labels: bool = True
    ) -> None:
        """Make the collections where the database has none.

        The labels are then stored from their file; items have to be stored from the archive.

        Args:
            layout: vector type and metadata indexes of the items.
            current: move the aliases to them, which also completes a killed swap.
            labels: store the labels of all sets; not needed for those of this one where they are
                about to be replaced.

        Raises:
            ConfigError: the stored items have another layout, or the database can't have this one.
        """
        name, generation = self.folder.name, self.folder.number
        if not self.database.has_catalog(name, generation):
            self.database.create_catalog(
                name,
                self.fingerprint,
                generation,
                partition_key=self.partition_key,
                layout=layout,
                current=current,
            )
        else:
            self.database.apply_layout(name, layout, generation)
            if current:
                self.database.make_current(name, generation)
        for catalog in self.sets:
            if labels or catalog is not self:
                catalog.store_labels()

    def store_labels(self) -> None:
        """Write the set's rows of the ``labels`` collection where they differ from its files.

        Raises:
            ModelMismatchError: the database holds the catalog by another model.
        """
        self._check_database()
        if not self._labels_are_stored():
            if self.label_folder.current() is None:
                _log.warning(
                    "the label file of catalog %r is gone, and %s still has labels. Add them again "
                    "with: zeroshelf labels add FILE --replace%s",
                    self.folder.name,
                    self.database.address,
                    set_option(self.folder.set_name),
                )
                return
            self.write_labels(None)
        write_settings(self.database, self.folder)

    def write_labels(self, previous: StoredLabels | None) -> None:
        """Write the catalog's labels to the ``labels`` collection.

        Args:
            previous: its state after the last completed command; None where unknown.
        """
        write_labels(self.database, self.folder, previous, (self.label_set, self.adaptation))

    def _labels_are_stored(self) -> bool:
        return labels_are_stored(self.database, self.folder, (self.label_set, self.adaptation))

    def _finish_label_write(self) -> None:
        """Complete the write of a killed command, unless another command writes now."""
        with self.folder.locked():
            # Read again under the lock: another command may have changed the labels meanwhile.
            on_disk = self.label_folder.load(self.fingerprint.width)
            if on_disk.version != self.label_set.version:
                raise CatalogError(
                    f"the labels of catalog {self.folder.name!r} were changed while this command "
                    "read them. Run it again."
                )
            self.store_labels()

    def _check_database(self) -> None:
        name = self.folder.name
        try:
            stored = self.database.fingerprint(name, self.folder.number)
        except UnknownCatalogError as error:
            raise CatalogError(
                f"{self.database.address} has no catalog {name!r}, and its archive has. "
                f"Run: zeroshelf rebuild --catalog {name}"
            ) from error
        # The database may be a backup from before the model was changed.
        require_same(stored, self.fingerprint, catalog=name)


class _OpenCatalogOfSet(OpenCatalog):
    """A catalog that was opened already, at another of its label sets."""

    def __init__(self, opened: OpenCatalog, set_name: str) -> None:
        super().__init__(
            opened.options.of_set(set_name),
            opened.folder.of_set(set_name),
            opened.fingerprint,
            opened._stack,
            is_writer=opened.is_writer,
        )
        self._opened = opened
        self._of_sets = opened._of_sets

    @cached_property
    def ledger(self) -> Ledger:
        return self._opened.ledger

    @cached_property
    def origins(self) -> Origins:
        return self._opened.origins

    @property
    def texts(self) -> TextIndex:
        return self._opened.texts

    @cached_property
    def database(self) -> Database:
        return self._opened.database

    @cached_property
    def items(self) -> MilvusItems:
        return self._opened.items

    @cached_property
    def encoder(self) -> SentenceTransformerEncoder:
        return self._opened.encoder

    @cached_property
    def lag(self) -> Lag:
        return self._opened.lag
