"""Errors of pymilvus and gRPC as zeroshelf's own, and pymilvus' log kept off stderr."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from indexer.core.errors import (
    CatalogError,
    StoreError,
    StoreUnavailableError,
    UsageError,
    ZeroshelfError,
)
from indexer.store.expressions import EVERYTHING, Filter

COLLECTION_NOT_FOUND = 100
CONNECT_FAILED = 2

FILTER_FAULTS = (
    "cannot parse expression",
    "failed to create query plan",
    "invalid expression",
    "unsupported expr",  # a filter without a field, such as 1 == 1
    "val_case()",  # values of several types in one list
)
"""How servers word a filter they can't use; their code for it (65535, later 1100) means more."""

LITE_ILLEGAL_ARGUMENT = 6
"""Milvus Lite's code for a filter that it can't read."""

AWAY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "Retry timeout", "Retry run out", "Timeout")
PASSING = (
    "node not match",
    "node not found",
    "not ready",
    "not fully loaded",
    "not healthy",
    "rate limit exceeded",
    "too many requests",
)
"""What a server says of itself in its first half minute after a crash, in any code."""

PASSING_CODES = frozenset({101, 103, 503, 901, 902, 904, 906})
"""Not loaded (yet), channel or node not there. Codes below 100 mean other things in Milvus Lite."""

DENIED = ("UNAUTHENTICATED", "auth check failure", "PERMISSION_DENIED", "unauthenticated")

LOGGERS = ("pymilvus", "pymilvus.milvus_client", "pymilvus.bulk_writer", "milvus_lite")


def silence_logs() -> None:
    """Take the log of pymilvus and Milvus Lite off stderr.

    Importing pymilvus gives its loggers handlers of their own, which print a traceback
    for every error, although each also raises; the raised one is what users are told.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False


@contextmanager
def translated(address: str, action: str, asked: Filter = EVERYTHING) -> Iterator[None]:
    """Raise what the block raises of pymilvus' and gRPC's errors as a ``ZeroshelfError``.

    Args:
        address: the database, for the message.
        action: what is being done, for the message: "writing 5 rows to catalog_items_001".
        asked: the filter in the call.

    Raises:
        UsageError: the user's filter is not valid.
        StoreUnavailableError: the database can't be reached, or did not answer in time.
        CatalogError: the collection is gone.
        StoreError: anything else that the database refused.
    """
    import grpc  # type: ignore[import-untyped]  # it ships none
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        message = str(error.message)
        if asked.typed and _is_filter_fault(error.code, message):
            raise _filter_fault(asked, message) from error
        message += _transport_cause(error)
        raise _fault(address, action, error.code, message) from error
    except grpc.RpcError as error:
        raise _fault(address, action, None, f"{error.code()} {error.details()}") from error


def _transport_cause(error: BaseException) -> str:
    """What gRPC said, which pymilvus hides: "server unavailable" may be a wrong password."""
    import grpc

    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:  # pymilvus raises errors from themselves
        if isinstance(cause, grpc.RpcError) and isinstance(cause, grpc.Call):
            return f" ({cause.code().name}: {cause.details()})"
        seen.add(id(cause))
        following = cause.__cause__ or cause.__context__
        cause = cause.__context__ if following is cause else following
    return ""


def _is_filter_fault(code: int, message: str) -> bool:
    return code == LITE_ILLEGAL_ARGUMENT or any(words in message for words in FILTER_FAULTS)


def _filter_fault(asked: Filter, message: str) -> UsageError:
    # Only what was typed is told, not the condition that holds it in a partition.
    cause = " ".join(message.replace(asked.expression, asked.typed).split())
    return UsageError(
        f"filter {asked.typed!r} is not valid: {cause}. Fields: {', '.join(asked.fields)}; "
        'a column of your table is metadata["NAME"], for example: metadata["price"] < 20'
    )


def _fault(address: str, action: str, code: int | None, message: str) -> ZeroshelfError:
    cause = _last_attempt(" ".join(message.split()))[:1000]
    start = f"database {address}: {action} failed: {cause}"
    if any(word in message for word in DENIED):
        return StoreError(f"{start}; check the token (user:password) and the user's rights")
    if "[Errno 28]" in message:
        return StoreError(f"{start}; the disk is full: free some space and run the command again")
    if code == CONNECT_FAILED or any(word in message for word in AWAY):
        return StoreUnavailableError(
            f"{start}; check that the server runs and answers at this address, then try again"
        )
    if code in PASSING_CODES or any(word in message for word in PASSING):
        return StoreUnavailableError(f"{start}; the server is starting, loading or busy: try again")
    if code == COLLECTION_NOT_FOUND:
        return CatalogError(f"{start}; the collection is gone: `zeroshelf rebuild` makes it anew")
    return StoreError(f"{start}; what was stored before is kept, run the command again")


def _last_attempt(message: str) -> str:
    """The end of a server's account of its own tries, which starts with stack traces."""
    return re.split(r"attempt #\d+: ", message)[-1] if "stack trace: " in message else message
