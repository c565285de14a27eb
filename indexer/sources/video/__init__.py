"""From a video's file to frames at their times: the only home of PyAV.

It comes with the extra ``video``, and is imported when the first video is opened.
"""

from indexer.sources.video.decoder import VideoDecoder
from indexer.sources.video.reader import Frame, VideoReader

__all__ = ["Frame", "VideoDecoder", "VideoReader"]
