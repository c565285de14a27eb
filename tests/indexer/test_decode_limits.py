"""Hostile pictures: what they may take of memory and time, alone and together."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import profiles
import pytest
from hostile import float_tiff, in_pieces, slow_jpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shell import Shell

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.sources.decoding import DecodeMemory, Decoder, isolated
from indexer.sources.decoding.jpeg import scan_count
from indexer.sources.decoding.memory import Budget, needed_for

ENDLESS = slow_jpeg(20_000)
"""Minutes of decoding in a file of a megabyte."""


@pytest.fixture(autouse=True)
def no_processes_left() -> Iterator[None]:
    """Decoding processes that wait are ended after each test."""
    yield
    isolated.end_idle()


def picture(**options: Any) -> bytes:
    """A small picture with some noise."""
    target = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(target, **{"format": "PNG"} | options)
    return target.getvalue()


def refused(decoder: Decoder, content: bytes) -> ItemError:
    """The error that decoding raises."""
    with pytest.raises(ItemError, match=r"^x\.jpg: ") as caught:
        decoder.decode(content, "x.jpg")
    return caught.value


def test_a_picture_that_decodes_for_too_long_is_given_up() -> None:
    """Its process is ended, and the next picture decoded."""
    decoder = Decoder(timeout_s=0.5)
    error = refused(decoder, ENDLESS)
    assert error.reason is Reason.TOO_SLOW
    assert "--decode-timeout" in str(error)
    assert Decoder().decode(slow_jpeg(20), "many scans").shape == (4000, 4000, 3)


def test_reduced_pictures_are_given_up_too() -> None:
    """All scans are read whatever size is asked for."""
    assert refused(Decoder(timeout_s=0.5, least_side=64), ENDLESS).reason is Reason.TOO_SLOW


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PNG data", "GIF"])
def test_a_picture_in_too_many_pieces_is_given_up(kind: str) -> None:
    """A header, or data, of hundreds of thousands of parts, each of which Pillow reads by itself.

    Without a limit it is a picture like others.
    """
    content = in_pieces(kind, 200_000)
    error = refused(Decoder(timeout_s=0.02), content)
    assert error.reason is Reason.TOO_SLOW
    assert "--decode-timeout" in str(error)
    assert Decoder(timeout_s=None).decode(content, "x").shape[2] == 3


@pytest.mark.parametrize(
    "options",
    [
        {"format": "JPEG", "quality": 90},
        {"format": "JPEG", "icc_profile": b"rubbish"},
        {"format": "TIFF"},
        {"format": "JPEG2000"},
    ],
    ids=str,
)
def test_elsewhere_pixels_are_the_same(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is what is counted."""
    content = picture(**options)
    here = Decoder(timeout_s=None)
    wanted = here.decode(content, "here")
    monkeypatch.setattr(isolated, "_SLOW_NS", 0)
    there = Decoder()
    found = there.decode(content, "there")
    np.testing.assert_array_equal(found, wanted)
    assert found.flags.writeable
    assert there.ignored_profiles.count == here.ignored_profiles.count
    assert len(isolated._IDLE) == 1


def test_elsewhere_errors_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """With their reason."""
    content = picture(format="JPEG")[:-300]
    here = refused(Decoder(timeout_s=None), content)
    monkeypatch.setattr(isolated, "_SLOW_NS", 0)
    there = refused(Decoder(), content)
    assert (there.reason, str(there)) == (here.reason, str(here))


def test_a_decoding_process_that_dies_takes_nothing_with_it() -> None:
    """Its picture is a dead letter; the next one is decoded by a new process."""
    decoder = Decoder(timeout_s=600.0)
    decoder.decode(slow_jpeg(40), "first")
    (process,) = isolated._IDLE
    with ThreadPoolExecutor(1) as pool:
        hit = pool.submit(decoder.decode, ENDLESS, "hit")
        while isolated._IDLE:
            time.sleep(0.01)
        process._process.send_signal(signal.SIGSEGV)
        with pytest.raises(ItemError, match="hit: the decoder failed"):
            hit.result()
    assert decoder.decode(slow_jpeg(40), "next").shape == (4000, 4000, 3)


def test_threads_have_a_process_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """And each gets its own picture."""
    monkeypatch.setattr(isolated, "_SLOW_NS", 0)
    contents = []
    for shade in range(12):
        target = io.BytesIO()
        Image.new("RGB", (20, 20), (shade, 0, 0)).save(target, "PNG")
        contents.append(target.getvalue())
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(Decoder().decode, contents, ["x"] * 12))
    assert [int(pixels[0, 0, 0]) for pixels in found] == list(range(12))
    assert 1 <= len(isolated._IDLE) <= 3


@pytest.mark.parametrize("how", ["end", "kill"])
def test_no_process_outlives_the_one_that_started_it(how: str) -> None:
    """Whether it ends or is killed."""
    code = (
        "from indexer.sources.decoding import Decoder, isolated; from hostile import slow_jpeg\n"
        "import os, signal\n"
        "Decoder().decode(slow_jpeg(40), 'x')\n"
        "print(isolated._IDLE[0]._process.pid, flush=True)\n"
        f"{how!r} == 'kill' and os.kill(os.getpid(), signal.SIGKILL)"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(done.stdout)
    while _is_running(child):
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    with contextlib.suppress(OSError):
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return False


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10), min_size=1, max_size=30))
def test_threads_together_keep_under_the_limit(needs: list[int]) -> None:
    """Each has its turn, however much the others take."""
    budget, together, most = Budget(10), [0], [0]
    counting = threading.Lock()

    def work(needed: int) -> None:
        with budget.held(needed):
            with counting:
                together[0] += needed
                most[0] = max(most[0], together[0])
            time.sleep(0)
            with counting:
                together[0] -= needed

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, needs))
    assert most[0] <= 10
    with budget.held(10):  # all was given back
        pass


def test_large_pictures_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that fit only alone are decoded one after the other, and small ones as well."""
    content = float_tiff(1500, 1000)
    alone = 15 * 1500 * 1000 + 2**25
    decoder = Decoder(memory=DecodeMemory(limit=alone), timeout_s=None)
    at_work, most = [0], [0]
    decode_pixels = Decoder._pixels

    def counted(*arguments: Any) -> Any:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        try:
            return decode_pixels(*arguments)
        finally:
            at_work[0] -= 1

    monkeypatch.setattr(Decoder, "_pixels", counted)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(decoder.decode, [content] * 6, ["x"] * 6))
    assert len(found) == 6
    assert most == [1]


def test_a_picture_that_never_fits_is_told() -> None:
    """With what it takes and the option that helps."""
    error = refused(Decoder(memory=DecodeMemory(limit=1000)), picture())
    assert error.reason is Reason.TOO_MANY_PIXELS
    assert "--decode-memory" in str(error)


def test_a_float_tiff_of_62_megapixels_fits_as_a_default() -> None:
    """By its header alone."""
    with Image.open(io.BytesIO(float_tiff(100, 62))) as image:
        image._size = (10_000, 6_200)
        needed = needed_for(image, image.size, scans=1, elsewhere=True)
    assert 500 * 2**20 < needed < DecodeMemory().limit


def hold(memory: DecodeMemory, needed: int, held: Any, let_go: Any) -> None:
    """In a process: hold memory until told."""
    with memory.held(needed, "x"):
        held.set()
        let_go.wait()


@pytest.mark.parametrize("killed", [True, False])
def test_processes_wait_for_one_that_takes_much(tmp_path: Path, killed: bool) -> None:
    """And go on when it is done, or was killed."""
    memory = DecodeMemory(limit=100, processes=2, lock_file=str(tmp_path / "lock"))
    context = multiprocessing.get_context("spawn")
    held, let_go, others_held, over = (context.Event() for _ in range(4))
    large = context.Process(target=hold, args=(memory, 60, held, let_go))
    large.start()
    held.wait()
    small = context.Process(target=hold, args=(memory, 10, others_held, over))
    small.start()
    assert not others_held.wait(1.0)  # a start-up at least; it can't pass by being slow alone
    if killed:
        assert large.pid is not None
        os.kill(large.pid, signal.SIGKILL)
    else:
        let_go.set()
    others_held.wait()
    over.set()
    for process in (large, small):
        process.join()


FORMATS = [
    {"format": "JPEG"},
    {"format": "JPEG", "progressive": True, "subsampling": 0},
    {"format": "JPEG", "icc": True},
    {"format": "JPEG", "mode": "CMYK"},
    {"format": "PNG"},
    {"format": "PNG", "mode": "RGBA", "icc": True},
    {"format": "PNG", "mode": "P"},
    {"format": "GIF", "mode": "P"},
    {"format": "WEBP", "lossless": True, "method": 0},
    {"format": "TIFF", "mode": "F"},
    {"format": "TIFF", "compression": "tiff_lzw"},
    {"format": "AVIF", "speed": 10, "subsampling": "4:4:4"},
    {"format": "JPEG2000"},
    {"format": "BMP"},
]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
@pytest.mark.parametrize("how", FORMATS, ids=str)
def test_decoding_takes_no_more_than_was_told(how: dict[str, Any], tmp_path: Path) -> None:
    """The peak of a process that decodes six megapixels, against what the header told."""
    options = dict(how)
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((2000, 3000)).convert("RGB")
    image = (
        image.convert("L").convert("F")
        if options["format"] == "TIFF" and how.get("mode")
        else image
    )
    image = image.convert(options.pop("mode", image.mode))
    if options.pop("icc", False):
        options["icc_profile"] = profiles.matrix_profile(profiles.PROPHOTO, profiles.WHITE_D50, 1.8)
    image.save(tmp_path / "picture", **options)
    Image.new("RGB", (8, 8)).save(tmp_path / "small", how["format"])
    code = f"""
from pathlib import Path
from indexer.sources.decoding import Decoder, DecodeMemory
from indexer.sources.decoding.memory import needed_for
from indexer.sources.decoding.jpeg import scan_count
from indexer.sources.decoding.opening import open_picture
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))
decoder = Decoder(timeout_s=None)
decoder.decode(Path({str(tmp_path / "small")!r}).read_bytes(), "small")
content = Path({str(tmp_path / "picture")!r}).read_bytes()
image = open_picture(content, "x")
needed = needed_for(image, image.size, scans=scan_count(image, content), elsewhere=False)
image.close()
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
decoder.decode(content, "picture")
print(needed, status("VmHWM") - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    needed, peak = map(int, done.stdout.split())
    assert peak <= needed
    assert needed < 4 * peak + 2**24


def test_hostile_pictures_are_dead_letters_of_an_ingestion(tmp_path: Path) -> None:
    """The others are stored."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "slow.jpg").write_bytes(ENDLESS)
    for number in range(3):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(picture(dpi=(number + 1,) * 2))
    shell = Shell(tmp_path, in_process=True, model="pocket")
    (report,) = shell.json("ingest", "pictures", "--decode-timeout", "0.5")
    assert report["dead_by_reason"] == {"too_slow": 1}
    assert report["stored"] == 3
    (again,) = shell.json("retry", "--decode-memory", "1000000")
    assert again["dead_by_reason"] == {"too_many_pixels": 1}


def test_the_handed_case(shared_data: Path) -> None:
    """Sixty scans of 63 megapixels: decoded elsewhere, within the limit or given up."""
    content = (shared_data.parent / "cases" / "pictures" / "scans_5.jpg").read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        assert isolated.may_take_long(image, scans=scan_count(image, content))
    assert refused(Decoder(timeout_s=0.01), content).reason is Reason.TOO_SLOW
    assert Decoder(least_side=64, timeout_s=600.0).decode(content, "x").shape[2] == 3
