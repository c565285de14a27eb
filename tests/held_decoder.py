"""A decoder that can be held while it decodes, in a module that a decoder process can import."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from indexer.core.protocols import Pixels
from indexer.sources.decoding import Decoder


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDecoder(Decoder):
    """Tells when it begins on one picture, and waits there.

    Attributes:
        held: the name of the picture.
        begun: a file that is there from then on; where it is taken away, decoding goes on.
    """

    held: str
    begun: Path

    def decode(self, content: bytes, name: str) -> Pixels:
        """Decode one picture; see ``Decoder``."""
        if name == self.held:
            self.begun.touch()
            while self.begun.exists():
                time.sleep(0.01)
        return Decoder(max_pixels=self.max_pixels, max_bytes=self.max_bytes).decode(content, name)
