"""What all pages share: their templates, and pictures as data."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from indexer.core.errors import ItemError
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder, thumbnail


@dataclass(frozen=True, slots=True)
class Pictures:
    """Turns items' sources into pictures inside the page."""

    fetcher: Fetcher
    decoder: Decoder

    def data(self, source: str | bytes, side: int) -> str | None:
        """The picture as a data URI; None where it can't be read.

        Args:
            source: path or URL of a picture, or a small JPEG itself.
        """
        if isinstance(source, bytes):
            return data_uri(source)
        try:
            pixels = self.decoder.decode(self.fetcher.read(source), source)
        except ItemError:
            return None
        return data_uri(thumbnail(pixels, side=side))


def data_uri(jpeg: bytes) -> str:
    """A JPEG as the address of an ``img``."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def render(template: str, **values: Any) -> str:
    """A whole page.

    Args:
        template: a file in ``templates``; all that it shows is escaped but what it calls safe.
        values: its variables; ``title`` is that of the page.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("queries.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["as"] = format
    return environment
