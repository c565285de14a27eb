"""Shots from the change between neighbouring frames, without a video."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.ingestion.shots import ShotSettings, find_shots
from indexer.sources.video.packet_plan import sampled

WIDTH = 16


def scenes(*lengths: int, change: float = 0.02, seed: int = 0) -> FloatArray:
    """Frames of scenes, one a second: near each other within one, far from those of another."""
    rng = np.random.default_rng(seed)
    centres = normalise(rng.normal(size=(len(lengths), WIDTH)))
    rows = [
        normalise(centre + change * rng.normal(size=WIDTH))
        for centre, length in zip(centres, lengths, strict=True)
        for _ in range(length)
    ]
    return np.stack(rows)


def bounds(vectors: FloatArray, end_s: float, **settings: float) -> list[tuple[float, float]]:
    """Start and end of each shot."""
    times = np.arange(len(vectors), dtype=np.float64)
    return [
        (shot.start_s, shot.end_s)
        for shot in find_shots(vectors, times, end_s, ShotSettings(**settings))
    ]


def test_each_scene_is_a_shot_with_the_mean_of_its_frames() -> None:
    """The last one ends with the video."""
    vectors = scenes(4, 4, 4)
    assert bounds(vectors, 12.0) == [(0, 4), (4, 8), (8, 12)]
    shot = find_shots(vectors, np.arange(12.0), 12.0)[1]
    assert shot.frames == 4
    assert shot.vector == pytest.approx(normalise(vectors[4:8].mean(axis=0)), abs=1e-6)


def test_a_video_that_changes_evenly_is_one_shot() -> None:
    """A camera that pans is no row of cuts, however far it goes each second."""
    turns = np.arange(12) * 0.6  # a cosine distance of 0.17 each second
    vectors = np.zeros((12, WIDTH), dtype=np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(turns), np.sin(turns)
    assert bounds(vectors, 12.0) == [(0, 12)]


def test_a_short_shot_joins_the_neighbour_that_it_resembles() -> None:
    """A frame of a cross-fade is no shot."""
    vectors = scenes(5, 5)
    mixed = normalise(0.4 * vectors[0] + 0.6 * vectors[-1])
    assert bounds(np.vstack([vectors[:5], mixed, vectors[5:]]), 11.0) == [(0, 5), (5, 11)]
    mixed = normalise(0.6 * vectors[0] + 0.4 * vectors[-1])
    assert bounds(np.vstack([vectors[:5], mixed, vectors[5:]]), 11.0) == [(0, 6), (6, 11)]


def test_a_single_frame_is_a_shot() -> None:
    """Of no length, where the file does not tell how long it is shown."""
    assert bounds(scenes(1), 0.0) == [(0, 0)]
    assert bounds(scenes(1), 0.4) == [(0, 0.4)]


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    change=st.floats(0, 0.5),
    threshold=st.floats(0, 1),
    contrast=st.floats(0, 5),
    min_length_s=st.floats(0, 6),
    seed=st.integers(0, 99),
)
def test_shots_cover_the_video_and_none_is_too_short(
    lengths: list[int],
    change: float,
    threshold: float,
    contrast: float,
    min_length_s: float,
    seed: int,
) -> None:
    """Whatever the settings; each frame is in one shot."""
    vectors = scenes(*lengths, change=change, seed=seed)
    end = float(len(vectors))
    settings = ShotSettings(threshold=threshold, contrast=contrast, min_length_s=min_length_s)
    shots = find_shots(vectors, np.arange(end), end, settings)
    assert [shots[0].start_s, *(shot.end_s for shot in shots)] == [
        *(shot.start_s for shot in shots),
        end,
    ]
    assert sum(shot.frames for shot in shots) == len(vectors)
    assert (
        len(shots) == 1 or min(shot.end_s - shot.start_s for shot in shots) >= min_length_s - 1e-6
    )
    assert np.linalg.norm([shot.vector for shot in shots], axis=1) == pytest.approx(1, abs=1e-5)


def test_one_frame_a_second_is_looked_at_the_first_in_it() -> None:
    """At any frame rate; the names of the frames are their times."""
    frames = [(number / 25, number / 25) for number in range(60)]
    assert list(sampled(frames, fps=1)) == [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]
    assert [time for time, _ in sampled(frames, fps=2)] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert [time for time, _ in sampled(frames, fps=1 / 2)] == [0.0, 2.0]


def test_a_frame_that_stays_comes_once_and_one_between_two_looks_is_seen() -> None:
    """A slide show: a picture is a frame, shown for seconds."""
    slides = [(0.0, "a"), (3.2, "b"), (3.6, "c"), (9.0, "d")]
    assert list(sampled(slides, fps=1)) == [(0.0, "a"), (3.0, "b"), (4.0, "c"), (9.0, "d")]
