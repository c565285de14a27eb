"""What a run knows of its items' URLs: whether to ask, what to ask with, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from indexer.catalog.ledger import Place
from indexer.core.credentials import is_web
from indexer.core.failures import failure
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind
from indexer.ingestion.stage_values import Loaded
from indexer.sources.downloads import Downloads, Spool

FindContents = Callable[[Sequence[str]], Mapping[str, Place]]


class KnownDownloads:
    """The downloads of one run.

    Args:
        find_contents: which contents the catalog has, by their hashes.
        trust_urls: what a URL gave once it gives for ever: servers are not asked.
    """

    def __init__(
        self, downloads: Downloads, spool: Spool, *, find_contents: FindContents, trust_urls: bool
    ) -> None:
        self._downloads = downloads
        self._spool = spool
        self._find_contents = find_contents
        self._trust_urls = trust_urls
        self._failed: dict[str, Failure] = {}

    def attached(self, items: Sequence[Item | Failure]) -> list[Item | Failure]:
        """The items; those of the web with what their URL gave before, if it is at hand."""
        urls = {one.source for one in items if isinstance(one, Item) and _is_download(one)}
        known = self._downloads.find(urls) if urls else {}
        stored = self._find_contents([one.download.content_hash for one in known.values()])
        found: list[Item | Failure] = []
        for one in items:
            entry = known.get(one.source) if isinstance(one, Item) and _is_download(one) else None
            if isinstance(one, Item) and entry is not None:
                download = entry.download
                is_stored = download.content_hash in stored
                trusted = entry.fresh or (is_stored and (self._trust_urls or entry.resumed))
                if trusted or (is_stored and (download.etag or download.last_modified)):
                    one = replace(one, download=replace(download, trusted=trusted))
            found.append(one)
        return found

    def remember(self, loaded: Iterable[Loaded]) -> None:
        """Keep what the URLs of items gave."""
        self._downloads.add(
            {
                one.item.source: one.download
                for one in loaded
                if one.download is not None and not one.download.trusted
            }
        )

    def stored(self, sources: Iterable[str]) -> None:
        """Forget contents that are in the archive, or that nothing becomes of."""
        self._spool.drop(source for source in sources if is_web(source))

    def failed(self, dead: Failure) -> None:
        """Remember what a URL's content failed with, for others of the same URL."""
        if _is_download(dead.item):
            self.stored([dead.item.source])
            if dead.stage is not Stage.READ:
                self._failed[dead.item.source] = dead

    def failure_of(self, item: Item) -> Failure | None:
        """Why there is no vector for an item whose URL was not asked again; None while unknown."""
        before = self._failed.get(item.source)
        return None if before is None else replace(before, item=item)

    def lost(self, item: Item) -> Failure:
        """The failure of an item whose URL was downloaded for another one that never came."""
        message = f"{item.source}: was downloaded for another item, and is lost; try it again"
        return failure(item, Stage.READ, Reason.DOWNLOAD_FAILED, message)


def _is_download(item: Item) -> bool:
    return item.kind is Kind.PICTURE and item.content is None and is_web(item.source)
