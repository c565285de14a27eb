"""Pictures of the web, week after week: what is downloaded, how often, and from whom."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shell import Shell, write_rows
from web_server import PictureServer, Served, running

from indexer.core.records import Download
from indexer.sources.web import Downloaded, Web

COUNT = 12
PAGE = Path(__file__).parents[2] / "docs" / "web.md"
pytestmark = pytest.mark.slow


def picture(seed: int) -> bytes:
    """A PNG that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def server() -> Iterator[PictureServer]:
    """A server of twelve pictures."""
    with running() as one:
        one.paths = {f"{n}.png": Served(picture(n)) for n in range(COUNT)}
        yield one


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder in which the packaged model is used."""
    return Shell(tmp_path, in_process=True, model="pocket", device="cpu")


def table(shell: Shell, urls: Mapping[str, str], **more: object) -> str:
    """A table of pictures by item id."""
    rows = [{"id": item_id, "image": url, "title": "", **more} for item_id, url in urls.items()]
    write_rows(shell.folder / "t.jsonl", rows)
    return "t.jsonl"


def all_of(server: PictureServer) -> dict[str, str]:
    """An item for each picture."""
    return {f"i{n}": server.url(f"{n}.png") for n in range(COUNT)}


def ingest(shell: Shell, *options: object, code: int = 0) -> dict[str, Any]:
    """Ingest the table; what became of the items."""
    return dict(shell.json("ingest", "t.jsonl", *options, code=code)[0])


def fates(report: Mapping[str, Any]) -> tuple[int, int, int]:
    """Items stored, unchanged, dead."""
    return report["stored"], report["unchanged"], report["dead_letters"]


def test_what_did_not_change_is_not_downloaded_again(shell: Shell, server: PictureServer) -> None:
    """Asked by its tag; only the picture that changed comes whole; with --trust-urls none."""
    table(shell, all_of(server))
    assert fates(ingest(shell)) == (COUNT, 0, 0)
    server.forget()
    assert fates(ingest(shell)) == (0, COUNT, 0)
    assert (server.asked.total(), server.whole.total()) == (COUNT, 0)
    server.forget()
    server.paths["3.png"] = Served(picture(100))
    assert fates(ingest(shell)) == (1, COUNT - 1, 0)
    assert server.whole == {"3.png": 1}
    server.forget()
    server.paths["4.png"] = Served(picture(101))
    assert fates(ingest(shell, "--trust-urls")) == (0, COUNT, 0)
    assert server.asked.total() == 0


def test_a_changed_row_of_an_unchanged_picture_is_stored(
    shell: Shell, server: PictureServer
) -> None:
    """Without its picture: the vector is at hand."""
    table(shell, all_of(server))
    ingest(shell)
    server.forget()
    table(shell, all_of(server), price=7)
    report = ingest(shell)
    assert (fates(report), report["embedded"]) == ((COUNT, 0, 0), 0)
    assert server.whole.total() == 0


def test_a_removed_item_comes_back_whole(shell: Shell, server: PictureServer) -> None:
    """What the catalog has no more is not asked for by its tag."""
    table(shell, all_of(server))
    ingest(shell)
    shell("remove", "i2")
    server.forget()
    assert fates(ingest(shell)) == (1, COUNT - 1, 0)
    assert server.whole == {"2.png": 1}


def test_servers_without_tags(shell: Shell, server: PictureServer) -> None:
    """Downloaded again, since nothing tells; not where URLs are trusted."""
    for served in server.paths.values():
        served.tagged = False
    table(shell, all_of(server))
    ingest(shell)
    server.forget()
    assert fates(ingest(shell)) == (0, COUNT, 0)
    assert server.whole.total() == COUNT
    server.forget()
    assert fates(ingest(shell, "--trust-urls")) == (0, COUNT, 0)
    assert server.asked.total() == 0


def test_one_url_of_many_items_is_fetched_once(shell: Shell, server: PictureServer) -> None:
    """Good or bad, it is asked for once, and all items get what it gives."""
    server.paths["bad.png"] = Served(b"no picture")
    server.paths["gone.png"] = Served(status=404)
    urls = {f"good{n}": server.url("1.png") for n in range(150)}
    urls |= {f"bad{n}": server.url("bad.png") for n in range(20)}
    urls |= {f"gone{n}": server.url("gone.png") for n in range(20)}
    urls |= {f"late{n}": server.url("1.png") for n in range(50)}
    table(shell, urls)
    report = ingest(shell)
    assert fates(report) == (200, 0, 40)
    assert report["dead_by_reason"] == {"not_a_picture": 20, "download_failed": 20}
    assert report["embedded"] == 1
    assert server.asked == {"1.png": 1, "bad.png": 1, "gone.png": 1}


def test_what_a_killed_run_downloaded_is_not_downloaded_again(
    shell: Shell, server: PictureServer
) -> None:
    """Killed while the seventh picture is waited for: six were there, and are not asked for."""
    table(shell, all_of(server))
    six, release = threading.Semaphore(0), threading.Event()

    def before(path: str) -> None:
        if int(path.split(".")[0]) < 6:
            six.release()
        else:
            release.wait(60)

    server.before = before
    process = shell.start("ingest", "t.jsonl", "--model", "pocket", "--device", "cpu")
    for _ in range(6):
        assert six.acquire(timeout=120)
    fetched = shell.catalog / "fetched"
    while len(set(fetched.glob("*")) - set(fetched.glob("*.writing"))) < 6:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    release.set()
    server.before = lambda _path: None
    server.forget()
    assert fates(ingest(shell)) == (COUNT, 0, 0)
    assert set(server.asked) == {f"{n}.png" for n in range(6, COUNT)}
    assert not fetched.exists()
    server.forget()
    ingest(shell)
    assert server.asked.total() == COUNT  # a whole run asks again


@pytest.mark.parametrize("pause", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_host_that_throttles_is_given_up_and_others_go_on(
    shell: Shell, server: PictureServer, pause: str
) -> None:
    """Its items are dead letters of one reason; a later retry brings them in."""
    with running() as other:
        other.paths = {
            f"{n}.png": Served(status=429, headers={"Retry-After": pause}) for n in range(40)
        }
        urls = {f"o{n}": other.url(f"{n}.png") for n in range(40)}
        table(shell, {**urls, **all_of(server)})
        report = ingest(shell, "--retries", 1)
        assert fates(report) == (COUNT, 0, 40)
        assert report["dead_by_reason"] == {"host_given_up": 40}
        assert other.asked.total() <= 8
        other.paths = {f"{n}.png": Served(picture(50 + n)) for n in range(40)}
        assert shell.json("retry")[0]["stored"] == 40


def test_headers_stay_with_their_host(shell: Shell, server: PictureServer) -> None:
    """Sent with each request, not to a host that one is redirected to, and written nowhere."""
    secret = "s3cret-value"
    with running() as other:
        other.paths["there.png"] = Served(picture(60))
        server.paths["moved.png"] = Served(
            status=302,
            headers={"Location": other.url("there.png").replace("127.0.0.1", "localhost")},
        )
        table(shell, {"a": server.url("1.png"), "b": server.url("moved.png")})
        # Libraries tell with --verbose of more than goes wrong.
        done = shell._run(["ingest", "t.jsonl", "--header", f"X-Key: {secret}", "--verbose"], "")
        assert done.returncode == 0, done.stderr
        assert all(seen.get("x-key") == secret for seen in server.seen_headers)
        assert len(server.seen_headers) == 2
        assert [seen.get("x-key") for seen in other.seen_headers] == [None]
    assert secret not in done.stdout + done.stderr
    for file in shell.folder.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file
    bad = shell("ingest", "t.jsonl", "--header", f"{secret} without a colon", code=2).stderr
    assert secret not in bad


def test_requests_to_one_host_at_once(shell: Shell, server: PictureServer) -> None:
    """No more than --per-host."""
    held = threading.Barrier(2)

    def before(_path: str) -> None:
        held.wait(60)  # two are under way at once, and a third would break the count

    server.before = before
    table(shell, all_of(server))
    assert fates(ingest(shell, "--per-host", 2)) == (COUNT, 0, 0)
    assert server.most_at_once == 2


def test_messages_name_no_secret_of_a_url(shell: Shell, server: PictureServer) -> None:
    """A dead letter of a download is told without its user."""
    url = server.url("none.png").replace("http://", "http://me:hidden@")
    table(shell, {"a": url})
    done = shell("ingest", "t.jsonl", code=1)
    letters = (shell.catalog / "dead_letters.jsonl").read_text()
    assert "hidden" not in done.stdout + done.stderr + letters


def test_a_failing_host_is_left_alone_between_attempts(shell: Shell, server: PictureServer) -> None:
    """A server that fails for good is asked a few times, not for each of its items."""
    with running() as other:
        urls: Sequence[str] = [other.url(f"{n}.png") for n in range(30)]
        other.paths = {f"{n}.png": Served(status=503) for n in range(30)}
        table(shell, {f"o{n}": url for n, url in enumerate(urls)} | all_of(server))
        report = ingest(shell, "--retries", 2)
        assert fates(report) == (COUNT, 0, 30)
        assert report["dead_by_reason"]["host_given_up"] >= 20
        assert other.asked.total() < 30


def test_the_commands_of_the_page_run(shell: Shell, server: PictureServer) -> None:
    """As they stand in docs/web.md."""
    rows = "".join(f"{item_id},{url}\n" for item_id, url in all_of(server).items())
    for name in ("products.csv", "feed.csv"):
        (shell.folder / name).write_text("id,image\n" + rows)
    commands = re.findall(r"^zeroshelf (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        shell(*shlex.split(command))
    assert server.asked.total() == 2 * COUNT  # trusted URLs are not asked for


@pytest.mark.parametrize("name", ["1.png", "bad.png"])
def test_items_that_come_before_the_one_their_url_was_downloaded_for_get_what_it_gives(
    shell: Shell, server: PictureServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Threads overtake: the first item is told the hash that only the next one has content of."""
    server.paths["bad.png"] = Served(b"no picture")
    once, first = Web.once, threading.Lock()
    body = server.paths[name].content

    def overtaken(self: Web, url: str, known: Download | None = None) -> Downloaded:
        if first.acquire(blocking=False):
            download = Download(content_hash=hashlib.sha256(body).hexdigest())
            return Downloaded(content=None, download=download)
        return once(self, url, known)

    monkeypatch.setattr(Web, "once", overtaken)
    table(shell, {f"i{n}": server.url(name) for n in range(6)})
    report = ingest(shell, code=0 if name == "1.png" else 1)
    assert fates(report) == ((6, 0, 0) if name == "1.png" else (0, 0, 6))
    assert report["dead_by_reason"] == ({} if name == "1.png" else {"not_a_picture": 6})
