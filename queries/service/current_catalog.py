"""The catalog, kept open as long as it is what lies on disk."""

from __future__ import annotations

import contextlib
from pathlib import Path

from indexer.catalog.folder import CatalogFolder
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog

Stamp = tuple[tuple[int, int], ...]


class OpenedCatalog:
    """One catalog, opened for reading, by one thread.

    Attributes:
        last: the catalog that was opened last; for threads that only look at it, also while it
            is opened anew.
    """

    def __init__(self, options: CatalogOptions) -> None:
        self._options = options
        self._stack = contextlib.ExitStack()
        self._stamp: Stamp = ()
        self.last: OpenCatalog | None = None

    def current(self) -> OpenCatalog:
        """The catalog as it is on disk now; opened anew where that has changed.

        It then keeps the model, unless another one made it.
        """
        previous = self.last
        if previous is not None and _stamp(previous.folder) == self._stamp:
            return previous
        self.close()
        described = _changed(_description(self._options.folder))
        catalog = self._stack.enter_context(open_catalog(self._options))
        stamp = (described, *_stamp(catalog.folder)[1:])
        same_model = previous is not None and previous.fingerprint == catalog.fingerprint
        if previous is not None and same_model and "encoder" in vars(previous):
            catalog.encoder = previous.encoder
        self.last, self._stamp = catalog, stamp
        return catalog

    def close(self) -> None:
        """Close it; the next question opens it anew."""
        self._stamp = ()
        self._stack.close()


def _stamp(folder: CatalogFolder) -> Stamp:
    """Changes with every change of what a catalog keeps open: files are replaced, not edited.

    The description comes first: by it another generation takes over. The folder that it lies in
    would not do: SQLite makes and removes files beside the ledger.
    """
    labels = (folder.of_set(name).labels for name in folder.set_names())
    return tuple(map(_changed, (_description(folder), folder.archive, *labels)))


def _description(folder: CatalogFolder) -> Path:
    return folder.root / "catalog.json"


def _changed(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_ino)
