"""Patterns of names: ``part-*.parquet``, ``shop=*/**/*.csv``, here and at addresses."""

from __future__ import annotations

import glob
from pathlib import Path

from indexer.core.errors import SourceError
from indexer.core.object_stores import in_words, package_missing
from indexer.sources import addresses


def is_pattern(address: str) -> bool:
    """Whether an address is a pattern; a file of exactly that name is none, nor is a URL."""
    _, place, _ = addresses.split_chain(address)
    if addresses.is_web(place) or not glob.has_magic(place):
        return False
    return addresses.is_remote(address) or not Path(address).exists()


def root_of(pattern: str) -> str:
    """The folder that all matches lie in: the pattern up to the first part with a wildcard."""
    prefix, place, suffix = addresses.split_chain(pattern)
    protocol, mark, path = place.rpartition("://")
    names = path.split("/")
    plain = next(number for number, name in enumerate(names) if glob.has_magic(name))
    return f"{prefix}{protocol}{mark}{'/'.join(names[:plain])}{suffix}"


def matches(pattern: str) -> list[str]:
    """Paths below ``root_of(pattern)`` that match, sorted; folders end with a slash.

    Hidden names are left out, and names that begin with ``_``, such as ``_SUCCESS`` of writers
    of tables, unless the pattern begins so.

    Raises:
        SourceError: nothing matches, or the address can't be listed.
    """
    root = root_of(pattern)
    paths = _remote(pattern, root) if addresses.is_remote(pattern) else _local(pattern, root)
    shown = [path for path in paths if not is_mark(path)]
    if addresses.name(pattern).startswith((".", "_")):
        shown = paths
    if not shown:
        raise SourceError(f"{pattern}: no file matches; check the pattern")
    return sorted(shown)


def is_mark(path: str) -> bool:
    """Whether a path is hidden, or a writer's file beside its tables.

    Spark leaves these out too (``HadoopFSUtils.shouldFilterOutPathName``).
    """
    return any(
        name.startswith(".") or (name.startswith("_") and "=" not in name)
        for name in path.strip("/").split("/")
    )


def _local(pattern: str, root: str) -> list[str]:
    relative = pattern[len(root) :].lstrip("/")
    top = Path(root or "/")
    paths = glob.glob(relative, root_dir=top, recursive=True)  # noqa: PTH207 - Path's find hidden
    return [f"{path.rstrip('/')}/" if (top / path).is_dir() else path for path in paths]


def _remote(pattern: str, root: str) -> list[str]:
    from fsspec.core import url_to_fs

    try:
        _, place, _ = addresses.split_chain(pattern)
        _, top, _ = addresses.split_chain(root)
        relative = place[len(top) :].lstrip("/")
        with in_words(pattern):
            files, folder = url_to_fs(root)
            files.invalidate_cache()
            entries = files.glob(f"{folder.rstrip('/')}/{relative}".lstrip("/"), detail=True)
    except ImportError as error:
        raise SourceError(package_missing(pattern, error)) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{pattern}: can't be listed ({error}); check the address") from error
    above = len(folder.strip("/")) + 1 if folder.strip("/") else 0
    return [
        path.strip("/")[above:] + ("/" if entry["type"] == "directory" else "")
        for path, entry in entries.items()
    ]
