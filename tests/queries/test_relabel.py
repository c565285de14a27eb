"""Relabelling what changed only gives what scoring all labels gives, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogs import add_items, make_catalog, set_labels
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.build import CatalogOptions, open_catalog
from indexer.encoder.packed import PackedRows
from indexer.jobs.labels import remove_labels
from indexer.jobs.removal import remove_items
from indexer.labels.head import Head, plain
from indexer.labels.sets import LabelSet
from indexer.records import FloatArray, Label
from indexer.threads import one_blas_thread
from indexer.vectors import normalise
from queries.categorize import CategorizeReport, categorize
from queries.judgement import placing
from queries.scoring.relabel import SPARE, Kept, Relabeller, ScoredLabels, changes
from queries.scoring.scan import FEWEST_TILED, Scanner

WIDTH, LIMIT = 16, 3
LABELS = FEWEST_TILED + 20


def unit(count: int, seed: int, width: int = WIDTH) -> FloatArray:
    """float32 (count, width), rows of length 1, on one side of the space."""
    return normalise(np.random.default_rng(seed).normal(size=(count, width)) + 0.3)


def head_of(ids: Sequence[int], vectors: FloatArray, *, moved: bool) -> Head:
    """A head of these labels; moved: by another matrix than the labels' own vectors."""
    labels = LabelSet(
        labels=tuple(Label(label_id=f"l{n}", name="", path=("",)) for n in ids),
        definitions=("",) * len(ids),
        vectors=vectors,
    )
    head = plain(labels, 20.0)
    if not moved:
        return head
    matrix = head.matrix * np.float32(1.5)
    matrix[:, -1] = vectors[:, 0]
    return Head(
        labels=labels, matrix=matrix, scale=9.0, version="", side=lambda x: x - np.float32(0.01)
    )


@pytest.mark.parametrize("moved", [False, True])
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_what_is_brought_up_to_date_is_what_a_scan_finds(
    moved: bool, seed: int, removed: int, changed: int, added: int
) -> None:
    """Labels that went, changed and came, and copies that tie with others."""
    random = np.random.default_rng(seed)
    items, vectors = unit(250, seed), unit(LABELS, seed + 1)
    earlier = Scanner(
        head_of(range(LABELS), vectors, moved=moved),
        limit=LIMIT + SPARE,
        expects=True,
        repeatable=True,
    )
    chosen = random.permutation(LABELS)
    kept = np.sort(chosen[removed:])
    after = vectors.copy()
    after[chosen[removed : removed + changed]] = unit(changed, seed + 2)
    copies = after[random.choice(LABELS, added)]
    ids = [*kept.tolist(), *range(LABELS, LABELS + added)]
    scanner = Scanner(
        head_of(ids, np.concatenate([after[kept], copies]), moved=moved),
        limit=LIMIT + SPARE,
        expects=True,
        repeatable=True,
    )
    before = ScoredLabels.of(earlier)
    found = changes(before, ScoredLabels.of(scanner))
    assert found is not None
    with one_blas_thread():
        relabeller = Relabeller(scanner, before, found, limit=LIMIT)
        result, _ = relabeller.relabel(items, Kept.of(earlier.scan(items)))
        wanted = scanner.scan(items)
    for part, other in zip(result.found.parts[2:], wanted.parts[2:], strict=True):
        np.testing.assert_array_equal(part, other)
    np.testing.assert_array_equal(result.found.labels[:, :LIMIT], wanted.labels[:, :LIMIT])
    np.testing.assert_array_equal(result.found.products[:, :LIMIT], wanted.products[:, :LIMIT])


def test_too_many_changes_are_no_changes() -> None:
    """And so is another order of the labels."""
    vectors = unit(40, 0)
    one, other = (
        ScoredLabels.of(Scanner(head_of(range(40), given, moved=False), limit=1))
        for given in (vectors, vectors + 1)
    )
    assert changes(one, other) is None
    turned = Scanner(head_of(range(39, -1, -1), vectors[::-1], moved=False), limit=1)
    assert changes(one, ScoredLabels.of(turned)) is None


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog of 300 items and as many labels as are scored in tiles."""
    return make_catalog(tmp_path / "data", unit(300, 0), unit(LABELS, 1))


def run(
    options: CatalogOptions, *, full: bool = False, adapt: bool = False, limit: int = LIMIT
) -> tuple[CategorizeReport, bytes]:
    """Categorize; the report, and all columns as bytes."""
    to = options.data_dir / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, adapt=adapt, full=full, limit=limit)
    table = pq.read_table(to)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return report, stream.getvalue().to_pybytes()


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[PackedRows]]:
    """From when it is called on it is as if there were very many items; what was packed."""
    packed: list[PackedRows] = []
    of = PackedRows.of

    def kept(rows: PackedRows, queries: FloatArray) -> FloatArray:
        packed.append(rows)
        return of(rows, queries)

    def start() -> list[PackedRows]:
        monkeypatch.setattr(PackedRows, "of", kept)
        monkeypatch.setattr(placing, "FEWEST_PACKED_PAIRS", 0)
        return packed

    return start


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("adapt", [False, True])
def test_a_run_after_a_change_gives_what_a_full_run_gives(
    options: CatalogOptions, pack: Callable[[], list[PackedRows]], adapt: bool, packed: bool
) -> None:
    """Labels came, changed and went; every column is the same to the last bit."""
    products = pack() if packed else []
    first, _ = run(options, adapt=adapt)
    assert (first.changed_labels, first.rescored) == (None, 300)
    vectors = unit(LABELS + 4, 1)
    vectors[:3] = unit(3, 7)
    set_labels(options, vectors)
    remove_labels(options, ["l5", "l17"])
    report, found = run(options, adapt=adapt)
    assert report.changed_labels == 7
    assert report.adapted == adapt
    assert report.rescored < 100
    # Of all labels, and of 5 that went or changed and 7 that came or changed.
    assert {rows.count for rows in products} >= ({LABELS, 12} if packed else set())
    report, wanted = run(options, adapt=adapt, full=True)
    assert (report.changed_labels, report.rescored) == (None, 300)
    assert found == wanted


@pytest.mark.parametrize("adapt", [False, True])
def test_a_catalog_that_grew_takes_other_products(
    tmp_path: Path, pack: Callable[[], list[PackedRows]], adapt: bool
) -> None:
    """Their bits are others from some 320 dimensions on: then all labels are scored again."""
    width = 400
    options = make_catalog(tmp_path, unit(300, 0, width), unit(LABELS, 1, width))
    run(options, adapt=adapt)
    labels = pq.read_table(options.data_dir / "out.parquet")["label_id"]
    products = pack()
    vectors = unit(LABELS, 1, width)
    vectors[:3] = vectors[5:8]
    set_labels(options, vectors)
    _, found = run(options, adapt=adapt)
    assert products
    assert pq.read_table(options.data_dir / "out.parquet")["label_id"] != labels
    assert found == run(options, adapt=adapt, full=True)[1]
    report, again = run(options, adapt=adapt)
    assert (report.changed_labels, report.rescored) == (0, 0)
    assert again == found


def test_nothing_changed_is_nothing_to_score(options: CatalogOptions) -> None:
    """The same columns again."""
    _, wanted = run(options)
    report, found = run(options)
    assert (report.changed_labels, report.rescored) == (0, 0)
    assert found == wanted


def test_items_that_came_or_went_are_scored_with_their_shard(options: CatalogOptions) -> None:
    """A shard whose rows are others now is scored by all labels."""
    run(options)
    add_items(options, unit(40, 3), prefix="new")
    report, found = run(options)
    assert (report.changed_labels, report.rescored) == (0, 40)
    remove_items(options, ["new7"])
    report, _ = run(options)
    assert report.rescored == 39
    assert found != run(options, full=True)[1]
    assert run(options)[1] == run(options, full=True)[1]


def test_other_settings_score_all(options: CatalogOptions) -> None:
    """More labels an item than were kept; and then as few again."""
    run(options)
    assert run(options, limit=LIMIT + 1)[0].changed_labels is None
    assert run(options, limit=LIMIT + 1)[0].changed_labels == 0


def test_damaged_scores_are_left_alone(options: CatalogOptions) -> None:
    """A cut file is as good as none, and so is a description that is not one."""
    _, wanted = run(options)
    folder = options.data_dir / "catalogs" / options.catalog / "scores"
    shard = next(folder.glob("scores-*.npz"))
    shard.write_bytes(shard.read_bytes()[:500])
    report, found = run(options)
    assert (report.changed_labels, report.rescored) == (0, 300)
    assert found == wanted
    (folder / "scores.json").write_text("{")
    assert run(options)[0].changed_labels is None


def test_a_killed_run_leaves_the_scores_before(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or none; the next run's result is the same."""
    run(options)
    set_labels(options, unit(LABELS + 2, 1))
    with monkeypatch.context() as patch:
        patch.setattr("queries.tables.TableWriter.write", _killed)
        with pytest.raises(KeyboardInterrupt):
            run(options)
    report, found = run(options)
    assert report.changed_labels == 2
    assert found == run(options, full=True)[1]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
