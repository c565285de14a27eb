"""Checks a model before a catalog is made with it."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from indexer.jobs.doctor import Finding, State
from indexer.jobs.sample import PRODUCTS, write_shop

if TYPE_CHECKING:
    from indexer.catalog.options import CatalogOptions
    from indexer.core.protocols import Pixels
    from indexer.encoder import Agreement, ModelDescription, Rates

_SAME = {"float32": 0.9999}
_NEARLY_SAME = 0.99
"""Smallest cosine of the same input's vectors in a precision below float32."""

_RESIZED_SAME = 0.995
"""Smallest cosine for pixels that differ by one or two of 255 values."""

_SIDE = 256
# Square, upright and wide, since models crop or pad what is not square.
_SHAPES = ((256, 256), (256, 176), (160, 256), (256, 216))
# Standard deviation, of 255.
_NOISE = 2.0
_PRODUCTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """The result of ``check``.

    Attributes:
        findings: one for each check.
    """

    description: ModelDescription
    rates: Rates
    findings: list[Finding]

    @property
    def usable(self) -> bool:
        """Whether no check found a problem."""
        return all(finding.state is not State.PROBLEM for finding in self.findings)


def check(options: CatalogOptions, model: str) -> ModelReport:
    """Load a model, and embed the same inputs in different ways.

    Raises:
        ModelError: it can't be used at all, with the cause and the remedy.
    """
    from indexer.encoder import agreement, describe, rates

    encoder = options.load_encoder(model)
    description = describe(encoder)
    pictures, names = drawn_products()
    measured = agreement(encoder, pictures, names)
    return ModelReport(
        description=description,
        rates=rates(encoder, pictures),
        findings=list(_findings(description, measured, len(names))),
    )


def drawn_products() -> tuple[list[Pixels], list[str]]:
    """Pictures of the sample shop's products, uint8 (height, width, 3), and a name for each."""
    rng = np.random.default_rng(0)
    pictures, names = [], []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_shop(folder)
        for number, row in enumerate(_one_of_each_type(folder / PRODUCTS)):
            picture = Image.open(folder / row["image"]).resize((_SIDE, _SIDE))
            height, width = _SHAPES[number % len(_SHAPES)]
            top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
            pixels = np.asarray(picture, np.float32)[top : top + height, left : left + width]
            # Enlarged pictures are smooth; a camera's are not, and resizing shows it.
            noisy = pixels + rng.normal(scale=_NOISE, size=pixels.shape)
            pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
            names.append(row["truth"])
    return pictures, names


def _one_of_each_type(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        of_type = {row["truth"]: row for row in csv.DictReader(stream) if row["truth"]}
    return [of_type[name] for name in sorted(of_type)[:: len(of_type) // _PRODUCTS][:_PRODUCTS]]


def _findings(description: ModelDescription, measured: Agreement, products: int) -> list[Finding]:
    min_cosine = _SAME.get(description.precision, _NEARLY_SAME)
    findings = [
        Finding.good("weights", "all that vectors come from are there"),
        _agrees(
            "texts", measured.texts, min_cosine, "a text alone and in a batch of mixed lengths"
        ),
        _agrees("repeated", measured.repeated, min_cosine, "the same inputs, embedded twice"),
    ]
    if measured.pictures is None or measured.resizing is None or measured.named is None:
        return findings
    findings += [
        _agrees("pictures", measured.pictures, min_cosine, "a picture alone and in a batch"),
        _agrees("resizing", measured.resizing, _RESIZED_SAME, "the quick way and the model's own"),
        Finding.good("widths", f"texts and pictures both have {description.width} dimensions"),
        _named(measured, products),
    ]
    return findings


def _agrees(check: str, cosine: float, min_cosine: float, inputs: str) -> Finding:
    if cosine >= min_cosine:
        return Finding.good(check, f"{inputs}: cosine {cosine:.5f}")
    return Finding.problem(
        check,
        f"{inputs} differ: cosine {cosine:.5f}, and {min_cosine:g} is the least that counts "
        "as same",
        "Try --precision float32. Where that gives the same, do not use this model.",
    )


def _named(measured: Agreement, products: int) -> Finding:
    """Whether names are nearest to drawings of what they name more often than by chance."""
    assert measured.named is not None
    correct = round(measured.named * products)
    summary = f"{correct} of {products} drawn products are nearest to their own name (chance: 1)"
    # Of 24 products chance gives 4 or more right in 2% of all cases.
    if correct >= 4:
        return Finding.good("towers", summary)
    return Finding.warning(
        "towers",
        summary,
        "Texts and pictures seem to be of two models, or texts of another language than "
        "English. Label a few items of yours and run zeroshelf evaluate.",
    )
