"""From a picture's bytes to RGB pixels: the only home of Pillow, and of simplejpeg."""

from indexer.decode.colour import Tally
from indexer.decode.decoder import Decoder
from indexer.decode.memory import DecodeMemory
from indexer.decode.opening import FORMATS
from indexer.decode.pixels import thumbnail

__all__ = ["FORMATS", "DecodeMemory", "Decoder", "Tally", "thumbnail"]
