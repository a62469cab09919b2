"""Captchas: a short text or sum in a picture, known for minutes, and one attempt at it ever."""

import hmac
import re
import secrets
from hashlib import sha256

from captcha_service.answers import RedisAnswerStore
from captcha_service.drawing import Picture, draw
from captcha_service.questions import Content, new_result, question_for
from captcha_service.spelling import folded
from captcha_service.style import CLASSIC_JPEG, PNG
from chassis.errors import CaptchaExpired, NotFound

# No two of these look alike when warped: no 0 and O, 1 and I, 2 and Z, 5 and S, 8 and B, no C, Q, V.
ALPHABET = "ADEFGHJKLMNPRTUWXY34679"
CLASSIC_ID = r"^[A-Za-z0-9-]{1,64}$"
LONGEST_ATTEMPT = 16
# Our own ids start so that a classic client's own id, a UUID, can never be one of them.
_OWN_PREFIX = "xj"
_OWN_ID = re.compile(_OWN_PREFIX + r"[0-9a-f]{32}")
_ANY_ID = re.compile(CLASSIC_ID.strip("^$"))


class Captchas:
    """Issues captchas, draws them and judges attempts. Threads may share it.

    ``picture_key`` is a secret that all processes share: it makes one id always give one picture, which nobody else
    can draw to compare.
    """

    def __init__(self, answers: RedisAnswerStore, *, picture_key: bytes, characters: int, content: Content) -> None:
        self._answers = answers
        self._picture_key = picture_key
        self._characters = characters
        self._content = content

    def issue(self, *, ttl_seconds: int) -> str:
        """Make a captcha and return its id of 128 random bits."""
        captcha_id = f"{_OWN_PREFIX}{secrets.token_hex(16)}"
        self._answers.put(captcha_id, self._new_answer(), ttl_seconds=ttl_seconds)
        return captcha_id

    def picture(self, captcha_id: str) -> Picture:
        """Draw an issued captcha as PNG; every call gives the same bytes, so fetching again shows nothing new.

        Raises:
            NotFound: unknown, expired, used, or a classic one, whose only picture came when it was made.
        """
        answer = self._answers.look(captcha_id) if _OWN_ID.fullmatch(captcha_id) else None
        if answer is None:
            raise NotFound
        seed = self._seed(captcha_id, answer)
        return draw(question_for(answer, seed=seed), style=PNG, seed=seed)

    def bind(self, classic_id: str, *, ttl_seconds: int) -> Picture:
        """Make a captcha under an id that a classic client chose, in place of an older one, and draw it as JPEG.

        Raises:
            NotFound: the id is not a classic one.
        """
        self._check_classic(classic_id)
        answer = self._new_answer()
        self._answers.put(classic_id, answer, ttl_seconds=ttl_seconds)
        seed = self._seed(classic_id, answer)
        return draw(question_for(answer, seed=seed), style=CLASSIC_JPEG, seed=seed)

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
        return hmac.compare_digest(folded(text).encode(), folded(answer).encode())

    def _new_answer(self) -> str:
        if self._content is Content.ARITHMETIC:
            return new_result()
        return "".join(secrets.choice(ALPHABET) for _ in range(self._characters))

    def _seed(self, captcha_id: str, answer: str) -> int:
        return int.from_bytes(hmac.digest(self._picture_key, f"{captcha_id} {answer}".encode(), sha256))

    def _check_classic(self, classic_id: str) -> None:
        if not _ANY_ID.fullmatch(classic_id) or classic_id.startswith(_OWN_PREFIX):
            raise NotFound
