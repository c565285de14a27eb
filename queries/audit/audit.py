"""Finds typed labels that are probably wrong, and the label that fits: to a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.catalog.catalog import Catalog
from indexer.catalog.sampling import sampled_vectors
from indexer.core.errors import UsageError
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import fit_temperature, log_losses, softmax
from indexer.core.watch import Watch
from indexer.jobs.adapt import current
from indexer.labels.sets import LabelSet
from indexer.labels.strengths import DISCRIMINANT_STRENGTHS
from indexer.labels.taxonomy.rows import PATH_SEPARATOR
from queries.audit.held_out import FOLDS, HeldOut, Sums, keep_untaught_share
from queries.audit.noise import Noise, measure_noise
from queries.audit.typed_labels import TypedBlock, TypedCounts, TypedLabels
from queries.categorizing.tables import TableWriter
from queries.classify import active_labels, head_of
from queries.deciding.fusion import Fusion, fit_fusion
from queries.deciding.scorer import Scorer
from queries.deciding.scorer_fit import SAMPLE, zero_shot_scorer
from queries.deciding.settings import TEXT_WEIGHT

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST_ITEMS = 20
"""Items with a typed label below which nothing can be said of the others."""

MOST_SCORES = 20_000_000
"""Of items times labels, in the sample that strength, temperature and noise are measured on."""

MOST_SAMPLED = 50_000

WORTH_A_LOOK = 0.1
"""Probability of being wrong from which an item is written: people find nearly all errors then,
and look at few items in vain."""

_ROWS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found.

    Attributes:
        items: of the catalog.
        judged: items whose typed value is a label.
        empty: items without a value, left out.
        unknown: items by value that is no label, left out; the most frequent first.
        ambiguous: items by value that fits several labels, left out.
        labels: active labels.
        suspects: rows of the table: worth a look.
        probable: those of them that are more probably wrong than right.
        expected_errors: sum of the probabilities over all judged items.
        error_rate: share of wrong labels by the confident joint of a sample.
        sampled: items of that sample.
        strength: of what the typed labels themselves teach, beside zero-shot scores; 0: nothing.
        text_weight: share of the titles; 0 where pictures decided alone.
    """

    items: int
    judged: int
    empty: int
    unknown: Mapping[str, int]
    ambiguous: Mapping[str, int]
    labels: int
    suspects: int
    probable: int
    expected_errors: float
    error_rate: float
    sampled: int
    strength: float
    text_weight: float


def audit(
    catalog: Catalog,
    to: Path,
    *,
    truth: str,
    min_probability: float = WORTH_A_LOOK,
    csv_raw: bool = False,
    watch: Watch = Watch(),
) -> tuple[AuditReport, pa.Table]:
    """Write the items whose typed label may be wrong, the surest first.

    Probabilities are out of sample. Zero-shot scores never saw a typed label: examples that the
    catalog was taught are left out. A discriminant of the typed labels judges each item by the
    items of other folds; its strength beside the zero-shot scores is the one of least log loss.

    Args:
        catalog: opened for writing.
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        truth: column of the items' metadata: ids, names or paths of labels, inner ones too.
        min_probability: of being wrong, from which an item is written.
        watch: follows the items judged; a stop ends it, and nothing is written.

    Returns:
        What was found, and the table that was written.

    Raises:
        CatalogError: the catalog has no labels.
        UsageError: no such column, no label in it, too few items, or another ending of ``to``.
    """
    labels = active_labels(catalog, None)
    writer = TableWriter(to, csv_raw=csv_raw)
    typed = TypedLabels(catalog, labels, truth)
    counts = typed.counts()
    if counts.labelled < FEWEST_ITEMS or len(labels) < 2:
        raise UsageError(
            f"an audit takes {FEWEST_ITEMS} items with a typed label and 2 labels at least: there "
            f"are {counts.labelled} and {len(labels)}."
        )
    watch.begin("Learning", None)
    judge, sampled = _fit(catalog, labels, typed, counts)
    tables: list[pa.Table] = []
    expected = 0.0
    watch.begin("Judging", counts.items)
    for block in typed.blocks():
        watch.check_stop()
        table, wrong = _suspects(judge, labels, typed, block, min_probability)
        tables.append(table)
        expected += wrong
        watch.advance(len(block.item_ids))
    result = _sorted(tables)
    with writer:
        writer.write(result)
    report = AuditReport(
        items=counts.items,
        judged=counts.labelled,
        empty=counts.empty,
        unknown=dict(counts.unknown.most_common()),
        ambiguous=dict(counts.ambiguous.most_common()),
        labels=len(labels),
        suspects=result.num_rows,
        probable=int((result.column("wrong_probability").to_numpy() >= 0.5).sum()),
        expected_errors=expected,
        error_rate=judge.noise.error_rate,
        sampled=sampled,
        strength=judge.strength,
        text_weight=TEXT_WEIGHT if judge.fusion is not None else 0.0,
    )
    return report, result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """What says how probable each label of an item is, without having seen it.

    Attributes:
        strength: of the discriminant beside the zero-shot scores.
        temperature: of both together.
    """

    scorer: Scorer
    fusion: Fusion | None
    held_out: HeldOut
    strength: float
    temperature: float
    noise: Noise

    def probabilities(
        self, vectors: FloatArray, titles: FloatArray, folds: IndexArray
    ) -> DoubleArray:
        """float64 (n, k)."""
        zero = zero_shot_scores(self.scorer, self.fusion, vectors, titles)
        features = _features(vectors, titles, self.fusion)
        scores = blended(zero, features, folds, self.held_out, self.strength, self.scorer)
        return softmax(scores, self.temperature)


def zero_shot_scores(
    scorer: Scorer, fusion: Fusion | None, vectors: FloatArray, titles: FloatArray
) -> DoubleArray:
    """float64 (n, k): by pictures, and titles where there are some."""
    scores = scorer.scores(vectors)
    return scores if fusion is None else fusion.blend(scores, titles)


def blended(
    zero: DoubleArray,
    features: FloatArray,
    folds: IndexArray,
    held_out: HeldOut,
    strength: float,
    scorer: Scorer,
) -> DoubleArray:
    """Zero-shot scores with what the typed labels of other folds add, float64 (n, k)."""
    if not strength:
        return zero
    scores = zero.copy()
    for fold in range(FOLDS):
        rows = np.flatnonzero(folds == fold)
        if rows.size:
            added = strength * held_out.discriminants[fold].scores(features[rows])
            scores[rows] = keep_untaught_share(
                zero[rows], zero[rows] + added, held_out.seen[fold], scorer.temperature
            )
    return scores


def _features(vectors: FloatArray, titles: FloatArray, fusion: Fusion | None) -> FloatArray:
    """What the discriminant sees: the picture, and the title where titles count."""
    return vectors if fusion is None else np.hstack([vectors, titles])


def _fit(
    catalog: Catalog, labels: LabelSet, typed: TypedLabels, counts: TypedCounts
) -> tuple[_Judge, int]:
    """The judge, and the number of items that it was measured on."""
    adaptation = None if catalog.adaptation_folder.is_disabled else current(catalog)
    head = head_of(catalog, labels, adaptation)
    scorer = zero_shot_scorer(head, lambda: sampled_vectors(catalog, SAMPLE))
    fusion = fit_fusion(catalog, scorer, TEXT_WEIGHT)
    width = catalog.archive.width * (1 if fusion is None else 2)
    sums = Sums(len(labels), width)
    most = max(FEWEST_ITEMS, min(MOST_SAMPLED, MOST_SCORES // len(labels)))
    stride = -(-counts.labelled // most)
    parts: list[tuple[Any, ...]] = []
    seen = 0
    for block in typed.blocks():
        leaf = np.flatnonzero(block.is_leaf)
        features = _features(block.vectors[leaf], block.titles[leaf], fusion)
        sums.add(features, block.codes[leaf], block.folds[leaf])
        sample = leaf[-seen % stride :: stride]
        seen += len(leaf)
        fields = (block.vectors, block.titles, block.codes, block.folds)
        parts.append(tuple(values[sample] for values in fields))
    vectors, titles, codes, folds = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not len(codes):
        raise UsageError(
            "no typed label is a leaf of the taxonomy: there is nothing to learn from."
        )
    held_out = sums.fit()
    zero = np.concatenate(
        [
            zero_shot_scores(scorer, fusion, vectors[rows], titles[rows])
            for rows in _slices(len(vectors))
        ]
    )
    features = _features(vectors, titles, fusion)
    best: tuple[float, float, float, DoubleArray] | None = None
    for strength in DISCRIMINANT_STRENGTHS:
        scores = blended(zero, features, folds, held_out, strength, scorer)
        temperature = fit_temperature(scores, codes)
        loss = float(log_losses(scores, codes, temperature).mean())
        if best is None or loss < best[0]:
            best = loss, strength, temperature, scores
    assert best is not None
    _, strength, temperature, scores = best
    judge = _Judge(
        scorer=scorer,
        fusion=fusion,
        held_out=held_out,
        strength=strength,
        temperature=temperature,
        noise=measure_noise(softmax(scores, temperature), codes),
    )
    return judge, len(codes)


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, _ROWS):
        yield slice(start, start + _ROWS)


def _suspects(
    judge: _Judge,
    labels: LabelSet,
    typed: TypedLabels,
    block: TypedBlock,
    min_probability: float,
) -> tuple[pa.Table, float]:
    """The rows of a shard that are probably wrong, and the sum of the probabilities."""
    rows = np.flatnonzero(block.is_leaf | block.is_inner)
    columns: dict[str, list[Any]] = {name: [] for name in _schema().names}
    expected = 0.0
    for part in _slices(len(rows)):
        places = rows[part]
        shares = judge.probabilities(
            block.vectors[places], block.titles[places], block.folds[places]
        )
        typed_scores, wrong = _typed_scores(judge.noise, typed, block.codes[places], shares)
        expected += float(wrong.sum())
        for place, row in zip(places.tolist(), np.arange(len(places)), strict=True):
            if wrong[row] >= min_probability:
                _append(
                    columns, block, place, labels, typed, shares[row], typed_scores[row], wrong[row]
                )
    import pyarrow as pa

    return pa.table(columns, schema=_schema()), expected


def _typed_scores(
    noise: Noise, typed: TypedLabels, codes: IndexArray, shares: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """The probability of each item's typed label, and that it is wrong; float64 (n,) each."""
    typed_score, wrong = np.zeros(len(codes)), np.zeros(len(codes))
    leaf = codes >= 0
    typed_score[leaf] = shares[leaf, codes[leaf]]
    wrong[leaf] = noise.wrong(shares[leaf], codes[leaf])
    for code in np.unique(codes[~leaf]):
        rows = codes == code
        typed_score[rows] = shares[rows][:, typed.inner[-2 - code]].sum(axis=1)
        wrong[rows] = noise.wrong_group(typed_score[rows])
    return typed_score, wrong


def _append(
    columns: dict[str, list[Any]],
    block: TypedBlock,
    place: int,
    labels: LabelSet,
    typed: TypedLabels,
    shares: DoubleArray,
    typed_score: float,
    wrong: float,
) -> None:
    code = int(block.codes[place])
    others = shares.copy()
    others[code if code >= 0 else typed.inner[-2 - code]] = -1.0
    best = int(others.argmax())
    label = labels.labels[best]
    values = {
        "item_id": block.item_ids[place],
        "title": block.item_titles[place],
        "wrong_probability": wrong,
        "typed": block.typed[place],
        "typed_label_id": labels.labels[code].label_id if code >= 0 else typed.inner_ids[-2 - code],
        "typed_score": typed_score,
        "label_id": label.label_id,
        "label": label.name,
        "path": PATH_SEPARATOR.join(label.path),
        "score": shares[best],
    }
    for name, value in values.items():
        columns[name].append(value)


def _schema() -> pa.Schema:
    import pyarrow as pa

    numbers = ("wrong_probability", "typed_score", "score")
    names = (
        "item_id", "title", "wrong_probability", "typed", "typed_label_id", "typed_score",
        "label_id", "label", "path", "score",
    )  # fmt: skip
    return pa.schema([(name, pa.float32() if name in numbers else pa.string()) for name in names])


def _sorted(tables: list[pa.Table]) -> pa.Table:
    """All rows, the surest first; ties by id."""
    import pyarrow as pa

    table = pa.concat_tables([_schema().empty_table(), *tables])
    return table.sort_by([("wrong_probability", "descending"), ("item_id", "ascending")])
