"""Items: bring them in, look at them, take them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from indexer.core.errors import UsageError
from indexer.core.given_values import is_missing, refuse_single
from queries.service.client.answers import item_of, values_of
from queries.service.client.connection import Connection, file_part, json_of, path_of
from queries.service.client.results import NewItem, ServedItem, StoredItem


class Items(Connection):
    """Routes of ``/v1/items``, and of what an item shows or plays."""

    def add_items(self, items: Sequence[NewItem]) -> list[StoredItem]:
        """Bring in or replace items: pictures and sounds, URLs, or texts.

        Videos and bulk come by ``start_ingest``, or by the command ``zeroshelf ingest``.

        Returns:
            A result for each item, in their order.

        Raises:
            ServiceError: refused; items of earlier requests are stored.
            StoreUnavailableError: the service does not answer.
            UsageError: a picture can't be read, or what is given is no ``NewItem``.
        """
        refuse_single("items", items)
        for place, item in enumerate(items := list(items)):
            if not isinstance(item, NewItem):
                raise UsageError(f"items[{place}] is {item!r:.60}: give NewItem(item_id=...).")
        stored: list[StoredItem] = []
        for batch in self._batches(items):
            rows = [_row(item) for item in batch]
            if batch[0].picture is None:
                answer = self._ask("POST", "/v1/items", json={"items": rows})
            else:
                files = [
                    ("pictures", file_part(item.picture or b"", place))
                    for place, item in enumerate(batch)
                ]
                form = {"items": json_of({"items": rows})}
                answer = self._ask("POST", "/v1/items", files=files, data=form)
            stored += values_of(StoredItem, answer["results"])
        return stored

    def item(self, item_id: str) -> ServedItem:
        """A stored item and what is known of it.

        Raises:
            ServiceError: refused, or there is no such item.
            StoreUnavailableError: the service does not answer.
        """
        return item_of(self._ask("GET", path_of("/v1/items", item_id)))

    def remove_item(self, item_id: str) -> None:
        """Take an item out, with all its parts.

        Raises:
            ServiceError: refused, or there is no such item.
            StoreUnavailableError: the service does not answer.
        """
        self._ask("DELETE", path_of("/v1/items", item_id), repeatable=False)

    def picture(self, item_id: str, *, side: int = 256) -> bytes:
        """A stored item's picture as a JPEG; a sound's spectrogram, a frame of a video's shot.

        Args:
            item_id: of an item, or of one of its parts.
            side: pixels of the longer side, 16 to 1,024.

        Raises:
            ServiceError: refused, or there is no picture, or it can't be read any more.
            StoreUnavailableError: the service does not answer.
        """
        path = path_of("/v1/pictures", item_id)
        return self._answer("GET", path, params={"side": side}).content

    def download_sound(self, item_id: str, file: str | Path) -> Path:
        """Write a stored item's sound to a file, as it was ingested.

        Args:
            item_id: of an item, or of a window of it: the sound is written whole.

        Returns:
            The file.

        Raises:
            ServiceError: refused, or there is no sound, or it can't be read any more.
            StoreUnavailableError: the service does not answer.
            UsageError: the file can't be written.
        """
        return self._download(path_of("/v1/sounds", item_id), file)

    def download_video(self, item_id: str, file: str | Path) -> Path:
        """Write a stored item's video to a file, as it lies on the service's machine.

        Args:
            item_id: of an item, or of a shot of it: the video is written whole.

        Returns:
            The file.

        Raises:
            ServiceError: refused, or there is no video on the service's machine.
            StoreUnavailableError: the service does not answer.
            UsageError: the file can't be written.
        """
        return self._download(path_of("/v1/videos", item_id), file)

    def _batches(self, items: Sequence[NewItem]) -> Iterator[Sequence[NewItem]]:
        """Items that one request can bring: all with a picture, or all without."""
        for _, alike in groupby(items, key=lambda item: item.picture is None):
            yield from self._parts(list(alike))


def _row(item: NewItem) -> dict[str, Any]:
    row: dict[str, Any] = {
        "item_id": item.item_id,
        "title": "" if is_missing(item.title) else item.title,
        "metadata": {name: value for name, value in item.metadata.items() if not is_missing(value)},
    }
    return row if item.url is None else row | {"url": item.url}
