"""The Python client has a method for every route, and gives what the service describes."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from asking import service_thread

from indexer.catalog.opening import CatalogOptions
from indexer.core.errors import StoreUnavailableError, UsageError, ZeroshelfError
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from pocket.clips import write_clip
from queries import Client
from queries.results import (
    Facet,
    PictureObject,
    PictureObjects,
    Prediction,
    SearchHit,
    SearchResult,
)
from queries.service.client import ServiceError, results
from queries.service.client.results import NewItem, ServiceJob
from queries.service.settings import ServiceSettings

NOT_FOR_PROGRAMS = {("GET", "/openapi.json"), ("GET", "/"), ("GET", "/page")}
WAITED_FOR = {"duplicates", "audit", "map_labels", "wait", "search", "list_items"}
"""Methods that call others; ``test_cleaning`` and ``test_mapping_route`` have the first three."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video."""
    path = tmp_path_factory.mktemp("clips") / "three.mp4"
    write_clip(path, rate=10, size=128)
    return path


@pytest.fixture(scope="module")
def service(made: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of the drawn pictures and a video, which tests change."""
    folder = tmp_path_factory.mktemp("routes") / "data"
    shutil.copytree(made, folder)
    options = CatalogOptions(catalog="shop", data_dir=folder, model="pocket")
    ingest(options, [str(clip)], IngestOptions())
    settings = ServiceSettings(decoders=1, request_timeout_s=120.0)
    with service_thread(options, settings) as address:
        yield address


@pytest.fixture
def client(service: str) -> Iterator[Client]:
    """A client of it that waits long enough."""
    with Client(service, timeout_s=300) as client:
        yield client


def calls(client: Client, drawn: Path, folder: Path) -> dict[str, Any]:
    """What each method gives, called once; in an order in which all can."""
    mug = drawn / "mug-red.png"
    given: dict[str, Any] = {}

    def call(method: Callable[..., Any], *words: Any, **options: Any) -> Any:
        given[method.__name__] = method(*words, **options)
        return given[method.__name__]

    call(client.is_alive)
    call(client.is_ready)
    call(client.metrics)
    call(client.classify, pictures=[mug], limit=2)
    call(client.find, "guitar", facets=["kind"])
    call(client.objects, mug, items=2)
    call(client.explain, mug)
    call(client.labels)
    call(client.add_labels, [{"id": "tea/pot", "name": "teapot"}])
    call(client.remove_label, "tea/pot")
    call(client.add_items, [NewItem(item_id="new", title="red mug", picture=mug)])
    call(client.item, "new")
    call(client.picture, "new", side=64)
    call(client.download_video, "three.mp4", folder / "three.mp4")
    with pytest.raises(ServiceError, match="not a sound"):
        call(client.download_sound, "new", folder / "none.wav")
    job = client.wait(call(client.start_categorize))
    call(client.rows, job)
    assert (client.wait(job.job_id), client.rows(job.job_id)) == (job, given["rows"])
    call(client.download_result, job, folder / "labels.parquet")
    client.wait(call(client.start_projection))
    call(client.map_points)
    call(client.catalog)
    call(client.review_queue, limit=3)
    client.review_queue(item_ids=["mug-red.png"])
    call(client.review, "new", "accepted")
    call(client.corrections)
    call(client.withdraw, ["new"], times=[given["review"].time])
    verdict = {"item_id": "new", "verdict": "corrected", "label": "mug"}
    call(client.review_several, [verdict, {"item_id": "none", "verdict": "rejected"}])
    client.wait(call(client.start_ingest, tar_of(mug)))
    for name, start in {
        "retry": client.start_retry,
        "duplicates": client.start_duplicates,
        "audit": client.start_audit,
        "map": client.start_map,
        "teach": client.start_teach,
    }.items():
        words = {"audit": ("truth",), "map": (write(folder / "other.txt", "cup\nguitar"),)}
        call(client.cancel, call(start, *words.get(name, ())))
    call(client.jobs)
    call(client.job, job.job_id)
    call(client.remove_item, "new")
    return given


def tar_of(picture: Path) -> bytes:
    """An archive of one picture."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(picture, "packed.png")
    return buffer.getvalue()


def write(path: Path, text: str) -> Path:
    """A file."""
    path.write_text(text)
    return path


def test_every_route_has_a_method(client: Client, drawn: Path, clip: Path, tmp_path: Path) -> None:
    """Each method is called once, and what they ask for are the routes of the description."""
    asked: list[tuple[str, str]] = []
    client._http.event_hooks["request"] = [
        lambda request: asked.append((request.method, request.url.raw_path.decode()))
    ]
    given = calls(client, drawn, tmp_path)
    methods = {name for name in dir(Client) if not name.startswith("_")} - {"close"}
    assert methods == given.keys() | WAITED_FOR | {"download_sound"}

    paths = client._http.get("/openapi.json").json()["paths"]
    described = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}
    patterns = {path: re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(path)) for path in paths}
    requested = {
        (verb, path)
        for verb, address in asked
        for path, pattern in patterns.items()
        if (verb, path) in described and re.fullmatch(pattern, address.partition("?")[0])
    }
    assert described - requested - NOT_FOR_PROGRAMS == set()

    assert given["is_alive"]
    assert given["is_ready"]
    assert "zeroshelf_" in given["metrics"]
    assert given["classify"][0][0].label == "mug"
    assert given["find"].facets[0].values == {"picture": 8, "video": 1}
    assert given["objects"].objects[0].hits
    assert given["explain"].winner == "mug"
    assert given["explain"].neighbours[0].item_id == "mug-red.png"
    assert [label.name for label in given["labels"]] == ["mug", "sneaker", "laptop", "guitar"]
    assert (given["add_labels"].added, given["remove_label"].removed) == (1, 1)
    assert [one.error for one in given["add_items"]] == [None]
    assert (given["item"].title, given["item"].kind) == ("red mug", "picture")
    assert given["picture"].startswith(b"\xff\xd8")
    assert given["download_video"].read_bytes() == clip.read_bytes()
    assert not list(tmp_path.glob("none.wav*"))
    assert {row["item_id"] for row in given["rows"]} >= {"new", "three.mp4"}
    assert pq.read_table(given["download_result"]).num_rows == len(given["rows"]) == 10
    assert {point.item_id for point in given["map_points"]} >= {"new", "three.mp4"}
    assert {point.name for point in given["map_points"]} == {row["label"] for row in given["rows"]}
    assert given["catalog"].items == 10
    assert sum(one.items for one in given["catalog"].categories) == 10
    assert given["review_queue"].total == 10
    assert given["review_queue"].items[0].predictions[0].path
    assert (given["review"].verdict, given["review"].label_id) == ("accepted", "mug")
    assert [one.error for one in given["withdraw"]] == [None]
    assert [bool(one.error) for one in given["review_several"]] == [False, True]
    assert given["corrections"].splitlines() == ["item_id,label_id", "new,mug"]
    kinds = ["teach", "map", "audit", "duplicates", "retry", "ingest", "project"]
    assert [job.kind for job in given["jobs"]][: len(kinds)] == kinds
    assert given["job"].state == "done"
    with pytest.raises(ServiceError, match="no item 'new'"):
        client.item("new")
    assert any("packed" in hit.item_id for hit in client.search("mug", limit=20))


def test_results_have_the_fields_of_the_description(client: Client) -> None:
    """A field that a route gains is a field of the client's result, too."""
    schemas = client._http.get("/openapi.json").json()["components"]["schemas"]
    pairs = {
        "ExplanationOut": results.Explanation,
        "PromptOut": results.PromptSimilarity,
        "NeighbourOut": results.Neighbour,
        "ViewOut": results.PartLabel,
        "HeatOut": results.Heat,
        "LabelOut": results.ServedLabel,
        "LabelsChanged": results.LabelCounts,
        "StoredItem": results.StoredItem,
        "ItemOut": results.ServedItem,
        "ReviewOut": results.Review,
        "ReviewResponse": results.ReviewQueue,
        "DoubtOut": results.QueuedItem,
        "CorrectionOut": results.StoredCorrection,
        "VerdictResult": results.GivenVerdict,
        "CatalogOut": results.Glance,
        "CategoryOut": results.Category,
        "JobOut": results.ServiceJob,
        "FacetOut": Facet,
        "SearchResponse": SearchResult,
        "ObjectsResponse": PictureObjects,
    }
    for name, kind in pairs.items():
        assert schemas[name]["properties"].keys() == {one.name for one in fields(kind)}, name
    beside = {
        "PredictionOut": (Prediction, {"part_id"}),
        "ClassifyResponse": (results.Classification, {"errors"}),
        "HitOut": (SearchHit, {"source"}),
    }
    for name, (kind, own) in beside.items():
        described = schemas[name]["properties"].keys()
        assert described == {one.name for one in fields(kind)} - own, name
    thing = schemas["ObjectOut"]["properties"].keys() - {"unknown_score"}
    assert thing == {one.name for one in fields(PictureObject)}


def test_any_id_can_be_asked_for(client: Client) -> None:
    """Slashes, question marks, percent signs, dots, lines and other alphabets are parts of ids."""
    ids = [
        "a/b?c#d%20e",
        "größe 46 & 47",
        "..",
        "x/../y",
        "x;y=1,z",
        "%2e%2e/%2F",
        "鞋",
        "two\nlines",
        "x\n",
    ]
    new = [NewItem(item_id=one, title=f"item {one}", metadata={"n": 1}) for one in ids]
    assert {one.error for one in client.add_items(new)} == {None}
    for one in ids:
        item = client.item(one)
        assert (item.item_id, item.title, item.metadata) == (one, f"item {one}", {"n": 1})
        client.remove_item(one)
        with pytest.raises(ServiceError, match="no item"):
            client.item(one)


def test_items_of_all_kinds_come_in_one_call(client: Client, drawn: Path) -> None:
    """Pictures and texts go in requests of their own; answers are in the order of the items."""
    items = [
        NewItem(item_id="text 1", title="a striped mug"),
        NewItem(item_id="picture", picture=(drawn / "mug-red.png").read_bytes()),
        NewItem(item_id="broken", picture=b"no picture"),
        NewItem(item_id="text 2", title="a guitar"),
    ]
    stored = client.add_items(items)
    assert [one.item_id for one in stored] == [one.item_id for one in items]
    assert [bool(one.error) for one in stored] == [False, False, True, False]
    assert [client.item(one.item_id).kind for one in stored if not one.error] == [
        "text", "picture", "text",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="nowhere"):
        client.add_items([NewItem(item_id="a", picture="nowhere.jpg")])
    for one in ("text 1", "picture", "text 2"):
        client.remove_item(one)


def test_labels_come_from_a_file_below_those_that_are_served(
    client: Client, tmp_path: Path
) -> None:
    """A parent that only the service has; and a label with children stays."""
    file = write(tmp_path / "more.csv", "id,name,parent\nbass,bass guitar,guitar\n")
    assert client.add_labels(file).added == 1
    (bass,) = client.labels("bass")
    assert (bass.path, bass.parent_id) == (("guitar", "bass guitar"), "guitar")
    with pytest.raises(ServiceError, match="the parent 'guitar'"):
        client.remove_label("guitar")
    assert client.remove_label("bass").removed == 1


def test_rows_of_a_data_frame_are_items(client: Client) -> None:
    """Numbers of numpy and dates are sent, missing values are not; an id counts once a request."""
    frame = pd.DataFrame(
        {
            "price": np.array([3.5, float("nan")]),
            "made": pd.to_datetime(["2020-01-02", None]),
            "title": ["a red mug", None],
        },
        index=["first", "second"],
    )
    rows = [
        NewItem(item_id=name, title=row.pop("title"), metadata=row)
        for name, row in zip(frame.index, frame.to_dict("records"), strict=True)
    ]
    rows[1:] = [NewItem(item_id="first", title="twice", metadata={"n": np.int64(2)})]
    first, again = client.add_items(rows)
    assert (first.error, again.error) == (
        None,
        "the id stands in this request before: the first item was kept",
    )
    item = client.item("first")
    assert (item.title, item.metadata["price"]) == ("a red mug", 3.5)
    assert item.metadata["made"].startswith("2020-01-02")
    client.add_items([NewItem(item_id="first", title="a mug", metadata={"price": float("nan")})])
    assert client.item("first").metadata == {}
    client.remove_item("first")
    with pytest.raises(ServiceError, match="'accepted', 'corrected' or 'rejected'"):
        client.review("mug-red", "fine")  # type: ignore[arg-type]


def test_what_can_not_be_written_or_asked_is_told(client: Client, tmp_path: Path) -> None:
    """A file in the place of a folder, two inputs to explain, a job that failed."""
    write(tmp_path / "file", "")
    with pytest.raises(UsageError, match="can't be written"):
        client.download_video("three.mp4", tmp_path / "file" / "three.mp4")
    with pytest.raises(UsageError, match="exactly one"):
        client.explain(text="a", item_id="b")
    with pytest.raises(ServiceError, match="nothing"):
        client.wait(client.start_audit("nothing"))


def test_what_would_be_taken_for_something_else_is_refused() -> None:
    """No input, letters of a text as texts, and times that do not fit; nothing is sent."""
    client = Client("http://nowhere")
    for asked, message in (
        (lambda: client.classify(items=["new"]), "there is nothing to label"),
        (lambda: client.classify(texts="red mug"), "texts is a list: give ..red mug.."),
        (lambda: client.classify(item_ids="new"), "item_ids is a list"),
        (lambda: client.classify(pictures=b"GIF89a"), "pictures is a list"),
        (lambda: client.review_queue(category="mug"), "category is a list"),
        (lambda: client.withdraw("new"), "item_ids is a list"),
        (lambda: client.withdraw(["a", "b"], times=["x"]), "1 times for 2 items"),
        (lambda: client.start_categorize(sets="category"), "sets is a list"),
        (lambda: client.classify(pictures=[None]), "picture 1 is NoneType: give its path"),
        (lambda: client.search("mug", limit=float("nan")), "NaN"),
        (lambda: client.search("mug", limit=object()), "can't be sent"),
        (lambda: client.add_items(NewItem(item_id="a")), "items is a list"),
        (lambda: client.add_items([{"item_id": "a"}]), r"items\[0\] is .*give NewItem"),
        (lambda: client.review_several(["a"]), r"verdicts\[0\] is 'a': give mappings"),
        (lambda: client.review_several("a"), "verdicts is a list"),  # type: ignore[arg-type]
        (lambda: client.item(5), "id 5 is no text"),  # type: ignore[arg-type]
        (lambda: client.add_labels(["mug"]), r"labels\[0\] is 'mug': give mappings"),
        (lambda: Client("localhost:8080"), "begins with http://"),
    ):
        with pytest.raises(UsageError, match=message):
            asked()
    client.close()


class Answering(httpx.BaseTransport):
    """Answers with the next of some responses, or breaks off; counts what is asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = iter(answers)
        self.asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The next answer."""
        del request
        self.asked += 1
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def refusal(kind: str) -> httpx.Response:
    """A problem document that says to come again."""
    content = {"type": f"urn:zeroshelf:problem:{kind}", "detail": kind}
    return httpx.Response(503, json=content, headers={"Retry-After": "0"})


def test_a_change_is_not_made_twice() -> None:
    """Sent again where nothing was begun; not where it may have been done."""
    dropped = httpx.RemoteProtocolError("closed")
    done = httpx.Response(202, json=dict.fromkeys(one.name for one in fields(ServiceJob)))
    for answers, told, asked in (
        ((refusal("busy"), refusal("queue-full"), done), None, 3),
        ((refusal("timeout"),), "timeout", 1),
        ((dropped,), "may have done", 1),
        ((httpx.ReadTimeout("late"),), "may have done", 1),
    ):
        transport = Answering(*answers)
        with Client("http://nowhere") as client:
            client._http = httpx.Client(base_url="http://nowhere", transport=transport)
            if told is None:
                client.start_categorize()
            else:
                with pytest.raises(ZeroshelfError, match=told):
                    client.start_categorize()
        assert transport.asked == asked


def test_a_question_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It only reads, whatever the service did with it."""
    monkeypatch.setattr("queries.service.client.connection._FIRST_PAUSE_S", 0)
    answers = [refusal("timeout"), httpx.RemoteProtocolError("closed")]
    transport = Answering(*answers, httpx.Response(200, json={"hits": [], "new": 1}))
    with Client("http://nowhere") as client:
        client._http = httpx.Client(base_url="http://nowhere", transport=transport)
        assert client.search("a") == []
    assert transport.asked == 3


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """A service that ends in the middle of a download leaves the file of before."""

    def parts() -> Iterator[bytes]:
        yield b"half"
        raise httpx.ReadError("gone")

    file = write(tmp_path / "video.mp4", "before")
    with Client("http://nowhere") as client:
        transport = Answering(httpx.Response(200, content=parts()))
        client._http = httpx.Client(base_url="http://nowhere", transport=transport)
        with pytest.raises(StoreUnavailableError, match="breaks off"):
            client.download_video("a", file)
    assert [one.name for one in tmp_path.iterdir()] == ["video.mp4"]
    assert file.read_text() == "before"
