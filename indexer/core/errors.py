"""The tree of errors that zeroshelf raises.

    ZeroshelfError
    |-- UsageError            the call itself is wrong (exit code 2)
    |   |-- ConfigError       a configuration file or value
    |   |-- SourceError       an unreadable, empty or misdescribed source
    |   `-- TaxonomyError     a label file: cycles, orphans, duplicate ids
    |-- ModelError            a model that is not at hand or does not load
    |   `-- ModelMismatchError  a catalog made by another model
    |-- StoreError            the database refused or failed
    |   |-- StoreUnavailableError  not reachable now; trying again may help
    |   `-- StoreLockedError  another process holds the Milvus Lite file
    |-- CatalogError          a catalog that is missing, damaged or in use
    |   `-- DamagedShardError   a shard of the archive that can't be read
    |-- ClusterError          Ray is away, or its workers die again and again
    |-- StoppedError          a job was stopped before its end
    `-- ItemError             one input that can't be used; becomes a dead letter

Every message names the item, the cause and the remedy, and has no credentials of an
address in it. Adapters translate the errors of the libraries they wrap with
``raise ... from``.
"""

from __future__ import annotations

from pathlib import PurePath

from indexer.core.credentials import without_credentials
from indexer.core.reasons import Reason


class ZeroshelfError(Exception):
    """Base of every error that zeroshelf raises on purpose."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(without_credentials(message))


class UsageError(ZeroshelfError):
    """The call can't be carried out as it was made."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file or value is not valid."""


class SourceError(UsageError):
    """A source can't be read, is empty, or is not as the options describe it."""


class TaxonomyError(UsageError):
    """A label file or label set is not a valid taxonomy."""


class ModelError(ZeroshelfError):
    """A model is not at hand or does not load."""


class ModelMismatchError(ModelError):
    """The catalog was made by another model than the one given."""


class StoreError(ZeroshelfError):
    """The database refused a call, or failed in it."""


class StoreUnavailableError(StoreError):
    """The database can't be reached now; trying again may help."""


class StoreLockedError(StoreError):
    """Another process holds the Milvus Lite database."""


class CatalogError(ZeroshelfError):
    """A catalog is missing, damaged, or in use by another process."""


class DamagedShardError(CatalogError):
    """A shard of the archive is missing or damaged."""


class ClusterError(ZeroshelfError):
    """Ray can't be reached, has no room, or lost its workers."""


class StoppedError(ZeroshelfError):
    """A job was stopped before its end."""


class ItemError(ZeroshelfError):
    """One input can't be used; the pipeline turns it into a dead letter.

    Args:
        reason: the class of the cause, counted in summaries.
        message: what happened and what to do, for people.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[ItemError], tuple[Reason, str]]:
        return type(self), (self.reason, str(self))


def first_line(error: Exception) -> str:
    """What a library's error says first, without a full stop, or else its type's name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def refuse_single_texts(**lists: object) -> None:
    """Refuse a text where a list of them is meant: its letters would be taken one by one.

    Args:
        lists: arguments by their names.

    Raises:
        UsageError: one is a text, bytes or a path.
    """
    for name, values in lists.items():
        if isinstance(values, str | bytes | PurePath):
            raise UsageError(f"{name} is a list: give [{values!r:.60}].")
