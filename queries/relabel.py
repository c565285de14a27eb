"""Scores of a catalog's items that are kept from one categorization to the next."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.archive import Archive
from indexer.build import Catalog
from indexer.records import FloatArray
from queries.decide import Indices
from queries.judgement.judging import Judge, Verdicts
from queries.scoring.relabel import (
    SPARE,
    Changes,
    Kept,
    Relabeller,
    ScoredLabels,
    changes,
)
from queries.scoring.scan import Scanner
from queries.scoring.stored import Origin, StoredScores

FOLDER = "scores"
"""Beside the catalog's decisions."""


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Verdicts, and how many of the items were scored by all labels."""

    verdicts: Verdicts
    rescored: int


@dataclass(frozen=True, kw_only=True)
class Rescoring:
    """Judges shards, with what the run before has found where that fits.

    Attributes:
        relabeller: brings earlier scores up to date; None scores all labels.
        changed: how labels differ from the earlier ones.
    """

    archive: Archive
    judge_: Judge
    limit: int
    scanner: Scanner
    stored: StoredScores
    changed: Changes | None
    relabeller: Relabeller | None

    @classmethod
    def of(cls, catalog: Catalog, judge: Judge, *, limit: int, full: bool) -> Rescoring | None:
        """Of a catalog; None where a judge's scores can't be taken apart.

        That is where titles or examples change scores, where the taxonomy sums them up,
        where labels are few enough to be scored at once, where products are not repeatable on
        this machine, and on a GPU: there scoring all labels costs little.
        """
        if not judge.scans or judge.device is not None:
            return None
        scanner = judge.scanner(limit + SPARE)
        if not scanner.repeatable:
            return None
        stored = StoredScores(catalog.folder.decisions.with_name(FOLDER))
        origin, after = Origin.of(scanner), ScoredLabels.of(scanner)
        before = None if full else stored.labels(origin)
        changed = None if before is None else changes(before, after)
        relabeller = None
        if before is not None and changed is not None:
            relabeller = Relabeller(scanner, before, changed, limit=limit)
        stored.begin(origin, after)
        return cls(
            archive=catalog.archive,
            judge_=judge,
            limit=limit,
            scanner=scanner,
            stored=stored,
            changed=changed,
            relabeller=relabeller,
        )

    @property
    def changed_labels(self) -> int | None:
        """Labels that came, went or changed; None where all labels are scored."""
        return None if self.changed is None else len(self.changed)

    def judge(self, shard: int, rows: Indices, vectors: FloatArray) -> Relabelled:
        """Verdicts on some rows of a shard.

        Args:
            rows: int64 (n,).
            vectors: float32 (n, d), of these rows.
        """
        stamp = self.archive.stamp(shard)
        before = None if self.relabeller is None else self.stored.read(shard, rows, stamp)
        if before is None or self.relabeller is None:
            kept, rescored = Kept.of(self.scanner.scan(vectors)), len(rows)
        else:
            kept, rescored = self.relabeller.relabel(vectors, before)
        self.stored.write(shard, rows, stamp, kept)
        limit = min(self.limit, self.scanner.limit)
        found = self.judge_.judged(vectors, self.scanner, kept.found, limit=limit)
        return Relabelled(found, rescored)

    def finish(self) -> None:
        """Keep the scores for the next run."""
        self.stored.finish()
