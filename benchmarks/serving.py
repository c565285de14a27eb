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

import httpx
import numpy as np

from indexer.build import CatalogOptions
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
    """Seconds of each answer; raises where one is no success."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=clients)

    async def one(number: int, http: httpx.AsyncClient) -> None:
        place = number
        while time.perf_counter() < end:
            start = time.perf_counter()
            files = [("pictures", ("a.jpg", pictures[place % len(pictures)]))]
            answer = await http.post("/v1/classify", files=files)
            answer.raise_for_status()
            taken.append(time.perf_counter() - start)
            place += clients

    async with httpx.AsyncClient(base_url=address, timeout=60.0, limits=limits) as http:
        await asyncio.gather(*(one(number, http) for number in range(clients)))
    return taken


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


def rows(*, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Throughput, latencies and memory, from rounds of each load in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = _catalog(folder)
        with service(folder) as (address, pid):
            asyncio.run(load(address, pictures, clients=8, seconds=2.0))
            alone, together, latencies, memory = [], [], [], [memory_mib(pid)]
            for _ in range(rounds):
                taken = asyncio.run(load(address, pictures, clients=1, seconds=seconds))
                alone.append(len(taken) / seconds)
                taken = asyncio.run(load(address, pictures, clients=CLIENTS, seconds=seconds))
                together.append(len(taken) / seconds)
                latencies += taken
                memory.append(memory_mib(pid))
    ours, theirs = float(np.median(together)), float(np.median(alone))
    p50, p99 = (float(np.percentile(latencies, q)) * 1000 for q in (50, 99))
    work = f"{CLIENTS} clients classify pictures over HTTP, pocket"
    return [
        _row(work, "one request at a time", ours, theirs, "pictures/s", ours / theirs, ">= 3"),
        _row("the same: median latency", "", p50, None, "ms", None, None),
        _row("the same: p99 latency", "", p99, None, "ms", None, None),
        _row(
            f"the same: memory after {len(latencies):,} answers",
            "at the start",
            memory[-1],
            memory[0],
            "MiB",
            memory[-1] / memory[0],
            "<= 1.1",
        ),
    ]


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
    options = parser.parse_args()
    found = rows(seconds=options.seconds, rounds=options.rounds)
    for row in found:
        sys.stdout.write(f"{row}\n")
    if options.json is not None:
        options.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
