"""Ingestions that are killed, again and again, until one is left to finish."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ingesting import BATCH, picture
from PIL import Image
from shell import Shell, write_rows, write_vectors
from warm import WarmProcess

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.jobs.rebuild import compare

PICTURES = 400
ROWS = 3000
KILLS = 10


def finished_items(archive: Path) -> set[str]:
    """Ids in finished shards, read as any Parquet reader would."""
    shards = sorted(archive.glob("items-*.parquet"))
    return {one for file in shards for one in pq.read_table(file)["item_id"].to_pylist()}


def check_whole(options: CatalogOptions, count: int) -> None:
    """No row lost, none doubled, and the database is the archive."""
    with open_catalog(options) as catalog:
        rows = [one for shard in catalog.archive.shards() for one in catalog.archive.rows(shard)]
        assert len(rows) == len({row.item_id for row in rows}) == count
        assert catalog.items.count() == count == len(set(catalog.items.item_ids()))
        assert catalog.ledger.stored.missing() == []
    assert compare(options).equal


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_killed_at_any_moment_an_ingestion_is_finished_by_the_same_command(
    tmp_path: Path, seed: int
) -> None:
    """Pictures: nothing in a finished shard is embedded again, whenever the kills came."""
    (tmp_path / "pictures").mkdir()
    for number in range(PICTURES):
        Image.fromarray(picture(number)).save(tmp_path / "pictures" / f"{number}.png")
    archive = tmp_path / "data" / "catalogs" / "catalog" / "archive"
    told = tmp_path / "told.txt"
    chance = random.Random(seed)
    told.touch()
    command = [Path(__file__).with_name("ingesting.py"), tmp_path, "0.04"]
    for attempt in range(KILLS + 1):
        before = finished_items(archive)
        lines = len(told.read_text().split())
        steps = chance.choice([0, 0, 1, 2, 4, 6])
        most = "inf" if attempt == KILLS else steps + 2  # it is never done before its end
        process = WarmProcess([*command, most], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if attempt < KILLS:
            # Now before the catalog is open, now while embedding, storing or standing still.
            while process.poll() is None:
                if len(told.read_text().split()) - lines >= steps * BATCH:
                    break
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.3 if steps else 1.5))
            assert process.poll() is None, process.communicate()
            process.kill()
        out, errors = process.communicate(timeout=300)
        embedded = [f"{number}.png" for number in told.read_text().split()[lines:]]
        assert not before & set(embedded), "a finished item was embedded again"
    assert process.returncode == 0, errors
    read, stored, unchanged, dead = map(int, out.split())
    assert (read, stored + unchanged, dead) == (PICTURES, PICTURES, 0)
    total = len(told.read_text().split())
    assert total <= PICTURES + KILLS * 6 * BATCH
    check_whole(CatalogOptions(data_dir=tmp_path / "data"), PICTURES)


@pytest.mark.slow
def test_killed_while_storing_the_console_command_is_finished_by_itself(tmp_path: Path) -> None:
    """Given vectors: killed before each of the first rows, between rows, before the flush."""
    write_vectors(tmp_path / "v.npy", ROWS)
    write_rows(tmp_path / "t.jsonl", [{"id": f"i{row}", "n": row} for row in range(ROWS)])
    shell = Shell(tmp_path)
    for steps in (0, 1, 3, 2, 1, 0):
        shell.kill_while_storing(steps, "ingest", "t.jsonl", "--vectors", "v.npy")
    shell.in_process = True
    (report,) = shell.json("ingest", "t.jsonl", "--vectors", "v.npy")
    assert report["stored"] + report["unchanged"] == report["read"] == ROWS
    check_whole(CatalogOptions(data_dir=tmp_path / ".zeroshelf"), ROWS)
    vectors = np.load(tmp_path / "v.npy")
    with open_catalog(CatalogOptions(data_dir=tmp_path / ".zeroshelf")) as catalog:
        (hits,) = catalog.items.search(vectors[1234:1235], limit=1)
    assert hits[0].fields["item_id"] == "i1234"


class Pictures(BaseHTTPRequestHandler):
    """Serves any number of pictures, the first ones at once, and counts them."""

    served = 0
    at_once = 60
    go_on = threading.Event()

    def do_GET(self) -> None:
        """One small PNG whose pixels are the number in its name."""
        number = int(self.path.strip("/").removesuffix(".png"))
        target = io.BytesIO()
        Image.fromarray(picture(number)).resize((32, 32), 0).save(target, "PNG")
        Pictures.served += 1
        if Pictures.served > Pictures.at_once:
            Pictures.go_on.wait(300)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(target.getvalue())

    def log_message(self, *_: object) -> None:
        """Nothing on the test's screen."""


@pytest.fixture
def addresses() -> Iterator[list[str]]:
    """Addresses of 240 pictures on a server that runs in this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    server.daemon_threads = True
    Pictures.served = 0
    Pictures.go_on.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{server.server_port}"
    yield [f"{host}/{number}.png" for number in range(240)]
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_an_ingestion_in_order(
    tmp_path: Path, addresses: list[str], number: signal.Signals
) -> None:
    """A real signal: what was read is kept, the way on is told, exit 1, and it is the way on."""
    (tmp_path / "urls.txt").write_text("\n".join(addresses))
    shell = Shell(tmp_path, model="pocket", batch_size=8)
    file = tmp_path / "told.txt"
    with file.open("w") as stderr:
        process = shell.start("ingest", "urls.txt", "--output", "json", stderr=stderr)
    while Pictures.served <= Pictures.at_once and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    while "Stopping" not in file.read_text() and process.poll() is None:
        time.sleep(0.01)
    Pictures.go_on.set()
    out, _ = process.communicate(timeout=300)
    told = file.read_text()
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert "Stopping" in told
    assert "run the same ingest command again" in told
    (first,) = json.loads(out)
    assert 0 < first["read"] < 240
    assert first["read"] == first["stored"] + first["unchanged"] + first["dead_letters"]
    shell.in_process = True
    (rest,) = shell.json("ingest", "urls.txt")
    assert (rest["unchanged"], rest["stored"]) == (first["stored"], 240 - first["stored"])
    assert rest["embedded"] == 240 - first["embedded"] - rest["shared"] - first["shared"]
    shell("rebuild", "--verify")
