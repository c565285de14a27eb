"""UMAP in a process of its own (McInnes, Healy and Melville 2018, arXiv:1802.03426).

Its compiled loops hold Python's lock for seconds, so in a service they would stop every answer,
and nothing stops them in turn. A process can be ended. This module is what it runs, too: vectors
come by its standard input, places go by its standard output.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import warnings
from functools import partial

import numpy as np

from indexer.core.errors import StoppedError, ZeroshelfError
from indexer.core.records import FloatArray, IndexArray

_LOOK_S = 0.2
_FEW = 5_000
_DISTANCE_OF_FEW, _DISTANCE = 0.5, 0.1
"""Least distance of neighbours, of a few and of many vectors: by 0.1, UMAP's own, a group of ten is
one spot; by 0.5 the trustworthiness of 100,000 is .92 rather than .94."""

_MOST_TOLD = 500
"""Characters of an error of the process that are told: its last ones."""


def umap_in_process(
    vectors: FloatArray,
    first: FloatArray,
    *,
    neighbours: int,
    seed: int,
    stop: threading.Event,
) -> FloatArray:
    """float32 (n, 2): the places that UMAP gives.

    Args:
        vectors: float32 (n, k).
        first: float32 (n, 2), where it begins.
        neighbours: vectors near each one that are kept together; fewer than n.
        stop: set it to end the process.

    Raises:
        StoppedError: ``stop`` was set.
        ZeroshelfError: the process failed.
    """
    command = [sys.executable, "-m", "queries.projection.umap_process", str(neighbours), str(seed)]
    over = threading.Event()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(  # noqa: S603 - our own module, by this interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told
        )
        watcher = threading.Thread(target=_end_when_stopped, args=(process, stop, over))
        watcher.start()
        try:
            places = _answer(process, vectors, first)
        finally:
            over.set()
            watcher.join()
            process.kill()
            process.wait()
        if places is not None:
            return places
        if stop.is_set():
            raise StoppedError("the job was stopped.")
        told.seek(0)
        stderr = told.read().decode(errors="replace").strip()[-_MOST_TOLD:]
    raise ZeroshelfError(
        f"UMAP failed: {stderr or f'its process ended with {process.returncode}'}. Lay out by the "
        "principal axes instead: zeroshelf map --method pca"
    )


def _end_when_stopped(
    process: subprocess.Popen[bytes], stop: threading.Event, over: threading.Event
) -> None:
    while not over.wait(_LOOK_S):
        if stop.is_set():
            process.kill()
            return


def _answer(
    process: subprocess.Popen[bytes], vectors: FloatArray, first: FloatArray
) -> FloatArray | None:
    """The places; None where the process ended before it gave them."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        with contextlib.suppress(BrokenPipeError):
            # Not by numpy's own format: it asks for the position in the file, and a pipe has none.
            pickle.dump((vectors, first), process.stdin)
            process.stdin.flush()
        # The pipe stays open while it works: it ends with this process.
        with process.stdout, contextlib.suppress(EOFError, pickle.UnpicklingError):
            places: FloatArray = pickle.load(process.stdout)  # noqa: S301 - our own process
            return places
    return None


def _end_with_parent() -> None:
    """Its end of the pipe is closed when it dies, however that was."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Lay out what comes by standard input."""
    neighbours, seed = map(int, sys.argv[1:])
    vectors, first = pickle.load(sys.stdin.buffer)  # noqa: S301 - by ``umap_in_process``
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an older scikit-learn's and numba's ways
        _keep_compiled_loops()
        from umap import UMAP

        places = UMAP(
            n_neighbors=neighbours,
            min_dist=_DISTANCE_OF_FEW if len(vectors) <= _FEW else _DISTANCE,
            init=first,
            random_state=seed,
            n_jobs=1,  # threads would make the places differ from run to run
            precomputed_knn=_nearest(vectors, neighbours),
        ).fit_transform(vectors)
    pickle.dump(places.astype(np.float32), sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _keep_compiled_loops() -> None:
    """UMAP's loops are compiled for the first map only: by itself it keeps none of them."""
    import numba

    numba.njit = partial(numba.njit, cache=True)  # type: ignore[assignment]


def _nearest(vectors: FloatArray, neighbours: int) -> tuple[IndexArray, FloatArray]:
    """The nearest vectors of each, itself among them, and how far they are; (n, neighbours) each.

    Exact. UMAP's own search is approximate, no quicker at 100,000 vectors, and compiled anew at
    each start, for half a minute.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(vectors)
    distances, rows = search.kneighbors(vectors)
    return rows, distances.astype(np.float32)


if __name__ == "__main__":
    main()
