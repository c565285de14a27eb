"""Delimited text (CSV, TSV): how it is written, and its records. One reader for all commands."""

from indexer.core.delimited.dialects import (
    DELIMITERS,
    SAMPLED_LINES,
    Dialect,
    Quoting,
    find_dialect,
)
from indexer.core.delimited.encodings import text_of
from indexer.core.delimited.records import (
    NOT_UNICODE,
    UNCLOSED,
    DelimitedText,
    HeaderError,
    Record,
    is_unicode,
    read_text,
)
from indexer.core.delimited.spans import with_tabs

__all__ = [
    "DELIMITERS",
    "NOT_UNICODE",
    "SAMPLED_LINES",
    "UNCLOSED",
    "DelimitedText",
    "Dialect",
    "HeaderError",
    "Quoting",
    "Record",
    "find_dialect",
    "is_unicode",
    "read_text",
    "text_of",
    "with_tabs",
]
