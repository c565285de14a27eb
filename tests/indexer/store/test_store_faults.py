"""What becomes of a database's own errors."""

from __future__ import annotations

import pytest
from pymilvus.exceptions import MilvusException

from indexer.core.errors import CatalogError, StoreError, StoreUnavailableError
from indexer.store.faults import translate_errors

RESTARTING = (
    "attempt #0: stack trace: /a/b.go:51 github.com/x /c/d.go:550: attempt #1: rpc error: node not "
    "match[expectedNodeID=1][actualNodeID=2]: attempt #2: session not found->datanode-1: node not "
    "found[node=1]: unrecoverable error"
)
"""What server 2.3.5 says to a flush 20 s after it was killed and started again."""


@pytest.mark.parametrize(
    ("code", "message", "kind", "told"),
    [
        (65535, RESTARTING, StoreUnavailableError, "session not found->datanode-1"),
        (101, "failed to query: collection not loaded[collection=4]", StoreUnavailableError, "try"),
        (2, "Fail connecting to server", StoreUnavailableError, "check that the server runs"),
        (65535, "request is rejected: rate limit exceeded", StoreUnavailableError, "busy"),
        (1, "[Errno 28] No space left on device", StoreError, "the disk is full"),
        (100, "can't find collection", CatalogError, "zeroshelf rebuild"),
        (16, "auth check failure, please check username", StoreError, "check the token"),
        (1100, "invalid parameter", StoreError, "what was stored before is kept"),
    ],
)
def test_kind_and_remedy(code: int, message: str, kind: type[Exception], told: str) -> None:
    """What may pass is told from what does not; no stack trace is shown."""
    with pytest.raises(kind) as raised, translate_errors("http://host", "writing"):
        raise MilvusException(code, message)
    assert type(raised.value) is kind
    assert told in str(raised.value)
    assert "stack trace" not in str(raised.value)
