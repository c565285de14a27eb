"""What a job that downloads keeps from run to run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexer.catalog.opened import Catalog
from indexer.ingestion.known_downloads import KnownDownloads
from indexer.sources.downloads import Downloads, Spool


@dataclass(frozen=True, slots=True)
class RunDownloads:
    """The downloads of one run.

    Attributes:
        known: what the catalog's URLs gave before.
        spool: keeps what is downloaded until it is stored.
    """

    known: KnownDownloads
    spool: Spool
    _downloads: Downloads

    def end(self) -> None:
        """The run read its sources to their end: the next one asks the servers again."""
        self._downloads.end()
        self.spool.clear()


@contextlib.contextmanager
def run_downloads(
    catalog: Catalog, sources: Sequence[str], *, trust_urls: bool
) -> Iterator[RunDownloads]:
    """The downloads of a run over some sources; what a killed one had is gone on with.

    Args:
        sources: as the user named them.
        trust_urls: do not ask for what was downloaded before.
    """
    folder = catalog.folder
    spool = Spool(folder.fetched)
    downloads = Downloads(folder.downloads, sources)
    try:
        known = KnownDownloads(
            downloads, spool, find_contents=catalog.ledger.find_contents, trust_urls=trust_urls
        )
        yield RunDownloads(known, spool, downloads)
    finally:
        downloads.close()
