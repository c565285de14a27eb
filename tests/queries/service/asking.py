"""Asks services: until they are ready, in a thread of this process, and by the client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions
from queries import Client
from queries.service.app import create_app
from queries.service.connections import listening, server_of
from queries.service.settings import ServiceSettings


def when_ready(client: httpx.Client, url: str = "/readyz") -> httpx.Response:
    """The first answer to ``/readyz`` that is not "loading"; a service answers that at once."""
    while True:
        answer = client.get(url)
        if answer.status_code != 503 or "loading" not in answer.text:
            return answer
        time.sleep(0.05)


def inside(client: TestClient) -> Client:
    """The Python client of a service that listens nowhere."""
    asking = Client("http://localhost", retries=0)
    asking.close()
    asking._http = client
    return asking


@contextmanager
def service_thread(options: CatalogOptions, settings: ServiceSettings) -> Iterator[str]:
    """A service in a thread of this process, by its address, once it is ready."""
    started = threading.Event()
    with listening("127.0.0.1", 0) as listener:
        server = server_of(create_app(options, settings), started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not started.wait(0.1):
                assert thread.is_alive(), "the service did not start"
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(base_url=address, timeout=300) as client:
                assert when_ready(client).status_code == 200
            yield address
        finally:
            server.should_exit = True
            thread.join(120)
            assert not thread.is_alive()
