"""A local S3 server (moto) and a bucket in it, with what clients need in the environment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

BUCKET = "shop"


@dataclass(eq=False)
class S3Server:
    """A server on loopback; what it holds outlives ``stop``."""

    server: Any = None
    port: int = 0

    def start(self) -> None:
        """Listen, at the same port again after ``stop``."""
        from moto.server import ThreadedMotoServer

        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()
        self.port = self.server.get_host_and_port()[1]

    def stop(self) -> None:
        """Refuse connections."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def put(self, key: str, content: bytes) -> None:
        """Store an object by another client than the one that is tested."""
        self.client().put_object(Bucket=BUCKET, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        """An object's content."""
        content: bytes = self.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin so."""
        listed = self.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def client(self) -> Any:
        """A client of boto's."""
        import boto3

        return boto3.client("s3")


@contextlib.contextmanager
def running() -> Iterator[S3Server]:
    """A server with an empty bucket; clients find it and its credentials."""
    server = S3Server()
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")  # a server that is away is told at once
        try:
            server.client().create_bucket(Bucket=BUCKET)
            yield server
        finally:
            server.stop()
