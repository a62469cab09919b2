"""Captchas: a short text or sum to be seen or heard, known for minutes, and one attempt at it ever."""

import hmac
import re
import secrets
from collections.abc import Mapping
from hashlib import sha256

from captcha_service.answers import RedisAnswerStore
from captcha_service.atlas import Atlas, Atlases
from captcha_service.clips import Language
from captcha_service.drawing import Picture, draw, draw_classic
from captcha_service.questions import Content, new_result, question_for
from captcha_service.speech import Sound, speak
from captcha_service.spelling import folded
from chassis.errors import CaptchaExpired, NotFound

# The letters that are told apart best when outlines overlap. Six make 46,656 texts, and who guesses has one attempt. Of
# texts of five, which overlap less, programs read 25 of 100.
ALPHABET = "AGPTUX"
LETTERS = 6
CLASSIC_ID = r"^[A-Za-z0-9-]{1,64}$"
LONGEST_ATTEMPT = 16
# Our own ids start so that a classic client's own id, a UUID, can never be one of them.
_OWN_PREFIX = "xj"
# It says in which period the captcha was made, so that its picture is drawn from that period's atlas every time.
_OWN_ID = re.compile(_OWN_PREFIX + r"(?P<period>[0-9a-f]{6})[0-9a-f]{32}")
_ANY_ID = re.compile(CLASSIC_ID.strip("^$"))


class Captchas:
    """Issues captchas, draws them and judges attempts. Threads may share it.

    ``picture_key`` is a secret that all processes share: it makes one id always give one picture and one sound in
    each language, which nobody else can make to compare.
    """

    def __init__(
        self,
        answers: RedisAnswerStore,
        atlases: Mapping[Content, Atlases],
        *,
        picture_key: bytes,
        content: Content,
    ) -> None:
        self._answers = answers
        self._atlases = atlases
        self._picture_key = picture_key
        self._content = content

    def issue(self, *, ttl_seconds: int) -> str:
        """Make a captcha and return its id of 128 random bits."""
        captcha_id = f"{_OWN_PREFIX}{self._period():06x}{secrets.token_hex(16)}"
        self._answers.put(captcha_id, self._new_answer(), ttl_seconds=ttl_seconds)
        return captcha_id

    def picture(self, captcha_id: str, *, scale: int) -> Picture:
        """Draw an issued captcha as PNG; every call gives the same picture, so fetching again shows nothing new.

        ``scale`` is 1 or 2: how many pixels it has for one of the page.

        Raises:
            NotFound: unknown, expired, used, or a classic one, whose only picture came when it was made.
        """
        question, seed, period = self._asked(captcha_id)
        return draw(question, atlas=self._atlas(question, period), seed=seed, scale=scale)

    def sound(self, captcha_id: str, *, language: Language) -> Sound:
        """Speak an issued captcha; every call gives the same bytes for one language, as with `picture`.

        Raises:
            NotFound: as `picture`.
        """
        question, _, _ = self._asked(captcha_id)
        return speak(question, language=language, seed=self._seed(f"{captcha_id}/audio/{language}", question))

    def bind(self, classic_id: str, *, ttl_seconds: int) -> Picture:
        """Make a captcha under an id that a classic client chose, in place of an older one, and draw it as JPEG.

        Raises:
            NotFound: the id is not a classic one.
        """
        self._check_classic(classic_id)
        answer = self._new_answer()
        self._answers.put(classic_id, answer, ttl_seconds=ttl_seconds)
        seed = self._seed(classic_id, answer)
        question = question_for(answer, seed=seed)
        return draw_classic(question, atlas=self._atlas(question, self._period()), seed=seed)

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

    def _asked(self, captcha_id: str) -> tuple[str, int, int]:
        """Find what an issued captcha asks, the seed of its picture, and the period that it was made in."""
        own = _OWN_ID.fullmatch(captcha_id)
        answer = self._answers.look(captcha_id) if own else None
        if not own or answer is None:
            raise NotFound
        seed = self._seed(captcha_id, answer)
        return question_for(answer, seed=seed), seed, int(own["period"], 16)

    def _new_answer(self) -> str:
        if self._content is Content.ARITHMETIC:
            return new_result()
        return "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))

    def _period(self) -> int:
        return self._atlases[self._content].period()

    def _atlas(self, question: str, period: int) -> Atlas:
        content = Content.ARITHMETIC if question.endswith("=") else Content.TEXT
        return self._atlases[content].of(period)

    def _seed(self, captcha_id: str, answer: str) -> int:
        return int.from_bytes(hmac.digest(self._picture_key, f"{captcha_id} {answer}".encode(), sha256))

    def _check_classic(self, classic_id: str) -> None:
        if not _ANY_ID.fullmatch(classic_id) or classic_id.startswith(_OWN_PREFIX):
            raise NotFound
