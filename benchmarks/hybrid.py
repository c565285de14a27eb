"""Known items found by words, by vectors, and by both fused, on the sample shop and fashion.

Queries are of four kinds: an exact sku (or id), a brand, some words of an item's title, and the
name of a category. The first three are what vectors miss; the last is what words do worse, so that
the table shows where a hybrid search hurts, too. The category that a table has is not indexed.

    python -m benchmarks.hybrid [--shared ../shared] [--json FILE]
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import command_line
from benchmarks.vit_b_32 import SHARED
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.sample import write_shop
from indexer.sources import TableOptions
from queries.search.finding import find
from queries.search.query import SearchQuery

LIMIT = 10
QUERIES = 200
SYSTEMS = ("vectors", "words", "hybrid")

Table = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the ids of what it should find."""

    words: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the queries of one kind.

    Attributes:
        first: queries whose first hit is relevant.
        found: recall@10, of at most 10 relevant items.
        reciprocal: mean reciprocal rank of the first relevant hit, 0 beyond the tenth.
    """

    first: float
    found: float
    reciprocal: float


def rows(shared: Path) -> Iterator[dict[str, object]]:
    """A row for each set and kind of query, with the three systems' figures."""
    for name, make in {"sample shop": _shop, "fashion": _fashion}.items():
        with tempfile.TemporaryDirectory() as folder:
            options, table, columns = make(Path(folder), shared)
            with open_catalog(options) as catalog:
                for kind, questions in _questions(catalog, table, columns).items():
                    yield {"set": name, "queries": kind, "count": len(questions)} | {
                        system: _measured(catalog, questions, system) for system in SYSTEMS
                    }


def _shop(folder: Path, _shared: Path) -> tuple[CatalogOptions, Table, dict[str, str]]:
    """The sample shop by the packaged model; its category is the truth, and not indexed."""
    write_shop(folder / "shop")
    return _ingested(folder, folder / "shop" / "products.csv", "pocket", {"category": "truth"})


def _fashion(folder: Path, shared: Path) -> tuple[CatalogOptions, Table, dict[str, str]]:
    """Photos of fashion by a small dual encoder; its brand is the first word of the title."""
    table = shared / "data" / "fashion" / "products.csv"
    model = str(shared / "models" / "lit-mobilenetv2-tinybert")
    return _ingested(folder, table, model, {"category": "article_type"})


def _ingested(
    folder: Path, table: Path, model: str, columns: dict[str, str]
) -> tuple[CatalogOptions, Table, dict[str, str]]:
    options = CatalogOptions(data_dir=folder / "data", model=model)
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    indexed = tuple(name for name in ("sku", "brand") if name in rows[0])
    how = IngestOptions(table=TableOptions(), text_columns=indexed, embed_titles=False)
    ingest(options, [str(table)], how)
    return options, rows, columns


def _questions(
    catalog: OpenCatalog, table: Table, columns: dict[str, str]
) -> dict[str, list[Question]]:
    """The queries of each kind; none of the table's rows that were not stored."""
    stored = catalog.ledger.find([row["id"] for row in table])
    table = [row for row in table if row["id"] in stored]
    generator = np.random.default_rng(0)
    chosen = [table[at] for at in generator.permutation(len(table))[:QUERIES]]
    code = "sku" if "sku" in table[0] else "id"
    return {
        code: [
            Question(row[code], _ids(table, lambda other, row=row: other[code] == row[code]))
            for row in chosen
        ],
        "brand": _of_values(table, _brand),
        "three words of a title": [
            Question(words, _ids(table, lambda other, row=row: other["title"] == row["title"]))
            for row in chosen
            if (words := _part(row["title"], generator))
        ],
        "category": _of_values(table, lambda row: row[columns["category"]]),
    }


def _brand(row: dict[str, str]) -> str:
    return row["brand"] if "brand" in row else row["title"].split()[0]


def _part(title: str, generator: np.random.Generator) -> str:
    """Three words of a title in their order; empty where it has no more than these."""
    words = title.split()
    if len(words) <= 3:
        return ""
    places = np.sort(generator.choice(len(words), size=3, replace=False))
    return " ".join(words[place] for place in places)


def _of_values(table: Table, value_of: Callable[[dict[str, str]], str]) -> list[Question]:
    """A query for each value that three items have, at least."""
    values: dict[str, list[str]] = {}
    for row in table:
        values.setdefault(value_of(row), []).append(row["id"])
    return [
        Question(value, frozenset(ids))
        for value, ids in sorted(values.items())
        if value and len(ids) >= 3
    ]


def _ids(table: Table, fits: Callable[[dict[str, str]], bool]) -> frozenset[str]:
    return frozenset(row["id"] for row in table if fits(row))


def _measured(catalog: OpenCatalog, questions: Sequence[Question], system: str) -> Figures:
    vectors = catalog.encoder.embed_queries([question.words for question in questions])
    scores = np.empty((len(questions), 3))
    for row, (question, vector) in enumerate(zip(questions, vectors, strict=True)):
        query = SearchQuery(
            vector=None if system == "words" else vector,
            words="" if system == "vectors" else question.words,
            limit=LIMIT,
        )
        hits = [hit.item_id in question.relevant for hit in find(catalog, query).hits]
        first = hits.index(True) + 1 if any(hits) else 0
        scores[row] = (
            first == 1,
            sum(hits) / min(LIMIT, len(question.relevant)),
            1 / first if first else 0,
        )
    return Figures(*map(float, scores.mean(axis=0)))


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = command_line("hybrid", __doc__)
    parser.add_argument("--shared", type=Path, default=SHARED)
    arguments = parser.parse_args()
    measured = []
    sys.stdout.write("| set | queries | " + " | ".join(SYSTEMS) + " |\n|---|---|---|---|---|\n")
    for row in rows(arguments.shared):
        cells = [
            f"{figures.first:.2f} / {figures.found:.2f} / {figures.reciprocal:.2f}"
            for figures in (row[system] for system in SYSTEMS)
            if isinstance(figures, Figures)
        ]
        sys.stdout.write(
            f"| {row['set']} | {row['count']} {row['queries']} | {' | '.join(cells)} |\n"
        )
        measured.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, default=astuple, indent=1))


if __name__ == "__main__":
    main()
