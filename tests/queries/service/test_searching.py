"""``/v1/search``: exact words, what is not wanted, counts, groups; refusals; the client."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from queries import Client
from queries.categorizing.categorize import categorize
from queries.results import FoundBy


def ask(client: TestClient, status: int = 200, **query: Any) -> Any:
    """The answer to a search."""
    answer = client.post("/v1/search", json=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_exact_words_are_found(client: TestClient) -> None:
    """An id is a word; the hit says what found it, and what kind it is."""
    hits = ask(client, text="guitar-red.png", hybrid=True)["hits"]
    assert hits[0]["item_id"] == "guitar-red.png"
    assert hits[0]["found_by"] == "both"
    assert hits[0]["kind"] == "picture"
    plain = ask(client, text="guitar-red.png")["hits"]
    assert {hit["found_by"] for hit in plain} == {"vector"}


def test_labels_that_are_no_more_are_told(client: TestClient, options: CatalogOptions) -> None:
    """Beside the hits that have them, until the next categorization."""
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, options.data_dir / "out.parquet", write_back=True)
    assert ask(client, text="mug", limit=2)["notes"] == []
    assert client.delete("/v1/labels/mug").is_success
    (note,) = ask(client, text="mug", limit=2)["notes"]
    assert note.startswith("2 of the 2 items shown have a label that was removed or renamed since")
    assert note.endswith("zeroshelf categorize --to categories.parquet --write-back")


def test_what_is_not_wanted_is_left_out(client: TestClient) -> None:
    """Everything with the words."""
    hits = ask(client, text="mug", hybrid=True, without=["red"])["hits"]
    assert {hit["item_id"].split("-")[1] for hit in hits} == {"blue.png"}


def test_fields_are_counted_and_pages_go_on(client: TestClient) -> None:
    """Over all that was found, not over the page."""
    answer = ask(client, text="mug", facets=["kind", "label"], limit=3)
    assert answer["facets"] == [
        {"column": "kind", "values": {"picture": 8}, "without": 0},
        {"column": "label", "values": {}, "without": 8},
    ]
    assert (answer["counted"], answer["all_counted"], len(answer["hits"])) == (8, True, 3)
    pages = [ask(client, text="mug", hybrid=True, limit=4, offset=at)["hits"] for at in (0, 4)]
    assert len({hit["item_id"] for page in pages for hit in page}) == 8
    assert len(ask(client, text="mug", group_by="kind")["hits"]) == 1


def test_a_category_alone_lists_its_items(client: TestClient, options: CatalogOptions) -> None:
    """A branch means all below it; with words it is a filter; what is unknown is refused."""
    tree = [{"id": "home", "name": "home"}, {"id": "mug", "name": "mug", "parent": "home"}]
    assert client.put("/v1/labels", json={"labels": tree}).status_code == 200
    assert ask(client, category=["home"])["hits"] == []
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, options.data_dir / "out.parquet", write_back=True)
    found = ask(client, category=["home"], facets=["label"])
    assert [hit["item_id"] for hit in found["hits"]] == ["mug-blue.png", "mug-red.png"]
    assert found["facets"][0]["values"] == {"mug": 2}
    both = ask(client, category=["home > mug", "laptop"], limit=3)["hits"]
    rest = ask(client, category=["home > mug", "laptop"], limit=3, offset=3)["hits"]
    ids = ["laptop-blue.png", "laptop-red.png", "mug-blue.png", "mug-red.png"]
    assert [hit["item_id"] for hit in both + rest] == ids
    assert {hit["label"] for hit in ask(client, text="guitar", category=["home"])["hits"]} == {
        "mug"
    }
    assert "no label 'sofa'" in ask(client, 400, category=["sofa"])["detail"]
    assert "nothing to search for" in ask(client, 400)["detail"]


def test_pages_of_a_list_go_on_behind_an_id(client: TestClient) -> None:
    """Nothing is skipped where the items before go; the last page says that it is the last."""
    everything = {"filter": 'item_id != ""'}
    first = ask(client, **everything, limit=3)
    ids = [hit["item_id"] for hit in first["hits"]]
    assert ids == ["guitar-blue.png", "guitar-red.png", "laptop-blue.png"]
    assert first["next_after"] == ids[-1]
    assert client.delete(f"/v1/items/{ids[0]}").status_code == 204
    assert client.delete(f"/v1/items/{ids[2]}").status_code == 204
    second = ask(client, **everything, limit=3, after=first["next_after"])
    ids = [hit["item_id"] for hit in second["hits"]]
    assert ids == ["laptop-red.png", "mug-blue.png", "mug-red.png"]
    last = ask(client, **everything, limit=3, after=second["next_after"])
    assert [hit["item_id"] for hit in last["hits"]] == ["sneaker-blue.png", "sneaker-red.png"]
    assert last["next_after"] is None
    exactly = ask(client, **everything, limit=6)
    assert (len(exactly["hits"]), exactly["next_after"]) == (6, None)
    some = ask(client, item_ids=["sneaker-red.png", "nothing", "mug-red.png"])
    assert [hit["item_id"] for hit in some["hits"]] == ["mug-red.png", "sneaker-red.png"]
    rest = ask(client, item_ids=["sneaker-red.png", "mug-red.png"], after="mug-red.png")
    assert [hit["item_id"] for hit in rest["hits"]] == ["sneaker-red.png"]


def test_a_least_similarity(client: TestClient) -> None:
    """Hits end at it."""
    hits = ask(client, text="mug")["hits"]
    least = hits[3]["similarity"] - 1e-6
    assert ask(client, text="mug", min_similarity=least)["hits"] == hits[:4]


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ({"hybrid": True}, 400, "looks for words too"),
        ({"text": " ", "hybrid": True}, 400, "looks for words too"),
        ({"without": ["a"]}, 400, "only what is not wanted"),
        ({"text": "mug", "facets": ["lable"]}, 400, "Did you mean 'label'"),
        ({"text": "mug", "group_by": "x"}, 400, "no item has such a column"),
        ({"text": "mug", "facets": ["source"]}, 400, "no item has such a column"),
        ({"text": "mug", "min_similarity": 2}, 422, "min_similarity"),
        ({"text": "mug", "without": [""]}, 422, "without"),
        ({"text": "mug", "after": "a"}, 400, "are of lists"),
        ({"text": "mug", "item_ids": ["a"]}, 400, "are of lists"),
        ({"filter": 'label == ""', "after": "a", "offset": 1}, 400, "of the whole list"),
        ({"filter": 'label == ""', "after": "a", "facets": ["label"]}, 400, "of the whole list"),
        ({"filter": 'label == ""', "after": "a", "group_by": "label"}, 400, "of the whole list"),
        ({"text": "mug", "filter": "label ==", "hybrid": True}, 400, "filter"),
    ],
)
def test_refusals(client: TestClient, query: dict[str, Any], status: int, told: str) -> None:
    """What can't be answered is told; where pictures lie can't be counted."""
    assert told in ask(client, status, **query)["detail"]


def test_the_client_has_it_all(address: str) -> None:
    """As result types of the library."""
    with Client(address) as client:
        assert client.search("laptop red", hybrid=True, limit=1)[0].item_id == "laptop-red"
        found = client.find("guitar", without=["red"], facets=["status"], limit=2)
    assert found.hits[0].found_by is FoundBy.VECTOR
    assert found.facets[0].column == "status"
    assert found.counted == 8


def test_the_client_lists_page_by_page(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All items once, by id, or those that are named."""
    monkeypatch.setattr("queries.service.client.asking._LISTED_AT_ONCE", 3)
    with Client(address) as client:
        every = [hit.item_id for hit in client.list_items('item_id != ""')]
        assert every == sorted(every)
        assert len(every) == 8
        assert [hit.item_id for hit in client.list_items(item_ids=every[2:6])] == every[2:6]
        with pytest.raises(UsageError, match="is a list"):
            next(client.list_items(category="mug"))
