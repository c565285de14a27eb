"""ICC profiles made from their definition, and what they mean, computed in float64."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pair = tuple[float, float]

D50 = np.array([0.9642, 1.0, 0.8249])
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
WHITE_D65, WHITE_D50 = (0.3127, 0.3290), (0.3457, 0.3585)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def xyz(chromaticity: Pair) -> Floats:
    """XYZ of a chromaticity, Y = 1."""
    x, y = chromaticity
    return np.array([x / y, 1.0, (1 - x - y) / y])


def to_d50(primaries: tuple[Pair, Pair, Pair], white: Pair) -> Floats:
    """(3, 3): linear RGB to XYZ under D50, adapted as ICC has it (Bradford)."""
    columns = np.stack([xyz(one) for one in primaries], axis=1)
    matrix = columns * np.linalg.solve(columns, xyz(white))
    scale = np.diag((_BRADFORD @ D50) / (_BRADFORD @ xyz(white)))
    return np.asarray(np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix)


def srgb_curve(linear: Floats) -> Floats:
    """Linear light to sRGB's values (IEC 61966-2-1), both 0 to 1."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def xyz_to_srgb(values: Floats) -> npt.NDArray[np.uint8]:
    """uint8 (..., 3) of XYZ under D50, colours outside sRGB clipped."""
    linear = values @ np.linalg.inv(to_d50(SRGB, WHITE_D65)).T
    return np.rint(srgb_curve(linear) * 255).astype(np.uint8)


def seen(
    pixels: npt.NDArray[np.uint8], primaries: tuple[Pair, Pair, Pair], white: Pair, gamma: float
) -> npt.NDArray[np.uint8]:
    """What a colour-managed viewer shows of pixels (..., 3) under a matrix profile."""
    linear = (pixels / 255.0) ** gamma
    return xyz_to_srgb(linear @ to_d50(primaries, white).T)


def lab_to_xyz(lab: Floats) -> Floats:
    """XYZ under D50 of CIELAB (..., 3)."""
    light = (lab[..., 0] + 16) / 116
    thirds = np.stack([light + lab[..., 1] / 500, light, light - lab[..., 2] / 200], axis=-1)
    cubes = np.where(thirds > 6 / 29, thirds**3, 3 * (6 / 29) ** 2 * (thirds - 4 / 29))
    return np.asarray(cubes * D50)


def matrix_profile(primaries: tuple[Pair, Pair, Pair], white: Pair, gamma: float) -> bytes:
    """An RGB display's profile."""
    tags = {b"wtpt": _xyz_tag(D50)}
    for name, column in zip((b"r", b"g", b"b"), to_d50(primaries, white).T, strict=True):
        tags[name + b"XYZ"] = _xyz_tag(column)
        tags[name + b"TRC"] = _gamma_tag(gamma)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """A grey display's profile."""
    tags = {b"wtpt": _xyz_tag(D50), b"kTRC": _gamma_tag(gamma)}
    return _profile(b"mntr", b"GRAY", b"XYZ ", tags)


def cmyk_profile(lab_of: Callable[[Floats], Floats], steps: int = 9) -> bytes:
    """A printer's profile: a table of what ``lab_of`` gives for inks (..., 4), 0 to 1."""
    axis = np.linspace(0, 1, steps)
    grid = np.stack(np.meshgrid(axis, axis, axis, axis, indexing="ij"), axis=-1)
    lab = lab_of(grid.reshape(-1, 4))
    # CIELAB of 16 bits as version 2 writes it: 100 is 0xFF00, a and b lie around 0x8000.
    words = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], 1)
    table = np.rint(np.clip(words, 0, 65535)).astype(">u2").tobytes()
    identity = struct.pack(">9i", *(65536 if place % 4 == 0 else 0 for place in range(9)))
    ramp = struct.pack(">2H", 0, 65535)
    head = b"mft2" + bytes(4) + bytes([4, 3, steps, 0]) + identity + struct.pack(">2H", 2, 2)
    tag = head + ramp * 4 + table + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz_tag(D50), b"A2B0": tag})


def inks_to_lab(inks: Floats) -> Floats:
    """A simple press: inks of SWOP's solids, multiplied; float (..., 3) CIELAB."""
    solids = np.array([[0.15, 0.22, 0.55], [0.32, 0.17, 0.15], [0.69, 0.73, 0.08], [0.03] * 3])
    light = np.prod(1 - inks[..., np.newaxis] * (1 - solids), axis=-2)  # of D50's white
    cubic = np.where(light > (6 / 29) ** 3, np.cbrt(light), light / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [
            116 * cubic[..., 1] - 16,
            500 * (cubic[..., 0] - cubic[..., 1]),
            200 * (cubic[..., 1] - cubic[..., 2]),
        ],
        axis=-1,
    )


def _fixed(values: Floats) -> bytes:
    return np.rint(np.asarray(values) * 65536).astype(">i4").tobytes()


def _xyz_tag(values: Floats) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _gamma_tag(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A version 2 profile (ICC.1:2001-04) of tags."""
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78), **tags}
    tags = {name: tag + bytes(-len(tag) % 4) for name, tag in tags.items()}
    place = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", place + len(content), len(tag))
        content += tag
    header = struct.pack(">I", place + len(content)) + bytes(4) + b"\x02\x40\0\0"
    header += kind + space + connection + bytes(12) + b"acsp" + bytes(28) + _fixed(D50)
    return header.ljust(128, b"\0") + table + content


LMS = np.array(
    [[0.31, 0.62, 0.07], [0.21, 0.72, 0.07], [0.24, 0.20, 0.56]]
)  # of linear sRGB, near those of JPEG XL
_OPPONENT = np.array([[0.2, 0.8, 0.0], [-0.2, 0.8, 0.0], [0.0, 0.0, 0.8]])
_OFFSET = np.array([0.0, 0.2, 0.1])


def opponent_profile() -> bytes:
    """Of three channels that are no RGB: opponents of cubic roots, as in a JPEG in XYB."""
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    table = np.rint((corners @ _OPPONENT.T + _OFFSET) * 65535).astype(">u2").tobytes()
    straight, cubic = (
        b"para" + bytes(8) + struct.pack(">i", round(power * 65536)) for power in (1, 3)
    )
    curves, cubes = straight * 3, cubic * 3
    # XYZ of 1 is 32768 of 65535 between the steps of a version 4 table.
    matrix = to_d50(SRGB, WHITE_D65) @ np.linalg.inv(LMS) * (32768 / 65535)
    steps = _fixed(matrix.ravel()) + bytes(12)
    grid = bytes([2, 2, 2]).ljust(16, b"\0") + b"\x02\0\0\0" + table
    places = np.cumsum([32, len(curves), len(steps), len(cubes), len(grid)])
    tag = b"mAB " + bytes(4) + bytes([3, 3, 0, 0]) + struct.pack(">5I", *places)
    tag += curves + steps + cubes + grid + curves
    made = _profile(b"mntr", b"RGB ", b"XYZ ", {b"wtpt": _xyz_tag(D50), b"A2B0": tag})
    return made[:8] + b"\x04\x40\0\0" + made[12:]


def opponents(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pixels (..., 3) of sRGB in the channels of ``opponent_profile``."""
    values = pixels / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    roots = np.cbrt(linear @ LMS.T)
    channels = (roots - _OFFSET) @ np.linalg.inv(_OPPONENT).T
    return np.rint(np.clip(channels, 0, 1) * 255).astype(np.uint8)


def seen_opponents(channels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What a colour-managed viewer shows of them."""
    roots = channels / 255.0 @ _OPPONENT.T + _OFFSET
    linear = roots**3 @ np.linalg.inv(LMS).T
    return np.rint(srgb_curve(linear) * 255).astype(np.uint8)
