"""Devices that labels are scored on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from indexer.encoder.device import Device
from indexer.encoder.loading import chosen_device
from queries.judgement import placing


@pytest.fixture(scope="module", params=["cpu", "cuda"] if placing._has_driver() else ["cpu"])
def make_device(request: pytest.FixtureRequest) -> Callable[..., Device]:
    """Makes devices, of torch's CPU or of a GPU."""
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    name = chosen_device(request.param)
    return lambda block_bytes=None: Device(name, block_bytes=block_bytes)
