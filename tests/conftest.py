"""What all tests share: where the real data lies, and skips with a reason without it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import process_settings  # before the libraries, which read their number of threads as they load

# isort: split
import hypothesis
import pytest
from milvus_server import URI_VARIABLE, RealServer

from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.runtime import Runtime

# How long an example takes, and how long to make it, is the machine's affair.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

CHOOSING = ("test_onnx", "test_precision", "test_text_model", "test_towers")
"""Files whose tests are of the choice."""

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes none is left alone with a long file at the end: those come first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        weights: Counter[Path] = Counter()
        for item in items:
            weights[item.path] += 100 if item.get_closest_marker("slow") else 1
        items.sort(key=lambda item: -weights[item.path])


def pytest_collection_finish() -> None:
    """Tests and what they import are loaded."""
    process_settings.keep_loaded()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """A test may have been the first to load a library."""
    process_settings.keep_loaded()


@pytest.fixture(scope="session", autouse=True)
def no_process_stays() -> Iterator[None]:
    """Processes that tests started, and whose fixtures failed, end with the tests."""
    yield
    for process in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def descendants(process: int) -> list[int]:
    """Processes that this one has started, and those that they started, deepest first."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [*descendants(child), child]
    return found


@pytest.fixture(autouse=True)
def nothing_is_chosen_by_time(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What ``auto`` computes in is found out by timing: here it stays as it is loaded.

    Else vectors would differ in their last digits, or by int8's, as the machine is busy or not.
    """
    if request.node.path.stem in CHOOSING:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    else:
        monkeypatch.setattr(Runtime, "_decide", lambda _self: None)


@pytest.fixture(scope="session", autouse=True)
def cache_of_these_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What was found out of models before, by other runs or by people, is not known to tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def coarse_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Things are looked for in some 90 regions of a picture, not in 400: each is embedded."""
    from indexer.core.boxes import RegionGrid
    from indexer.labels.regions import GridFinder

    defaults = GridFinder.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "grid", RegionGrid(step=0.5))


@pytest.fixture(scope="module")
def two_threads() -> Iterator[None]:
    """BLAS has two threads, and so has what takes as many as BLAS."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2, user_api="blas"):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the real data in ../shared/data")
    return SHARED / "data"


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The folder of small inputs that went wrong once."""
    if not (SHARED / "cases").is_dir():
        pytest.skip("needs the cases in ../shared/cases")
    return SHARED / "cases"


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of real models."""
    if not (SHARED / "models").is_dir():
        pytest.skip("needs the real models in ../shared/models")
    return SHARED / "models"


@pytest.fixture(scope="session")
def pocket() -> SentenceTransformerEncoder:
    """The model in the package, loaded once."""
    return SentenceTransformerEncoder("pocket", device="cpu")


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The process of a real Milvus server, which tests may kill if they start it again."""
    if URI_VARIABLE in os.environ:
        pytest.skip(f"{URI_VARIABLE} names a server that is not ours to kill")
    server = RealServer(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def server_uri(request: pytest.FixtureRequest) -> str:
    """A running Milvus server."""
    if uri := os.environ.get(URI_VARIABLE):
        return uri
    server: RealServer = request.getfixturevalue("real_server")
    return server.uri


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands that run in the test's own process set up logging; the next test starts anew."""
    loggers = [logging.getLogger(name) for name in (None, "indexer", "queries")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    for logger in loggers[1:]:
        logger.setLevel(logging.NOTSET)
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers = handlers
