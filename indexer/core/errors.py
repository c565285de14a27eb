"""The tree of errors that zeroshelf raises.

    ZeroshelfError
    |-- UsageError            the call itself is wrong
    |   |-- ConfigError       a configuration file or value
    |   |-- SourceError       an unreadable, empty or misdescribed source
    |   `-- TaxonomyError     a label file: cycles, orphans, duplicate ids
    |-- ModelError            a model that is not at hand or does not load
    |   `-- ModelUsageError   a model, or an option of it, that can't be meant
    |       `-- ModelMismatchError  a catalog made by another model
    |-- StoreError            the database refused or failed
    |   |-- StoreUnavailableError  not reachable now; trying again may help
    |   `-- StoreLockedError  another process holds the Milvus Lite file
    |-- CatalogError          a catalog that is damaged, in use, or not in the state for a call
    |   |-- UnknownCatalogError  there is no catalog of this name
    |   |-- UnknownItemError  a catalog has no item of this id
    |   `-- DamagedShardError  a shard of the archive that can't be read
    |-- ClusterError          Ray is away, or its workers die again and again
    |-- StoppedError          a job was stopped before its end
    `-- ItemError             one input that can't be used; becomes a dead letter

Every message names the item, the cause and the remedy, and has no credentials of an
address in it. Adapters translate the errors of the libraries they wrap with
``raise ... from``. ``exit_codes.ExitCode`` says which code a command ends with.
"""

from __future__ import annotations

from indexer.core.credentials import without_credentials
from indexer.core.exit_codes import ExitCode
from indexer.core.reasons import Reason


class ZeroshelfError(Exception):
    """Base of every error that zeroshelf raises on purpose."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str = "") -> None:
        super().__init__(without_credentials(message))


class UsageError(ZeroshelfError):
    """The call can't be carried out as it was made."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A configuration file or value is not valid."""


class SourceError(UsageError):
    """A source can't be read, is empty, or is not as the options describe it."""


class TaxonomyError(UsageError):
    """A label file or label set is not a valid taxonomy."""


class ModelError(ZeroshelfError):
    """A model is not at hand or does not load."""


class ModelUsageError(ModelError):
    """A model that is named is not there, or an option does not fit it."""

    exit_code = ExitCode.USAGE


class ModelMismatchError(ModelUsageError):
    """The catalog was made by another model than the one given."""


class StoreError(ZeroshelfError):
    """The database refused a call, or failed in it."""


class StoreUnavailableError(StoreError):
    """The database can't be reached now; trying again may help."""


class StoreLockedError(StoreError):
    """Another process holds the Milvus Lite database."""


class CatalogError(ZeroshelfError):
    """A catalog is damaged, in use by another process, or not in the state that a call needs."""


class UnknownCatalogError(CatalogError):
    """There is no catalog of the name that was given."""

    exit_code = ExitCode.USAGE


class UnknownItemError(CatalogError):
    """A catalog has no item of an id that was given."""

    exit_code = ExitCode.USAGE


class DamagedShardError(CatalogError):
    """A shard of the archive is missing or damaged."""


class ClusterError(ZeroshelfError):
    """Ray can't be reached, has no room, or lost its workers."""


class StoppedError(ZeroshelfError):
    """A job was stopped before its end."""

    exit_code = ExitCode.STOPPED


class ItemError(ZeroshelfError):
    """One input can't be used; the pipeline turns it into a dead letter.

    Args:
        reason: the class of the cause, counted in summaries.
        message: what happened and what to do, for people.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        # A command that takes one input ends with it: a file that is not there was misspelt.
        self.exit_code = ExitCode.USAGE if reason is Reason.MISSING else ExitCode.FAILED

    def __reduce__(self) -> tuple[type[ItemError], tuple[Reason, str]]:
        return type(self), (self.reason, str(self))


def first_line(error: Exception) -> str:
    """What a library's error says first, without a full stop, or else its type's name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
