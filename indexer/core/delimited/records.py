"""The records of a delimited text: each line is part of one, or a problem with its number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice, takewhile

from indexer.core.delimited.dialects import SAMPLED_LINES, Dialect, Quoting, find_dialect
from indexer.core.delimited.spans import MAX_SPAN_LINES, Shapes, with_tabs

Record = tuple[int, list[str] | None, str]
"""Line where it begins, its fields (None where it can't be read), and why it can't."""

UNCLOSED = "quotation marks do not match"
"""How the problem of marks that do not match begins."""

NOT_UNICODE = "is not UTF-8"
"""How the problem of a wrong encoding ends."""

_LOST = f"{UNCLOSED} above, and this line is not like other rows"

_GOES_ON = f"{UNCLOSED}: its text seems to go on in the lines after it"

_BEGAN_ABOVE = f"{UNCLOSED}: its text seems to begin in the lines above"

# Lines in memory at once: a table of any length is read in the same memory.
_CHUNK_LINES = 4096
_MORE_LINES = 256
_TEXT_LINES = 100
"""Lines of a text without marks that are looked at for the mark that closes it."""
_MAX_FIELD = 2**24

# The limit is one of the whole process, 131,072 at first: descriptions in HTML are longer.
csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))


class HeaderError(ValueError):
    """The first record can't be read, or there is none."""


class DelimitedText:
    """One pass over a text.

    Chunks of lines are parsed at once. A chunk in which all records are single lines of as many
    fields as the header is done then; others are read again record by record.

    Args:
        lines: the text, with line ends as they are; bytes of another encoding as surrogates.
        dialect: how it is written.
        pads: a record may have fewer fields than the header; the others are empty.
        last_takes_rest: in a record of more fields than the header, those are the last one's.

    Attributes:
        names: fields of the header.

    Raises:
        HeaderError: it has no header.
    """

    def __init__(
        self,
        lines: Iterable[str],
        dialect: Dialect,
        *,
        pads: bool = False,
        last_takes_rest: bool = False,
    ) -> None:
        self.dialect = dialect
        self._pads = pads
        self._last_takes_rest = last_takes_rest
        self._lines = iter(lines)
        self._buffer: list[str] = []
        self._line = 1  # number of the first line in the buffer
        self._error: Exception | None = None
        self._is_lost = False  # between marks that do not match and the next record
        # Marks in the last lines, where these have fewer fields than a record.
        self._short: int | None = None
        self._fill(SAMPLED_LINES)
        self._drop(dialect.header_line - 1)
        while self._buffer and not self._buffer[0].strip("\r\n"):
            self._drop(1)
        self.names = self._header()
        self._sample = self._buffer[:]

    def records(self) -> Iterator[Record]:
        """Every record below the header; blank lines are none."""
        for chunk in self.chunks():
            yield from chunk

    def chunks(self) -> Iterator[list[Record]]:
        """The records in lists, those that can't be read among them.

        Raises:
            Exception: what the lines raise; what was read before has been yielded.
        """
        while True:
            self._fill(_CHUNK_LINES)
            if not self._buffer:
                break
            yield self._at_once() or self._one_by_one(len(self._buffer))
        if self._error is not None:
            raise self._error

    def _at_once(self) -> list[Record]:
        """The records of the buffer, which they leave; none where anything is doubtful."""
        lines, width = self._buffer, len(self.names)
        reader = self.dialect.reader(lines)
        rows: list[list[str]] = []
        ends: list[int] = []
        try:
            for row in reader:
                rows.append(row)
                ends.append(reader.line_num)
        except csv.Error as error:
            if "end of data" not in str(error) or self._error is not None:
                return []
            # The last record goes on below the buffer: it is left for the next time.
        doubtful = self._is_lost or self._short is not None
        if not rows or doubtful or set(map(len, rows)) != {width}:
            return []
        if self._error is None and len(lines) >= _CHUNK_LINES and len(rows) > 1:
            rows, ends = rows[:-1], ends[:-1]  # the lines after it may be part of the last one
        used = ends[-1]
        if not is_unicode("".join(lines[:used])):
            return []
        starts = [0, *ends[:-1]]
        if used > len(rows) and not self.dialect.trusted:
            spans = (lines[start:end] for start, end in zip(starts, ends, strict=True))
            if not all(len(span) == 1 or self._shapes.believed(span) for span in spans):
                return []
        first_line = self._line
        self._drop(used)
        return [(first_line + start, row, "") for start, row in zip(starts, rows, strict=True)]

    @cached_property
    def _shapes(self) -> Shapes:
        return Shapes.of(self._sample, self.dialect, len(self.names))

    def _header(self) -> list[str]:
        if not self._buffer:
            if self._error is not None:
                raise HeaderError(f"the header can't be read ({self._error})") from self._error
            raise HeaderError("is empty; the first line must name the columns")
        reader = self.dialect.reader(self._from(0))
        try:
            names = next(reader)
        except csv.Error as error:
            raise HeaderError(f"the header can't be read ({error}); correct it") from error
        span = self._buffer[: reader.line_num]
        if len(span) > 1 and {len(self.dialect.split(line)) for line in span} == {len(names)}:
            raise HeaderError(f"the header can't be read ({UNCLOSED}); correct it")
        self._drop(len(span))
        return names

    def _one_by_one(self, end: int) -> list[Record]:
        """The records that begin on the buffer's first ``end`` lines; they leave the buffer."""
        records = []
        position = 0
        while position < end:
            if self._is_blank(self._buffer[position]):
                position += 1
                continue
            record, used = self._record(position)
            if record[1] is not None and (doubt := self._doubt(record[1], position, used)):
                record, used = (record[0], None, doubt), 1 if doubt == _LOST else used
            line = self._buffer[position]
            if record[1] is None and self._has_few_fields(line):
                self._short = (self._short or 0) + _marks(line)
            else:
                self._short = None
            self._is_lost = record[1] is None and (self._is_lost or UNCLOSED in record[2])
            records.append(record)
            position += used
        self._drop(position)
        return records

    def _doubt(self, fields: Sequence[str], position: int, used: int) -> str:
        """Why a record may be a part of one only; empty where nothing says so.

        A text over several lines that lacks a mark leaves a line that looks like a record: its
        first line, where the text is the last field, or its last line, where it is the first.
        """
        if self._is_lost and not self._shapes.resumed(fields):
            return _LOST
        if self._pads or (self.dialect.trusted and self.dialect.quoting is Quoting.NONE):
            return ""
        lines = self._buffer[position : position + used]
        odd = self._short is not None and (self._short + _marks("".join(lines))) % 2
        if odd and not self._shapes.begins(lines[0]):
            return _BEGAN_ABOVE
        after = position + used
        after += sum(1 for _ in takewhile(self._is_blank, self._from(after)))
        rest = self._short_lines(after)
        if not rest or self._shapes.begins(rest[0]) or _opens(rest[0]):
            return ""
        if not self._read(after, self.dialect)[2]:
            return ""  # they begin a record that runs over lines
        doubtful = _marks("".join(rest)) % 2
        if self.dialect.quoting is Quoting.NONE:
            last = lines[-1].rsplit(self.dialect.delimiter, 1)[-1]
            doubtful = doubtful or _marks(last) % 2
        return _GOES_ON if doubtful else ""

    def _short_lines(self, position: int) -> list[str]:
        """The lines from one on that have fewer fields than a record, up to the next other."""
        problems: list[str] = []
        for line in islice(self._from(position), _TEXT_LINES):
            if self._is_blank(line):
                continue
            if not self._has_few_fields(line):
                break
            problems.append(line)
        return problems

    def _has_few_fields(self, line: str) -> bool:
        return line.count(self.dialect.delimiter) < len(self.names) - 1

    def _is_blank(self, line: str) -> bool:
        return not line.strip("\r\n" if len(self.names) == 1 else " \r\n")

    def _record(self, position: int) -> tuple[Record, int]:
        """The record that begins on a line, and the number of its lines."""
        number = self._line + position
        problem = ""
        for dialect in _readings(self.dialect, self._buffer[position]):
            fields, used, cause = self._read(position, dialect)
            if not cause:
                return (number, fields, ""), used
            problem = problem or cause
        return (number, None, problem), 1

    def _read(self, position: int, dialect: Dialect) -> tuple[list[str], int, str]:
        """Fields from a line on, the number of their lines, and why they are no record."""
        reader = dialect.reader(self._from(position))
        width = len(self.names)
        try:
            fields = next(reader)
        except csv.Error as error:
            return [], 1, f"{UNCLOSED} ({error})"
        if len(fields) > width and not any(fields[width:]):
            del fields[width:]  # separators at the end of the line
        if len(fields) > width and self._last_takes_rest:
            fields[width - 1 :] = [self.dialect.delimiter.join(fields[width - 1 :])]
        if self._pads:
            fields += [""] * (width - len(fields))
        used = reader.line_num
        cause = ""
        if len(fields) != width:
            cause = f"has {len(fields)} fields, the header names {width}"
        if used > 1 and not dialect.trusted:
            span = self._buffer[position : position + used]
            if cause or not self._shapes.believed(span):
                cause = f"{UNCLOSED}: the lines after it look like rows of their own"
        if not cause and not is_unicode("".join(fields)):
            wrong = next(
                name
                for name, value in zip(self.names, fields, strict=True)
                if not is_unicode(value)
            )
            cause = f"the column {wrong!r} {NOT_UNICODE}"
        return fields, used, cause

    def _from(self, position: int) -> Iterator[str]:
        """The lines from one of the buffer on, as many as a record may have."""
        for place in range(position, position + MAX_SPAN_LINES):
            if place >= len(self._buffer):
                self._fill(place + _MORE_LINES)
                if place >= len(self._buffer):
                    return
            yield self._buffer[place]

    def _fill(self, count: int) -> None:
        """Read on until the buffer has so many lines, or there are no more."""
        if self._error is None:
            try:
                # What came before an error stays in the buffer.
                self._buffer.extend(islice(self._lines, max(0, count - len(self._buffer))))
            except Exception as error:  # noqa: BLE001 - raised when all before it is read
                self._error = error

    def _drop(self, lines: int) -> None:
        del self._buffer[:lines]
        self._line += lines


def read_text(text: str, *, expected: str = ",") -> list[Record]:
    """All records of a text that is in memory, the header first, short ones filled up.

    Args:
        expected: the separator that decides where the lines do not.

    Raises:
        HeaderError: it has no header.
    """
    lines = list(io.StringIO(text, newline=""))
    sample = lines[:SAMPLED_LINES]
    dialect = with_tabs(find_dialect(sample, expected=expected), sample, lines)
    reader = DelimitedText(lines, dialect, pads=True)
    return [(dialect.header_line, reader.names, ""), *reader.records()]


def _marks(text: str) -> int:
    """Quotation marks in a text, without those that a backslash makes characters."""
    return text.count('"') - text.count('\\"')


def _opens(line: str) -> bool:
    """Whether a line begins with a mark that encloses its first field."""
    return line.startswith('"') and not line.startswith('""')


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _readings(dialect: Dialect, line: str) -> Sequence[Dialect]:
    """A text's dialect, then those that a line by itself may be written in."""
    if dialect.trusted or dialect.quoting is not Quoting.DOUBLE:
        return (dialect,)
    others = []
    if "\\" in line:
        others.append(replace(dialect, quoting=Quoting.BACKSLASH))
    if f'{dialect.delimiter} "' in line:
        others.append(replace(dialect, skips_blanks=True))
    return (dialect, *others)
