"""Captchas: a short text in a picture and in a sound, known for minutes, and one attempt at it ever."""

import hmac
import re
import secrets
from hashlib import sha256

from captcha_service.answers import RedisAnswerStore
from captcha_service.clips import Language
from captcha_service.drawing import Picture, draw
from captcha_service.speech import Sound, speak
from captcha_service.style import CLASSIC_JPEG, PNG
from chassis.errors import CaptchaExpired, NotFound

# No two of these look alike when warped: no 0 and O, 1 and I, 2 and Z, 5 and S, 8 and B, no C, Q, V.
ALPHABET = "ADEFGHJKLMNPRTUWXY34679"
CLASSIC_ID = r"^[A-Za-z0-9-]{1,64}$"
LONGEST_ATTEMPT = 16
# Our own ids start so that a classic client's own id can never be one of them.
_OWN_ID = re.compile(r"xj[0-9a-f]{32}")
_ANY_ID = re.compile(CLASSIC_ID.strip("^$"))
# Full-width forms as Chinese keyboards type them (U+FF01 to U+FF5E and U+3000); no other Unicode form is taken.
_NARROW = {0xFF00 + code: 0x20 + code for code in range(1, 95)} | {0x3000: 0x20}
_UPPER = {ord(small): ord(small) - 32 for small in "abcdefghijklmnopqrstuvwxyz"}
_LOOK_ALIKES = str.maketrans("OQIZSB", "001258")


class Captchas:
    """Issues captchas, draws them and judges attempts. Threads may share it.

    ``picture_key`` is a secret that all processes share: it makes one id always give one picture and one sound in
    each language, which nobody else can make to compare.
    """

    def __init__(self, answers: RedisAnswerStore, *, picture_key: bytes, characters: int) -> None:
        self._answers = answers
        self._picture_key = picture_key
        self._characters = characters

    def issue(self, *, ttl_seconds: int) -> str:
        """Make a captcha and return its id of 128 random bits."""
        captcha_id = f"xj{secrets.token_hex(16)}"
        self._answers.put(captcha_id, self._new_text(), ttl_seconds=ttl_seconds)
        return captcha_id

    def picture(self, captcha_id: str) -> Picture:
        """Draw an issued captcha as PNG; every call gives the same bytes, so fetching again shows nothing new.

        Raises:
            NotFound: unknown, expired, used, or a classic one, whose only picture came when it was made.
        """
        text = self._text(captcha_id)
        return draw(text, style=PNG, seed=self._seed(captcha_id, text))

    def sound(self, captcha_id: str, *, language: Language) -> Sound:
        """Speak an issued captcha; every call gives the same bytes for one language, as with `picture`.

        Raises:
            NotFound: as `picture`.
        """
        text = self._text(captcha_id)
        return speak(text, language=language, seed=self._seed(f"{captcha_id}/audio/{language}", text))

    def bind(self, classic_id: str, *, ttl_seconds: int) -> Picture:
        """Make a captcha under an id that a classic client chose, in place of an older one, and draw it as JPEG.

        Raises:
            NotFound: the id is not a classic one.
        """
        self._check_classic(classic_id)
        text = self._new_text()
        self._answers.put(classic_id, text, ttl_seconds=ttl_seconds)
        return draw(text, style=CLASSIC_JPEG, seed=self._seed(classic_id, text))

    def drop(self, classic_id: str) -> None:
        """Forget a classic captcha, whether it exists or not.

        Raises:
            NotFound: the id is not a classic one.
        """
        self._check_classic(classic_id)
        self._answers.drop(classic_id)

    def attempt(self, captcha_id: str, text: str) -> bool:
        """Judge the one attempt at a captcha, and use the captcha up whether it is right or wrong.

        Raises:
            CaptchaExpired: unknown, expired or already attempted.
        """
        answer = self._answers.take(captcha_id) if _ANY_ID.fullmatch(captcha_id) else None
        if answer is None:
            raise CaptchaExpired
        if len(text) > LONGEST_ATTEMPT:
            return False
        return hmac.compare_digest(_folded(text).encode(), _folded(answer).encode())

    def _text(self, captcha_id: str) -> str:
        text = self._answers.look(captcha_id) if _OWN_ID.fullmatch(captcha_id) else None
        if text is None:
            raise NotFound
        return text

    def _new_text(self) -> str:
        return "".join(secrets.choice(ALPHABET) for _ in range(self._characters))

    def _seed(self, captcha_id: str, text: str) -> int:
        return int.from_bytes(hmac.digest(self._picture_key, f"{captcha_id} {text}".encode(), sha256))

    def _check_classic(self, classic_id: str) -> None:
        if not _ANY_ID.fullmatch(classic_id) or _OWN_ID.fullmatch(classic_id):
            raise NotFound


def _folded(text: str) -> str:
    """Bring a text to the one spelling that is compared: narrow, upper case, one of each pair of look-alikes."""
    return text.translate(_NARROW).strip(" ").translate(_UPPER).translate(_LOOK_ALIKES)
