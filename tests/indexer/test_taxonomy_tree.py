"""Trees of labels: random forests, cycles, and the questions asked of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels.taxonomy import (
    ancestors,
    check,
    children,
    descendants,
    leaves,
    merge,
    read_label_file,
    resolve,
)
from indexer.labels.taxonomy.assembly import MAX_LEVELS, assemble
from indexer.labels.taxonomy.rows import Row

SHARED = Path(__file__).parents[3] / "shared" / "data"


def label(label_id: str, *path: str, parent: str = "") -> Label:
    """A label whose name is the last of its path."""
    return Label(label_id=label_id, name=path[-1], path=path, parent_id=parent)


SET = [
    label("t", "Top"),
    label("s", "Top", "Shirt", parent="t"),
    label("h", "Hat"),
    label("p", "Top", "Shirt", "Polo", parent="s"),
    label("q", "Hat", "Polo", parent="h"),
]


@st.composite
def forests(draw: st.DrawFn) -> list[Row]:
    """Rows of a forest in any order."""
    size = draw(st.integers(1, 30))
    parents = [draw(st.integers(-1, number - 1)) for number in range(size)]
    rows = [
        Row(name=f"name {number}", label_id=str(number), parent="" if above < 0 else str(above))
        for number, above in enumerate(parents)
    ]
    return draw(st.permutations(rows))


@given(forests())
def test_order_is_that_of_the_rows(rows: list[Row]) -> None:
    """Whatever the order of parents and children."""
    assert [each.label_id for each in assemble(rows)] == [row.label_id for row in rows]


@given(forests())
def test_paths_are_the_parents_path_and_the_name(rows: list[Row]) -> None:
    """At every label of a random forest."""
    by_id = {each.label_id: each for each in assemble(rows)}
    for each in by_id.values():
        above = by_id[each.parent_id].path if each.parent_id else ()
        assert each.path == (*above, each.name)


@given(forests())
def test_assembled_labels_pass_the_check(rows: list[Row]) -> None:
    """What reading makes, checking accepts."""
    check(assemble(rows))


@given(forests())
def test_tree_questions_agree(rows: list[Row]) -> None:
    """Children, ancestors, descendants and leaves say the same of a random forest."""
    labels = assemble(rows)
    below, above = children(labels), ancestors(labels)
    for each in labels:
        assert len(above[each.label_id]) == each.depth
        assert descendants(labels, each.label_id) == [
            other for other, chain in above.items() if each.label_id in chain
        ]
    assert [each.label_id for each in leaves(labels)] == [
        each.label_id for each in labels if not below[each.label_id]
    ]


@given(forests(), st.data())
def test_every_cycle_is_found(rows: list[Row], data: st.DataObject) -> None:
    """A root hung below one of its own descendants, or below itself, closes a cycle."""
    labels = assemble(rows)
    root = data.draw(st.sampled_from(children(labels)[""]))
    below = data.draw(st.sampled_from([root, *descendants(labels, root)]))
    broken = [
        Row(
            name=row.name,
            label_id=row.label_id,
            parent=below if row.label_id == root else row.parent,
        )
        for row in rows
    ]
    with pytest.raises(TaxonomyError, match="cycle of parents"):
        assemble(broken, create_parents=False)


def test_each_cycle_is_reported_once() -> None:
    """Two cycles and a label that hangs below one of them."""
    pairs = [("a", "b"), ("b", "a"), ("c", "c"), ("d", "a")]
    rows = [Row(name=name, label_id=name, parent=parent) for name, parent in pairs]
    with pytest.raises(TaxonomyError) as caught:
        assemble(rows, create_parents=False)
    assert str(caught.value).count("cycle of parents") == 2


def test_many_problems_are_counted() -> None:
    """A message shows the first five."""
    rows = [Row(name="", label_id=str(number)) for number in range(12)]
    with pytest.raises(TaxonomyError, match="7 more like these"):
        assemble(rows)


def test_too_deep_a_tree_is_refused() -> None:
    """Paths of a chain grow with the square of its length."""
    rows = [
        Row(name=str(number), label_id=str(number), parent=str(number - 1) if number else "")
        for number in range(MAX_LEVELS + 1)
    ]
    with pytest.raises(TaxonomyError, match="at most 100"):
        assemble(rows)


def test_twenty_thousand_labels_are_quick() -> None:
    """Ten levels, children before their parents; a tenth of a second where it was measured."""
    rows = [
        Row(name=f"n{number}", label_id=str(number), parent=str(number // 3) if number else "")
        for number in reversed(range(20_000))
    ]
    start = time.thread_time()
    labels = assemble(rows)
    assert time.thread_time() - start < 10
    assert max(each.depth for each in labels) == 10


def test_twenty_thousand_orphans_are_quick() -> None:
    """Only the problems that are shown get a guess."""
    rows = [Row(name=f"n{number}", label_id=str(number), parent="nn") for number in range(20_000)]
    start = time.thread_time()
    with pytest.raises(TaxonomyError, match="19995 more"):
        assemble(rows, create_parents=False)
    assert time.thread_time() - start < 60


def test_check_refuses_an_empty_set() -> None:
    """There is nothing to classify by."""
    with pytest.raises(TaxonomyError, match="no labels"):
        check([])


def test_check_refuses_a_wrong_path() -> None:
    """A path that the parents don't give."""
    with pytest.raises(TaxonomyError, match="'s' has the path 'Shirt', its parents give"):
        check([SET[0], label("s", "Shirt", parent="t")])


def test_check_refuses_an_orphan() -> None:
    """A parent that was removed."""
    with pytest.raises(TaxonomyError, match="the parent 't' of 'Shirt'"):
        check([SET[1], SET[2]])


def test_merge_replaces_in_place_and_appends() -> None:
    """The order of a label set outlives changes."""
    merged = merge(SET[:3], [label("n", "New"), label("t", "Upper")])
    assert [each.label_id for each in merged] == ["t", "s", "h", "n"]


def test_merge_renews_paths_below() -> None:
    """A renamed parent reaches its descendants."""
    assert merge(SET, [label("t", "Upper")])[3].path == ("Upper", "Shirt", "Polo")


def test_merge_refuses_a_cycle_across_both() -> None:
    """Two sets, each a tree, that make none together."""
    with pytest.raises(TaxonomyError, match="cycle"):
        merge(SET, [label("t", "Shirt", "Top", parent="s")])


def test_children_of_all_and_roots() -> None:
    """The empty id has the roots."""
    assert children(SET) == {
        "": ("t", "h"),
        "t": ("s",),
        "s": ("p",),
        "h": ("q",),
        "p": (),
        "q": (),
    }


def test_resolve_by_id_name_and_path() -> None:
    """In the order asked, each once."""
    assert resolve(SET, ["Hat", "p", " Top > Shirt ", "h"]) == ["h", "p", "s"]


def test_resolve_an_unknown_name() -> None:
    """The nearest names are offered."""
    with pytest.raises(TaxonomyError, match=r"no label 'shirts'.*Did you mean 'Shirt'"):
        resolve(SET, ["shirts"])


def test_resolve_an_ambiguous_name() -> None:
    """The paths are offered, with the ids."""
    told = r"2 labels are named 'Polo': give the path or the id of one: .*Polo \(p\); .*Polo \(q\)"
    with pytest.raises(TaxonomyError, match=told):
        resolve(SET, ["Polo"])


@pytest.mark.parametrize(
    ("file", "count", "leaf_count", "roots", "levels"),
    [
        ("taxonomies/shopify_categories.txt", 10_595, 8_516, 26, 8),
        ("taxonomies/google_product_taxonomy.txt", 5_795, 4_748, 21, 7),
        ("lvis/labels.csv", 1_203, 1_203, 1_203, 1),
        ("grocery/labels.csv", 98, 81, 43, 2),
        ("text/banking77_categories.json", 77, 77, 77, 1),
    ],
)
def test_real_file(file: str, count: int, leaf_count: int, roots: int, levels: int) -> None:
    """Published taxonomies load and pass the check."""
    labels = read_label_file(_shared(file)).labels
    check(labels)
    assert len(labels) == count
    assert len(leaves(labels)) == leaf_count
    assert len(children(labels)[""]) == roots
    assert max(each.depth for each in labels) + 1 == levels


def test_real_names_keep_their_order() -> None:
    """Row n of the file is label n: label vectors lie beside it in the same order."""
    path = _shared("text/banking77_categories.json")
    names = json.loads(Path(path).read_text(encoding="utf-8"))
    assert [each.name for each in read_label_file(path).labels] == names


def test_real_groups_are_the_coarse_classes() -> None:
    """Groceries: 81 rows in file order, then the 17 groups that are no row."""
    labels = read_label_file(_shared("grocery/labels.csv")).labels
    assert labels[80].label_id == "Zucchini"
    assert labels[80].parent_id == ""
    assert labels[81] == label("Apple", "Apple")


def test_import_is_light() -> None:
    """Parsers and file systems are loaded when a file needs them."""
    code = "import indexer.labels.taxonomy, indexer.labels.prompts, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert not {"yaml", "fsspec", "pyarrow", "pandas"} & set(loaded.stdout.split())


def _shared(file: str) -> str:
    path = SHARED / file
    if not path.exists():
        pytest.skip(f"../shared/data/{file} is not here")
    return str(path)
