"""Label files: every format, and what is said of bad ones."""

from __future__ import annotations

import bz2
import logging
from pathlib import Path
from typing import Protocol
from unittest.mock import Mock

import fsspec
import pytest

from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels.taxonomy import read_label_file

TREE = [("Clothing", ""), ("Clothing > Shirt", "Clothing"), ("Clothing > Dress", "Clothing")]


class Read(Protocol):
    """Writes a label file and reads it."""

    def __call__(
        self, name: str, content: str | bytes, *, create_parents: bool | None = None
    ) -> list[Label]:
        """Labels of a file of this name and content."""
        ...


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """A reader of files that are made for one test."""

    def write_and_read(
        name: str, content: str | bytes, *, create_parents: bool | None = None
    ) -> list[Label]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_label_file(str(path), create_parents=create_parents).labels

    return write_and_read


def ids(labels: list[Label]) -> list[str]:
    """Ids in order."""
    return [label.label_id for label in labels]


def edges(labels: list[Label]) -> list[tuple[str, str]]:
    """Id and parent id in order."""
    return [(label.label_id, label.parent_id) for label in labels]


def test_a_packed_file_is_read_to_its_end(read: Read) -> None:
    """Of several packed streams none is lost; damage behind the first one is told."""
    first, second = bz2.compress(b"mug\n"), bz2.compress(b"boot\n")
    assert [label.name for label in read("t.txt.bz2", first + second)] == ["mug", "boot"]
    with pytest.raises(TaxonomyError, match=r"t\.txt\.bz2: the label file can't be read"):
        read("t.txt.bz2", first + b"\xff" + second[1:])


def test_txt_has_a_name_a_line(read: Read) -> None:
    """Blank lines, comments, and the marks of a Windows file say nothing."""
    labels = read("l.txt", "\ufeff# mine\r\nShirt\r\n\r\n  Dress \r\n".encode())
    assert labels == [
        Label(label_id="Shirt", name="Shirt", path=("Shirt",)),
        Label(label_id="Dress", name="Dress", path=("Dress",)),
    ]


def test_txt_names_may_look_like_ids(read: Read) -> None:
    """A colon or a dash alone makes no path file."""
    assert ids(read("l.txt", "Size : large\n3 - Door Fridge\nLamp")) == [
        "Size : large",
        "3 - Door Fridge",
        "Lamp",
    ]


def test_txt_with_paths(read: Read) -> None:
    """Google's form: the id is the path."""
    assert edges(read("l.txt", "# v1\nClothing\nClothing > Shirt\nClothing > Dress\n")) == TREE


def test_txt_with_numbered_paths(read: Read) -> None:
    """Google's form with ids."""
    labels = read("l.txt", "166 - Clothing\n1604 - Clothing > Shirt\n")
    assert edges(labels) == [("166", ""), ("1604", "166")]
    assert labels[1].path == ("Clothing", "Shirt")


def test_txt_with_numbered_roots_only(read: Read) -> None:
    """A file cut to its top level keeps its form."""
    assert ids(read("l.txt", "166 - Clothing\n1 - Animals\n")) == ["166", "1"]


def test_txt_as_shopify_writes_it(read: Read) -> None:
    """Shopify's form: ``gid : path``, padded."""
    labels = read("categories.txt", "gid://s/aa    : Clothing\ngid://s/aa-1  : Clothing > Shirt\n")
    assert edges(labels) == [("gid://s/aa", ""), ("gid://s/aa-1", "gid://s/aa")]


def test_path_without_its_parents(read: Read) -> None:
    """Parents cut away come after the labels of the file."""
    assert edges(read("l.txt", "A > B > C\nA > D")) == [
        ("A > B > C", "A > B"),
        ("A > D", "A"),
        ("A", ""),
        ("A > B", "A"),
    ]


def test_csv_has_all_columns(read: Read) -> None:
    """Every column in any order and case; a line break in quotes."""
    table = 'Parent,NAME,id,synonyms,description\n,Top,t,,\nt,Shirt,s,tee| t-shirt |,"a\nb"\n'
    assert read("l.csv", table)[1] == Label(
        label_id="s",
        name="Shirt",
        path=("Top", "Shirt"),
        parent_id="t",
        description="a\nb",
        synonyms=("tee", "t-shirt"),
    )


@pytest.mark.parametrize(("name", "separator"), [("l.csv", ","), ("l.csv", ";"), ("l.tsv", "\t")])
def test_separators(read: Read, name: str, separator: str) -> None:
    """Commas, semicolons, tabs."""
    assert ids(read(name, f"id{separator}name\n1{separator}Shirt\n")) == ["1"]


def test_csv_id_defaults_to_the_name(read: Read) -> None:
    """Per row, where the cell is empty or the column is not there."""
    assert ids(read("l.csv", "name,id\nShirt,\nDress,d\nHat\n,\n")) == ["Shirt", "d", "Hat"]


def test_parent_may_be_a_name(read: Read) -> None:
    """An id comes first, then a name that one label has."""
    labels = read("l.csv", "id,name,parent\n1,Top,\n2,Shirt,Top\n3,Tee,2\n")
    assert edges(labels) == [("1", ""), ("2", "1"), ("3", "2")]


def test_extra_columns_are_ignored_and_said(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    """A column that plays no part is logged."""
    with caplog.at_level(logging.INFO):
        assert ids(read("l.csv", "name,weight\nShirt,3\n")) == ["Shirt"]
    assert "weight" in caplog.text


def test_json_lines(read: Read) -> None:
    """Objects and names; synonyms as list or text; a number as id."""
    labels = read("l.jsonl", '"Hat"\n\n{"name": "Tee", "id": 7, "synonyms": ["a", "b"]}\n')
    assert [(label.label_id, label.synonyms) for label in labels] == [
        ("Hat", ()),
        ("7", ("a", "b")),
    ]


def test_json_list_of_names(read: Read) -> None:
    """Class names as data sets ship them."""
    assert ids(read("l.json", '["card_arrival", "age_limit"]')) == ["card_arrival", "age_limit"]


def test_names_that_begin_with_a_hash_are_said(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    """They are comments; lines that look like comments are left out without a word."""
    with caplog.at_level(logging.WARNING):
        assert ids(read("l.txt", "# Version: 2\n## more\nMug\n")) == ["Mug"]
        assert not caplog.messages
        assert ids(read("l.txt", "#1 Mug\nC# book\n#2 Cup\n")) == ["C# book"]
    (told,) = caplog.messages
    assert "2 of them look like names, such as '#1 Mug'" in told


def test_ignored_field_is_said_once(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    """A field that every object has makes one line of log."""
    with caplog.at_level(logging.INFO):
        read("l.json", '[{"name": "a", "weight": 1}, {"name": "b", "weight": 2}]')
    assert caplog.text.count("weight") == 1


def test_json_flat_list_with_parents(read: Read) -> None:
    """Objects that name their parents."""
    assert edges(read("l.json", '[{"name": "a"}, {"name": "b", "parent": "a"}]'))[1] == ("b", "a")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.json", '{"Clothing": ["Shirt", "Dress"]}'),
        ("l.yaml", "Clothing: [Shirt, Dress]"),
        ("l.yml", "Clothing:\n  Shirt:\n  Dress:\n"),
        ("l.yaml", "- Clothing:\n    - Shirt\n    - name: Dress\n"),
        ("l.yaml", "name: Clothing\nchildren: {Shirt: , Dress: []}"),
        ("l.yaml", "Clothing:\n  description: worn\n  children: [Shirt, Dress]"),
    ],
)
def test_nested_forms_of_one_tree(read: Read, name: str, content: str) -> None:
    """Mappings, lists, leaf texts and nodes say the same; ids are paths."""
    assert edges(read(name, content)) == TREE


def test_yaml_node_has_all_fields(read: Read) -> None:
    """A node's id is what its children point to."""
    labels = read("l.yaml", "- {name: Top, id: t, synonyms: [a, b], children: [Shirt]}")
    assert labels[0].synonyms == ("a", "b")
    assert labels[1] == Label(
        label_id="Top > Shirt", name="Shirt", path=("Top", "Shirt"), parent_id="t"
    )


def test_yaml_names_are_as_written(read: Read) -> None:
    """``No`` and ``501`` are names, not a truth value and a number."""
    assert ids(read("l.yaml", "[No, 501, 1.10, on]")) == ["No", "501", "1.10", "on"]


def test_groups_become_parents(read: Read) -> None:
    """A column of groups makes root labels after the rows; a row that is its group is a root."""
    labels = read("l.csv", "name,parent\nGala,Apple\nPink Lady,Apple\nKiwi,Kiwi\n")
    assert edges(labels) == [("Gala", "Apple"), ("Pink Lady", "Apple"), ("Kiwi", ""), ("Apple", "")]


def test_groups_can_be_refused(read: Read) -> None:
    """With ``create_parents=False`` every parent needs its row."""
    with pytest.raises(TaxonomyError, match="'Apple' of 'Gala' is not there"):
        read("l.csv", "name,parent\nGala,Apple\nPink Lady,Apple\n", create_parents=False)


def test_parents_can_be_created_on_demand(read: Read) -> None:
    """With ``create_parents=True`` in a file that has other parents, too."""
    labels = read("l.csv", "name,parent\nTop,\nTee,Top\nKiwi,Fruit\n", create_parents=True)
    assert edges(labels)[2:] == [("Kiwi", "Fruit"), ("Fruit", "")]


def test_known_labels_can_be_parents(tmp_path: Path) -> None:
    """A file that adds to a label set names its labels."""
    path = tmp_path / "more.csv"
    path.write_text("name,parent\nTee,Shirt\n")
    known = [Label(label_id="s", name="Shirt", path=("Top", "Shirt"), parent_id="t")]
    assert read_label_file(str(path), existing=known).labels[0].path == ("Top", "Shirt", "Tee")


def test_fsspec_address() -> None:
    """Any address that fsspec opens; the memory file system stands for s3."""
    with fsspec.open("memory://labels/l.csv", "w") as file:
        file.write("name\nShirt\n")
    assert ids(read_label_file("memory://labels/l.csv").labels) == ["Shirt"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.txt", "", "no labels in this file"),
        ("l.txt", "# nothing\n", "no labels in this file"),
        ("l.csv", "", "no labels in this file"),
        ("l.csv", "name,id\n", "no labels in this file"),
        ("l.yaml", "", "no labels in this file"),
        ("l.json", "[]", "no labels in this file"),
        ("l.txt", b"Shirt\nCaf\xe9\n", "line 2: this is no UTF-8"),
        ("l.pdf", "x", r"label files end in .*not '.pdf'"),
        ("l.csv", "id,nmae\n1,Shirt\n", r"no column 'name', there are: 'id', 'nmae'.*mean 'nmae'"),
        ("l.csv", "name,name\na,b\n", "'name' is there twice"),
        ("l.csv", "id,name\n1,\n", "line 2: the name is empty"),
        ("l.csv", "name\nSalt, Pepper\n", "line 2: has 2 fields, the header names 1"),
        ("l.csv", 'name\n"Shirt\n', "line 2: quotation marks do not match"),
        ("l.txt", "Shirt\nHat\nShirt\n", r"line 3: the id 'Shirt' is taken by .*line 1"),
        ("l.txt", "A\nA > B\nA > B\n", "line 3: the path 'A > B' is on line 2 already"),
        ("l.txt", "A > \nB > C", "name is empty"),
        ("l.txt", "gid://a : A\nB\n", "line 2: 'B' is not as the lines before it"),
        ("l.txt", "x" * 2049, "2049 bytes"),
        ("l.csv", "name,parent\nTop,\nTee,Tops\n", "line 3: the parent 'Tops' .*mean 'Top'"),
        ("l.csv", "name,parent\nTee,Top\n", "the parent 'Top' of 'Tee' is not there"),
        ("l.csv", "id,name,parent\n1,A,\n2,A,\n3,B,A\n", "2 labels: write one of their ids: 1, 2"),
        ("l.csv", "name,parent\nA,A\n", "line 2: a cycle of parents: A > A"),
        (
            "l.csv",
            "id,name,parent\na,A,b\nb,B,a\n",
            r"cycle of parents: A > B > A \(ids a > b > a\)",
        ),
        ("l.jsonl", '{"name": "a"}\n{', "line 2: this is no JSON"),
        ("l.jsonl", "[1]", "line 1: write an object"),
        ("l.jsonl", '{"lable": "a"}', "line 1: there is no 'name', there are: 'lable'"),
        ("l.jsonl", '{"name": {}}', "'name' is a mapping"),
        ("l.jsonl", '{"name": "\\ud800"}', "line 1: half of a surrogate pair"),
        ("l.json", "{", "no JSON that can be read"),
        ("l.json", "[" * 100_000, "no JSON that can be read"),
        ("l.json", '["a", "a"]', "label 2: the id 'a' is taken by .*label 1"),
        ("l.json", '[["a"]]', "label 1: 'name' is a list"),
        ("l.yaml", "a: [", "no YAML that can be read"),
        ("l.yaml", "a: &x [b]\nc: *x\n", r"line 2: an alias \(\*x\)"),
        ("l.yaml", "[" * 100_000, "nested too deeply"),
        ("l.yaml", "? [a]\n: b\n", "line 1: 'name' is a list"),
        ("l.yaml", "- a\n- name:\n", "line 2: the name is empty"),
        ("l.yaml", "- a\n- null\n- b\n", r"line 2: the name is empty: .*\(null and ~ .* quotes"),
        ("l.yaml", "A: [b]\nB:\n  - ~\n", r"line 3: the name is empty: .*\(null and ~ .* quotes"),
        ("l.yaml", "- name: a\n  cildren: [{name: b}]\n", "'cildren' is unknown.*'children'"),
        ("l.yaml", "- name: a\n  name: b\n", "'name' is there twice"),
        ("l.yaml", "- name: a\n  children: [{name: b, parent: c}]\n", "'parent' has no place"),
        ("l.yaml", "a: [b]\nc: [d]\na: [e]\n", "line 3: the id 'a' is taken by .*line 1"),
    ],
)
def test_bad_file(read: Read, name: str, content: str | bytes, message: str) -> None:
    """The message names the file, the line, the cause and the remedy."""
    with pytest.raises(TaxonomyError, match=f"(?s){name}.*{message}"):
        read(name, content)


@pytest.mark.parametrize("path", ["no/such.csv", "memory://no/such.csv", "nosuch://a.csv"])
def test_file_that_is_not_there(path: str) -> None:
    """On disk, at an address, and at an address of an unknown kind."""
    with pytest.raises(TaxonomyError, match=f"{path}: the label file can't be read"):
        read_label_file(path)


def test_address_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As s3:// is without s3fs."""
    monkeypatch.setattr(fsspec, "open", Mock(side_effect=ImportError("Install s3fs")))
    with pytest.raises(TaxonomyError, match="Install s3fs"):
        read_label_file("s3://bucket/l.csv")
