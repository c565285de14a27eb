"""Sounds: windows of files, what breaks, and a CLAP's vectors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, tone, write, write_clap

from indexer.core.errors import ItemError
from indexer.core.hashing import part_hash, sha256
from indexer.core.parts import END, START, clock, cut_id, cut_rows, place_text, source_id_of, uncut
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item, Kind
from indexer.encoder import SentenceTransformerEncoder
from indexer.ingestion.sounds import SoundSegmenter
from indexer.sources import media, signatures
from indexer.sources.decoding.sounds import SoundDecoder
from indexer.sources.decoding.spectrogram import spectrogram


def places(decoder: SoundDecoder, content: bytes) -> list[str]:
    """The windows of a sound, as people read them."""
    return [place_text(part) for part in decoder.windows(content, "a").parts]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.3, ["0:00-0:00.3"]),
        (10.0, ["0:00-0:10"]),
        (10.4, ["0:00-0:10"]),
        (12.0, ["0:00-0:10", "0:02-0:12"]),
        (35.0, ["0:00-0:10", "0:10-0:20", "0:20-0:30", "0:25-0:35"]),
    ],
)
def test_the_last_window_ends_with_the_sound(
    tmp_path: Path, seconds: float, expected: list[str]
) -> None:
    """It is as long as the others; a rest of at most a twentieth gets none of its own."""
    content = write(tmp_path / "a.wav", tone(440, seconds)).read_bytes()
    assert places(SoundDecoder(), content) == expected


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_a_window_is_the_same_piece_of_the_whole_sound(tmp_path: Path, ending: str) -> None:
    """Resampled with a margin: no edge is heard where a window begins."""
    samples = tone(440, 25)
    stereo = np.stack([samples, np.zeros_like(samples)], axis=1)
    content = write(tmp_path / f"a.{ending}", stereo).read_bytes()
    decoder = SoundDecoder()

    whole = decoder.decode(content, "a", {}, rate=24_000)
    window = decoder.decode(content, "a", {START: 10.0, END: 20.0}, rate=24_000)

    assert len(window) == 240_000
    difference = np.abs(window - whole[240_000:480_000]).max()
    assert difference < (1e-5 if ending in {"wav", "flac"} else 1e-3)
    assert np.abs(whole).max() == pytest.approx(0.25, abs=0.03)  # the mean of both channels


def test_a_sound_at_the_models_rate_is_not_resampled(tmp_path: Path) -> None:
    """Its samples are those of the file."""
    samples = tone(440, 3)
    content = write(tmp_path / "a.wav", samples).read_bytes()
    decoded = SoundDecoder().decode(content, "a", {START: 1.0, END: 2.0}, rate=RATE)
    np.testing.assert_allclose(decoded, samples[RATE : 2 * RATE], atol=1e-4)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_a_broken_sound_keeps_the_windows_before_the_break(tmp_path: Path, ending: str) -> None:
    """And says where it breaks."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=40 * RATE).astype(np.float32) * 0.1
    content = write(tmp_path / f"a.{ending}", noise).read_bytes()

    windows = SoundDecoder().windows(content[: len(content) * 6 // 10], "a")

    assert [place_text(part) for part in windows.parts] == ["0:00-0:10", "0:10-0:20"]
    assert windows.broken_at == pytest.approx(24, abs=2)
    assert "after 0:2" in windows.warning("a")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.NOT_A_SOUND),
        (b"RIFF0000WAVEjunk", Reason.NOT_A_SOUND),
        (b"no sound at all", Reason.NOT_A_SOUND),
    ],
)
def test_what_is_no_sound_is_refused(content: bytes, reason: Reason) -> None:
    """With its name and what can be read."""
    with pytest.raises(ItemError, match=r"^a\.wav") as caught:
        SoundDecoder().windows(content, "a.wav")
    assert caught.value.reason is reason


def test_limits_hold_before_anything_is_decoded(tmp_path: Path) -> None:
    """Bytes, seconds, channels; a sound that breaks in its first window; one of no length."""
    content = write(tmp_path / "a.wav", tone(440, 30)).read_bytes()
    for decoder, part, reason in (
        (SoundDecoder(max_bytes=1000), content, Reason.TOO_MANY_BYTES),
        (SoundDecoder(max_seconds=20), content, Reason.TOO_LONG),
        (SoundDecoder(), content[:RATE], Reason.TRUNCATED),
    ):
        with pytest.raises(ItemError) as caught:
            decoder.windows(part, "a")
        assert caught.value.reason is reason
    many = write(tmp_path / "many.wav", np.zeros((100, 65), dtype=np.float32)).read_bytes()
    none = write(tmp_path / "none.wav", np.zeros(0, dtype=np.float32)).read_bytes()
    click = write(tmp_path / "click.wav", np.full(1, 0.1, dtype=np.float32)).read_bytes()
    for wrong, reason in (
        (many, Reason.UNSUPPORTED),
        (none, Reason.NOT_A_SOUND),
        (click, Reason.NOT_A_SOUND),
    ):
        with pytest.raises(ItemError) as caught:
            SoundDecoder().windows(wrong, "a")
        assert caught.value.reason is reason


@pytest.mark.parametrize("rate", [1_000, 8_000, 96_000])
def test_the_shortest_window_has_samples(tmp_path: Path, rate: int) -> None:
    """A millisecond, the precision of a place: no model gets an empty input."""
    short = write(tmp_path / "a.wav", np.full(rate // 1_000, 0.1, dtype=np.float32), rate=rate)
    decoder, content = SoundDecoder(), short.read_bytes()
    (part,) = decoder.windows(content, "a").parts
    assert len(decoder.decode(content, "a", part, rate=24_000)) == 24


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """A file of floats may hold them, and a model would make nothing of them."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(RATE, np.nan, dtype=np.float32), RATE, subtype="FLOAT")
    with pytest.raises(ItemError, match="not finite") as caught:
        SoundDecoder().decode(path.read_bytes(), "a", {}, rate=RATE)
    assert caught.value.reason is Reason.UNSUPPORTED


def test_windows_fit_the_model_unless_their_length_was_chosen(tmp_path: Path) -> None:
    """A model that takes five seconds gets windows of five; a chosen length stays."""
    content = write(tmp_path / "a.wav", tone(440, 12.0)).read_bytes()
    fives = ["0:00-0:05", "0:05-0:10", "0:07-0:12"]
    assert places(SoundDecoder().for_model(5.0), content) == fives
    assert places(SoundDecoder().for_model(None), content) == ["0:00-0:10", "0:02-0:12"]
    assert SoundDecoder(window_s=8.0).for_model(5.0).window_s == 8.0


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_sounds_are_known_by_their_first_bytes(tmp_path: Path, ending: str) -> None:
    """Whatever their name; a picture's bytes are no sound's."""
    content = write(tmp_path / f"a.{ending}", tone(440, 1)).read_bytes()
    assert signatures.kind_of(content[: signatures.LONGEST]) is Kind.SOUND
    assert media.kind_of("a.jpg", content) is Kind.SOUND
    assert media.kind_of("https://example.com/a.mp3?size=1") is Kind.SOUND
    assert signatures.kind_of(b"\xff\xd8\xff\xe0" + bytes(28)) is Kind.PICTURE


def test_a_place_is_read_by_people() -> None:
    """Seconds as a clock shows them; boxes as their corner and size."""
    assert [clock(seconds) for seconds in (0, 9.96, 75.5, 3723)] == [
        "0:00",
        "0:10",
        "1:15.5",
        "1:02:03",
    ]
    assert place_text({"box": [1, 2, 30, 40]}) == "1,2 30x40"
    assert place_text({"view": 2}) == ""


def test_rows_that_are_cut_tell_their_source() -> None:
    """The first window is the item's own row; the others' ids name where they begin."""
    item = Item(item_id="a#b.wav", kind=Kind.SOUND, source="a.wav")
    parts = [{START: 0.0, END: 10.0}, {START: 2.5, END: 12.5}]
    own, other = cut_rows(item, parts)
    assert (own.item_id, own.parent_id, own.part) == ("a#b.wav", "", parts[0])
    assert (other.item_id, other.parent_id) == ("a#b.wav#start=2.5", "a#b.wav")
    assert source_id_of(other.item_id) == "a#b.wav"
    assert uncut(own) == uncut(other) == item
    view = Item(item_id="a#view=2", kind=Kind.SOUND, source="b", parent_id="a", part={"view": 2})
    assert cut_id(view, parts[1]) == "a#view=2&start=2.5"
    assert uncut(cut_rows(view, parts)[1]) == view


def test_a_hash_is_of_the_file_and_the_place() -> None:
    """Not of the place in the source, and whether a database gave 10 or 10.0."""
    assert part_hash("f", {"view": 2}) == "f"
    assert part_hash("f", {START: 10, "row": 7}) == part_hash("f", {START: 10.0})
    assert part_hash("f", {START: 10.0}) != part_hash("f", {START: 20.0})


def segmented(items: list[Item], *, window_s: float = 10.0) -> list[Item | Failure]:
    """What the segmenter makes of items whose sources are paths."""
    reads: list[str] = []

    def fetch(source: str) -> bytes:
        reads.append(source)
        return Path(source).read_bytes()

    entries = list(SoundSegmenter(SoundDecoder(window_s=window_s), fetch)(items))
    assert len(reads) == len(set(reads)), "each file is read once"
    return entries


def sound(path: Path, **more: object) -> Item:
    """An item of a file."""
    return Item(item_id=path.name, kind=Kind.SOUND, source=str(path), **more)  # type: ignore[arg-type]


def test_windows_share_the_bytes_of_their_file(tmp_path: Path) -> None:
    """Other items pass, in their order."""
    path = write(tmp_path / "a.wav", tone(440, 25))
    picture = Item(item_id="p", kind=Kind.PICTURE, source="p.png")

    before, item, after = segmented([picture, sound(path), picture])

    assert before == after == picture
    assert isinstance(item, Item)
    assert item.parts is not None
    contents = {id(part.content) for part in (item, *item.parts) if isinstance(part, Item)}
    assert len(contents) == 1
    assert item.file_hash == sha256(path.read_bytes())


def test_rows_of_one_file_that_were_cut_before_are_read_together(tmp_path: Path) -> None:
    """As a retry and a change of the model give them: they keep their part."""
    path = write(tmp_path / "a.wav", tone(440, 25))
    (item,) = segmented([sound(path)])
    assert isinstance(item, Item)
    rows = [part for part in item.parts or () if isinstance(part, Item)]
    bare = [
        Item(
            item_id=row.item_id,
            kind=row.kind,
            source=row.source,
            parent_id=row.parent_id,
            part=row.part,
        )
        for row in rows
    ]

    again = segmented(list(bare))

    assert [row.part for row in again if isinstance(row, Item)] == [row.part for row in rows]
    assert all(isinstance(row, Item) and row.parts is None for row in again)


def test_the_rest_of_a_broken_sound_is_one_dead_letter(tmp_path: Path) -> None:
    """Tried again with the whole file, it gives the windows that were missing."""
    path = write(tmp_path / "a.flac", np.random.default_rng(0).normal(size=35 * RATE) * 0.1)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])

    (item,) = segmented([sound(path)])

    assert isinstance(item, Item)
    second, rest = item.parts or ()
    assert isinstance(second, Item)
    assert isinstance(rest, Failure)
    assert rest.reason is Reason.TRUNCATED
    assert rest.item.item_id == "a.flac#start=20"
    path.write_bytes(whole)
    retried = segmented([rest.item])
    assert [entry.item_id for entry in retried if isinstance(entry, Item)] == [
        "a.flac#start=20",
        "a.flac#start=25",
    ]


@pytest.fixture(scope="module", params=["rand_trunc", "fusion"])
def clap(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLAP's folder, of both ways to treat long sounds."""
    return write_clap(tmp_path_factory.mktemp("clap"), truncation=request.param)


@pytest.fixture(scope="module")
def encoder(clap: Path) -> SentenceTransformerEncoder:
    """It, loaded."""
    return SentenceTransformerEncoder(str(clap), device="cpu", precision="float32")


def test_scores_are_those_of_transformers_pipeline(
    clap: Path, encoder: SentenceTransformerEncoder
) -> None:
    """The softmax at the model's own scale equals zero-shot-audio-classification to five digits."""
    from transformers import pipeline

    from indexer.labels.prompts import SOUND_TEMPLATES

    rate = encoder.sound_rate
    assert rate is not None
    names = ["a dog", "rain on a roof", "a siren", "a bell"]
    judge = pipeline("zero-shot-audio-classification", model=str(clap))
    texts = encoder.embed_texts([SOUND_TEMPLATES[0].replace("{}", name) for name in names])
    for seconds in (2.0, 10.0):
        samples = tone(600, seconds, rate=rate)
        (vector,) = encoder.embed_sounds([encoder.prepare_sound(samples)])
        logits = encoder.logit_scale * (texts @ vector).astype(np.float64)
        scores = np.exp(logits - logits.max())
        scores /= scores.sum()
        expected = {one["label"]: one["score"] for one in judge(samples, candidate_labels=names)}
        np.testing.assert_allclose(scores, [expected[name] for name in names], atol=5e-6)


def test_vectors_repeat_and_do_not_depend_on_the_batch(encoder: SentenceTransformerEncoder) -> None:
    """CLAP's processor alone would mark a random sound of a batch as long."""
    rate = encoder.sound_rate
    assert rate is not None
    sounds = [encoder.prepare_sound(tone(200 * n, 3, rate=rate)) for n in range(1, 6)]
    together = encoder.embed_sounds(sounds)
    alone = np.concatenate([encoder.embed_sounds([sound]) for sound in sounds])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    assert (together @ together.T)[0, 4] < 0.9999
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_the_input_is_the_processors_own(encoder: SentenceTransformerEncoder) -> None:
    """The quick way to a spectrogram gives what the model was trained on."""
    rate = encoder.sound_rate
    assert rate is not None
    samples = tone(600, 4.3, rate=rate)
    extractor = encoder._model.sound_preparation.extractor
    expected = extractor([samples], sampling_rate=rate, return_tensors="np")["input_features"][0]
    np.testing.assert_allclose(encoder.prepare_sound(samples), expected, atol=1e-3)


def test_a_window_longer_than_the_model_takes_is_refused(
    encoder: SentenceTransformerEncoder,
) -> None:
    """It would be cut at random."""
    assert encoder.longest_sound_s == 10
    assert encoder.sound_rate is not None
    with pytest.raises(ItemError, match="--window") as caught:
        encoder.prepare_sound(tone(440, 10.5, rate=encoder.sound_rate))
    assert caught.value.reason is Reason.TOO_LONG


def test_a_spectrogram_shows_a_tone_where_it_is() -> None:
    """A rising tone goes from the lower left to the upper right."""
    seconds = np.arange(4 * 22_050) / 22_050
    rising = np.sin(2 * np.pi * (200 * seconds + 900 * seconds**2)).astype(np.float32)
    picture = spectrogram(rising)
    assert picture.shape == (256, 512, 3)
    bright = picture.sum(axis=2).argmax(axis=0)
    assert bright[50] > bright[256] > bright[460]
    assert not spectrogram(np.zeros(1000, dtype=np.float32)).sum(axis=2).max() > 10


def test_soundfile_is_not_imported_where_no_sound_is_read() -> None:
    """Of the extra nothing is loaded by the decoder's module."""
    import subprocess
    import sys

    code = (
        "import sys; import indexer.ingestion.sounds, queries.inputs.embedding; "
        "print(sorted({'soundfile', 'soxr'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"


def test_the_remedy_is_named_where_the_extra_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a dead letter, which works when the packages are there."""
    import sys

    content = write(tmp_path / "a.wav", tone(440, 1)).read_bytes()
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ItemError, match=r"zeroshelf\[audio\]") as caught:
        SoundDecoder().windows(content, "a.wav")
    assert caught.value.reason is Reason.UNSUPPORTED


def test_an_mp3_that_is_cut_short_is_known(tmp_path: Path) -> None:
    """Its first frame tells its length; libsndfile alone would give silence for the rest."""
    noise = np.random.default_rng(0).normal(size=40 * RATE).astype(np.float32) * 0.1
    content = write(tmp_path / "a.mp3", noise).read_bytes()
    assert SoundDecoder().windows(content, "a").broken_at is None
    windows = SoundDecoder().windows(content[: len(content) * 6 // 10], "a")
    assert [place_text(part) for part in windows.parts] == ["0:00-0:10", "0:10-0:20"]
    assert windows.broken_at == pytest.approx(24, abs=2)


def test_windows_of_an_mp3_come_in_any_order(tmp_path: Path) -> None:
    """A thread goes on in the file that it has open, and begins anew for what lies before."""
    contents = [
        write(tmp_path / f"{pitch}.mp3", tone(pitch, 25)).read_bytes() for pitch in (440, 660)
    ]
    decoder = SoundDecoder()
    whole = [decoder.decode(content, "a", {}, rate=RATE) for content in contents]
    for start, which in ((0, 0), (10, 0), (15, 0), (10, 1), (5, 1), (2, 0)):
        part = {START: float(start), END: start + 8.0}
        window = decoder.decode(contents[which], "a", part, rate=RATE)
        expected = whole[which][start * RATE : (start + 8) * RATE]
        np.testing.assert_allclose(window, expected, atol=1e-6)
