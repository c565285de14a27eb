"""From a picture's bytes to RGB pixels: the only home of Pillow, and of simplejpeg."""

from indexer.sources.decoding.colour import Tally
from indexer.sources.decoding.decoder import Decoder
from indexer.sources.decoding.memory import DecodeMemory
from indexer.sources.decoding.opening import FORMATS
from indexer.sources.decoding.pixels import thumbnail

__all__ = ["FORMATS", "DecodeMemory", "Decoder", "Tally", "thumbnail"]
