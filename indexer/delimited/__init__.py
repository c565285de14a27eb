"""Delimited text (CSV, TSV): how it is written, and its records. One reader for all commands."""

from indexer.delimited.dialects import SAMPLED_LINES, Dialect, Quoting, find_dialect
from indexer.delimited.encodings import text_of
from indexer.delimited.records import (
    NOT_UNICODE,
    UNCLOSED,
    DelimitedText,
    HeaderError,
    Record,
    is_unicode,
)
from indexer.delimited.spans import Shapes, consistently_quoted

__all__ = [
    "NOT_UNICODE",
    "SAMPLED_LINES",
    "UNCLOSED",
    "DelimitedText",
    "Dialect",
    "HeaderError",
    "Quoting",
    "Record",
    "Shapes",
    "consistently_quoted",
    "find_dialect",
    "is_unicode",
    "text_of",
]
