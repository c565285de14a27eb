"""The colours of the map: far apart for all eyes, and to be seen on both grounds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import queries

Colours = npt.NDArray[np.float64]

SCRIPT = Path(queries.__file__).parent / "pages" / "scripts" / "map_colours.js"

EYES = {
    "all colours": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                 [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
"""Machado, Oliveira and Fernandes 2009, severity 1, on linear sRGB."""

TO_CONES = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                     [0.2119034982, 0.6806995451, 0.1073969566],
                     [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                   [1.9779984951, -2.4285922050, 0.4505937099],
                   [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def linear(colours: list[str]) -> Colours:
    """Linear sRGB, float64 (n, 3), of hexadecimal colours."""
    values = np.array([[int(hex_[at : at + 2], 16) for at in (1, 3, 5)] for hex_ in colours]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(colours: Colours) -> Colours:
    """OKLab (Ottosson 2020), float64 (n, 3), of linear sRGB."""
    return np.asarray(np.cbrt(colours @ TO_CONES.T) @ TO_LAB.T)


def luminance(colours: Colours) -> Colours:
    """Relative luminance as WCAG 2 has it, float64 (n,)."""
    return np.asarray(colours @ [0.2126, 0.7152, 0.0722])


def scheme(name: str) -> tuple[list[str], list[str], str]:
    """The colours of classes, the greys of others and none, and the ground."""
    text = SCRIPT.read_text(encoding="utf-8")
    found = {
        name: re.findall(r"#[0-9a-f]{6}", line)
        for name, line in re.findall(r"const (LIGHT|DARK) = (.*);", text)
    }
    dark, light = re.findall(r'\[\.\.\.(?:DARK|LIGHT), "(#\w+)", "(#\w+)"\]', text)
    grounds = re.findall(r'ground: numbers\("(#\w+)"\)', text)
    return (
        (found["LIGHT"], list(light), grounds[1])
        if name == "light"
        else (found["DARK"], list(dark), grounds[0])
    )


@pytest.mark.parametrize(
    ("name", "dimmest", "brightest"), [("light", 0.48, 0.72), ("dark", 0.55, 0.95)]
)
def test_colours_are_seen_on_the_ground(name: str, dimmest: float, brightest: float) -> None:
    """Three to one, as WCAG asks of what is no text; dark points on white would look alike."""
    colours, _, ground = scheme(name)
    assert len(colours) == len(set(colours)) == 10
    lights, dim = luminance(linear(colours)), luminance(linear([ground]))
    contrasts = (np.maximum(lights, dim) + 0.05) / (np.minimum(lights, dim) + 0.05)
    assert contrasts.min() >= 3
    lightness = oklab(linear(colours))[:, 0]
    assert (lightness.min() >= dimmest, lightness.max() <= brightest) == (True, True)


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_any_two_colours_differ(name: str, eyes: str) -> None:
    """Also from the greys; neighbours in the list, which have other shapes too, by far more."""
    colours, greys, _ = scheme(name)
    seen = oklab(np.clip(linear([*colours, *greys]) @ np.transpose(EYES[eyes]), 0, 1))
    apart = np.linalg.norm(seen[:, np.newaxis] - seen, axis=-1) + np.eye(len(seen))
    assert apart.min() >= (0.12 if eyes == "all colours" else 0.05)
    if eyes == "all colours":
        assert np.diagonal(apart[:9, 1:10]).min() >= 0.2
