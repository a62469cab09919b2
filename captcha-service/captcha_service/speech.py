"""Speaks a text over a background of hiss and babble that people hear through and simple programs do not.

A program that was trained on these clips understands the text nevertheless; the limits are the real defence.
"""

import io
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_service.clips import RATE_HZ, SPEAKABLE, Clips, Language, Samples, load_clips
from captcha_service.style import Range

_FULL_SCALE = 32767


@dataclass(frozen=True)
class SoundStyle:
    """The parameters of a sound. Ranges are (least, most)."""

    longest_text: int = 16  # Characters; a sound of so many lasts about 16 seconds.
    lead_in_seconds: Range = (0.5, 0.9)  # Background alone, so that nobody misses the first character.
    gap_seconds: Range = (0.35, 0.65)  # Between two characters.
    tail_seconds: Range = (0.3, 0.5)
    rate_share: Range = (0.90, 1.12)  # Of the clip's own speed; its pitch goes with it.
    glide_share: float = 0.03  # How far the speed changes within one character, up or down.
    loudness_db: Range = (-2.0, 2.0)  # Of a character, to the average.
    # Root mean squares: of the speech where there is any, and of the background throughout.
    speech_over_background_db: float = 9.0
    # The background is hiss of the spectrum of speech, and babble: clips played backwards.
    babble_over_hiss_db: float = 0.0
    babble_per_second: float = 4.0
    babble_rate_share: Range = (0.75, 1.3)
    peak_share: float = 0.9  # Of full scale: what the loudest sample is brought to.


SOUND = SoundStyle()


@dataclass(frozen=True)
class Sound:
    """An encoded sound."""

    content: bytes
    media_type: str = "audio/wav"


@dataclass(frozen=True)
class Tracks:
    """The two halves of a sound, which are added; ``is_speech`` is true where a character is spoken."""

    speech: Samples
    background: Samples
    is_speech: NDArray[np.bool_]


def speak(text: str, *, language: Language, seed: int, style: SoundStyle = SOUND) -> Sound:
    """Say a text, as WAV: 8 kHz, 16 bits, mono, which every browser plays. The same arguments give the same bytes.

    Raises:
        ValueError: the text is empty or longer than the style allows, or a character is not in `SPEAKABLE`.
    """
    tracks = record(text, language=language, seed=seed, style=style)
    sound = tracks.speech + tracks.background
    sound *= style.peak_share * _FULL_SCALE / np.abs(sound).max()
    encoded = io.BytesIO()
    with wave.open(encoded, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(sound.astype("<i2").tobytes())
    return Sound(encoded.getvalue())


def record(text: str, *, language: Language, seed: int, style: SoundStyle = SOUND) -> Tracks:
    """Make the tracks of a text, each at its level; raises as `speak` does."""
    if not 0 < len(text) <= style.longest_text:
        raise ValueError(f"a text to speak has 1 to {style.longest_text} characters")
    # The caller's seed must be unguessable: anybody who knows it can subtract the background.
    random = np.random.Generator(np.random.PCG64(seed))
    clips = load_clips(language)
    speech, is_speech = _spoken(text, clips, style, random)
    background = _hiss(speech.size, clips, random)
    background += _gain(style.babble_over_hiss_db) * _babble(speech.size, clips, style, random)
    wanted = _loudness(speech[is_speech]) / _gain(style.speech_over_background_db)
    return Tracks(speech, background * (wanted / _loudness(background)), is_speech)


def _spoken(
    text: str, clips: Clips, style: SoundStyle, random: np.random.Generator
) -> tuple[Samples, NDArray[np.bool_]]:
    """Say the characters one after another."""
    words = [_varied(_one_of(clips.clips_of(character), random), style.rate_share, style, random) for character in text]
    pauses = [style.lead_in_seconds, *[style.gap_seconds] * (len(words) - 1), style.tail_seconds]
    silences = [round(random.uniform(*pause) * RATE_HZ) for pause in pauses]
    speech = np.zeros(sum(silences) + sum(word.size for word in words), dtype=np.float32)
    is_speech = np.zeros(speech.size, dtype=np.bool_)
    start = 0
    for silence, word in zip(silences, words, strict=False):
        start += silence
        speech[start : start + word.size] = word * _gain(random.uniform(*style.loudness_db))
        is_speech[start : start + word.size] = True
        start += word.size
    return speech, is_speech


def _varied(clip: Samples, rate_share: Range, style: SoundStyle, random: np.random.Generator) -> Samples:
    """Play a clip faster or slower, with a pitch that rises or falls a little."""
    rate = random.uniform(*rate_share)
    glide = random.uniform(-style.glide_share, style.glide_share)
    steps = rate * np.linspace(1 - glide, 1 + glide, int(clip.size / rate))
    return np.interp(np.cumsum(steps), np.arange(clip.size), clip).astype(np.float32)


def _hiss(size: int, clips: Clips, random: np.random.Generator) -> Samples:
    """Make noise that has the spectrum of speech, of loudness 1."""
    length = -(-size // RATE_HZ) * RATE_HZ  # Whole seconds: a length with small factors is transformed fast.
    spectrum = clips.spectrum(length)
    noise = random.standard_normal((2, spectrum.size), dtype=np.float32)
    hiss: Samples = np.fft.irfft(spectrum * (noise[0] + 1j * noise[1]), length)[:size].astype(np.float32)
    return hiss / _loudness(hiss)


def _babble(size: int, clips: Clips, style: SoundStyle, random: np.random.Generator) -> Samples:
    """Mix many clips that are played backwards, of loudness 1."""
    babble = np.zeros(size, dtype=np.float32)
    for _ in range(max(1, round(style.babble_per_second * size / RATE_HZ))):
        clip = _one_of(clips.clips_of(SPEAKABLE[random.integers(len(SPEAKABLE))]), random)
        word = _varied(clip[::-1], style.babble_rate_share, style, random)[:size]
        start = int(random.integers(size - word.size, endpoint=True))
        babble[start : start + word.size] += word
    return babble / _loudness(babble)


def _one_of(clips: tuple[Samples, ...], random: np.random.Generator) -> Samples:
    return clips[random.integers(len(clips))]


def _gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _loudness(samples: Samples) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(samples**2)))
