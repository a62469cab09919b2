"""The spoken characters that sounds are made of, as ``make_clips.py`` wrote them; clips/LICENSE names their source."""

from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Language = Literal["zh", "en"]
Samples = NDArray[np.float32]
RATE_HZ = 8000  # As on the telephone: up to 4 kHz, enough for speech and half the size of the next usual rate.
# Letters, digits and the four signs of an arithmetic captcha; "=" asks: equals what?
SPEAKABLE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-×="
_MU = 255  # The curve of ITU-T G.711, in its continuous form, with one byte for a sample.
_FRAME = 512  # Samples that one measurement of the spectrum covers: 64 ms.


class Clips:
    """The clips of one language: each character said once by every speaker, and their average spectrum."""

    def __init__(self, spoken: dict[str, tuple[Samples, ...]]) -> None:
        self._spoken = spoken
        self._spectrum = _spectrum_of([clip for clips in spoken.values() for clip in clips])

    def clips_of(self, character: str) -> tuple[Samples, ...]:
        """Return the clips of one character, each of root mean square 1.

        Raises:
            ValueError: no clip says this character.
        """
        if character not in self._spoken:
            raise ValueError("the text has a character that no clip says")
        return self._spoken[character]

    def spectrum(self, samples: int) -> Samples:
        """Return the average amplitude of speech at every frequency that a real transform of ``samples`` has."""
        frequencies = np.linspace(0, 1, samples // 2 + 1)
        measured = np.linspace(0, 1, self._spectrum.size)
        return np.asarray(np.interp(frequencies, measured, self._spectrum), dtype=np.float32)


@cache
def load_clips(language: Language) -> Clips:
    """Read the clips of a language."""
    with resources.as_file(resources.files("captcha_service") / "clips" / f"{language}.npz") as path:
        packed = np.load(path, allow_pickle=False)
        clips = np.split(expanded(packed["samples"]), packed["ends"][:-1])
        characters = str(packed["characters"])
    speakers = len(clips) // len(characters)
    equally_loud = [np.asarray(clip / np.sqrt(np.mean(clip**2)), dtype=np.float32) for clip in clips]
    return Clips(
        {
            character: tuple(equally_loud[place * speakers : (place + 1) * speakers])
            for place, character in enumerate(characters)
        }
    )


def compressed(samples: Samples) -> NDArray[np.uint8]:
    """Write samples between -1 and 1 as one byte each."""
    curved = np.sign(samples) * np.log1p(_MU * np.abs(samples)) / np.log1p(_MU)
    return np.asarray(np.round((curved + 1) / 2 * _MU), dtype=np.uint8)


def expanded(packed: NDArray[np.uint8]) -> Samples:
    """Read what `compressed` wrote."""
    curved = np.arange(_MU + 1) / _MU * 2 - 1
    table = np.sign(curved) * np.expm1(np.abs(curved) * np.log1p(_MU)) / _MU
    return np.asarray(table[packed], dtype=np.float32)


def _spectrum_of(clips: list[Samples]) -> Samples:
    """Measure the average spectrum: the mean power of overlapping frames (Welch 1967), as amplitude."""
    sound = np.concatenate(clips)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[:: _FRAME // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1)) ** 2
    return np.asarray(np.sqrt(power.mean(axis=0)), dtype=np.float32)
