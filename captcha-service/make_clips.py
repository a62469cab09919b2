"""Makes ``captcha_service/clips/*.npz`` anew: ``make captcha-clips``; needs the program espeak-ng (Debian's package).

Every speaker says every character of `SPEAKABLE`. The silence around it is cut off, the sound brought to 8 kHz, to full
loudness and to one byte a sample. A file holds all clips in a row (``samples``: character by character, in each the
speakers in order), where each ends (``ends``) and the ``characters``. Other versions of espeak-ng sound slightly
different; the files in the repository are of 1.51.
"""

import io
import shutil
import string
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captcha_service.clips import RATE_HZ, SPEAKABLE, Language, Samples, compressed

FOLDER = Path(__file__).parent / "captcha_service" / "clips"
_SILENT = 10 ** (-36 / 20)  # What is quieter than this share of the peak, at either end, is no speech.
_MARGIN_SECONDS = 0.01
_WAV_HEADER_BYTES = 44
_PLAIN = {character: character for character in string.ascii_uppercase + string.digits}


@dataclass(frozen=True)
class Speaker:
    """One way of speaking: a voice of espeak-ng with a timbre, a speed and a pitch from 0 to 99."""

    voice: str
    timbre: str
    words_per_minute: int
    pitch: int


_EN = {**_PLAIN, "+": "plus", "-": "minus", "×": "times", "=": "equals what"}
# Pinyin; Debian's espeak-ng has no dictionary of Chinese characters.
_ZH_SIGNS = {"+": "jia1", "-": "jian3", "×": "cheng2", "=": "deng3 yu2 ji3"}
_ZH_SIGNS_VOICE = "cmn-latn-pinyin"
SPEAKERS: dict[Language, tuple[Speaker, ...]] = {
    # The voice "cmn" says Latin letters by their English names, as they are said in Chinese.
    "zh": (
        Speaker("cmn", "m3", 115, 45),
        Speaker("cmn", "f2", 125, 55),
        Speaker("cmn", "m7", 135, 35),
        Speaker("cmn", "f4", 110, 65),
    ),
    "en": (
        Speaker("en-us", "m3", 140, 45),
        Speaker("en-gb", "f2", 150, 55),
        Speaker("en-us", "m7", 165, 35),
        Speaker("en-us", "f4", 135, 65),
    ),
}


def say(character: str, speaker: Speaker, language: Language) -> Samples:
    """Let a speaker say a character; the loudest sample is 1 or -1."""
    voice, words = speaker.voice, _EN[character] if language == "en" else _PLAIN.get(character)
    if words is None:
        voice, words = _ZH_SIGNS_VOICE, _ZH_SIGNS[character]
    command = [_program(), "-v", f"{voice}+{speaker.timbre}", "-s", str(speaker.words_per_minute)]
    command += ["-p", str(speaker.pitch), "-z", "--stdout", words]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - all of it is ours.
    with wave.open(io.BytesIO(spoken)) as sound:  # A stream's header does not know how long the sound will be.
        rate_hz = sound.getframerate()
    samples = np.frombuffer(spoken[_WAV_HEADER_BYTES:], "<i2").astype(np.float32)
    return _trimmed(_resampled(samples, rate_hz))


def _program() -> str:
    path = shutil.which("espeak-ng")
    if path is None:
        sys.exit("espeak-ng is not installed (Debian: apt-get install espeak-ng)")
    return path


def _resampled(samples: Samples, rate_hz: int) -> Samples:
    """Bring a whole sound to 8 kHz; what lies above 4 kHz is left out."""
    length = round(samples.size * RATE_HZ / rate_hz)
    return np.fft.irfft(np.fft.rfft(samples)[: length // 2 + 1], length).astype(np.float32)


def _trimmed(samples: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > _SILENT * np.abs(samples).max())
    margin = round(_MARGIN_SECONDS * RATE_HZ)
    kept = samples[max(loud[0] - margin, 0) : loud[-1] + margin]
    return kept / np.abs(kept).max()


def write(language: Language) -> None:
    """Make the file of a language."""
    clips = [say(character, speaker, language) for character in SPEAKABLE for speaker in SPEAKERS[language]]
    np.savez_compressed(
        FOLDER / f"{language}.npz",
        samples=compressed(np.concatenate(clips)),
        ends=np.cumsum([clip.size for clip in clips], dtype=np.int32),
        characters=np.str_(SPEAKABLE),
    )


if __name__ == "__main__":
    for spoken_language in SPEAKERS:
        write(spoken_language)
