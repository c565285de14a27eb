"""Contract of the ``labels`` collection, on Milvus Lite and on a server."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import store_rows
from store_rows import FINGERPRINT, label, query, unit_vectors

from indexer.core.errors import StoreError, UsageError
from indexer.core.records import EmbeddedLabel, Label
from indexer.store import MAX_LIMIT, Database, MilvusLabels


def write(store: MilvusLabels, rows: list[EmbeddedLabel]) -> None:
    """Store labels, visible to readers."""
    store.upsert(rows)
    store.flush()


def test_labels_come_back_as_they_were(labels: MilvusLabels) -> None:
    """All fields and the vector, bit for bit, in order of position."""
    first, second = unit_vectors(2)
    scaled = np.append(3 * first, np.float32(-0.25))
    hostile = EmbeddedLabel(
        label=Label(
            label_id="a\"b'\\\n😀",
            name="quotes \" and '",
            path=("Home & Garden", "quotes \" and '"),
            parent_id="home > garden",
            description="Long.\n" * 1_000,
            synonyms=("a|b", ""),
        ),
        position=7,
        is_leaf=False,
        definition_hash="h",
        vector=scaled,
    )
    plain = label("plain", second, position=3)
    write(labels, [hostile, plain])
    found = list(labels.labels())
    assert sorted(labels.label_ids()) == sorted(["plain", hostile.label.label_id])
    assert [row.label for row in found] == [plain.label, hostile.label]
    assert [row.position for row in found] == [3, 7]
    assert [row.definition_hash for row in found] == ["hash of plain", "h"]
    assert np.array_equal(found[0].vector, plain.vector)
    assert np.array_equal(found[1].vector, scaled)
    assert found[0].vector.dtype == np.float32


def test_finds_what_numpy_finds(labels: MilvusLabels) -> None:
    """The best labels by inner product with bias, exactly, with the fields of results."""
    draws = np.random.default_rng(3).normal(size=(400, 2))
    rows = [
        label(f"l{row}", vector * np.float32(2**scale), row, bias=bias)
        for row, (vector, (scale, bias)) in enumerate(zip(unit_vectors(400), draws, strict=True))
    ]
    write(labels, rows)
    queries = query(unit_vectors(10, seed=4))
    exact = queries @ np.stack([row.vector for row in rows]).T
    for found, scores in zip(labels.search(queries, limit=5), exact, strict=True):
        nearest = np.argsort(-scores)[:5]
        assert [hit.fields["position"] for hit in found] == nearest.tolist()
        assert [hit.similarity for hit in found] == pytest.approx(scores[nearest], abs=1e-5)
    assert found[0].fields == {
        "label_id": f"l{nearest[0]}",
        "name": f"L{nearest[0]}",
        "path": ["root", f"L{nearest[0]}"],
        "position": nearest[0],
    }


def test_ties_go_by_position(labels: MilvusLabels) -> None:
    """Labels of one and the same vector come in order of position, also at the limit."""
    vector = unit_vectors(1)[0]
    write(labels, [label(f"t{n}", vector, position=n) for n in reversed(range(10))])
    [hits] = labels.search(query(vector[None]), limit=3)
    assert [hit.fields["position"] for hit in hits] == [0, 1, 2]


def test_restricts_to_given_labels(labels: MilvusLabels) -> None:
    """Only the given labels are active; unknown ids are ignored; none finds none."""
    rows = store_rows.labels(50)
    write(labels, rows)
    [hits] = labels.search(
        query(rows[3].vector[None, :-1]), limit=10, label_ids=["l9", "l4", "unknown"]
    )
    assert {hit.fields["label_id"] for hit in hits} == {"l4", "l9"}
    assert labels.search(query(rows[3].vector[None, :-1]), limit=10, label_ids=[]) == [[]]


def test_restricts_to_more_labels_than_one_expression_holds(labels: MilvusLabels) -> None:
    """A long restriction is searched in parts, and its merged best are numpy's."""
    rows = store_rows.labels(2_600)
    write(labels, rows)
    allowed = rows[::2] + rows[1:1000:2]
    one = query(unit_vectors(1, seed=8))
    scores = np.stack([row.vector for row in allowed]) @ one[0]
    [hits] = labels.search(one, limit=7, label_ids=[row.label.label_id for row in allowed])
    nearest = [allowed[at].label.label_id for at in np.argsort(-scores)[:7]]
    assert [hit.fields["label_id"] for hit in hits] == nearest


def test_gives_all_labels_where_fewer_than_the_limit(labels: MilvusLabels) -> None:
    """A limit beyond the number of labels gives them all."""
    write(labels, store_rows.labels(30))
    assert [len(hits) for hits in labels.search(query(unit_vectors(2)), limit=MAX_LIMIT)] == [
        30,
        30,
    ]
    assert labels.count() == 30


@pytest.mark.parametrize("limit", [0, MAX_LIMIT + 1])
def test_refuses_a_limit_out_of_range(labels: MilvusLabels, limit: int) -> None:
    """Beyond what Milvus gives the call is refused, not cut."""
    with pytest.raises(UsageError, match="limit"):
        labels.search(query(unit_vectors(1)), limit=limit)


def test_replaces_and_removes(labels: MilvusLabels) -> None:
    """A label written again is replaced; a removed one is gone; unknown ids are ignored."""
    rows = store_rows.labels(3)
    write(labels, rows)
    write(labels, [replace(rows[0], definition_hash="new")])
    labels.delete(["l1", "unknown"])
    labels.flush()
    assert [(row.label.label_id, row.definition_hash) for row in labels.labels()] == [
        ("l0", "new"),
        ("l2", "hash of l2"),
    ]


def test_refuses_what_must_not_reach_milvus(labels: MilvusLabels) -> None:
    """Duplicates, bad vectors and texts that are too long."""
    good = label("a", unit_vectors(1)[0])
    long = replace(good, label=replace(good.label, description="x" * 70_000))
    for bad, words in (
        ([good, good], "'a' occurs 2 times"),
        ([replace(good, vector=good.vector * np.nan)], "label 'a': bad vector: .*finite"),
        ([replace(good, vector=good.vector[:-1])], r"label 'a': its vector has shape \(16,\)"),
        ([long], "its description has 70000 bytes"),
    ):
        with pytest.raises(StoreError, match=words):
            labels.upsert(bad)


def test_inner_labels_can_be_left_out(labels: MilvusLabels) -> None:
    """A search of leaves alone does not give a label that has children, however near."""
    near, far = unit_vectors(2)
    inner = replace(label("inner", near), is_leaf=False)
    write(labels, [inner, label("leaf", far, position=1)])
    every = labels.search(query(near[np.newaxis]), limit=2)[0]
    leaves = labels.search(query(near[np.newaxis]), limit=2, leaves_only=True)[0]
    assert [hit.fields["label_id"] for hit in every] == ["inner", "leaf"]
    assert [hit.fields["label_id"] for hit in leaves] == ["leaf"]


def test_refuses_queries_of_another_width(labels: MilvusLabels) -> None:
    """A query without the 1 for the bias, and one that is not finite."""
    write(labels, store_rows.labels(3))
    with pytest.raises(StoreError, match="width 17"):
        labels.search(unit_vectors(1), limit=1)
    with pytest.raises(StoreError, match="not finite"):
        labels.search(query(unit_vectors(1)) * np.float32(np.nan), limit=1)


def test_sets_of_labels_do_not_meet(database: Database, catalog: str) -> None:
    """One id in two sets is two labels: searched, counted and removed apart."""
    database.create_catalog(catalog, FINGERPRINT)
    first, second = unit_vectors(2)
    category, colour = database.labels(catalog), database.labels(catalog, set_name="colour")
    write(category, [label("same", first)])
    write(colour, [label("same", second), label("red", first, position=1)])
    (best,) = colour.search(query(second[None]), limit=5)
    assert [hit.fields["label_id"] for hit in best] == ["same", "red"]
    (named,) = colour.search(query(second[None]), limit=5, label_ids=["red", "other"])
    assert [hit.fields["label_id"] for hit in named] == ["red"]
    assert (category.count(), colour.count(), category.count_all_sets()) == (1, 2, 3)
    colour.delete(["same"])
    colour.flush()
    assert [row.label.label_id for row in category.labels()] == ["same"]
    assert [row.label.label_id for row in colour.labels()] == ["red"]
    database.set_label_version(catalog, "v", set_name="colour")
    assert database.label_version(catalog) == ""
    assert database.label_sets(catalog) == ["category", "colour"]
