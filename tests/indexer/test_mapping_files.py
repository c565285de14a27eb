"""Mapping files: our own tables, Shopify's published forms, and labels that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels.mapping_files import read_mappings, resolve


def label(label_id: str, *path: str) -> Label:
    """A label by its id and path."""
    return Label(label_id=label_id, name=path[-1], path=path)


SOURCE = [
    label("gid://shopify/TaxonomyCategory/aa", "Apparel"),
    label("gid://shopify/TaxonomyCategory/aa-1", "Apparel", "Dresses"),
]
TARGET = [label("166", "Apparel & Accessories"), label("2271", "Apparel & Accessories", "Dresses")]

YAML = """---
input_taxonomy: shopify/2024-10
output_taxonomy: google/2021-09-21
rules:
- input:
    product_category_id: aa
  output:
    product_category_id:
    - '166'
- input:
    product_category_id: aa-1
  output:
    product_category_id: '2271'
- input:
    product_category_id: zz
  output:
    product_category_id: '1'
unmapped_product_category_ids:
- aa-2
"""

TEXT = """# Shopify Product Taxonomy - Mapping shopify/2024-10 to google/2021-09-21
# Format:
# → {base taxonomy category name}
# ⇒ {mapped taxonomy category name}

→ Apparel
⇒ Apparel & Accessories

→ Apparel > Dresses
⇒ Apparel & Accessories > Dresses
"""

JSON = {
    "version": "2024-10",
    "mappings": [
        {
            "input_taxonomy": "shopify/2024-10",
            "output_taxonomy": "other/1",
            "rules": [
                {
                    "input": {"category": {"id": "zz", "full_name": "Z"}},
                    "output": {"category": [{"id": "9", "full_name": "Nine"}]},
                }
            ],
        },
        {
            "input_taxonomy": "shopify/2024-10",
            "output_taxonomy": "google/2021-09-21",
            "rules": [
                {
                    "input": {
                        "category": {
                            "id": "gid://shopify/TaxonomyCategory/aa-1",
                            "full_name": "Apparel > Dresses",
                        }
                    },
                    "output": {"category": [{"id": "2271", "full_name": "A > Dresses"}]},
                }
            ],
        },
    ],
}


def write(folder: Path, name: str, content: str) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_rules_in_yaml_are_found_by_the_end_of_an_id(tmp_path: Path) -> None:
    """What is not there is listed; a category that is said to have none has none."""
    found = resolve(read_mappings(write(tmp_path, "r.yml", YAML)), SOURCE, TARGET)
    assert found.name == "shopify/2024-10 to google/2021-09-21"
    assert found.targets == {SOURCE[0].label_id: ("166",), SOURCE[1].label_id: ("2271",)}
    assert found.unknown_sources == ("zz", "aa-2")


def test_rules_in_text_are_found_by_paths(tmp_path: Path) -> None:
    """A path a line after its arrow."""
    found = resolve(read_mappings(write(tmp_path, "r.txt", TEXT)), SOURCE, TARGET)
    assert found.targets == {SOURCE[0].label_id: ("166",), SOURCE[1].label_id: ("2271",)}


def test_of_several_mappings_the_fitting_one_is_taken(tmp_path: Path) -> None:
    """As ``all_mappings.json`` has those to several taxonomies."""
    found = resolve(read_mappings(write(tmp_path, "r.json", json.dumps(JSON))), SOURCE, TARGET)
    assert found.name == "shopify/2024-10 to google/2021-09-21"
    assert found.targets == {SOURCE[1].label_id: ("2271",)}


def test_only_accepted_rows_of_our_own_table_are_rules(tmp_path: Path) -> None:
    """``review`` waits for somebody, ``none`` says that no label fits; in each format."""
    rows = [
        {"label_id": SOURCE[0].label_id, "target_id": "166", "status": "accepted"},
        {"label_id": SOURCE[1].label_id, "target_id": "2271", "status": "review"},
    ]
    text = "label_id,target_id,status\n" + "".join(
        f"{row['label_id']},{row['target_id']},{row['status']}\n" for row in rows
    )
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "r.parquet")
    files = [
        write(tmp_path, "r.csv", text),
        write(tmp_path, "r.jsonl", "\n".join(map(json.dumps, rows))),
        tmp_path / "r.parquet",
    ]
    for file in files:
        found = resolve(read_mappings(file), SOURCE, TARGET)
        assert found.targets == {SOURCE[0].label_id: ("166",)}, file
        assert found.undecided == (SOURCE[1].label_id,)
    none = write(tmp_path, "none.csv", f"label_id,target_id,status\n{SOURCE[0].label_id},,none\n")
    assert resolve(read_mappings(none), SOURCE, TARGET).targets == {SOURCE[0].label_id: ()}


def test_a_target_that_is_not_there_is_lost_and_told(tmp_path: Path) -> None:
    """Only labels that exist can come out."""
    file = write(tmp_path, "r.csv", f"from,to\n{SOURCE[0].label_id},404\n")
    found = resolve(read_mappings(file), SOURCE, TARGET)
    assert (found.targets, found.unknown_targets) == ({}, ("404",))
    assert found.lost == (SOURCE[0].label_id,)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("r.csv", "a,b\n1,2\n", "must have the columns label_id and target_id"),
        ("r.yml", "- a\n- b\n", "is no mapping"),
        ("r.yml", "rules:\n- input: {}\n  output: {}\n", "rule 1: an input with one category"),
        ("r.json", "{", "can't be read"),
        ("r.txt", "Apparel > Dresses\n", "line 1: a path after → or ⇒"),
        ("r.docx", "", "mappings end in .csv"),
        ("r.csv", "label_id,target_id\n", "must have the columns|has no rules"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, told: str) -> None:
    """The message names the file, what is wrong and what is expected."""
    with pytest.raises(TaxonomyError, match=told) as refused:
        read_mappings(write(tmp_path, name, content))
    assert name in str(refused.value)
