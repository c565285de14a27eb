"""Hostile ids and metadata: none changes what a filter, a fetch or a delete touches."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from conftest import SHARED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import item, label, query, unit_vectors

from indexer.core.records import MAX_ID_BYTES
from indexer.store import Database, MilvusItems

HOSTILE = [
    "o'brien",
    'say "hi"',
    "both ' and \"",
    "back\\slash",
    '\\"',
    "line\nbreak\r\t",
    "nul\x00",
    "😀" * (MAX_ID_BYTES // 4),
    'x"] or key != ""',
    'x"] or key in ["',
    "' or 1 == 1 or '",
    'key != ""',
    "%",
    "_",
    "{ids}",
    "../../etc/passwd",
    "a b",
    " ",
    "",
    "é",
    "e\u0301",
    "null",
    "0",
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
identifiers = st.one_of(st.sampled_from(HOSTILE), texts)
leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
documents = st.dictionaries(
    texts,
    st.recursive(
        leaves | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)
bounded = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def refill(items: MilvusItems, rows: dict[str, dict[str, Any]]) -> None:
    """Make the collection hold exactly these ids with this metadata."""
    items.delete(list(items.item_ids()))
    vectors = unit_vectors(len(rows))
    written = [
        item(name, vector, title=name, metadata=metadata)
        for vector, (name, metadata) in zip(vectors, rows.items(), strict=True)
    ]
    items.upsert(written, [None] * len(written))
    items.flush()


def test_hostile_ids_are_fetched_and_deleted_alone(items: MilvusItems) -> None:
    """Each of the worst ids touches its own row only."""
    refill(items, {name: {"n": number} for number, name in enumerate(HOSTILE)})
    left = set(HOSTILE)
    for number, name in enumerate(HOSTILE):
        found = items.fetch([name])
        assert set(found) == {name}
        assert (found[name]["title"], found[name]["metadata"]) == (name, {"n": number})
        items.delete([name])
        items.flush()
        left.discard(name)
        assert set(items.item_ids()) == left


@bounded
@given(stored=st.sets(identifiers, min_size=1, max_size=12), data=st.data())
def test_any_ids_are_fetched_and_deleted_alone(
    items: MilvusItems, stored: set[str], data: st.DataObject
) -> None:
    """For any stored and any asked ids: exactly those asked for are touched."""
    asked = data.draw(st.sets(st.one_of(st.sampled_from(sorted(stored)), identifiers), max_size=8))
    refill(items, {name: {} for name in sorted(stored)})
    assert set(items.fetch(sorted(asked))) == stored & asked
    items.delete(sorted(asked))
    items.flush()
    assert set(items.item_ids()) == stored - asked
    assert items.count() == len(stored - asked)


@bounded
@given(metadata=documents)
def test_any_metadata_comes_back(items: MilvusItems, metadata: dict[str, Any]) -> None:
    """JSON of any keys and values is stored as it is."""
    refill(items, {"a": metadata, "b": {}})
    assert items.fetch(["a"])["a"]["metadata"] == json.loads(json.dumps(metadata))


@bounded
@given(wanted=identifiers, stored=st.sets(identifiers, min_size=1, max_size=6))
def test_any_label_ids_restrict_a_search(
    lite_database: Database, wanted: str, stored: set[str]
) -> None:
    """A restriction to an id gives that label or none, whatever the id is."""
    labels = lite_database.labels(SHARED)
    labels.delete([row.label.label_id for row in labels.labels()])
    vectors = unit_vectors(len(stored))
    labels.upsert([label(name, vectors[n], position=n) for n, name in enumerate(sorted(stored))])
    labels.flush()
    [hits] = labels.search(query(vectors[:1]), limit=10, label_ids=[wanted])
    assert {hit.fields["label_id"] for hit in hits} == stored & {wanted}


@pytest.mark.parametrize("size", [1, 999, 1_000, 1_001])
def test_fetches_and_deletes_in_parts(items: MilvusItems, size: int) -> None:
    """Lists of ids at the borders of one expression are whole."""
    names = [f"i{number}" for number in range(1_005)]
    vector = unit_vectors(1)[0]
    items.upsert([item(name, vector) for name in names], [None] * len(names))
    items.flush()
    assert set(items.fetch(names[:size])) == set(names[:size])
    items.delete(names[:size])
    items.flush()
    assert items.count() == len(names) - size
    assert np.isin(list(items.item_ids()), names[size:]).all()
