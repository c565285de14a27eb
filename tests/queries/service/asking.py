"""Asks a service until it is ready."""

from __future__ import annotations

import time

import httpx


def when_ready(client: httpx.Client, url: str = "/readyz") -> httpx.Response:
    """The first answer to ``/readyz`` that is not "loading"; a service answers that at once."""
    while True:
        answer = client.get(url)
        if answer.status_code != 503 or "loading" not in answer.text:
            return answer
        time.sleep(0.05)
