"""Writes the folders of pictures and the shards of docs/formats.md."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pillow_heif
import webdataset
from PIL import Image

Write = Callable[[Path], None]

COUNT = 3


def _picture(number: int) -> Image.Image:
    return Image.new("RGB", (32, 32), (80 * number, 99, 99))


def _folder(path: Path, endings: list[str], picture_format: str | None = None) -> None:
    path.mkdir()
    for number in range(COUNT):
        ending = endings[number % len(endings)]
        _picture(number).save(path / f"{number}{ending}", picture_format)


def _heic(path: Path) -> None:
    pillow_heif.register_heif_opener()
    _folder(path, [".heic", ".HEIC"])


def _webdataset(path: Path) -> None:
    with webdataset.TarWriter(str(path)) as writer:
        for number in range(COUNT):
            sample = {"jpg": _picture(number), "depth.png": _picture(0), "json": {"n": number}}
            writer.write({"__key__": f"tea-1.{number}kg", "cls": number, **sample})


def _unsorted(path: Path) -> None:
    folder = path.parent / "train"
    _folder(folder, [".JPG"], "JPEG")
    for number in range(COUNT):
        (folder / f"{number}.json").write_text(json.dumps({"n": number}), encoding="utf-8")
    with tarfile.open(path, "w:gz") as tar:
        for file in sorted(folder.iterdir(), key=lambda file: file.suffix):
            tar.add(file, f"./train/{file.name}")


def _chosen(path: Path) -> None:
    with webdataset.TarWriter(str(path)) as writer:
        for number in range(COUNT):
            views = {"back.jpg": _picture(0), "front.jpg": _picture(number)}
            writer.write({"__key__": f"{number:05}", **views})


WRITERS: dict[str, Write] = {
    "photos/": partial(_folder, endings=[".jpg", ".png", ".webp"]),
    "scans/": partial(_folder, endings=[".tif", ".bmp", ".jp2"]),
    "web/": partial(_folder, endings=["", ".php", ".jpg_large"], picture_format="JPEG"),
    "phone/": _heic,
    "modern/": partial(_folder, endings=[".avif"]),
    "shard.tar": _webdataset,
    "folder.tar.gz": _unsorted,
    "views.tar": _chosen,
}
"""By the name of the source in the page: what writes it, ``COUNT`` pictures."""
