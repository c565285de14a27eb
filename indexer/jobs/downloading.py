"""The downloads of a run: those of earlier runs, and the spool of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from indexer.catalog.opening import OpenCatalog
from indexer.ingestion.known_downloads import KnownDownloads
from indexer.sources.downloads import Downloads, Spool


@contextlib.contextmanager
def run_downloads(
    catalog: OpenCatalog, sources: Sequence[str], *, trust_urls: bool
) -> Iterator[KnownDownloads]:
    """The downloads of a run over some sources; it resumes a killed run of the same ones.

    Args:
        sources: as the user named them.
        trust_urls: do not download a URL again.
    """
    folder = catalog.folder
    with contextlib.closing(Downloads(folder.downloads, sources)) as downloads:
        yield KnownDownloads(
            downloads,
            Spool(folder.fetched),
            find_contents=catalog.ledger.find_contents,
            trust_urls=trust_urls,
        )
