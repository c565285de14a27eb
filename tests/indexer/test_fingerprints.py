"""Whether two fingerprints are of one model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from indexer.catalog.fingerprints import PRECOMPUTED, require_same
from indexer.core.errors import ModelMismatchError
from indexer.core.records import Fingerprint

PROBE = tuple(float(value) for value in np.random.default_rng(0).normal(size=64))
OTHER = tuple(float(value) for value in np.random.default_rng(1).normal(size=64))
STORED = Fingerprint(
    model="model-a",
    revision="1",
    preprocessing="p",
    width=512,
    logit_scale=100.0,
    text_probe=PROBE,
    picture_probe=PROBE,
)


def slightly(probe: tuple[float, ...]) -> tuple[float, ...]:
    """The probe in another precision."""
    return tuple(float(np.float16(value)) for value in probe)


@pytest.mark.parametrize(
    "current",
    [
        STORED,
        replace(STORED, model="/moved/model-a", revision="2"),
        replace(STORED, text_probe=slightly(PROBE), picture_probe=slightly(PROBE)),
        replace(STORED, picture_probe=()),
        replace(STORED, model=PRECOMPUTED, text_probe=(), picture_probe=()),
        replace(STORED, text_probe=(), picture_probe=()),
    ],
    ids=["itself", "moved", "other precision", "texts only", "precomputed", "no probes"],
)
def test_the_same_model_fits(current: Fingerprint) -> None:
    """Probes decide where there are some; else the name; given vectors fit by their width."""
    require_same(STORED, current, catalog="shop")
    require_same(current, STORED, catalog="shop")


@pytest.mark.parametrize(
    ("current", "cause"),
    [
        (replace(STORED, width=256), "widths differ"),
        (replace(STORED, model=PRECOMPUTED, width=256, text_probe=(), picture_probe=()), "widths"),
        (replace(STORED, text_probe=OTHER), "same probe text differently"),
        (replace(STORED, picture_probe=OTHER), "same probe picture differently"),
        (replace(STORED, text_probe=PROBE[:32]), "same probe text differently"),
        (replace(STORED, text_probe=(0.0,) * 64), "same probe text differently"),
        (replace(STORED, model="model-b", text_probe=(), picture_probe=()), "names differ"),
    ],
)
def test_another_model_is_refused(current: Fingerprint, cause: str) -> None:
    """The message names catalog, both models, the cause and the remedy."""
    with pytest.raises(ModelMismatchError, match=cause) as caught:
        require_same(STORED, current, catalog="shop")
    message = str(caught.value)
    for part in ("'shop'", "'model-a'", repr(current.model), "--model model-a", "--catalog"):
        assert part in message
