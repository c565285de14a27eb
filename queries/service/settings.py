"""What a service is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.core.errors import UsageError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Where the service listens, how it batches, and what it refuses.

    Attributes:
        window_s: how long the first request of a batch waits for others.
        max_batch: pictures or texts of one forward pass.
        max_queue: pictures and texts that may wait; more are answered 503.
        max_body: bytes of a request.
        max_inputs: pictures, texts and items of a request, taken together.
        max_bytes: bytes of one picture or sound.
        max_pixels: width times height of one picture.
        max_sound_s: seconds of one sound.
        max_text: characters of one text.
        request_timeout_s: from a request's first byte to its answer.
        decode_memory: bytes that the pictures which are decoded at a time may take.
        decode_timeout_s: of one picture; the process that exceeds it is killed.
        decoders: processes that decode.
        max_jobs: jobs that may wait; more are answered 503.
        keep_jobs: jobs that are remembered after they ended, with their results.
        fetch_urls: whether pictures may be named by URL.
        fetch_hosts: hosts that they may then come from, lower case; one that begins with a point
            stands for all below it. Empty is any on the public web.
        detector: finds things in pictures; empty for a grid of regions.
        object_words: what the detector looks for; empty for the top of the taxonomy.
    """

    host: str = LOOPBACK
    port: int = 8080
    window_s: float = 0.004
    max_batch: int = 32
    max_queue: int = 512
    max_body: int = 64 * 2**20
    max_inputs: int = 64
    max_bytes: int = 16 * 2**20
    max_pixels: int = 25_000_000
    max_sound_s: float = 300.0
    max_text: int = 2_000
    request_timeout_s: float = 30.0
    decode_memory: int = 2**30
    decode_timeout_s: float = 10.0
    decoders: int = 2
    max_jobs: int = 16
    keep_jobs: int = 100
    fetch_urls: bool = False
    fetch_hosts: tuple[str, ...] = ()
    detector: str = ""
    object_words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a queue in which one request would find no room, however often it came."""
        if self.max_queue < self.max_inputs:
            raise UsageError(
                f"a queue of {self.max_queue} inputs has no room for a request of "
                f"{self.max_inputs}: raise --max-queue, or lower --max-inputs."
            )
