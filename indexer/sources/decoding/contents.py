"""From the bytes of a picture or a sound to a model's inputs, without a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from indexer.core.protocols import Encoder, Pixels, SoundInput
from indexer.core.records import FloatArray, Kind, Part
from indexer.core.towers import require_tower
from indexer.sources import media
from indexer.sources.decoding.decoder import Decoder
from indexer.sources.decoding.sounds import SoundDecoder
from indexer.sources.video import VideoDecoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A content as its model takes it: one input, or one for each window of a sound.

    Attributes:
        parts: which part each input is; that of a picture is empty.
        warning: what of a broken sound is left out.
    """

    kind: Kind
    inputs: tuple[Pixels | SoundInput, ...]
    parts: tuple[Part, ...]
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDecoder:
    """Decodes pictures, sounds and videos, whichever a content is."""

    pictures: Decoder = field(default_factory=Decoder)
    sounds: SoundDecoder = field(default_factory=SoundDecoder)
    videos: VideoDecoder = field(default_factory=VideoDecoder)

    def prepared(self, content: bytes, name: str, encoder: Encoder) -> Prepared:
        """A content as the encoder's inputs, as ``zeroshelf ingest`` makes them.

        Args:
            name: its name in error messages; its ending tells where the bytes do not.

        Raises:
            ItemError: as the decoders; UNSUPPORTED where the model has no tower for it.
        """
        if media.kind_of(name, content) is Kind.SOUND:
            return self._prepared_sound(content, name, encoder)
        require_tower(encoder.fingerprint, Kind.PICTURE, name)
        # A JPEG is decoded at the size that pictures of a catalog are decoded at.
        decoder = replace(self.pictures, least_side=encoder.least_side)
        pixels = encoder.prepare(decoder.decode(content, name))
        return Prepared(kind=Kind.PICTURE, inputs=(pixels,), parts=({},))

    def _prepared_sound(self, content: bytes, name: str, encoder: Encoder) -> Prepared:
        require_tower(encoder.fingerprint, Kind.SOUND, name)
        rate = encoder.sound_rate
        assert rate is not None
        sounds = self.sounds.for_model(encoder.longest_sound_s)
        windows = sounds.windows(content, name)
        inputs = [
            encoder.prepare_sound(sounds.decode(content, name, part, rate=rate))
            for part in windows.parts
        ]
        return Prepared(
            kind=Kind.SOUND,
            inputs=tuple(inputs),
            parts=windows.parts,
            warning=windows.warning(name),
        )


def embed(encoder: Encoder, kind: Kind, inputs: Sequence[Any]) -> FloatArray:
    """float32 (n, d), rows of length 1, of prepared inputs of one kind."""
    return encoder.embed_sounds(inputs) if kind is Kind.SOUND else encoder.embed_pictures(inputs)
