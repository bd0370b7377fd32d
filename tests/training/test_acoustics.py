"""Other rooms, loudspeakers, noises and pitches: what they change, and what they leave."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streamer.training.acoustics import (
    RATE,
    Acoustics,
    AcousticsConfig,
    Surroundings,
    coloured,
    in_room,
    retuned,
    through_loudspeaker,
    with_noise,
)

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
NOTHING = Surroundings((), ())


@pytest.fixture
def music() -> np.ndarray:
    """A second and a half of a chord that dies away again and again."""
    t = np.arange(round(1.5 * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * hz * t) for hz in (220.0, 277.2, 329.6))
    return np.asarray(0.1 * tones * np.exp(-4 * (t * 2 % 1)))


@pytest.mark.parametrize("change", [in_room, through_loudspeaker])
def test_changes_keep_length_and_volume_has_no_say(music: np.ndarray, change: Change) -> None:
    """As long as before, changed, finite; twice as loud in, twice as loud out."""
    heard = change(music, np.random.default_rng(1))
    assert heard.shape == music.shape
    assert np.isfinite(heard).all()
    assert np.corrcoef(heard, music)[0, 1] < 0.999
    np.testing.assert_allclose(change(2 * music, np.random.default_rng(1)), 2 * heard, atol=1e-9)


def test_a_room_hears_no_future(music: np.ndarray) -> None:
    """What comes later leaves what was heard before as it was."""
    later = music.copy()
    later[RATE:] = 0
    early, whole = (in_room(sound, np.random.default_rng(2)) for sound in (later, music))
    np.testing.assert_allclose(early[:RATE], whole[:RATE], atol=1e-9)
    assert np.abs(early[RATE:]).max() > 1e-3, "the room goes on sounding"


@pytest.mark.parametrize("snr_db", [-2.0, 10.0, 25.0])
def test_noise_lies_where_it_should(music: np.ndarray, snr_db: float) -> None:
    """The added noise is so many dB under the sound, whatever its own level was."""
    noise = 7 * coloured(len(music), np.random.default_rng(3))
    added = with_noise(music, noise, snr_db) - music
    assert 20 * np.log10(music.std() / added.std()) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize("semitones", [-1.5, 1.0])
def test_another_pitch(semitones: float) -> None:
    """A tone of 440 Hz, retuned, is that many semitones away, and as much shorter."""
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    heard = retuned(tone, semitones)
    assert len(heard) == pytest.approx(RATE * 2 ** (-semitones / 12), abs=2)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 1 << 18))
    assert np.argmax(spectrum) * RATE / (1 << 18) == pytest.approx(
        440 * 2 ** (semitones / 12), abs=1
    )


def test_takes_differ_and_can_be_had_again(music: np.ndarray) -> None:
    """The same chance gives the same take, another one another; bound ones keep their length."""
    acoustics = Acoustics(AcousticsConfig(noise=1.0), Surroundings([music], [music]))

    def take(seed: int) -> tuple[np.ndarray, float]:
        return acoustics.take(music, np.random.default_rng(seed), music=True, bound=True)

    for seed in range(8):
        (sound, snr), (again, _) = take(seed), take(seed)
        assert np.array_equal(sound, again)
        assert len(sound) == len(music)
        assert -2 <= snr <= 25
    assert not np.array_equal(take(0)[0], take(1)[0])


def test_nothing_asked_nothing_changed(music: np.ndarray) -> None:
    """With every probability 0 the take is the sound itself, and no noise is told of."""
    names = ("pitch", "room", "noise", "noise_alone", "clipping", "loudspeaker", "narrow")
    plain = Acoustics(AcousticsConfig(**dict.fromkeys(names, 0.0)), NOTHING)
    sound, snr = plain.take(music, np.random.default_rng(0), music=False, bound=False)
    assert np.array_equal(sound, music)
    assert snr == np.inf
