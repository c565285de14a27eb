"""A run's knowledge of its items' URLs: whether to download, with which headers, and failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from indexer.catalog.ledger import Place
from indexer.core.credentials import is_web
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind, failure
from indexer.ingestion.stage_values import Loaded
from indexer.sources.downloads import Downloads, Spool

FindContents = Callable[[Sequence[str]], Mapping[str, Place]]


class KnownDownloads:
    """The downloads of one run.

    Args:
        spool: holds downloaded contents until they are stored.
        find_contents: finds contents of the catalog by their hashes.
        trust_urls: a URL's content never changes, so stored ones are not downloaded again.
    """

    def __init__(
        self, downloads: Downloads, spool: Spool, *, find_contents: FindContents, trust_urls: bool
    ) -> None:
        self._downloads = downloads
        self.spool = spool
        self._find_contents = find_contents
        self._trust_urls = trust_urls
        self._failed: dict[str, Failure] = {}

    def attach(self, items: Sequence[Item | Failure]) -> list[Item | Failure]:
        """The items; those of the web with the earlier download of their URL, if there is one."""
        urls = {item.source for item in items if isinstance(item, Item) and _is_download(item)}
        entries = self._downloads.find(urls) if urls else {}
        stored = self._find_contents([entry.download.content_hash for entry in entries.values()])
        attached: list[Item | Failure] = []
        for item in items:
            if isinstance(item, Item) and _is_download(item) and item.source in entries:
                entry = entries[item.source]
                download = entry.download
                is_stored = download.content_hash in stored
                trusted = entry.fresh or (is_stored and (self._trust_urls or entry.resumed))
                # "Not modified" brings no content, so it is asked for only where that is stored.
                if trusted or (is_stored and (download.etag or download.last_modified)):
                    item = replace(item, download=replace(download, trusted=trusted))
            attached.append(item)
        return attached

    def record(self, loaded: Iterable[Loaded]) -> None:
        """Record the downloads of items."""
        self._downloads.add(
            {
                entry.item.source: entry.download
                for entry in loaded
                if entry.download is not None and not entry.download.trusted
            }
        )

    def release(self, sources: Iterable[str]) -> None:
        """Drop spooled contents that are in the archive, or that failed."""
        self.spool.drop(source for source in sources if is_web(source))

    def record_failure(self, dead_letter: Failure) -> None:
        """Record the failure of a URL's content, for other items of the same URL."""
        if _is_download(dead_letter.item):
            self.release([dead_letter.item.source])
            if dead_letter.stage is not Stage.READ:
                self._failed[dead_letter.item.source] = dead_letter

    def end(self) -> None:
        """Record that the run read its sources to their end: the next one downloads again."""
        self._downloads.end()
        self.spool.clear()

    def failure_of(self, item: Item) -> Failure | None:
        """The recorded failure of an item's URL; None where there is none."""
        earlier = self._failed.get(item.source)
        return None if earlier is None else replace(earlier, item=item)

    def lost_failure(self, item: Item) -> Failure:
        """The failure of an item whose URL was downloaded for another item that never came."""
        message = f"{item.source}: was downloaded for another item, and is lost; try it again"
        return failure(item, Stage.READ, Reason.DOWNLOAD_FAILED, message)


def _is_download(item: Item) -> bool:
    return item.kind is Kind.PICTURE and item.content is None and is_web(item.source)
