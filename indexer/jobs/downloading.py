"""The downloads of a run: those of earlier runs, and the spool of its own."""

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
        earlier: downloads of earlier runs, by URL.
        spool: holds downloaded contents until they are stored.
    """

    earlier: KnownDownloads
    spool: Spool
    _downloads: Downloads

    def end(self) -> None:
        """Record that the run read its sources to their end: the next one downloads again."""
        self._downloads.end()
        self.spool.clear()


@contextlib.contextmanager
def run_downloads(
    catalog: Catalog, sources: Sequence[str], *, trust_urls: bool
) -> Iterator[RunDownloads]:
    """The downloads of a run over some sources; it resumes a killed run of the same ones.

    Args:
        sources: as the user named them.
        trust_urls: do not download a URL again.
    """
    folder = catalog.folder
    spool = Spool(folder.fetched)
    downloads = Downloads(folder.downloads, sources)
    try:
        earlier = KnownDownloads(
            downloads, spool, find_contents=catalog.ledger.find_contents, trust_urls=trust_urls
        )
        yield RunDownloads(earlier, spool, downloads)
    finally:
        downloads.close()
