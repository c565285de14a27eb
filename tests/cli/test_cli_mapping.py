"""``labels map`` and ``labels migrate`` as a user runs them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from shell import Shell

from indexer.catalog.corrections import CorrectionFile, Verdict
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import CatalogError
from indexer.jobs.sample import write_shop
from indexer.labels.examples import LabelledFolder
from queries.mapping import migration
from queries.mapping.mapping import COLUMNS
from queries.review.corrections import store_verdict

SHOP = "id,name,parent\n1,Clothes,\n2,Dress,1\n3,Shoes,\n4,Espadrilles,3\n"
GOOGLE = """# Google_Product_Taxonomy_Version: 2021-09-21
166 - Apparel & Accessories
1604 - Apparel & Accessories > Clothing
2271 - Apparel & Accessories > Clothing > Dresses
187 - Apparel & Accessories > Shoes
"""
PAGE = (Path(__file__).parents[2] / "docs" / "columns.md").read_text(encoding="utf-8")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with two label files."""
    (tmp_path / "shop.csv").write_text(SHOP)
    (tmp_path / "google.txt").write_text(GOOGLE)
    return Shell(tmp_path, in_process=True, model="pocket", device="cpu")


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_two_files_are_mapped(shell: Shell) -> None:
    """A row a label, with a target that exists; the terminal shows what is doubtful."""
    done = shell("labels", "map", "--from", "shop.csv", "--to", "google.txt", "--out", "m.csv")
    rows = rows_of(shell.folder / "m.csv")
    assert tuple(rows[0]) == COLUMNS
    targets = {row["path"]: row["target_path"] for row in rows}
    assert targets["Clothes > Dress"] == "Apparel & Accessories > Clothing > Dresses"
    assert targets["Shoes"] == "Apparel & Accessories > Shoes"
    assert {row["target_id"] for row in rows} <= {"166", "1604", "2271", "187", ""}
    assert "All 4 labels are in m.csv." in done.stderr


def test_the_page_names_each_column() -> None:
    """And no other."""
    section = PAGE.split("\n## labels map\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert [name for cell in cells for name in cell.split("`")[1::2]] == list(COLUMNS)


def test_a_name_is_a_catalog(shell: Shell) -> None:
    """Two catalogs by their names; one that is not there is refused with those that are."""
    shell("labels", "add", "shop.csv", "--catalog", "shop")
    shell("labels", "add", "google.txt", "--catalog", "google")
    mapped = shell.json("labels", "map", "--from", "shop", "--to", "google")
    assert [row["target_id"] for row in mapped if row["label_id"] == "3"] == ["187"]
    told = shell("labels", "map", "--from", "shop", "--to", "goggle", code=2).stderr
    assert "no catalog of this name" in told
    assert "google, shop" in told


def test_two_label_sets_of_one_catalog_are_mapped(shell: Shell) -> None:
    """Named by their sets; without, both would be the same labels, and a file has no sets."""
    (shell.folder / "old.txt").write_text("crimson\nnavy blue\n")
    (shell.folder / "new.txt").write_text("navy\ncrimson red\ngreen\n")
    shell("labels", "add", "shop.csv")
    shell("labels", "add", "old.txt", "--set", "old")
    shell("labels", "add", "new.txt", "--set", "colour")
    both = ("labels", "map", "--from", "catalog", "--to", "catalog", "--no-items")
    mapped = shell.json(*both, "--from-set", "old", "--to-set", "colour")
    assert [row["target_path"] for row in mapped] == ["crimson red", "navy"]
    assert "--from-set and --to-set" in shell(*both, code=2).stderr
    assert "no label set 'oldest'" in shell(*both, "--from-set", "oldest", code=2).stderr
    of_file = ("labels", "map", "--from", "shop.csv", "--to", "google.txt")
    assert "is a file: leave it out" in shell(*of_file, "--from-set", "old", code=2).stderr


def test_rules_are_applied_and_compared(shell: Shell) -> None:
    """What a file of rules names that is not there is counted."""
    (shell.folder / "rules.csv").write_text("from,to\n1,166\n2,2271\n3,999\n77,166\n")
    command = ("labels", "map", "--from", "shop.csv", "--to", "google.txt")
    done = shell(*command, "--mappings", "rules.csv", "--out", "m.csv")
    assert "Rules: 2 taken." in done.stderr
    assert "1 name a label that --from lacks, such as 77." in done.stderr
    assert "1 targets are not in --to, such as 999." in done.stderr
    assert rows_of(shell.folder / "m.csv")[0]["why"] == "published mapping"
    compared = shell(*command, "--compare", "rules.csv")
    assert "exactly as the rule" in compared.stdout


def test_bad_input_is_refused_with_its_cause(shell: Shell) -> None:
    """An empty file, no such file, an ending that can't be written, a column without items."""
    (shell.folder / "empty.csv").write_text("id,name\n")
    both = ("labels", "map", "--from", "shop.csv", "--to")
    assert "no labels" in shell(*both, "empty.csv", code=2).stderr
    assert "can't be read" in shell(*both, "away.txt", code=2).stderr
    assert "must end in" in shell(*both, "google.txt", "--out", "m.xml", code=2).stderr
    assert "--items CATALOG" in shell(*both, "google.txt", "--truth", "x", code=2).stderr


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shop that was taught, calibrated, categorized and reviewed, and a taxonomy of other ids."""
    folder = tmp_path_factory.mktemp("migration")
    write_shop(folder)
    with (folder / "products.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["truth"]]
    write_csv(folder / "products.csv", rows[::4])
    examples = [{"item_id": row["id"], "label_id": row["truth"]} for row in rows[::4]]
    write_csv(folder / "taught.csv", examples[::2])
    write_csv(folder / "calibrating.csv", examples[1::2])
    # The same names under ids that others had: an id means something else in both.
    old = yaml.safe_load((folder / "taxonomy.yaml").read_text(encoding="utf-8"))
    ids = [child["id"] for category in old for child in category["children"]]
    for category in old:
        category["id"] = f"new {category['id']}"
        for child in category["children"]:
            child["id"] = ids[(ids.index(child["id"]) + 1) % len(ids)]
        category["children"] = [
            child for child in category["children"] if child["name"] != "hammer"
        ]
    (folder / "new.yaml").write_text(yaml.safe_dump(old), encoding="utf-8")
    run = Shell(folder, in_process=True, model="pocket", device="cpu")
    run("ingest", "products.csv")
    run("labels", "add", "taxonomy.yaml")
    run("labels", "teach", "taught.csv")
    run("labels", "calibrate", "calibrating.csv")
    run("categorize", "--to", "before.csv", "--write-back")
    return run


def state(shell: Shell) -> dict[str, Any]:
    """Names of the labels that a catalog's items have, by what says it."""
    options = CatalogOptions(data_dir=shell.folder / ".zeroshelf", model="pocket", device="cpu")
    with open_catalog(options) as catalog:
        names = {label.label_id: label.name for label in catalog.label_set.labels}
        folder = LabelledFolder(catalog.folder.labels)
        taught, calibrating = folder.items("taught"), folder.items("calibrating")
        assert taught is not None
        assert calibrating is not None
        verdicts = CorrectionFile(catalog.folder.root).all().values()
        decided = {
            row.item_id: row.label
            for shard in catalog.ledger.shards()
            for row in DecisionFiles(catalog.folder.decisions).read(shard) or ()
            if row is not None and row.label_id in names and names[row.label_id] == row.label
        }
        return {
            "taught": dict(zip(taught.item_ids, map(names.get, taught.label_ids), strict=True)),
            "calibrating": dict(
                zip(calibrating.item_ids, map(names.get, calibrating.label_ids), strict=True)
            ),
            "verdicts": {row.item_id: names.get(row.label_id) for row in verdicts},
            "decisions": decided,
        }


@pytest.mark.slow
def test_a_migration_loses_nothing_and_goes_on_after_a_kill(
    labelled: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that names labels names the same ones under their new ids; what has none is listed."""
    shell = labelled
    options = CatalogOptions(data_dir=shell.folder / ".zeroshelf", model="pocket", device="cpu")
    with open_catalog(options) as catalog:
        for item_id in list(state(shell)["decisions"])[:3]:
            store_verdict(catalog, item_id, Verdict.CORRECTED, label="mug", reviewer="test")
    before = state(shell)
    shell("labels", "map", "--from", "taxonomy.yaml", "--to", "new.yaml", "--out", "m.csv")
    rows = rows_of(shell.folder / "m.csv")
    write_csv(
        shell.folder / "m.csv",
        [row | ({"status": "review"} if row["label_id"] == "hammer" else {}) for row in rows],
    )
    arguments = ("labels", "migrate", "new.yaml", "--mapping", "m.csv")
    planned = shell.json(*arguments, "--dry-run")[0]
    assert state(shell) == before

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migration, "replace_durably", killed)
        shell(*arguments, code=130)
    other = shell("labels", "migrate", "taxonomy.yaml", "--mapping", "m.csv", code=1).stderr
    copies = re.compile(r"zeroshelf labels migrate \S+/labels/new.yaml --mapping \S+/m.csv")
    assert copies.search(other)
    for command in (["labels", "teach", "taught.csv"], ["categorize", "--to", "now.csv"]):
        assert copies.search(shell(*command, code=1).stderr)
    with open_catalog(options) as catalog, pytest.raises(CatalogError, match="labels migrate"):
        store_verdict(catalog, "any", Verdict.REJECTED)
    report = shell.json(*arguments)[0]
    assert report["moved"] == planned["moved"]
    after = state(shell)
    for kind, names in before.items():
        kept = {item_id: name for item_id, name in names.items() if name != "hammer"}
        assert {key: name for key, name in after[kind].items() if name} == kept, kind
    left = rows_of(shell.folder / ".zeroshelf/catalogs/catalog/labels/unmapped.csv")
    assert {row["label_id"] for row in left} == {"hammer"}
    assert report["left"]["taught"] == sum(row["kind"] == "taught" for row in left)
    again = shell(*arguments)
    assert "nothing is moved again" in again.stderr
    assert state(shell) == after
    found = shell.json("search", "a mug", "--filter", 'label == "mug"', "--limit", "1")
    assert found[0]["label_id"] == shell_ids(shell)["mug"]


def shell_ids(shell: Shell) -> dict[str, str]:
    """Ids by name of the catalog's labels."""
    return {row["label"]: row["label_id"] for row in shell.json("labels", "list")}


@pytest.mark.slow
def test_items_vote_for_labels_whose_names_say_nothing(labelled: Shell) -> None:
    """By the labels of the items' metadata, against another taxonomy."""
    shell = labelled
    old = yaml.safe_load((shell.folder / "taxonomy.yaml").read_text(encoding="utf-8"))
    names = [child["name"] for category in old for child in category["children"]]
    coded = [{"id": name, "name": f"Q{number:03}"} for number, name in enumerate(names)]
    (shell.folder / "coded.json").write_text(json.dumps(coded))
    command = ("labels", "map", "--from", "coded.json", "--to", "taxonomy.yaml")
    texts = shell.json(*command)
    assert all(row["target_id"] != row["label_id"] for row in texts)
    mapped = shell.json(*command, "--items", "catalog", "--truth", "truth")
    right = sum(row["target_id"] == row["label_id"] for row in mapped)
    assert right > len(names) / 2
