"""What all pages share: their templates, and pictures as data."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import jinja2

from indexer.core.errors import ItemError
from indexer.core.parts import END, START
from indexer.core.protocols import Pixels
from indexer.core.records import Kind, Part
from indexer.sources import Fetcher, media
from indexer.sources.decoding import Decoder, thumbnail
from indexer.sources.decoding.sounds import SoundDecoder
from indexer.sources.decoding.spectrogram import RATE, spectrogram
from indexer.sources.open_files import frame_of_shot

_BEGINNING = MappingProxyType({START: 0.0, END: 2.0})


@dataclass(frozen=True, slots=True)
class Pictures:
    """Turns items' sources into pictures inside the page."""

    fetcher: Fetcher
    decoder: Decoder

    def data(self, source: str | bytes, side: int, part: Part = MappingProxyType({})) -> str | None:
        """The picture as a data URI; None where it can't be read.

        Of a video it is a frame, and of a sound the spectrogram.

        Args:
            source: path or URL of a picture, a sound or a video, or a small JPEG itself.
            part: the seconds of a shot or a window; else those at the beginning are shown.
        """
        if isinstance(source, bytes):
            return data_uri(source)
        try:
            pixels = self._pixels(source, part if START in part else _BEGINNING)
        except ItemError:
            return None
        return data_uri(thumbnail(pixels, side=side))

    def _pixels(self, source: str, part: Part) -> Pixels:
        if (media.kind_of_file(source) or media.kind_of(source)) is Kind.VIDEO:
            return frame_of_shot(source, part, self.fetcher)
        content = self.fetcher.read(source)
        if media.kind_of(source, content) is Kind.SOUND:
            return spectrogram(SoundDecoder().decode(content, source, part, rate=RATE))
        return self.decoder.decode(content, source)


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
