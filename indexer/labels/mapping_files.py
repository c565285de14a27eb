"""Mappings of one taxonomy's labels to another's, from files: our own tables, and Shopify's.

Shopify publishes rules as YAML (``data/integrations/*/mappings``), as JSON
(``dist/en/integrations``), and as text with a path a line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.core.cells import restored
from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels.taxonomy.rows import PATH_SEPARATOR

ENDS = (".csv", ".tsv", ".jsonl", ".parquet", ".yml", ".yaml", ".json", ".txt")
_FROM = ("label_id", "source_id", "from", "source", "old_id", "old")
_TO = ("target_id", "to", "target", "new_id", "new")
_ACCEPTED = ("", "accepted")


@dataclass(frozen=True, slots=True)
class Reference:
    """A label as a mapping file names it: by its id, its path, or both; empty where not."""

    label_id: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one label is mapped to.

    Attributes:
        targets: any of them; none where the file says that no label fits.
    """

    source: Reference
    targets: tuple[Reference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFile:
    """The rules of a file between two taxonomies.

    Attributes:
        name: of the two taxonomies, such as ``shopify/2024-10 to google/2021-09-21``; empty where
            the file does not say it.
        undecided: labels whose row nobody has accepted (its status is ``review``): no rules.
    """

    name: str
    rules: tuple[Rule, ...]
    undecided: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedMapping:
    """The rules of a file between labels that exist.

    Attributes:
        targets: label ids of the target by that of the source; none where no label fits. Several
            rules of one label are several targets.
        unknown_sources: labels that the file names and the source lacks.
        unknown_targets: likewise of the target.
        lost: ids of labels none of whose targets exist.
        undecided: ids of labels whose row nobody has accepted.
    """

    name: str
    targets: dict[str, tuple[str, ...]]
    unknown_sources: tuple[str, ...]
    unknown_targets: tuple[str, ...]
    lost: tuple[str, ...]
    undecided: tuple[str, ...]


def read_mappings(path: Path) -> list[MappingFile]:
    """The mappings of a file, at least one.

    Args:
        path: a table with the columns ``label_id`` and ``target_id`` (.csv, .tsv, .jsonl,
            .parquet), or Shopify's mappings (.yml, .json, .txt).

    Raises:
        TaxonomyError: it can't be read, or is something else.
    """
    suffix = path.suffix.lower()
    if suffix not in ENDS:
        raise TaxonomyError(f"{str(path)!r}: mappings end in {', '.join(ENDS)}.")
    try:
        if suffix == ".parquet":
            mappings = [_of_rows(_parquet_rows(path), path)]
        else:
            mappings = _of_text(path.read_text(encoding="utf-8-sig"), suffix, path)
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"{str(path)!r} can't be read: {error}.") from error
    if not any(mapping.rules or mapping.undecided for mapping in mappings):
        raise TaxonomyError(f"{str(path)!r} has no rules: a mapping has at least one.")
    return mappings


def resolve(
    mappings: Sequence[MappingFile], source: Sequence[Label], target: Sequence[Label]
) -> ResolvedMapping:
    """The mapping between two taxonomies; of several the one that knows most of their labels.

    A label is found by its id, by the part of an id behind its last slash
    (``gid://shopify/TaxonomyCategory/aa-1`` is ``aa-1``), or by its path.
    """
    ours, theirs = _Index(source), _Index(target)
    resolved = [_resolved(mapping, ours, theirs) for mapping in mappings]
    return max(resolved, key=lambda mapping: len(mapping.targets) - len(mapping.lost))


class _Index:
    """Labels by id, by the end of an id, and by path."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._by_id: dict[str, str] = {}
        self._by_end: dict[str, str] = {}
        self._by_path: dict[str, str] = {}
        for label in labels:
            self._by_id[label.label_id] = label.label_id
            self._by_end.setdefault(label.label_id.rpartition("/")[2], label.label_id)
            self._by_path.setdefault(PATH_SEPARATOR.join(label.path), label.label_id)

    def find(self, reference: Reference) -> str | None:
        """The id of a label; None where there is none."""
        for text in (reference.label_id, reference.path):
            if not text:
                continue
            for index in (self._by_id, self._by_path):
                if text in index:
                    return index[text]
        end = reference.label_id.rpartition("/")[2]
        return self._by_end.get(end) if end else None


def _resolved(mapping: MappingFile, ours: _Index, theirs: _Index) -> ResolvedMapping:
    targets: dict[str, tuple[str, ...]] = {}
    unknown_sources: dict[str, None] = {}
    unknown_targets: dict[str, None] = {}
    lost: list[str] = []
    for rule in mapping.rules:
        label_id = ours.find(rule.source)
        if label_id is None:
            unknown_sources[rule.source.label_id or rule.source.path] = None
            continue
        target_ids = [theirs.find(reference) for reference in rule.targets]
        for reference, target_id in zip(rule.targets, target_ids, strict=True):
            if target_id is None:
                unknown_targets[reference.label_id or reference.path] = None
        existing = tuple(
            dict.fromkeys(target_id for target_id in target_ids if target_id is not None)
        )
        if rule.targets and not existing:
            lost.append(label_id)
            continue
        targets[label_id] = tuple(dict.fromkeys((*targets.get(label_id, ()), *existing)))
    return ResolvedMapping(
        name=mapping.name,
        targets=targets,
        unknown_sources=tuple(unknown_sources),
        unknown_targets=tuple(unknown_targets),
        lost=tuple(lost),
        undecided=tuple(filter(None, map(ours.find, mapping.undecided))),
    )


def _of_text(text: str, suffix: str, path: Path) -> list[MappingFile]:
    if suffix in {".csv", ".tsv"}:
        reader = csv.DictReader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else ",")
        return [_of_rows(list(reader), path)]
    if suffix == ".txt":
        return [_of_lines(text, path)]
    try:
        if suffix == ".jsonl":
            return [_of_rows([json.loads(line) for line in text.splitlines() if line], path)]
        value = json.loads(text) if suffix == ".json" else _yaml(text)
    except (ValueError, RecursionError) as error:
        raise TaxonomyError(f"{str(path)!r} can't be read: {error}.") from error
    documents = value.get("mappings", [value]) if isinstance(value, dict) else []
    if not documents or not all(
        isinstance(document, dict) and isinstance(document.get("rules"), list)
        for document in documents
    ):
        raise TaxonomyError(
            f"{str(path)!r} is no mapping: it has no rules with an input and an output, as "
            "Shopify's mappings have."
        )
    return [_of_rules(document, path) for document in documents]


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _of_rules(document: Mapping[str, Any], path: Path) -> MappingFile:
    rules = []
    for number, rule in enumerate(document["rules"], 1):
        try:
            sources = _references(rule["input"])
            targets = _references(rule["output"])
            (source,) = sources
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TaxonomyError(
                f"{str(path)!r}, rule {number}: an input with one category and an output are "
                "expected, as Shopify's mappings have."
            ) from error
        rules.append(Rule(source, targets))
    unmapped = document.get("unmapped_product_category_ids") or []
    rules += [Rule(Reference(label_id=str(label_id)), ()) for label_id in unmapped]
    names = [str(document.get(f"{side}_taxonomy") or "") for side in ("input", "output")]
    return MappingFile(name=" to ".join(filter(None, names)), rules=tuple(rules))


def _references(side: Mapping[str, Any] | None) -> tuple[Reference, ...]:
    """The categories of one side of a rule; none where it has none."""
    if side is None:
        return ()
    value = side["category"] if "category" in side else side["product_category_id"]
    values = value if isinstance(value, list) else [value]
    return tuple(
        Reference(str(entry.get("id") or ""), str(entry.get("full_name") or ""))
        if isinstance(entry, dict)
        else Reference(label_id=str(entry))
        for entry in values
        if entry is not None
    )


def _of_lines(text: str, path: Path) -> MappingFile:
    """Shopify's text: a line with an arrow and a path, then those that it is mapped to."""
    rules: list[Rule] = []
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark, label_path = line[:1], line[1:].strip()
        if mark == "#" and " Mapping " in line:
            name = line.rpartition(" Mapping ")[2].strip()
        if mark == "→":
            rules.append(Rule(Reference(path=label_path), ()))
        elif mark == "⇒" and rules:
            last = rules.pop()
            rules.append(Rule(last.source, (*last.targets, Reference(path=label_path))))
        elif line.strip() and mark != "#":
            raise TaxonomyError(
                f"{str(path)!r}, line {number}: a path after → or ⇒ is expected, as Shopify's "
                "mappings have."
            )
    return MappingFile(name=name, rules=tuple(rules))


def _of_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> MappingFile:
    """A table with a row a label."""
    names = list(rows[0]) if rows else []
    source = next((name for name in _FROM if name in names), None)
    target = next((name for name in _TO if name in names), None)
    if source is None or target is None:
        raise TaxonomyError(
            f"{str(path)!r} must have the columns label_id and target_id; it has: "
            f"{', '.join(map(str, names)) or 'none'}."
        )
    rules: list[Rule] = []
    undecided: list[Reference] = []
    for row in rows:
        label_id, target_id = _cell(row.get(source)), _cell(row.get(target))
        status = _cell(row.get("status"))
        if not label_id:
            continue
        if status == "none":
            rules.append(Rule(Reference(label_id), ()))
        elif status in _ACCEPTED and target_id:
            rules.append(Rule(Reference(label_id), (Reference(target_id),)))
        else:
            undecided.append(Reference(label_id))
    return MappingFile(name="", rules=tuple(rules), undecided=tuple(undecided))


def _cell(value: Any) -> str:
    return "" if value is None else restored(str(value)).strip()


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except (pa.ArrowException, ValueError) as error:
        raise TaxonomyError(f"{str(path)!r} can't be read: {error}.") from error
    return rows
