"""Translates errors of pymilvus and gRPC to zeroshelf's, and keeps pymilvus' log off stderr."""

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

# Codes of a server, and of pymilvus (2).
COLLECTION_NOT_FOUND = 100
CONNECT_FAILED = 2

FILTER_FAULTS = (
    "cannot parse expression",
    "failed to create query plan",
    "invalid expression",
    "unsupported expr",  # a filter without a field, such as 1 == 1
    "val_case()",  # values of several types in one list
)
"""Servers' messages about an invalid filter; their code for it (65535, later 1100) is not
specific."""

LITE_ILLEGAL_ARGUMENT = 6
"""Milvus Lite's code for a filter that it can't read."""

UNREACHABLE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "Retry timeout", "Retry run out", "Timeout")
TRANSIENT = (
    "node not match",
    "node not found",
    "not ready",
    "not fully loaded",
    "not healthy",
    "rate limit exceeded",
    "too many requests",
)
"""Messages of a server in its first half minute after a crash, with any code."""

TRANSIENT_CODES = frozenset({101, 103, 503, 901, 902, 904, 906})
"""Not loaded (yet), channel or node not there. Codes below 100 mean other things in Milvus Lite."""

UNAUTHORIZED = ("UNAUTHENTICATED", "auth check failure", "PERMISSION_DENIED", "unauthenticated")

LOGGERS = ("pymilvus", "pymilvus.milvus_client", "pymilvus.bulk_writer", "milvus_lite")


def silence_logs() -> None:
    """Take the log of pymilvus and Milvus Lite off stderr.

    Importing pymilvus gives its loggers handlers of their own, which print a traceback
    for every error, although each also raises; users see the raised one.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False


@contextmanager
def translate_errors(address: str, action: str, row_filter: Filter = EVERYTHING) -> Iterator[None]:
    """Raise errors of pymilvus and gRPC from the block as a ``ZeroshelfError``.

    Args:
        address: the database, for the message.
        action: what is being done, for the message: "writing 5 rows to catalog_items_001".
        row_filter: the filter in the call.

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
        if row_filter.typed and _is_filter_fault(error.code, message):
            raise _filter_fault(row_filter, message) from error
        message += _transport_cause(error)
        raise _fault(address, action, error.code, message) from error
    except grpc.RpcError as error:
        raise _fault(address, action, None, f"{error.code()} {error.details()}") from error


def _transport_cause(error: BaseException) -> str:
    """What gRPC said, which pymilvus hides: "server unavailable" may be a wrong password."""
    import grpc

    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:  # an error of pymilvus can be its own cause
        if isinstance(cause, grpc.RpcError) and isinstance(cause, grpc.Call):
            return f" ({cause.code().name}: {cause.details()})"
        seen.add(id(cause))
        following = cause.__cause__ or cause.__context__
        cause = cause.__context__ if following is cause else following
    return ""


def _is_filter_fault(code: int, message: str) -> bool:
    return code == LITE_ILLEGAL_ARGUMENT or any(words in message for words in FILTER_FAULTS)


def _filter_fault(row_filter: Filter, message: str) -> UsageError:
    cause = _filter_cause(row_filter, message)
    fields = ", ".join(row_filter.fields)
    return UsageError(
        f"filter {row_filter.typed!r} is not valid: {cause} Fields: {fields}; "
        'a column of your table is metadata["NAME"], for example: metadata["price"] < 20'
    )


def _filter_cause(row_filter: Filter, message: str) -> str:
    """What is wrong in what the user typed, in one line.

    Milvus Lite quotes the filter above a caret, which says nothing in one line, and counts its
    columns from the condition on the partition, which the user did not type.
    """
    shown = message.replace(row_filter.expression, row_filter.typed)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    quoted = " ".join(row_filter.typed.split())
    cause = ": ".join(line for line in lines if line not in {"", "^", quoted})
    start = row_filter.expression.rfind(row_filter.typed)

    def column(match: re.Match[str]) -> str:
        # A list is rewritten for Milvus Lite: a column of that is none of the typed filter.
        return f" at column {max(int(match[1]) - start, 1)}" if start >= 0 else ""

    cause = re.sub(r" at column (\d+)", column, cause).rstrip(".")
    return cause if cause.endswith("?") else f"{cause}."


def _fault(address: str, action: str, code: int | None, message: str) -> ZeroshelfError:
    cause = _last_attempt(" ".join(message.split()))[:1000]
    start = f"database {address}: {action} failed: {cause}"
    if any(word in message for word in UNAUTHORIZED):
        return StoreError(f"{start}; check the token (user:password) and the user's rights")
    if "[Errno 28]" in message:
        return StoreError(f"{start}; the disk is full: free some space and run the command again")
    if code == CONNECT_FAILED or any(word in message for word in UNREACHABLE):
        return StoreUnavailableError(
            f"{start}; check that the server runs and answers at this address, then try again"
        )
    if code in TRANSIENT_CODES or any(word in message for word in TRANSIENT):
        return StoreUnavailableError(f"{start}; the server is starting, loading or busy: try again")
    if code == COLLECTION_NOT_FOUND:
        return CatalogError(f"{start}; the collection is gone: `zeroshelf rebuild` makes it again")
    if "://" not in address:
        # Milvus Lite reports a damaged file by the words of whatever library read it.
        return StoreError(
            f"{start}; if its files are damaged, `zeroshelf rebuild` makes them anew from the "
            "archive"
        )
    return StoreError(f"{start}; what was stored before is kept, run the command again")


def _last_attempt(message: str) -> str:
    """A server's message about its last try, without the stack traces of those before."""
    return re.split(r"attempt #\d+: ", message)[-1] if "stack trace: " in message else message
