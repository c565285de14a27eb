"""What a user can say about a table."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.delimited import Quoting
from indexer.sources.shard_names import DEFAULT_EXTENSIONS

NO_COLUMN = "none"
"""As a column's name: the table has none of this kind."""

ID_COLUMN = "id"
IMAGE_COLUMN = "image"
TEXT_COLUMN = "title"
"""The columns of ids, pictures and titles where none are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How sources are read; the defaults are those of the command.

    Attributes:
        id_column: column of the items' ids; ``none`` takes ``TABLE#LINE``, for tables
            that have no ids.
        image_column: column of paths or addresses; ``none`` makes a catalog of texts.
        text_column: column of titles.
        vectors: ``FILE.npy`` beside the table, rows in the same order; braces expand
            in step with those of the table.
        width: dimension that the vectors must have; None takes any.
        picture_extensions: members of tar shards that are pictures, without the first point;
            the first found is embedded.
        delimiter: separator of delimited text; empty goes by its lines.
        quoting: what quotation marks mean in delimited text.
        encoding: of delimited text; empty goes by its first bytes.
        max_bytes: largest member of a tar shard that is read into memory.
    """

    id_column: str = ID_COLUMN
    image_column: str = IMAGE_COLUMN
    text_column: str = TEXT_COLUMN
    vectors: str | None = None
    width: int | None = None
    picture_extensions: tuple[str, ...] = DEFAULT_EXTENSIONS
    delimiter: str = ""
    quoting: Quoting = Quoting.AUTO
    encoding: str = ""
    max_bytes: int = 32 * 2**20

    @property
    def texts(self) -> bool:
        """Whether the catalog is one of texts."""
        return self.image_column == NO_COLUMN
