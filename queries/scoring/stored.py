"""What the last categorization found, kept beside the catalog so that the next one need not.

A folder that is written aside and then takes the other's place: a killed job leaves the old
one, or none, and then all is scanned. Nothing here is a record: it may be deleted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.records import FloatArray
from indexer.threads import one_blas_thread
from queries.scoring.relabel import Kept, ScoredLabels
from queries.scoring.scan import Products, Rows, Scan, Scanner
from queries.scoring.shortlist import inner_products
from queries.scoring.sums import add_up, level_of
from queries.scoring.tiles import ROWS

_FORMAT = 1
_PROBES = 16
_DESCRIPTION = "scores.json"
_LABELS = "labels.npz"
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What scores must have in common to be brought up to date.

    Attributes:
        kept: labels kept for each item.
        queries: hash of what the head makes of fixed vectors.
        arithmetic: hash of fixed products and sums: another machine may round otherwise, and
            so may another version of what computes them.
        weighted: what powers are weighted by: ``cosines``, ``logits`` or ``nothing``.
    """

    kept: int
    queries: str
    arithmetic: str
    weighted: str
    layout: int = _FORMAT

    @classmethod
    def of(cls, scanner: Scanner) -> Origin:
        """That of a scanner's scores."""
        width = scanner.head.labels.vectors.shape[1]
        probes = _drawn(_PROBES, width) / np.sqrt(np.float32(width))
        queries = scanner.head.queries(probes)
        computed = _computed(scanner.logits, queries)
        if scanner.cosines is not None:
            computed += _computed(scanner.cosines, probes)
        return cls(
            kept=scanner.limit,
            queries=_hash(queries),
            arithmetic=_hash(*computed),
            weighted=scanner.weighted_by,
        )


class StoredScores:
    """The scores of one catalog, in one folder.

    Args:
        folder: made when scores are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside = folder.with_name(folder.name + ".writing")

    def labels(self, origin: Origin) -> ScoredLabels | None:
        """The labels that scores of this origin were made by; None where there are none."""
        try:
            described = json.loads((self._folder / _DESCRIPTION).read_text(encoding="utf-8"))
            if described["origin"] != asdict(origin):
                return None
            # numpy leaves a file open that it can't read.
            with (
                (self._folder / _LABELS).open("rb") as stream,
                np.load(stream, allow_pickle=False) as stored,
            ):
                return ScoredLabels(
                    tuple(described["label_ids"]), stored["rows"], stored["vectors"]
                )
        except _UNREADABLE:
            return None

    def read(self, shard: int, rows: Rows, stamp: tuple[int, int]) -> Kept | None:
        """What was found on some rows of a shard; None where it was not on exactly these.

        Args:
            stamp: of the shard's file, as ``Archive.stamp`` gives it.
        """
        try:
            with (
                (self._folder / _name(shard)).open("rb") as stream,
                np.load(stream, allow_pickle=False) as stored,
            ):
                if tuple(stored["stamp"].tolist()) != stamp:
                    return None
                if not np.array_equal(stored["rows"], rows):
                    return None
                labels = stored["labels"].astype(np.int64)
                others = (stored[name] for name in _PARTS)
                return Kept(Scan(labels, *others), stored["floor"])
        except _UNREADABLE:
            return None

    def begin(self, origin: Origin, labels: ScoredLabels) -> None:
        """Start to keep new scores; the old ones stay until ``finish``."""
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir(parents=True)
        np.savez(self._aside / _LABELS, rows=labels.rows, vectors=labels.vectors)
        described = {"origin": asdict(origin), "label_ids": labels.label_ids}
        (self._aside / _DESCRIPTION).write_text(json.dumps(described), encoding="utf-8")

    def write(self, shard: int, rows: Rows, stamp: tuple[int, int], kept: Kept) -> None:
        """Keep what was found on some rows of a shard."""
        found = kept.found
        np.savez(
            self._aside / _name(shard),
            stamp=np.array(stamp),
            rows=rows.astype(np.int32),
            labels=found.labels.astype(np.int32),
            floor=kept.floor,
            **{name: getattr(found, name) for name in _PARTS},
        )

    def finish(self) -> None:
        """Let the new scores take the place of the old ones."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._aside.rename(self._folder)


def _drawn(rows: int, width: int) -> FloatArray:
    return np.random.default_rng(0).standard_normal((rows, width), dtype=np.float32)


def _computed(products: Products, queries: FloatArray) -> list[npt.NDArray[np.generic]]:
    """Everything that scores are made of, of fixed rows: products, their sums, exact products."""
    rows, places = _drawn(ROWS, queries.shape[1]), np.arange(len(queries))
    with one_blas_thread():
        logits = products.like(rows).of(queries).copy()
    sums = add_up(logits, level_of(logits.max(axis=1)), logits)
    return [logits, *sums, inner_products(queries, rows, places, places)]


_PARTS = ("products", "highest", "powers", "weighted")


def _name(shard: int) -> str:
    return f"scores-{shard:08d}.npz"


def _hash(*arrays: npt.NDArray[np.generic]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
