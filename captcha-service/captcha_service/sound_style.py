"""How the sounds sound: every number of the mixing, in one place."""

from dataclasses import dataclass

from captcha_service.style import Range


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
