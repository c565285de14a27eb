"""Seconds of sound a second against the model's own rate.

    python -m benchmarks.sounds [--json FILE] [--rounds 3]

From the file (FLAC, stereo, 44.1 kHz) to the embeddings of its windows, by CPU time, against the
forward pass alone on the same windows, prepared; both in one process, in turns, medians. The model
has the sizes of ``laion/clap-htsat-unfused`` and random weights.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Row, command_line, compared, show
from benchmarks.turns import median_seconds

MODEL = Path(__file__).resolve().parents[1] / "build" / "clap-htsat"
RATE = 44_100
BATCH = 8
GOAL = 0.9


def clap_htsat(folder: Path) -> None:
    """A CLAP of the sizes of LAION's, made once; its weights are drawn."""
    if (folder / "config.json").exists():
        return
    import torch
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapProcessor,
        RobertaTokenizer,
    )

    torch.manual_seed(0)
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "a": 5}
    # The text tower is small: it is not measured.
    text = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 6}
    audio = {"patch_embeds_hidden_size": 96, "hidden_size": 768, "depths": [2, 2, 6, 2]}
    audio["num_attention_heads"] = [4, 8, 16, 32]
    ClapModel(ClapConfig(text_config=text, audio_config=audio)).save_pretrained(folder)
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    tokenizer = RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    ClapProcessor(extractor, tokenizer).save_pretrained(folder)


def rate_row(rounds: int, windows: int = 16) -> Row:
    """Seconds of sound a second of CPU time, from the file to its windows' embeddings."""
    import soundfile

    from indexer.encoder import SentenceTransformerEncoder
    from indexer.sources.decoding.sounds import SoundDecoder

    clap_htsat(MODEL)
    encoder = SentenceTransformerEncoder(
        str(MODEL), device="cpu", precision="float32", batch_size=BATCH
    )
    decoder, rate = SoundDecoder(), encoder.sound_rate
    assert rate is not None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "noise.flac"
        noise = np.random.default_rng(0).normal(size=(windows * 10 * RATE, 2)) * 0.1
        soundfile.write(file, noise, RATE)
        content = file.read_bytes()

    def prepared() -> list[Any]:
        return [
            encoder.prepare_sound(decoder.decode(content, "noise", part, rate=rate))
            for part in decoder.windows(content, "noise").parts
        ]

    ready = prepared()
    works = {
        "alone": lambda: encoder.embed_sounds(ready),
        "whole": lambda: encoder.embed_sounds(prepared()),
    }
    seconds = median_seconds(works, rounds, clock=time.process_time)
    return compared(
        "seconds of sound, stereo FLAC of 44.1 kHz, to embeddings, CPU time",
        "the model alone",
        10 * windows / seconds["whole"],
        10 * windows / seconds["alone"],
        "s/s",
        f">= {GOAL:g}",
    )


def main() -> None:
    """Reads the command line, measures and shows."""
    options = command_line("sounds", __doc__, rounds=3).parse_args()
    show([rate_row(options.rounds)], options.json)


if __name__ == "__main__":
    main()
