"""The service under load: throughput and latency of 64 clients against one at a time.

A service process of a small catalog with the packaged model; every client uploads one
picture at a time and asks for its labels, as fast as it is answered.

With ``--only explain`` it measures what classifications lose to explanations: the 99th percentile
of their latency beside a client that asks for heat maps all the time, and without, in turns.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from benchmarks.report import command_line, compared, show
from indexer.catalog.opening import CatalogOptions
from indexer.jobs import sample as shop
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels

CLIENTS = 64
FEW_CLIENTS = (1, 8)
"""Clients beside explanations: many are slowed by each other first."""

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
    log = folder / "service.log"
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stderr=stream)  # noqa: S603
    try:
        yield _address(process, log), process.pid
    finally:
        ended = process.poll()
        process.terminate()
        process.wait(timeout=30)
        if ended is not None:
            raise RuntimeError(f"the service ended by itself ({ended}): {_last(log)}")


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the service listens, once it says so."""
    while process.poll() is None:
        if address := re.search(r"http://\S+", log.read_text(encoding="utf-8")):
            return address[0]
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start: {_last(log)}")


def _last(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-2_000:]


async def load(
    address: str,
    pictures: list[bytes],
    *,
    clients: int,
    seconds: float,
    request: Callable[[str, bytes], bytes] | None = None,
) -> list[float]:
    """Seconds of each answer; raises where one is no success.

    Each client has a connection of its own and does next to nothing itself: it shares the
    cores with the service.

    Args:
        request: what is asked of a picture; None asks for its labels.
    """
    place = urlsplit(address)
    requests = [(request or _classify)(address, picture) for picture in pictures]
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(requests[number % len(requests)])
            await _answer(reader)
            taken.append(time.perf_counter() - start)
            number += clients
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return taken


def _classify(address: str, picture: bytes) -> bytes:
    """What goes over the wire to have a picture labelled."""
    return _wire(httpx.Request("POST", f"{address}/v1/classify", files={"pictures": picture}))


def _explain(address: str, picture: bytes) -> bytes:
    """What goes over the wire to have a label explained, with a heat map of 182 passes."""
    options = {"options": json.dumps({"heat_map": "occlusion"})}
    files = {"picture": picture}
    return _wire(httpx.Request("POST", f"{address}/v1/explain", files=files, data=options))


def _wire(request: httpx.Request) -> bytes:
    content = request.read()
    headers = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers.raw)
    return b"POST " + request.url.raw_path + b" HTTP/1.1\r\n" + headers + b"\r\n" + content


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
    pids = [pid, *(int(child) for path in children for child in _text_of(path).split())]
    return sum(_resident_kib(process) for process in pids) / 1024


def _resident_kib(pid: int) -> int:
    resident = re.search(r"VmRSS:\s+(\d+)", _text_of(Path(f"/proc/{pid}/status")))
    return int(resident[1]) if resident else 0


def _text_of(path: Path) -> str:
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
            _wait_until_ready(address)
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
        compared(work, "one request at a time", ours, theirs, "pictures/s", ">= 3"),
        compared(f"the same for {long:g} s: median latency", "", p50, None, "ms"),
        compared("the same: 99th percentile of latency", "", p99, None, "ms"),
        compared(f"the same: slowest of {len(latencies):,} answers", "", most, None, "ms"),
        compared(
            "the same: memory of the service and its decoders at the end",
            "after a third of the time",
            memory[1],
            memory[0],
            "MiB",
            "<= 1.1",
        ),
    ]


def _wait_until_ready(address: str) -> None:
    while httpx.get(f"{address}/readyz", timeout=60.0).status_code == 503:
        time.sleep(0.1)


def rows_beside_explanations(*, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Latency of classifications beside explanations and without, in turns; then their ratio."""
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = _catalog(folder)
        with service(folder) as (address, _):
            _wait_until_ready(address)
            asyncio.run(load(address, pictures[:2], clients=1, seconds=seconds, request=_explain))
            for clients in FEW_CLIENTS:
                without, beside, explained = [], [], 0
                for _ in range(rounds):
                    asking = load(address, pictures, clients=clients, seconds=seconds)
                    without += asyncio.run(asking)
                    taken, heat_maps = asyncio.run(_both(address, pictures, clients, seconds))
                    beside += taken
                    explained += heat_maps
                measured += _p99_rows(clients, without, beside, explained)
    return measured


async def _both(
    address: str, pictures: list[bytes], clients: int, seconds: float
) -> tuple[list[float], int]:
    """Seconds of classifications while one client asks for heat maps, and how many it got."""
    taken, explained = await asyncio.gather(
        load(address, pictures, clients=clients, seconds=seconds),
        load(address, pictures, clients=1, seconds=seconds, request=_explain),
    )
    return taken, len(explained)


def _p99_rows(
    clients: int, without: list[float], beside: list[float], explained: int
) -> list[dict[str, Any]]:
    ours, theirs = (float(np.percentile(seconds, 99)) * 1000 for seconds in (beside, without))
    work = (
        f"{clients} clients classify pictures while heat maps are made, 99th percentile of "
        f"{len(beside):,} answers beside {explained:,} explanations"
    )
    against = f"the same without explanations, of {len(without):,} answers"
    return [compared(work, against, ours, theirs, "ms", "<= 2")]


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


def _catalog(folder: Path) -> list[bytes]:
    shop.write_shop(folder / "shop")
    options = CatalogOptions(data_dir=folder / "data", model="pocket")
    ingest(options, [str(folder / "shop" / "products.csv")], IngestOptions())
    add_labels(options, str(folder / "shop" / "taxonomy.yaml"))
    files = sorted((folder / "shop" / "pictures").glob("p*.jpg"))
    return [path.read_bytes() for path in files[:PICTURES]]


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = command_line("serving", __doc__, rounds=5)
    parser.add_argument("--only", choices=("load", "explain"), help="all by default")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load in a round")
    parser.add_argument("--long", type=float, default=60.0, help="seconds of the last load")
    options = parser.parse_args()
    measured = []
    if options.only != "explain":
        measured += rows(seconds=options.seconds, rounds=options.rounds, long=options.long)
    if options.only != "load":
        measured += rows_beside_explanations(seconds=options.seconds, rounds=options.rounds)
    show(measured, options.json)


if __name__ == "__main__":
    main()
