"""Mapping one taxonomy to another: texts, parents, items, rules, and what is measured."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels.mapping_files import ResolvedMapping
from queries.mapping.mapper import MappingStatus
from queries.mapping.mapping import TaxonomyMapping, map_taxonomy
from queries.mapping.measures import measure
from queries.mapping.trees import LabelTree
from queries.mapping.votes import ItemVotes
from queries.mapping.words import singular, words


def tree(*paths: str, synonyms: dict[str, tuple[str, ...]] | None = None) -> list[Label]:
    """Labels of paths such as ``A > B``, each with its path as its id."""
    return [
        Label(
            label_id=path,
            name=path.split(" > ")[-1],
            path=tuple(path.split(" > ")),
            parent_id=" > ".join(path.split(" > ")[:-1]),
            synonyms=(synonyms or {}).get(path, ()),
        )
        for path in paths
    ]


GOOGLE = tree(
    "Apparel & Accessories",
    "Apparel & Accessories > Clothing",
    "Apparel & Accessories > Clothing > Dresses",
    "Apparel & Accessories > Clothing > Shirts & Tops",
    "Apparel & Accessories > Shoes",
    "Animals & Pet Supplies",
    "Animals & Pet Supplies > Pet Supplies",
    "Animals & Pet Supplies > Pet Supplies > Dog Supplies",
    "Animals & Pet Supplies > Pet Supplies > Dog Supplies > Dog Apparel",
    "Furniture",
    "Furniture > Tables",
)


def targets(mapping: TaxonomyMapping) -> dict[str, str]:
    """Paths of the counterparts by path."""
    return {mapping.source.path(row.place): mapping.target.path(row.target) for row in mapping.rows}


def test_names_are_compared_without_number_case_and_accents() -> None:
    """Words that say nothing are left out, as long as others stay."""
    assert words("Women's Dresses & Skirts") == ("women", "dress", "skirt")
    assert words("Café of the Décor") == ("cafe", "decor")
    assert words("The") == ("the",)
    assert words("***") == ("***",)
    assert [singular(word) for word in ("bus", "watches", "toys", "gas")] == [
        "bus",
        "watch",
        "toy",
        "gas",
    ]


def test_the_same_taxonomy_maps_to_itself() -> None:
    """Each label to itself, and all are accepted."""
    mapping = map_taxonomy(GOOGLE, GOOGLE)
    assert all(source == target for source, target in targets(mapping).items())
    assert mapping.count(MappingStatus.ACCEPTED) == len(GOOGLE)


def test_a_label_is_found_under_its_parents_counterpart() -> None:
    """A dog's dresses are no dresses, and a table is furniture."""
    shop = tree("Clothes", "Clothes > Dress", "Dogs", "Dogs > Dog clothes", "Furnitures > table")
    shop = [*shop[:4], *tree("Furnitures"), shop[4]]
    found = targets(map_taxonomy(shop, GOOGLE))
    assert found["Clothes > Dress"] == "Apparel & Accessories > Clothing > Dresses"
    assert found["Furnitures > table"] == "Furniture > Tables"


def test_a_label_without_a_counterpart_of_its_own_maps_as_its_parent() -> None:
    """Where the other taxonomy is coarser."""
    shop = tree(
        "Apparel & Accessories",
        "Apparel & Accessories > Shoes",
        "Apparel & Accessories > Shoes > Espadrilles",
    )
    mapping = map_taxonomy(shop, GOOGLE)
    assert targets(mapping)[shop[2].label_id] == "Apparel & Accessories > Shoes"
    assert "as its parent" in mapping.rows[2].why


def test_a_synonym_counts_as_a_name() -> None:
    """Of either side."""
    shop = tree("Frocks", synonyms={"Frocks": ("Dresses",)})
    mapping = map_taxonomy(shop, GOOGLE)
    assert targets(mapping)["Frocks"] == "Apparel & Accessories > Clothing > Dresses"
    assert "same name" in mapping.rows[0].why


def test_what_shares_nothing_has_no_counterpart(caplog: pytest.LogCaptureFixture) -> None:
    """As between languages: told, and nothing is made up."""
    with caplog.at_level(logging.WARNING):
        mapping = map_taxonomy(tree("Möbel", "Möbel > Stühle", "Hüte"), GOOGLE)
    assert mapping.count(MappingStatus.ACCEPTED) == 0
    assert mapping.count(MappingStatus.NONE) >= 2
    assert "different languages" in caplog.text


def test_rules_decide_and_labels_below_go_by_them() -> None:
    """A rule for a parent carries its children along; one for none takes a label out."""
    shop = tree("Zeug", "Zeug > Shoes", "Dresses")
    rules = ResolvedMapping(
        name="",
        targets={"Zeug": ("Apparel & Accessories",), "Dresses": ()},
        unknown_sources=(),
        unknown_targets=(),
        lost=(),
        undecided=(),
    )
    mapping = map_taxonomy(shop, GOOGLE, published=rules)
    assert targets(mapping)["Zeug"] == "Apparel & Accessories"
    assert targets(mapping)["Zeug > Shoes"] == "Apparel & Accessories > Shoes"
    assert mapping.rows[2].status is MappingStatus.NONE
    assert [row.why for row in mapping.rows][::2] == ["published mapping"] * 2


def test_ids_mean_the_same_only_when_told() -> None:
    """Two shops number their categories from 1."""
    ours = [Label(label_id="1", name="Tables", path=("Tables",))]
    theirs = [
        Label(label_id="1", name="Dresses", path=("Dresses",)),
        Label(label_id="2", name="Tables", path=("Tables",)),
    ]
    assert map_taxonomy(ours, theirs).rows[0].target == 1
    by_id = map_taxonomy(ours, theirs, same_ids=True)
    assert (by_id.rows[0].target, by_id.rows[0].why) == (0, "same id")


def test_an_empty_side_is_refused() -> None:
    """With the option that named it."""
    with pytest.raises(TaxonomyError, match="--to has no labels"):
        map_taxonomy(GOOGLE, [])
    with pytest.raises(TaxonomyError, match="--from has no labels"):
        map_taxonomy([], GOOGLE)


def test_items_find_what_words_do_not() -> None:
    """A label whose name says nothing goes where its items go."""
    shop = tree("Tische", "Schuhe", "Stühle")
    google = [*GOOGLE, *tree("Furniture > Chairs")]
    shoes, tables, chairs = (
        next(place for place, label in enumerate(google) if label.name == name)
        for name in ("Shoes", "Tables", "Chairs")
    )
    votes = np.zeros((3, len(google)))
    votes[0, tables], votes[1, shoes], votes[2, chairs], votes[1, tables] = 30, 18, 20, 2
    evidence = ItemVotes(LabelTree.of(google), csr_matrix(votes), np.array([30, 20, 20]))
    found = targets(map_taxonomy(shop, google, votes=evidence))
    assert found == {
        "Tische": "Furniture > Tables",
        "Schuhe": "Apparel & Accessories > Shoes",
        "Stühle": "Furniture > Chairs",
    }


def test_items_of_a_parent_vote_for_what_holds_their_leaves() -> None:
    """Votes of the leaves below a label are votes for it, less those of others."""
    target = LabelTree.of(GOOGLE)
    votes = np.zeros((2, len(GOOGLE)))
    dresses, tops, tables = 2, 3, 10
    votes[0, [dresses, tops]] = 10
    votes[1, tables] = 20
    evidence = ItemVotes(target, csr_matrix(votes), np.array([20, 20]))
    clothing = 1
    values = evidence.values(np.array([0]), np.array([[clothing, dresses, tables]]))
    assert values[0].tolist() == pytest.approx([0.91, 0.45, -1.0], abs=0.01)
    assert {clothing, dresses, tops} <= set(evidence.places[0].tolist())


def test_measures_count_what_agrees_with_rules() -> None:
    """Exactly, nearly, and how many above a score of which 95% agree."""
    mapping = map_taxonomy(GOOGLE, GOOGLE)
    everything = {label.label_id: (label.label_id,) for label in GOOGLE}
    wrong = everything | {GOOGLE[2].label_id: (GOOGLE[3].label_id,)}
    rules = ResolvedMapping(
        name="", targets=wrong, unknown_sources=(), unknown_targets=(), lost=(), undecided=()
    )
    measures = measure(mapping, rules)
    assert measures.labels == len(GOOGLE)
    assert measures.exact == pytest.approx(10 / 11)
    assert measures.near == 1.0
    assert sum(band.labels for band in measures.bands) == len(GOOGLE)


NAMES = st.text("abc &>", min_size=1, max_size=6).filter(str.strip)


@settings(max_examples=25, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=6), st.lists(NAMES, min_size=1, max_size=6))
def test_any_two_taxonomies_have_a_mapping(ours: list[str], theirs: list[str]) -> None:
    """A row a label, a target that exists or none, scores that are shares."""
    source = [Label(label_id=str(n), name=name, path=(name,)) for n, name in enumerate(ours)]
    target = [Label(label_id=str(n), name=name, path=(name,)) for n, name in enumerate(theirs)]
    mapping = map_taxonomy(source, target)
    assert len(mapping.rows) == len(source)
    for row in mapping.rows:
        assert -1 <= row.target < len(target)
        assert 0 < row.score <= 1.0 + 1e-6
        assert (row.target < 0) == (row.status is MappingStatus.NONE)
    assert mapping.table().num_rows == len(source)
