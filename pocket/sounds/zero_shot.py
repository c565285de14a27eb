"""Zero-shot classification of sounds with a model's folder, as users of it classify."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocket.sounds.synthesis import RATE
from pocket.zero_shot import ZeroShot


class SoundZeroShot(ZeroShot):
    """A model that names sounds by the nearest label text."""

    prompt = "This is a sound of {}."
    batch_size = 32

    def sounds(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Unit vectors, float32 (n, d), of sounds at `RATE` samples a second."""
        return self._encode([{"array": sound, "sampling_rate": RATE} for sound in sounds])
