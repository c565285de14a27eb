"""The service under load: throughput and latency of 64 clients against one at a time.

A service process of a small catalog with the packaged model; every client uploads one
picture at a time and asks for its labels, as fast as it is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from indexer.catalog.opened import CatalogOptions
from indexer.jobs.ingest import IngestOptions, ingest
from indexer.jobs.labels import add_labels
from indexer.sample import shop

CLIENTS = 64
PICTURES = 40


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, int]]:
    """A running service: its address and its process id.

    Raises:
        RuntimeError: it did not start, or ended by itself; with what it said last.
    """
    command = [
        sys.executable, "-X", "faulthandler", "-c", "from queries.cli import main; main()",
        "serve", "--port", "0", "--data-dir", str(folder / "data"),
    ]  # fmt: skip
    # A file: a pipe that nobody reads would stop the service when it is full.
    said = folder / "service.log"
    with said.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stderr=stream)  # noqa: S603
    try:
        yield _address(process, said), process.pid
    finally:
        ended = process.poll()
        process.terminate()
        process.wait(timeout=30)
        if ended is not None:
            raise RuntimeError(f"the service ended by itself ({ended}): {_last(said)}")


def _address(process: subprocess.Popen[bytes], said: Path) -> str:
    """Where the service listens, once it says so."""
    while process.poll() is None:
        if found := re.search(r"http://\S+", said.read_text(encoding="utf-8")):
            return found[0]
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start: {_last(said)}")


def _last(said: Path) -> str:
    return said.read_text(encoding="utf-8")[-2_000:]


async def load(address: str, pictures: list[bytes], *, clients: int, seconds: float) -> list[float]:
    """Seconds of each answer; raises where one is no success.

    Each client has a connection of its own and does next to nothing itself: it shares the
    cores with the service.
    """
    place = urlsplit(address)
    asked = [_request(address, picture) for picture in pictures]
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(asked[number % len(asked)])
            await _answer(reader)
            taken.append(time.perf_counter() - start)
            number += clients
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one(number) for number in range(clients)))
    return taken


def _request(address: str, picture: bytes) -> bytes:
    """What goes over the wire to have a picture labelled."""
    files = [("pictures", ("a.jpg", picture))]
    request = httpx.Request("POST", f"{address}/v1/classify", files=files)
    content = request.read()
    headers = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers.raw)
    return b"POST /v1/classify HTTP/1.1\r\n" + headers + b"\r\n" + content


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    content = await reader.readexactly(int(length[1]))
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the service refused: {content.decode()}")


def memory_mib(pid: int) -> float:
    """Resident memory of a process and of those that it started."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [pid, *(int(one) for path in children for one in _told(path).split())]
    return sum(_resident_kib(one) for one in pids) / 1024


def _resident_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", _told(Path(f"/proc/{pid}/status")))
    return int(found[1]) if found else 0


def _told(path: Path) -> str:
    """What the system says of a process; nothing where it has ended meanwhile."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def rows(*, seconds: float, rounds: int, long: float) -> list[dict[str, Any]]:
    """Throughput from rounds of each load in turn; latency and memory from a long load."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = _catalog(folder)
        with service(folder) as (address, pid):
            while httpx.get(f"{address}/readyz", timeout=60.0).status_code == 503:
                time.sleep(0.1)
            alone, together = [], []
            for _ in range(rounds):
                taken = asyncio.run(load(address, pictures, clients=1, seconds=seconds))
                alone.append(len(taken) / seconds)
                taken = asyncio.run(load(address, pictures, clients=CLIENTS, seconds=seconds))
                together.append(len(taken) / seconds)
            latencies, memory = _long_load(address, pictures, pid, seconds=long)
    ours, theirs = float(np.median(together)), float(np.median(alone))
    p50, p99, most = (float(np.percentile(latencies, q)) * 1000 for q in (50, 99, 100))
    work = f"{CLIENTS} clients classify pictures over HTTP, pocket"
    return [
        _row(work, "one request at a time", ours, theirs, "pictures/s", ours / theirs, ">= 3"),
        _row(f"the same for {long:g} s: median latency", "", p50, None, "ms", None, None),
        _row("the same: 99th percentile of latency", "", p99, None, "ms", None, None),
        _row(f"the same: slowest of {len(latencies):,} answers", "", most, None, "ms", None, None),
        _row(
            "the same: memory of the service and its decoders at the end",
            "after a third of the time",
            memory[1],
            memory[0],
            "MiB",
            memory[1] / memory[0],
            "<= 1.1",
        ),
    ]


def _long_load(
    address: str, pictures: list[bytes], pid: int, *, seconds: float
) -> tuple[list[float], list[float]]:
    """Latencies of many clients, and memory after a third of the time and at the end."""

    async def measured() -> tuple[list[float], list[float]]:
        loading = asyncio.create_task(load(address, pictures, clients=CLIENTS, seconds=seconds))
        await asyncio.sleep(seconds / 3)
        early = memory_mib(pid)
        return await loading, [early, memory_mib(pid)]

    return asyncio.run(measured())


def _row(
    work: str,
    against: str,
    ours: float,
    theirs: float | None,
    unit: str,
    ratio: float | None,
    goal: str | None,
) -> dict[str, Any]:
    reached = None
    if goal is not None and ratio is not None:
        limit = float(goal.split()[1])
        reached = ratio >= limit if goal.startswith(">=") else ratio <= limit
    return {
        "work": work, "against": against, "ours": ours, "theirs": theirs, "unit": unit,
        "ratio": ratio, "goal": goal, "reached": reached,
    }  # fmt: skip


def _catalog(folder: Path) -> list[bytes]:
    shop.write_shop(folder / "shop")
    options = CatalogOptions(data_dir=folder / "data", model="pocket")
    ingest(options, [str(folder / "shop" / "products.csv")], IngestOptions())
    add_labels(options, str(folder / "shop" / "taxonomy.yaml"))
    found = sorted((folder / "shop" / "pictures").glob("p*.jpg"))
    return [path.read_bytes() for path in found[:PICTURES]]


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--long", type=float, default=60.0, help="seconds of the last load")
    options = parser.parse_args()
    found = rows(seconds=options.seconds, rounds=options.rounds, long=options.long)
    for row in found:
        sys.stdout.write(f"{row}\n")
    if options.json is not None:
        options.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
