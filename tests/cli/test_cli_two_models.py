"""Pictures by one model and texts by another: every command, from the first one on."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from shell import Shell
from student_models import student

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.encoder import SentenceTransformerEncoder
from indexer.jobs.sample import write_shop
from queries.service.app import create_app
from queries.service.settings import ServiceSettings

PRODUCTS = 40
WORDS = {"red": "rosso", "dress": "vestito", "shoes": "scarpe", "table": "tavolo", "a": "un"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn products with titles and a taxonomy."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    table = folder / "products.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[: PRODUCTS + 1]))
    return folder


@pytest.fixture(scope="module")
def students(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two text models of pocket's space: one reads German too, one Italian."""
    with (shop / "products.csv").open(encoding="utf-8") as stream:
        titles = [row["title"] for row in csv.DictReader(stream)]
    folder = tmp_path_factory.mktemp("students")
    return student(titles, folder / "german"), student(titles, folder / "italian", WORDS)


@pytest.fixture
def shell(tmp_path: Path, shop: Path, students: tuple[Path, Path]) -> Shell:
    """A catalog of two models with labels; no later command names them."""
    shutil.copytree(shop, tmp_path / "shop")
    shell = Shell(tmp_path, in_process=True, device="cpu", precision="float32")
    shell("ingest", "shop/products.csv", "--model", "pocket", "--text-model", students[0])
    shell("labels", "add", "shop/taxonomy.yaml")
    return shell


def vectors_by(model: Path | str, texts: Sequence[str]) -> Any:
    """float32 (n, d) by a model alone."""
    return SentenceTransformerEncoder(str(model), device="cpu", precision="float32").embed_texts(
        texts
    )


def picture_of(shell: Shell) -> tuple[str, Path, str]:
    """An item's id, its picture and its title."""
    with (shell.folder / "shop" / "products.csv").open(encoding="utf-8") as stream:
        row = next(csv.DictReader(stream))
    name = next(value for value in row.values() if value.endswith((".jpg", ".png")))
    return row["id"], shell.folder / "shop" / name, row["title"]


def stored(shell: Shell) -> dict[str, Any]:
    """What the archive and the labels hold: ids, vectors of pictures, titles and prompts."""
    with open_catalog(
        CatalogOptions(data_dir=shell.folder / ".zeroshelf", device="cpu")
    ) as catalog:
        shards = catalog.archive.shards()
        ids = [catalog.archive.table(one, ["item_id"])["item_id"].to_pylist() for one in shards]
        titles = [catalog.archive.table(one, ["title"])["title"].to_pylist() for one in shards]
        return {
            "ids": [one for some in ids for one in some],
            "titles": [one for some in titles for one in some],
            "pictures": np.concatenate([catalog.archive.vectors(one) for one in shards]),
            "title vectors": np.concatenate([catalog.archive.title_vectors(one) for one in shards]),
            "labels": catalog.label_set.vectors,
        }


def test_texts_are_the_text_models_wherever_they_are_read(
    shell: Shell, students: tuple[Path, Path]
) -> None:
    """Titles and searches by the one, pictures by the other; what is printed names both."""
    found = stored(shell)
    titles = vectors_by(students[0], found["titles"])
    np.testing.assert_allclose(found["title vectors"], titles, atol=1e-6)
    hits = shell.json("search", "ein rot kleid", "--limit", 5)
    query = vectors_by(students[0], ["ein rot kleid"])[0]
    similarities = dict(zip(found["ids"], found["pictures"] @ query, strict=True))
    best = sorted(similarities, key=lambda one: -similarities[one])[:5]
    assert [hit["item_id"] for hit in hits] == best
    for hit in hits:
        assert hit["similarity"] == pytest.approx(similarities[hit["item_id"]], abs=1e-4)
    models = f"pocket, texts by {students[0]}"
    (status,) = shell.json("status")
    assert (status["model"], status["state"]) == (models, "complete")
    checks = {one["check"]: one for one in shell.json("doctor")}
    assert models in checks["model"]["found"]
    assert {one["state"] for one in checks.values()} <= {"good", "warning"}


def test_labels_and_scores_are_the_same_by_every_command(shell: Shell) -> None:
    """classify, categorize, explain, and over HTTP: before the labels are fitted, and after."""
    item_id, picture, title = picture_of(shell)
    options = CatalogOptions(data_dir=shell.folder / ".zeroshelf", device="cpu")
    app = create_app(options, ServiceSettings(decoders=1))

    def answers(client: TestClient) -> list[Any]:
        """Predictions of the stored item, then of the picture alone, each by both ways."""
        files = [("pictures", (picture.name, picture.read_bytes()))] * 2
        asked = {"options": json.dumps({"titles": [title, ""]})}
        uploaded = client.post("/v1/classify", files=files, data=asked).json()["results"]
        by_id = client.post("/v1/classify", json={"inputs": [{"item_id": item_id}]}).json()
        titled, untitled = [one["predictions"] for one in uploaded]
        whole = [
            by_id["results"][0]["predictions"],
            titled,
            *shell.json("classify", "--item", item_id),
            *shell.json("classify", picture, "--title", title),
            shell.json("explain", "--item", item_id)["predictions"],
        ]
        alone = [untitled, *shell.json("classify", picture)]
        for some in (whole, alone):
            for one in some[1:]:
                assert_same(one, some[0])
        return [whole[0], alone[0]]

    with TestClient(app, base_url="http://localhost") as client:
        plain = answers(client)
        shell("categorize", "--to", "categories.csv")
        fitted = answers(client)
        hits = client.post("/v1/search", json={"text": "ein rot kleid", "limit": 5})
        assert hits.status_code == 200, hits.text
    assert [one[0]["score"] for one in plain] != [one[0]["score"] for one in fitted]
    with (shell.folder / "categories.csv").open(encoding="utf-8") as stream:
        rows = {row["item_id"]: row for row in csv.DictReader(stream)}
    assert len(rows) == len(stored(shell)["ids"])
    assert_same([rows[item_id]], fitted[0][:1])


def assert_same(some: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> None:
    """The same labels in the same order, with about the same scores."""
    assert [one["label_id"] for one in some] == [one["label_id"] for one in others]
    scores = [float(one["score"]) for one in others]
    assert [float(one["score"]) for one in some] == pytest.approx(scores, abs=1e-6)


def test_another_text_model_leaves_pictures_as_they_are(
    shell: Shell, students: tuple[Path, Path]
) -> None:
    """To the last bit, without the files that they were made of."""
    before = stored(shell)
    shutil.rmtree(shell.folder / "shop" / "pictures")
    done = shell("reembed", "--text-model", students[1])
    assert "keep their vectors" in done.stdout
    after = stored(shell)
    assert after["ids"] == before["ids"]
    np.testing.assert_array_equal(after["pictures"], before["pictures"])
    titles = vectors_by(students[1], after["titles"])
    np.testing.assert_allclose(after["title vectors"], titles, atol=1e-6)
    assert not np.array_equal(after["labels"], before["labels"])
    query = vectors_by(students[1], ["un rosso vestito"])[0]
    best = after["ids"][int((after["pictures"] @ query).argmax())]
    assert shell.json("search", "un rosso vestito", "--limit", 3)[0]["item_id"] == best
    assert shell.json("status")[0]["model"] == f"pocket, texts by {students[1]}"


def test_another_query_prompt_is_stored_and_no_vector_changes(shell: Shell) -> None:
    """It is told, searches have it, and the database's own copy says it too."""
    before = stored(shell)
    plain = shell.json("search", "kleid", "--limit", 3)
    done = shell("reembed", "--query-prompt", "rot ")
    assert "Before searches now stands 'rot '" in done.stderr + done.stdout
    after = stored(shell)
    np.testing.assert_array_equal(after["pictures"], before["pictures"])
    np.testing.assert_array_equal(after["labels"], before["labels"])
    prompted = shell.json("search", "kleid", "--limit", 3)
    assert prompted == shell.json("search", "rot kleid", "--query-prompt", "", "--limit", 3)
    assert prompted != plain
    with open_catalog(
        CatalogOptions(data_dir=shell.folder / ".zeroshelf", device="cpu")
    ) as catalog:
        assert catalog.fingerprint.query_prompt == "rot "
        assert catalog.database.fingerprint("catalog").query_prompt == "rot "
    again = shell("reembed", "--query-prompt", "rot ")
    assert "already" in again.stderr + again.stdout
    assert "Before searches" not in again.stderr + again.stdout


def test_nothing_to_change_is_a_question(shell: Shell) -> None:
    """With the options that there are."""
    done = shell("reembed", code=2)
    for option in ("--model", "--text-model", "--prompt", "--query-prompt"):
        assert option in done.stderr
