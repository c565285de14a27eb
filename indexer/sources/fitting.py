"""Makes a source of a table: recognises feeds, and finds the columns by default names."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

from indexer.core.errors import SourceError
from indexer.core.table_formats import TableFormat
from indexer.sources import addresses, formats
from indexer.sources.delimited import DelimitedTable
from indexer.sources.feeds import FEEDS, Feed, FeedTable, plain_columns
from indexer.sources.feeds.abo_images import located
from indexer.sources.folders import FILE_NAME
from indexer.sources.options import (
    ID_COLUMN,
    IMAGE_COLUMN,
    NO_COLUMN,
    TEXT_COLUMN,
    TableOptions,
)
from indexer.sources.partitioned import TableLocation
from indexer.sources.table import TableSource
from indexer.sources.table_checks import match_columns
from indexer.sources.tables import Table

_log = logging.getLogger(__name__)

_CAPTIONS = ("caption", "text", "txt")
"""Columns of captions in downloads and datasets, which have no titles; the best first."""

_DOWNLOADED = {"key", "url", "status", "error_message"}
"""Columns that img2dataset writes."""


def table_source(
    table: Table, options: TableOptions, location: TableLocation | None = None
) -> TableSource:
    """A table as a source; columns that the user did not name are found by their usual names.

    Raises:
        SourceError: it is not the feed that the user named.
    """
    columns = [*table.columns(), *(location.columns if location else ())]
    feed = _feed_of(table, columns, options)
    if feed is not None:
        return _feed_source(table, feed, columns, options, location)
    options = match_columns(sorted(columns), replace(options, format=TableFormat.PLAIN))
    return TableSource(
        table, _with_default_columns(table, set(columns), options, location), location=location
    )


def _feed_of(table: Table, columns: list[str], options: TableOptions) -> Feed | None:
    """The feed of a table: the user's, else by its columns; None for plain tables."""
    if options.format == TableFormat.PLAIN:
        return None
    names = plain_columns(columns)
    if options.format != TableFormat.AUTO:
        feed = next(known_feed for known_feed in FEEDS if known_feed.name == options.format)
        if not feed.recognises(names):
            lacking = [group for group in feed.needs if not feed.has(names, group)]
            raise SourceError(
                f"{table.address}: is no {feed.title}: it lacks a column "
                f"{', and one '.join(' or '.join(map(repr, group)) for group in lacking)}; its "
                f"columns are {', '.join(map(repr, columns))}"
            )
        return feed
    named = (options.id_column, options.image_column) != (ID_COLUMN, IMAGE_COLUMN)
    plain = {ID_COLUMN, IMAGE_COLUMN} <= set(names)
    if named or plain or options.vectors is not None:
        return None
    return next((feed for feed in FEEDS if feed.recognises(names)), None)


def _feed_source(
    table: Table,
    feed: Feed,
    columns: list[str],
    options: TableOptions,
    location: TableLocation | None,
) -> TableSource:
    if options.format == TableFormat.AUTO:
        _log.warning(
            "%s: is read as %s. --format plain reads its rows as they are.",
            location.root if location else table.address,
            feed.title,
        )
    if feed.last_takes_rest and isinstance(table, DelimitedTable):
        table = replace(table, last_takes_rest=True)
    products = FeedTable(table, feed, plain_columns(columns))
    options = replace(
        options,
        format=TableFormat(feed.name),
        id_column=_column_or(options.id_column, ID_COLUMN, products.column(feed.ids)),
        image_column=_column_or(options.image_column, IMAGE_COLUMN, products.column(feed.images)),
        text_column=_column_or(options.text_column, TEXT_COLUMN, products.column(feed.texts)),
        exclude_columns=(*options.exclude_columns, *products.consumed()),
    )
    if feed.image_pattern and not options.image_pattern:
        options = replace(options, image_pattern=_pattern(table, feed, location))
    if feed.name == "abo" and not options.image_pattern:
        return TableSource(
            located(products, location.root if location else ""), options, location=location
        )
    return TableSource(products, options, location=location)


def _column_or(value: str, default: str, detected: str) -> str:
    """The column that the user named, else the detected one."""
    return value if value != default else detected


def _pattern(table: Table, feed: Feed, location: TableLocation | None) -> str:
    """The usual pattern of a feed's pictures, if their folder exists."""
    root = location.root if location else addresses.parent(table.address)
    folder = addresses.join(root, addresses.parent(feed.image_pattern))
    if not addresses.is_folder(folder):
        raise SourceError(
            f"{table.address}: says nothing of its pictures, and there is no folder {folder}; say "
            f'where they lie, for instance --image-pattern "{feed.image_pattern}"'
        )
    return feed.image_pattern


def _with_default_columns(
    table: Table, columns: Collection[str], options: TableOptions, location: TableLocation | None
) -> TableOptions:
    """Options for a table that is no feed.

    A table with pictures inside, such as one of Hugging Face's, often has neither a column
    ``image`` nor ids.
    """
    typed = formats.typed_picture_columns(table)
    named = FILE_NAME in columns
    if options.image_column == IMAGE_COLUMN and IMAGE_COLUMN not in columns:
        image_column = FILE_NAME if named else formats.picture_column(table)
        options = replace(options, image_column=image_column)
    if options.id_column == ID_COLUMN and ID_COLUMN not in columns:
        if named and options.image_column == FILE_NAME:
            options = replace(options, id_column=FILE_NAME)
        elif set(columns) >= _DOWNLOADED:
            options = replace(options, id_column="key")
        elif options.image_columns[0] in typed:
            _log.warning(
                "%s: has no column %r: its items are called after their rows. --id-column names "
                "another column.",
                location.root if location else table.address,
                ID_COLUMN,
            )
            options = replace(options, id_column=NO_COLUMN)
    if options.text_column == TEXT_COLUMN and TEXT_COLUMN not in columns and (named or typed):
        caption = next((name for name in _CAPTIONS if name in columns), TEXT_COLUMN)
        options = replace(options, text_column=caption)
    return options
