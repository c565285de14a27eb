"""Label files as other programs write them: each is read as the tree that it is, or refused."""

# ruff: noqa: E501 - files stand here as they are written

from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels.taxonomy import read_label_file, read_templates

RANKS = ["kingdom", "phylum", "class", "order", "family", "genus", "specific_epithet"]
WORM = dict(
    zip(
        RANKS,
        ["Animalia", "Annelida", "Clitellata", "Haplotaxida", "Lumbricidae", "Lumbricus", "t"],
        strict=True,
    )
)
UNSPSC = "Segment,Segment Title,Family,Family Title,Class,Class Title,Commodity,Commodity Title"
GPC = [
    {"Level": level, "Code": level, "Title": title}
    for level, title in enumerate(["Food", "Fruit", "Fresh", "Apple", "Colour"], 1)
]
for upper, lower in pairwise(GPC):
    upper["Childs"] = [lower]

WRITTEN: dict[str, tuple[str, Any, dict[str, str]]] = {
    "WordPress, parents as slugs": (
        "l.csv",
        "term_id,name,slug,taxonomy,parent,count\n15,Clothing,clothing,x,,3\n16,Shirts,s,x,clothing,2\n",
        {"15": "Clothing", "16": "Clothing > Shirts"},
    ),
    "WooCommerce's REST": (
        "l.json",
        [
            {"id": 15, "name": "Clothing", "slug": "c", "parent": 0, "image": None},
            {"id": 16, "name": "Shirts", "parent": 15, "_links": {"self": [{"href": "x"}]}},
        ],
        {"15": "Clothing", "16": "Clothing > Shirts"},
    ),
    "Magento's paths of ids": (
        "l.csv",
        "entity_id,name,path,level\n1,Root,1,0\n2,Default,1/2,1\n5,Shirts,1/2/5,2\n",
        {"1": "Root", "2": "Root > Default", "5": "Root > Default > Shirts"},
    ),
    "Magento's REST": (
        "l.json",
        {
            "id": 1,
            "parent_id": 0,
            "name": "Root",
            "is_active": True,
            "children_data": [{"id": 2, "parent_id": 1, "name": "Default", "children_data": []}],
        },
        {"1": "Root", "2": "Root > Default"},
    ),
    "PrestaShop": (
        "l.csv",
        "Category ID;Active (0/1);Name *;Parent category;Root category (0/1)\n2;1;Home;;0\n3;1;Men;Home;0\n",
        {"2": "Home", "3": "Home > Men"},
    ),
    "PrestaShop's tables": (
        "l.csv",
        "id_category,id_parent,name\n1,0,Root\n2,1,Home\n",
        {"1": "Root", "2": "Root > Home"},
    ),
    "eBay": (
        "l.csv",
        "CategoryID,Parent ID,Category Name,Level\n1,-1,Antiques,1\n2,1,Chairs,2\n",
        {"1": "Antiques", "2": "Antiques > Chairs"},
    ),
    "Etsy, children with parent_id": (
        "l.json",
        {
            "count": 1,
            "results": [
                {
                    "id": 891,
                    "level": 1,
                    "name": "Home",
                    "parent_id": None,
                    "children": [{"id": 892, "name": "Lamps", "parent_id": 891, "children": []}],
                }
            ],
        },
        {"891": "Home", "892": "Home > Lamps"},
    ),
    "Amazon's browse tree guide": (
        "l.csv",
        "Node ID,Node Path,Query\n10,Toys & Games,\n16,Toys & Games/Arts & Crafts,x\n",
        {"10": "Toys & Games", "16": "Toys & Games > Arts & Crafts"},
    ),
    "paths with names": (
        "l.csv",
        "id,name,full_name\n1,Clothing,Clothing\n2,Shirts,Clothing > Shirts\n",
        {"1": "Clothing", "2": "Clothing > Shirts"},
    ),
    "paths without the name": (
        "l.csv",
        "id,name,category path\n2,Shirts,Clothing > Men\n",
        {
            "2": "Clothing > Men > Shirts",
            "Clothing": "Clothing",
            "Clothing > Men": "Clothing > Men",
        },
    ),
    "a list of paths": (
        "l.json",
        ["Clothing", "Clothing > Shirts"],
        {"Clothing": "Clothing", "Clothing > Shirts": "Clothing > Shirts"},
    ),
    "Open Images without a header": (
        "l.csv",
        "/m/011k07,Tortoise\n/m/011q46kg,Container\n",
        {"/m/011k07": "Tortoise", "/m/011q46kg": "Container"},
    ),
    "Open Images 7": (
        "l.csv",
        "LabelName,DisplayName\n/m/011k07,Tortoise\n",
        {"/m/011k07": "Tortoise"},
    ),
    "ImageNet's synsets": (
        "l.txt",
        "n01440764 tench, Tinca tinca\nn01443537 goldfish\n",
        {"n01440764": "tench, Tinca tinca", "n01443537": "goldfish"},
    ),
    "words.txt": ("l.txt", "n01\ttench\nn02\tgoldfish\n", {"n01": "tench", "n02": "goldfish"}),
    "a model's config": (
        "config.json",
        {"model_type": "vit", "id2label": {"0": "cat", "1": "dog"}, "hidden_size": 3},
        {"0": "cat", "1": "dog"},
    ),
    "label2id": ("l.json", {"cat": 0, "dog": 1}, {"0": "cat", "1": "dog"}),
    "datasets' features": (
        "dataset_info.json",
        {
            "features": {
                "image": {"_type": "Image"},
                "l": {"names": ["a", "b"], "_type": "ClassLabel"},
            }
        },
        {"0": "a", "1": "b"},
    ),
    "YOLO's list": (
        "l.yaml",
        "train: a\nval: b\nnc: 2\nnames: ['person', 'dog']\n",
        {"0": "person", "1": "dog"},
    ),
    "YOLO's mapping alone": (
        "l.yaml",
        "names:\n  0: person\n  1: dog\n",
        {"0": "person", "1": "dog"},
    ),
    "Darknet": ("coco.names", "person\nbicycle\n", {"person": "person", "bicycle": "bicycle"}),
    "COCO by Roboflow": (
        "l.json",
        {
            "licenses": [{"id": 1, "name": "CC"}],
            "images": [{"id": 1, "file_name": "a"}],
            "categories": [
                {"supercategory": "none", "id": 0, "name": "fruit"},
                {"supercategory": "fruit", "id": 1, "name": "apple"},
            ],
        },
        {"0": "fruit", "1": "fruit > apple"},
    ),
    "COCO's keypoints": (
        "l.json",
        {
            "categories": [
                {
                    "supercategory": "person",
                    "id": 1,
                    "name": "person",
                    "keypoints": ["nose"],
                    "skeleton": [[1, 2]],
                }
            ]
        },
        {"1": "person"},
    ),
    "iNaturalist's competition": (
        "l.json",
        {"categories": [{"id": 0, "name": "Lumbricus terrestris", "common_name": "Worm", **WORM}]},
        {
            "0": "Animalia > Annelida > Clitellata > Haplotaxida > Lumbricidae > Lumbricus > "
            "Lumbricus terrestris"
        },
    ),
    "GBIF's keys": (
        "l.tsv",
        "taxonKey\tscientificName\ttaxonRank\tfamily\tfamilyKey\tgenus\tgenusKey\tspecies\tspeciesKey\n"
        "9\tPuma concolor (Linnaeus, 1771)\tSPECIES\tFelidae\t7\tPuma\t8\tPuma concolor\t9\n"
        "8\tPuma Jardine, 1834\tGENUS\tFelidae\t7\tPuma\t8\t\t\n",
        {"7": "Felidae", "8": "Felidae > Puma", "9": "Felidae > Puma > Puma concolor"},
    ),
    "Darwin Core with parents": (
        "l.tsv",
        "id\ttaxonID\tparentNameUsageID\tkingdom\tphylum\tclass\tscientificName\n"
        "1\thttps://t/1\thttps://t/48460\tAnimalia\t\t\tAnimalia\n"
        "2\thttps://t/2\thttps://t/1\tAnimalia\tChordata\t\tChordata\n",
        {"1": "Animalia", "2": "Animalia > Chordata"},
    ),
    "UNSPSC": (
        "l.csv",
        UNSPSC
        + "\n10,Plant,11,Animals,12,Livestock,13,Cats\n10,Plant,11,Animals,12,Livestock,14,Dogs\n",
        {
            "10": "Plant",
            "11": "Plant > Animals",
            "12": "Plant > Animals > Livestock",
            "13": "Plant > Animals > Livestock > Cats",
            "14": "Plant > Animals > Livestock > Dogs",
        },
    ),
    "UNSPSC of the UN's market place": (
        "l.csv",
        "Key,Parent key,Code,Title\n100,,10000000,Plant\n101,100,10100000,Animals\n",
        {"10000000": "Plant", "10100000": "Plant > Animals"},
    ),
    "GPC as a table": (
        "l.csv",
        "SegmentCode,SegmentTitle,FamilyCode,FamilyTitle,ClassCode,ClassTitle,BrickCode,BrickTitle\n"
        "1,Food,2,Fruit,3,Fresh,4,Apple\n",
        {
            "1": "Food",
            "2": "Food > Fruit",
            "3": "Food > Fruit > Fresh",
            "4": "Food > Fruit > Fresh > Apple",
        },
    ),
    "GPC down to the bricks": (
        "l.json",
        {"LanguageCode": "EN", "Schema": GPC[:1]},
        {
            "1": "Food",
            "2": "Food > Fruit",
            "3": "Food > Fruit > Fresh",
            "4": "Food > Fruit > Fresh > Apple",
        },
    ),
    "levels by number": (
        "l.csv",
        "id,Level 1,Level 2\n1,Clothing,\n2,Clothing,Shirts\n",
        {"1": "Clothing", "2": "Clothing > Shirts"},
    ),
    "category and subcategory": (
        "l.csv",
        "category,subcategory\nClothing,Shirts\n",
        {"Clothing": "Clothing", "Clothing > Shirts": "Clothing > Shirts"},
    ),
    "classes that begin with 0, all below 0": (
        "l.csv",
        "id,name,parent\n0,A,0\n1,B,0\n",
        {"0": "A", "1": "B"},
    ),
    "records by id": (
        "l.json",
        {"15": {"name": "A", "parent_id": None}, "16": {"name": "B", "parent_id": 15.0}},
        {"15": "A", "16": "A > B"},
    ),
    "Label Studio": (
        "l.xml",
        '<View><Choices name="c"><Choice value="A"><Choice value="B"/></Choice></Choices></View>',
        {"A": "A", "A > B": "A > B"},
    ),
    "Label Studio, parsed": (
        "l.json",
        {"label": {"type": "Choices", "to_name": ["i"], "labels": ["A", "B"]}},
        {"A": "A", "B": "B"},
    ),
    "SKOS in JSON-LD": (
        "l.json",
        {
            "@context": {"skos": "http://www.w3.org/2004/02/skos/core#"},
            "@graph": [
                {"@id": "http://e/a", "@type": "skos:Concept", "skos:prefLabel": "A"},
                {
                    "@id": "http://e/b",
                    "@type": "skos:Concept",
                    "skos:prefLabel": "B",
                    "skos:broader": {"@id": "http://e/a"},
                },
            ],
        },
        {"http://e/a": "A", "http://e/b": "A > B"},
    ),
    "SKOS in XML, narrower": (
        "l.rdf",
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:s="http://www.w3.org/2004/02/skos/core#"><s:Concept rdf:about="http://e/a">'
        '<s:prefLabel xml:lang="de">Tier</s:prefLabel><s:prefLabel xml:lang="en">Animal'
        '</s:prefLabel><s:narrower rdf:resource="http://e/b"/></s:Concept><s:Concept '
        'rdf:about="http://e/b"><s:prefLabel>Cat</s:prefLabel></s:Concept></rdf:RDF>',
        {"http://e/a": "Animal", "http://e/b": "Animal > Cat"},
    ),
    "a mapping as Python prints it": (
        "imagenet1000_clsidx_to_labels.txt",
        "{0: 'tench, Tinca tinca',\n 1: 'goldfish'}\n",
        {"0": "tench, Tinca tinca", "1": "goldfish"},
    ),
    "a table that is called a text": (
        "l.txt",
        "id\tname\tparent_id\n1\tA\t\n2\tB\t1\n",
        {"1": "A", "2": "A > B"},
    ),
    "an empty column of parents before a filled one": (
        "l.csv",
        "id,name,parent_id,parent_name\n1,A,,\n2,B,,A\n",
        {"1": "A", "2": "A > B"},
    ),
    "levels that are written once": (
        "l.csv",
        "L1,L2,L3\nClothing,,\n,Shirts,\n,,Tees\n,Shoes,\nHome,,\n",
        {
            "Clothing > Shirts > Tees": "Clothing > Shirts > Tees",
            "Clothing > Shoes": "Clothing > Shoes",
            "Home": "Home",
        },
    ),
    "classes alone": ("l.json", {"classes": ["cat", "dog"]}, {"cat": "cat", "dog": "dog"}),
    "Supervisely": (
        "meta.json",
        {"classes": [{"id": 7, "title": "cat", "shape": "x"}], "tags": [{"name": "t"}]},
        {"7": "cat"},
    ),
    "Excel's Unicode text": ("l.csv", "id\tname\n1\tCafé\n".encode("utf-16"), {"1": "Café"}),
}

REFUSED: dict[str, tuple[str, Any, str]] = {
    "a model's config without labels": (
        "l.json",
        {"architectures": ["X"], "hidden_size": 3},
        "no form of labels .*'architectures', 'hidden_size'",
    ),
    "figures": ("l.json", {"accuracy": 0.5, "loss": 1.25}, "no form of labels .*'accuracy'"),
    "a package": (
        "l.json",
        {"name": "x", "version": "1", "dependencies": {"a": "1"}},
        "no form of labels .*'version'",
    ),
    "services": (
        "l.yaml",
        "services:\n  web:\n    image: x\n",
        "no form .*'image'|mapping such as",
    ),
    "a data set without names": (
        "l.yaml",
        "path: a\ntrain: b\nnc: 2\n",
        "no form of labels .*'path'",
    ),
    "names of several data sets": (
        "l.json",
        {"cifar10": ["a"], "mnist": ["b"]},
        "'cifar10', 'mnist'. Choose one with --dataset",
    ),
    "templates": ("l.json", ["a photo of a {c}.", "a {}"], "prompt templates.*--template-file"),
    "names and templates": (
        *("l.json", {"classnames": ["cat"], "templates": ["a {c}."]}),
        "prompt templates.*--template-file",
    ),
    "sentences": (
        "l.json",
        {"tench": ["A tench is a fish.", "Tench are green."]},
        "sentences on 1 labels",
    ),
    "Open Images' hierarchy without names": (
        "l.json",
        {"LabelName": "/m/0b", "Subcategory": [{"LabelName": "/m/02"}]},
        "names are ids such as '/m/0b'",
    ),
    "two labels of one number": ("l.json", {"label2id": {"a": 0, "b": 0}}, "'0' is taken by"),
    "a mapping that is not clear": ("l.json", {"a": "b", "c": "d"}, "can't be told which"),
    "RDF without concepts": (
        "l.ttl",
        "<http://e/a> <http://e/b> <http://e/c> .",
        "no skos:Concept",
    ),
    "no RDF": ("l.ttl", "{", "no turtle that can be read"),
    "no XML": ("l.xml", "<a", "no XML that can be read"),
    "XML of another kind": (
        "l.xml",
        "<annotation><object/></annotation>",
        "<annotation> with <object>",
    ),
    "a child that names another parent": (
        "l.json",
        [{"id": 1, "name": "A", "children": [{"id": 2, "name": "B", "parent_id": 9}]}],
        "'B' lies below 'A', and its 'parent' is '9'",
    ),
}


def read(tmp_path: Path, name: str, content: Any, *, dataset: str = "") -> list[Label]:
    """Labels of a file with this content."""
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_label_file(str(path), dataset=dataset).labels


@pytest.mark.parametrize("writer", WRITTEN)
def test_what_others_write(writer: str, tmp_path: Path) -> None:
    """Ids and paths are those that the writer meant."""
    name, content, expected = WRITTEN[writer]
    found = {label.label_id: " > ".join(label.path) for label in read(tmp_path, name, content)}
    assert found.items() >= expected.items()
    made = [label_id for label_id in found if label_id not in expected]
    assert all(found[label_id] == label_id for label_id in made)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_label_file_is_refused(kind: str, tmp_path: Path) -> None:
    """The message says what was seen."""
    name, content, message = REFUSED[kind]
    with pytest.raises(TaxonomyError, match=f"(?s){message}"):
        read(tmp_path, name, content)


@pytest.mark.parametrize("root", ["", "0", "NULL", "None", "nan", "null"])
@pytest.mark.parametrize("column", ["parent", "parent_id", "parentId", "Parent ID", "Parent-Id"])
def test_roots_and_parent_columns(column: str, root: str, tmp_path: Path) -> None:
    """However the column is written, and however a root says that it is one."""
    labels = read(tmp_path, "l.csv", f"id,name,{column}\n1,A,{root}\n2,B,1\n3,C,1.0\n")
    assert [label.parent_id for label in labels] == ["", "1", "1"]


def test_synonyms(tmp_path: Path) -> None:
    """By bars, by semicolons, as a JSON list in a cell, and as LVIS has them."""
    table = 'id,name,synonyms\n1,A,b|c\n2,B,c; d\n3,C,"[""d"",""e""]"\n'
    assert [one.synonyms for one in read(tmp_path, "l.csv", table)] == [
        ("b", "c"),
        ("c", "d"),
        ("d", "e"),
    ]
    lvis = {"categories": [{"id": 1, "name": "can", "synonyms": ["can", "tin"], "def": "metal"}]}
    (can,) = read(tmp_path, "l.json", lvis)
    assert (can.synonyms, can.description) == (("tin",), "metal")


def test_what_was_read_as_what_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Other names of columns, columns that play no part, and parents that are made: warnings."""
    read(tmp_path, "l.csv", "term_id,name,colour\n1,A,red\n")
    read(tmp_path, "m.csv", "id,name,full_name\n2,B,A > B\n")
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert any("read 'term_id' as the id" in line for line in told)
    assert any("these columns are ignored: 'colour'" in line for line in told)
    assert any(
        "without a row of their own that are added as labels: 1 (A)" in line for line in told
    )


def test_made_parents_are_known(tmp_path: Path) -> None:
    """A file tells which of its labels have no row."""
    path = tmp_path / "l.csv"
    path.write_text("category,subcategory\nClothing,Shirts\n")
    assert read_label_file(str(path)).made == {"Clothing"}


def test_names_of_one_data_set(tmp_path: Path) -> None:
    """Positions are ids, so a name may be there twice."""
    names = {"cifar10": ["a"], "imagenet1k": ["crane", "crane"]}
    labels = read(tmp_path, "en_classnames.json", names, dataset="imagenet1k")
    assert [(label.label_id, label.name) for label in labels] == [("0", "crane"), ("1", "crane")]


def test_templates_of_a_file(tmp_path: Path) -> None:
    """One a line, a list, or those of a data set."""
    text, by_set = tmp_path / "t.txt", tmp_path / "t.json"
    text.write_text("a {c}.\n\nthe {}\n")
    by_set.write_text('{"a": ["x {c}"], "b": ["y {c}"]}')
    assert read_templates(str(text)) == ["a {c}.", "the {}"]
    assert read_templates(str(by_set), dataset="b") == ["y {c}"]
    with pytest.raises(TaxonomyError, match=r"'a', 'b'\. Choose one with --dataset"):
        read_templates(str(by_set))


def test_handed_files_are_read(shared_cases: Path) -> None:
    """The number of labels that each file has, and the tree where it has one."""
    folder = shared_cases / "labels"
    expected = {
        "parent_id.csv": 2,
        "parent_float.csv": 3,
        "woo_categories.csv": 3,
        "gpc.json": 2,
        "imagenet_class_index.json": 1000,
        "id2label.json": 2,
        "yolo_data.yaml": 3,
        "shopify_categories.json": 2,
        "shopify_aa.yml": 2,
        "panoptic_categories.json": 3,
        "same.csv": 4,
        "longd.csv": 2,
        "syn.csv": 3,
    }
    found = {name: read_label_file(str(folder / name)).labels for name in expected}
    assert {name: len(labels) for name, labels in found.items()} == expected
    for name in ("parent_id.csv", "parent_float.csv", "woo_categories.csv", "shopify_aa.yml"):
        assert len(found[name][1].path) == 2, name
    assert [label.synonyms for label in found["syn.csv"]][1:] == [
        ("tote", "satchel"),
        ("cap", "beanie"),
    ]


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[str, str, str]]:
    """Id, name and parent's id, parents first; ids are whole numbers from 1 on."""
    count = draw(st.integers(1, 12))
    letters = st.text(st.sampled_from("abcdefXYZ &'"), min_size=1, max_size=8)
    rows = []
    for number in range(1, count + 1):
        above = draw(st.integers(0, number - 1))
        name = f"{draw(letters).strip()}{number}"
        rows.append((str(number), name, str(above) if above else ""))
    return rows


@given(trees(), st.sampled_from(["csv", "float", "flat", "nested", "ids", "path"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_one_tree_however_it_is_written(
    tmp_path: Path, tree: list[tuple[str, str, str]], form: str
) -> None:
    """Tables with ids or names of parents, flat and nested JSON, children as ids, paths."""
    name, content = written(tree, form)
    labels = read(tmp_path, name, content)
    assert sorted((one.label_id, one.name, one.parent_id) for one in labels) == sorted(tree)


def written(tree: list[tuple[str, str, str]], form: str) -> tuple[str, Any]:
    """A tree as a file of one form."""
    names = {label_id: name for label_id, name, _ in tree}
    if form in {"csv", "float"}:
        end = ".0" if form == "float" else ""
        lines = [f'{i},"{name}",{above + end if above else ""}' for i, name, above in tree]
        return "l.csv", "\n".join(["id,name,Parent ID", *lines])
    if form == "flat":
        return "l.json", [
            {"id": int(i), "title": name, "parentId": int(above) if above else None}
            for i, name, above in tree
        ]
    if form == "ids":
        return "l.json", [
            {"id": i, "name": name, "children": [one for one, _, above in tree if above == i]}
            for i, name, _ in tree
        ]
    if form == "path":
        paths: dict[str, str] = {"": ""}
        for i, name, above in tree:
            paths[i] = f"{paths[above]} > {name}" if above else name
        return "l.csv", "\n".join(["id,path", *(f'{i},"{paths[i]}"' for i in names)])

    def below(parent: str) -> list[dict[str, Any]]:
        return [
            {"id": int(i), "name": name, "subcategories": below(i)}
            for i, name, above in tree
            if above == parent
        ]

    return "l.json", {"version": 1, "categories": below("")}


KEYS = (
    *("id", "name", "parent", "parent_id", "children", "names", "categories", "labels", "path"),
    *("verticals", "Schema", "Level", "Childs", "supercategory", "synonyms", "items", "id2label"),
    *("label2id", "features", "class_label", "kingdom", "family", "genus", "Segment Title", "0"),
)
SCALARS = st.sampled_from(
    ["a", "b c", "", None, 1, 0, 1.5, True, "A > B", "1/2", "/m/01", "n01440764"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, st.sampled_from(["l.json", "l.yaml"]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400
)
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, value: Any, name: str) -> None:
    """Known keys in any shape: labels with names, or a message."""
    try:
        labels = read(tmp_path, name, json.dumps(value))
    except TaxonomyError:
        return
    assert all(label.name and label.path[-1] == label.name for label in labels)


@given(
    st.lists(
        st.sampled_from([*KEYS, "Level 1", "Level 2", "slug"]), min_size=1, max_size=5, unique=True
    ),
    st.lists(st.lists(SCALARS, min_size=5, max_size=5), min_size=1, max_size=4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_table_holds_it_is_read_or_refused(
    tmp_path: Path, columns: list[str], cells: list[list[Any]]
) -> None:
    """Known columns with any values."""
    lines = [",".join(str(cell) for cell in row[: len(columns)]) for row in cells]
    try:
        labels = read(tmp_path, "l.csv", "\n".join([",".join(columns), *lines]))
    except TaxonomyError:
        return
    assert all(label.name for label in labels)
