"""What a catalog keeps of its labels: the label set and what it was adapted by, a file a version.

The files are the record, as the archive is for items: Milvus holds the same labels for
search, and a bulk job reads the whole set from here at memory speed.
"""

from __future__ import annotations

import json
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.core.durable import written_aside
from indexer.core.label_sets import set_name_of, set_option
from indexer.core.records import Label
from indexer.labels.adaptation import Adaptation
from indexer.labels.gates import GateFile
from indexer.labels.prompt_sets import (
    PromptSet,
    checked_table,
    no_prompts,
    read_prompts,
    write_prompts,
)
from indexer.labels.sets import LabelSet, columns, empty

# The one before stays, for a reader that has listed the files and not opened one yet.
_STORED_VERSIONS = 2
_log = logging.getLogger(__name__)
_TEMPLATES = b"templates"


class LabelFolder:
    """The files of a catalog's label sets; the newest counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, width: int) -> LabelSet:
        """The current label set; empty where there is none.

        Raises:
            CatalogError: the file is damaged (its checksums say so).
        """
        files = self._files()
        if not files:
            return empty(width)
        table = checked_table(files[-1], "label file")
        rows = table.drop_columns(["vector", "definition_hash"]).to_pylist()
        flat = table.column("vector").combine_chunks().flatten()
        return LabelSet(
            labels=tuple(
                Label(**row | {name: tuple(row[name]) for name in ("path", "synonyms")})
                for row in rows
            ),
            definitions=tuple(table.column("definition_hash").to_pylist()),
            vectors=np.array(flat, dtype=np.float32).reshape(len(rows), width),
            templates=tuple(json.loads((table.schema.metadata or {}).get(_TEMPLATES, b"[]"))),
        )

    def prompts(self, width: int) -> PromptSet:
        """The prompts of the current label set; none where none were kept.

        Raises:
            CatalogError: the file is damaged.
        """
        files = self._files()
        return read_prompts(_prompt_file(files[-1]), width) if files else no_prompts(width)

    def save(self, labels: LabelSet, prompts: PromptSet | None = None) -> None:
        """Make a label set the current one, durably; a few older ones are kept.

        Its prompts come first: a label set without prompts would be scored otherwise.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = _next_file(self.folder, "labels-", ".parquet")
        width = labels.vectors.shape[1]
        rows = [columns(label) for label in labels.labels]
        table = pa.Table.from_pylist(rows, schema=_schema())
        table = table.append_column("definition_hash", pa.array(labels.definitions, pa.string()))
        if prompts is not None and len(prompts):
            write_prompts(_prompt_file(target), prompts)
        else:
            _prompt_file(target).unlink(missing_ok=True)  # left by a command that was killed here
        flat = pa.array(labels.vectors.ravel(), pa.float32())
        table = table.append_column("vector", pa.FixedSizeListArray.from_arrays(flat, width))
        table = table.replace_schema_metadata({_TEMPLATES: json.dumps(labels.templates)})
        with written_aside(target) as aside:
            pq.write_table(table, aside, write_page_checksum=True)
        for old in self._files()[:-_STORED_VERSIONS]:
            old.unlink()
            _prompt_file(old).unlink(missing_ok=True)

    def current(self) -> Path | None:
        """The file of the current label set; None where there is none."""
        return self._files()[-1] if self._files() else None

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("labels-*.parquet"))


def _prompt_file(label_file: Path) -> Path:
    """The prompts of a label file."""
    return label_file.with_name(label_file.name.replace("labels-", "prompts-"))


def _schema() -> object:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("label_id", "name", "parent_id", "description")]
    lists = [(name, pa.list_(pa.string())) for name in ("path", "synonyms")]
    return pa.schema([*texts, *lists])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """An adaptation, and what it came from.

    Attributes:
        label_version: of the active labels.
        gate_version: of the gate of the label set.
        catalog_items: in the catalog then; it may have been fitted on a sample of them.
        newest_shard: of the archive then; 0 where there was none.
    """

    adaptation: Adaptation
    label_version: str
    gate_version: str = ""
    catalog_items: int
    newest_shard: int

    def for_labels(self, labels: LabelSet, gate_version: str = "") -> Adaptation | None:
        """The adaptation of active labels; None where a label came, went or was reworded since.

        So it is where the set applies to other categories now.

        A label of another name and the same vector is the same label here.
        """
        if gate_version != self.gate_version:
            return None
        if labels.version == self.label_version:
            return self.adaptation
        return self.adaptation.reordered_for(labels.vectors)


class AdaptationFolder:
    """The files of a catalog's adaptations; the newest is used, unless adaptation is disabled.

    Zip archives carry a CRC-32 of each part, and the hash of all that decides is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._off = folder / "adaptation.off"

    @property
    def is_disabled(self) -> bool:
        """Whether the user disabled adaptation for this catalog."""
        return self._off.exists()

    def disable(self) -> None:
        """Disable adaptation, until one is saved."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._off.touch()

    def load(self) -> Fitted | None:
        """The current adaptation; None where there is none, it is disabled or damaged."""
        files = self._files()
        if self.is_disabled or not files:
            return None
        try:
            # numpy leaves a file open that it can't read.
            with files[-1].open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                fitted = _read(dict(stored))
                if str(stored["version"]) != fitted.adaptation.version:
                    raise ValueError("its hash is another")
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            _log.warning(
                "adaptation %s is damaged (%s): labels decide plainly until it is fitted again. "
                "Run: zeroshelf labels adapt%s",
                files[-1],
                error,
                set_option(set_name_of(self.folder)),
            )
            return None
        return fitted

    def of_labels(self, labels: LabelSet) -> Adaptation | None:
        """The current adaptation if it is of these labels and of their gate; else None."""
        fitted = self.load()
        gate_version = GateFile(self.folder).version
        return None if fitted is None else fitted.for_labels(labels, gate_version)

    def save(self, fitted: Fitted) -> None:
        """Make an adaptation the current one, durably; a few older ones are kept."""
        target = _next_file(self.folder, "adaptation-", ".npz")
        values = {name: getattr(fitted.adaptation, name) for name in _ARRAYS + _NUMBERS}
        values |= {name: getattr(fitted, name) for name in _ORIGIN}
        with written_aside(target) as aside, aside.open("wb") as stream:
            np.savez(stream, version=fitted.adaptation.version, **values)
        self._off.unlink(missing_ok=True)
        for old in self._files()[:-_STORED_VERSIONS]:
            old.unlink()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("adaptation-*.npz"))


_ARRAYS = ("offset", "vectors", "biases", "label_keys")
_NUMBERS = ("trust", "radius", "spread", "effective_labels", "gate", "items")
_ORIGIN = ("label_version", "gate_version", "catalog_items", "newest_shard")


def _read(stored: dict[str, Any]) -> Fitted:
    """Arrays of an opened file as values.

    Raises:
        KeyError: a part is missing.
    """
    arrays = {name: stored[name] for name in _ARRAYS}
    numbers = {name: stored[name].item() for name in _NUMBERS}
    origin = {name: stored[name].item() for name in _ORIGIN if name in stored}
    return Fitted(adaptation=Adaptation(**arrays, **numbers), **origin)


def _next_file(folder: Path, prefix: str, suffix: str) -> Path:
    """The file that comes after all others of its kind."""
    names = (file.name for file in folder.glob(f"{prefix}*{suffix}"))
    numbers = [int(name.removeprefix(prefix).removesuffix(suffix)) for name in names]
    return folder / f"{prefix}{max(numbers, default=0) + 1:08d}{suffix}"
