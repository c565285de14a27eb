"""Whether a quoted field that runs over line breaks is one, or a mark that was never closed.

A mark that opens a field by mistake swallows the lines up to the next mark. What it swallowed
looks like records; the lines of a long description do not. To tell them apart, each column's
values have a shape: which characters they are made of.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from indexer.core.delimited.dialects import Dialect, Quoting

MAX_SPAN_LINES = 10_000
"""Lines that one record may run over. A mark that is never closed is given up there."""

_TYPICAL = 0.7
"""Share of a column's values that must be alike for their shape to count."""

_CHECKED_LINES = 50
"""Lines of a span that are looked at."""

_DAMAGED_LINES = 100
"""More lines with marks that enclose nothing than others: the rest of a text is not read."""

_SHAPED_CHARACTERS = 100
"""Characters of a value that make its shape."""

Shape = frozenset[str]


@dataclass(frozen=True)
class Shapes:
    """What the values of each column are made of: letters, digits, and which other characters.

    Attributes:
        dialect: how the text is written.
        width: number of columns.
        typical: shape by column, of those whose values are alike.
    """

    dialect: Dialect
    width: int
    typical: dict[int, Shape]

    @classmethod
    def of(cls, sample: Sequence[str], dialect: Dialect, width: int) -> Shapes:
        """Shapes of a sample of lines, read as if all marks in it were right."""
        rows = [fields for fields in _rows(sample, dialect) if len(fields) == width]
        typical = {}
        for column, values in enumerate(zip(*rows, strict=True)):
            ((shape, count),) = Counter(map(_shape, values)).most_common(1)
            # Empty values say nothing: a line of separators alone would have that shape.
            if shape and count > 1 and count >= _TYPICAL * len(rows):
                typical[column] = shape
        return cls(dialect, width, typical)

    def believed(self, lines: Sequence[str]) -> bool:
        """Whether a record that runs over these lines is one.

        Not so where half of the lines after the first look like records of their own: as
        many fields as the header, and most values of the shape of their column. The end of the
        last line is that of a record either way, so only its columns before the one that runs
        over the lines can tell.
        """
        if self.width == 1 or len(lines) == 1:
            return True
        checked = lines[1 : _CHECKED_LINES + 1]
        least = self.width - 1  # separators of a record
        mark = self.dialect.delimiter
        if self.typical and 2 * sum(line.count(mark) >= least for line in checked) < len(checked):
            return True
        rows = [self.dialect.split(line) for line in checked]
        if not self.typical:
            # Long texts have commas, but no tabs. Where the first line is less than a record
            # without its mark, the mark encloses a field.
            first = lines[0].rstrip("\r\n").split(mark)
            whole = all(len(row) == self.width for row in (first, *rows))
            return self.dialect.delimiter != "\t" or not whole
        fits = [self._fits(row, self.width) for row in rows]
        if len(rows) == len(lines) - 1:
            opened = self._opened(lines[0])
            if any(column < (opened or 1) for column in self.typical):
                fits[-1] = self._fits(rows[-1], opened or 1)
            else:  # nothing before the text tells: then the first line, and what follows there
                fits[-1] = self._is_whole(lines[0], opened)
        return 2 * sum(fits) < len(fits)

    def _is_whole(self, line: str, opened: int) -> bool:
        """Whether a line in which a mark is open is a record by itself, without that mark."""
        fields = line.rstrip("\r\n").split(self.dialect.delimiter)
        behind = [column for column in self.typical if column > opened]
        return len(fields) == self.width and all(
            _shape(fields[column]) == self.typical[column] for column in behind
        )

    def resumed(self, fields: Sequence[str]) -> bool:
        """Whether fields are a record again, after a line whose marks do not match.

        The end of a text that runs over lines has the last columns of its record, so the first
        column must be right, too.
        """
        narrowest = min(self.typical, default=None)
        if narrowest is None:
            return True
        return _shape(fields[narrowest]) == self.typical[narrowest] and self._fits(
            fields, self.width
        )

    def begins(self, line: str) -> bool:
        """Whether a line begins as records do, by its first column.

        Only digits tell: a line of a text may be a word, as a title is.
        """
        first = line.split(self.dialect.delimiter, 1)[0]
        return "9" in self.typical.get(0, ()) and _shape(first) == self.typical[0]

    def _opened(self, line: str) -> int:
        """The column whose mark is open at the end of a line."""
        settings = self.dialect.settings() | {"strict": False}
        return max(0, len(next(csv.reader((line,), **settings), [])) - 1)

    def _fits(self, fields: Sequence[str], columns: int) -> bool:
        """Whether fields are a record's, by the first columns."""
        typical = {column: shape for column, shape in self.typical.items() if column < columns}
        if len(fields) != self.width or not typical:
            return False
        alike = sum(_shape(fields[column]) == shape for column, shape in typical.items())
        return 2 * alike > len(typical)


def with_tabs(dialect: Dialect, sample: Sequence[str], lines: Iterable[str]) -> Dialect:
    """A dialect that was found, with quoting where the marks of a text with tabs enclose fields.

    Args:
        dialect: as ``find_dialect`` gives it.
        sample: the first lines of the text.
        lines: the whole text; it is read only where it is separated by tabs.
    """
    if dialect.delimiter != "\t" or dialect.trusted or not sample:
        return dialect
    quoted = replace(dialect, quoting=Quoting.DOUBLE)
    start = dialect.header_line
    width = len(quoted.split(sample[start - 1]))
    shapes = Shapes.of(sample[start:], quoted, width)
    return quoted if is_quoted(islice(lines, start, None), shapes) else dialect


def is_quoted(lines: Iterable[str], shapes: Shapes) -> bool:
    """Whether the marks of a text enclose fields, as a writer that quotes makes them.

    A damaged line does not make them characters: then every text over several lines would be
    read in fragments. So more records with marks must be proper than not.

    Args:
        lines: the whole text below its header.
        shapes: of the text, by the dialect with doubled marks.
    """
    assert shapes.dialect.quoting is Quoting.DOUBLE
    proper = proper_record(shapes.dialect.delimiter)
    lines = iter(lines)
    ahead: deque[str] = deque()
    quoted = damaged = 0
    while damaged <= quoted + _DAMAGED_LINES:
        line = ahead.popleft() if ahead else next(lines, "")
        if not line:
            break
        if '"' not in line:
            continue
        span = _balanced(line, chain(_drained(ahead), lines))
        if proper.fullmatch("".join(span)) and shapes.believed(span):
            quoted += 1
        else:
            damaged += 1
            ahead.extendleft(reversed(span[1:]))
    return quoted > damaged


def proper_record(delimiter: str) -> re.Pattern[str]:
    """Matches a record whose marks all enclose fields; one inside a field is doubled."""
    mark = re.escape(delimiter)
    field = rf'(?:"[^"]*(?:""[^"]*)*"|[^"{mark}\r\n]*)'
    return re.compile(rf"{field}(?:{mark}{field})*[\r\n]*")


def _balanced(line: str, following: Iterator[str]) -> list[str]:
    """The line and those after it, up to an even number of marks or to the limit."""
    span = [line]
    marks = line.count('"')
    while marks % 2 and len(span) < MAX_SPAN_LINES:
        line = next(following, "")
        if not line:
            break
        span.append(line)
        marks += line.count('"')
    return span


def _drained(lines: deque[str]) -> Iterator[str]:
    while lines:
        yield lines.popleft()


def _rows(sample: Sequence[str], dialect: Dialect) -> Iterator[list[str]]:
    """Fields of the records of a sample; where one can't be read, it goes on a line later."""
    start = 0
    while start < len(sample):
        reader = dialect.reader(sample[start:])
        used = 0
        try:
            for fields in reader:
                used = reader.line_num
                yield fields
        except csv.Error:
            start += used + 1
        else:
            return


def _shape(value: str) -> Shape:
    return frozenset(
        "9" if character.isdigit() else "a" if character.isalpha() else character
        for character in value[:_SHAPED_CHARACTERS]
        if character != '"'
    )
