"""Credentials in addresses: used, and never stored, logged or shown."""

from __future__ import annotations

import base64
import http.server
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from shell import Shell

from indexer.commands import console
from indexer.core.credentials import hidden_address, without_credentials
from indexer.core.errors import SourceError
from indexer.core.records import Item
from indexer.sources import open_sources
from queries.service.schemas.wire import Input

SECRETS = ("u:s3cret", "s3cret", "tok3n", base64.b64encode(b"u:s3cret").decode())


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://u:p@h.org/a.jpg?w=5", "https://h.org/a.jpg?w=5"),
        ("https://TOKEN@h.org/a.jpg", "https://h.org/a.jpg"),
        ("https://u:p w@h.org/a.jpg", "https://h.org/a.jpg"),
        ("https://u:p/w?x@h.org:80/a.jpg", "https://h.org:80/a.jpg"),
        ("https://h/a?token=x&w=5&sig=abc", "https://h/a?w=5"),
        ("https://h/a?X-Amz-Credential=A%2F1&X-Amz-Date=3#f", "https://h/a?X-Amz-Date=3#f"),
        ("https://h/a?Sig=1", "https://h/a"),
        ("https://h/a?Policy=x&Signature=y&Key-Pair-Id=z", "https://h/a?Policy=x"),
        ("https://h/a?jwt=x&access_key=y&hmac=z&hdnts=exp=1~hmac=2", "https://h/a"),
        ("https://h/a?w=5&amp;sig=abc&amp;h=6", "https://h/a?w=5&amp;h=6"),
        ("https://h/a.jpg#access_token=x&state=y", "https://h/a.jpg"),
        ("ftp://u:p%40w@h/a", "ftp://h/a"),
        ("zip://a.jpg::https://u:p@h/x.zip", "zip://a.jpg::https://h/x.zip"),
        ("see https://u@h/a, and http://b:c@d/x ok?", "see https://h/a, and http://d/x ok?"),
        *(
            (same, same)
            for same in (
                "abfss://box@account.dfs.core.windows.net/x",
                "https://h/a@2x.jpg?",
                "https://h:80/a@2x.jpg",
                "https://[::1]:80/a@2x.jpg",
                "no answer of https://h:8080: ask me@home",
                "https://h/?q=a@b&design=1",
                "https://h/download?key=a.jpg#token",
                "write to me@home",
            )
        ),
    ],
)
def test_what_is_taken_out(text: str, clean: str) -> None:
    """User names, passwords and signing parameters go; what looks alike stays."""
    assert without_credentials(text) == clean
    assert hidden_address(text) == ("" if text == clean else text)


class _Guarded(http.server.SimpleHTTPRequestHandler):
    """Serves files to who has the password."""

    def do_GET(self) -> None:
        """A file, or 401."""
        given = self.headers.get("Authorization", "")
        if given == f"Basic {SECRETS[3]}" or "token=tok3n" in self.path:
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """Host and port of a server that asks for a password; it has one picture."""
    served = tmp_path / "served"
    served.mkdir()
    Image.new("RGB", (8, 8), "red").save(served / "a.png")

    def handler(*arguments: object) -> _Guarded:
        return _Guarded(*arguments, directory=str(served))  # type: ignore[arg-type]

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_nothing_keeps_them(tmp_path: Path, guarded: str) -> None:
    """Pictures come by password and by token; no file and no line says either."""
    table = tmp_path / "t.csv"
    table.write_text(
        "id,image,link\n"
        f"1,http://u:s3cret@{guarded}/a.png,http://u:s3cret@{guarded}/page\n"
        f"2,http://{guarded}/a.png?token=tok3n,\n"
        f"3,http://u:s3cret@{guarded}/missing.png,\n"
        f"4,http://u:s3cret@[broken/a.png,\n"
    )
    urls = tmp_path / "list.txt"
    urls.write_text(f"http://u:s3cret@{guarded}/a.png\n")
    shell = Shell(tmp_path, in_process=True, model="pocket")
    done = shell("ingest", table, urls, f"http://{guarded}/a.png?w=1&token=tok3n")
    told = done.stdout + done.stderr
    assert "= stored 4" in " ".join(told.split())
    again = shell("retry")
    told += again.stdout + again.stderr
    table.unlink()
    urls.unlink()
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for secret in SECRETS:
        assert secret not in told
        assert secret.encode() not in stored
    assert f"http://{guarded}/missing.png".encode() in stored


def test_no_answer_repeats_them(tmp_path: Path, guarded: str) -> None:
    """Whatever a command prints of a URL that it was given has no credentials in it.

    Two URLs that differ in their credentials only have one name, and each its own answer.
    """
    shell = Shell(tmp_path, in_process=True, model="pocket")
    (tmp_path / "labels.txt").write_text("red square\nblue circle\n")
    (tmp_path / "list.txt").write_text(f"http://u:s3cret@{guarded}/a.png\n")
    shell("ingest", "list.txt")
    shell("labels", "add", "labels.txt")
    by_password = f"http://u:s3cret@{guarded}/a.png"
    by_token = f"http://{guarded}/a.png?token=tok3n"
    refused = f"http://v:tok3n@{guarded}/a.png"
    given: list[tuple[object, ...]] = [
        *(
            ("classify", refused, by_password, by_token, "--output", form)
            for form in ("table", "json", "jsonl", "csv")
        ),
        *(("explain", by_password, "--output", form) for form in ("table", "json", "html")),
        *(("search", "--image", by_token, "--output", form) for form in ("json", "html")),
    ]
    for words in given:
        done = shell(*words)
        told = done.stdout + done.stderr
        assert f"{guarded}" in told, words
        assert not any(secret in told for secret in SECRETS), words
    for words in (("explain", refused), ("search", "--image", refused)):
        done = shell(*words, code=1)
        assert "401" in done.stderr
        assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    lines = shell("classify", refused, by_password, "--output", "jsonl").stdout.splitlines()
    answers = list(map(json.loads, lines))
    assert [one["input"] for one in answers] == [f"http://{guarded}/a.png"] * 2
    assert [bool(one["predictions"]) for one in answers] == [False, True]
    assert "401" in answers[0]["error"]


def test_what_is_shown_hides_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows, nested values and errors alike, in each form of output."""
    url = "http://u:s3cret@h/a?token=tok3n&w=5"
    row = {"database": url, "further": [url, {"at": (url,)}], "path": ("a", url), "n": 1}
    for form in ("table", "json", "jsonl", "csv"):
        console.show_rows([row], form)
    console.show_facts(row)
    console.show_findings([{"state": "good", "check": "x", "found": url, "remedy": url}], title="t")
    console.fail(str(SourceError(f"{url}: away")))
    told = capsys.readouterr()
    assert (told.out + told.err).count("http://h/a?w=5") >= 8
    assert not any(secret in told.out + told.err for secret in SECRETS)
    assert Input(url=url).name == "http://h/a?w=5"


def test_logs_hide_them(capsys: pytest.CaptureFixture[str]) -> None:
    """What is logged has no token in it, its traceback neither; libraries are not heard."""
    for verbose in (True, False):
        console.start_logging(verbose=verbose)
        logging.getLogger("httpx").error("GET %s", "http://h/library")
        try:
            raise OSError("http://u:s3cret@h/cause failed")
        except OSError:
            logging.getLogger("indexer.x").exception("GET %s", "http://u:s3cret@h/a?token=tok3n")
        told = capsys.readouterr().err
        assert "http://h/a" in told
        assert "OSError: http://h/cause failed" in told
        assert "http://h/library" not in told
        assert not any(secret in told for secret in SECRETS)


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (" https://h.org/a.jpg ", "https://h.org/a.jpg"),
        ("//h.org/a.jpg", "https://h.org/a.jpg"),
        ("\ta.jpg", "{}/a.jpg"),
        ("HTTPS://h.org/a b.jpg", "HTTPS://h.org/a b.jpg"),
    ],
)
def test_addresses_as_people_write_them(tmp_path: Path, value: str, source: str) -> None:
    """Blanks around an address are cut; one without a protocol is https."""
    table = tmp_path / "t.csv"
    table.write_text(f'id,image\n1,"{value}"\n')
    (item,) = open_sources([str(table)])
    assert isinstance(item, Item)
    assert item.source == source.format(tmp_path)
    urls = tmp_path / "l.txt"
    urls.write_text(f"{value}\n")
    (item,) = open_sources([str(urls)])
    assert isinstance(item, Item)
    assert item.source == source.format(tmp_path)
