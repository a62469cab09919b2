"""Captchas: a short text or sum to be seen or heard, known for minutes, and one attempt at it ever."""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from captcha_service.answer_store import RedisAnswerStore
from captcha_service.atlas import Atlas, Atlases
from captcha_service.clips import Language
from captcha_service.drawing import Picture, draw, draw_classic
from captcha_service.questions import Content, new_result, question_for
from captcha_service.speech import Sound, speak
from chassis.errors import CaptchaExpired, NotFound
from chassis.texts import plain

# The letters that people confuse least when outlines overlap. Six of them make 46,656 texts, and there is one attempt.
# Of texts of five letters, which overlap less, programs read 25 of 100.
ALPHABET = "AGPTUX"
LETTERS = 6
# Classic pages show the picture so small that letters must be filled. Filled, these are not taken for each other (no 3
# beside 8, no N or W beside H and M), and none is taken for what counts as another one, as a bent T is for Y.
CLASSIC_ALPHABET = "AGHMPUX2589"
CLASSIC_CHARACTERS = 4
CLASSIC_ID = r"^[A-Za-z0-9-]{1,64}$"
LONGEST_ATTEMPT = 64
# A classic client may not choose an id that begins so; the ids of classic clients are UUIDs.
_OWN_PREFIX = "xj"
# The id names the period in which the captcha was made, so that every fetch draws its picture from that period's atlas.
_OWN_ID = re.compile(_OWN_PREFIX + r"(?P<period>[0-9a-f]{6})[0-9a-f]{32}")
_ANY_ID = re.compile(CLASSIC_ID.strip("^$"))
_UPPER = {ord(small): ord(small) - 32 for small in "abcdefghijklmnopqrstuvwxyz"}
# Texts contain only the first of each group, so that this makes no guess easier. All digits differ, for sums.
_GROUPS = ("A4", "G6C", "PDFR", "T7", "UV", "XKY", "HN", "0OQ", "1IL", "2Z", "3E", "5S", "8B")
_LOOK_ALIKES = {ord(other): group[0] for group in _GROUPS for other in group[1:]}


@dataclass(frozen=True, kw_only=True)
class Captchas:
    """Issues captchas, draws them and judges attempts. Threads may share it.

    ``picture_key`` is a secret that all processes share: one id always gives one picture, and one sound in each
    language, and nobody without the key can make them for comparison.
    """

    answers: RedisAnswerStore
    atlases: Mapping[Content, Atlases]
    classic_atlases: Atlases
    picture_key: bytes = field(repr=False)
    content: Content

    def issue(self, *, ttl_seconds: int) -> str:
        """Make a captcha and return its id of 128 random bits."""
        captcha_id = f"{_OWN_PREFIX}{self._period():06x}{secrets.token_hex(16)}"
        self.answers.put_answer(captcha_id, self._new_answer(), ttl_seconds=ttl_seconds)
        return captcha_id

    def picture(self, captcha_id: str, *, scale: int) -> Picture:
        """Draw an issued captcha as PNG; every call gives the same picture, so fetching again shows nothing new.

        ``scale`` is 1 or 2: how many pixels it has for one of the page.

        Raises:
            NotFound: unknown, expired, used, or a classic one, whose only picture came when it was made.
        """
        question, seed, period = self._question_of(captcha_id)
        return draw(question, atlas=self._atlas(question, period), seed=seed, scale=scale)

    def sound(self, captcha_id: str, *, language: Language) -> Sound:
        """Speak an issued captcha; every call gives the same bytes for one language, as with `picture`.

        Raises:
            NotFound: as `picture`.
        """
        question, _, _ = self._question_of(captcha_id)
        return speak(question, language=language, seed=self._seed(f"{captcha_id}/audio/{language}", question))

    def bind(self, classic_id: str, *, ttl_seconds: int) -> Picture:
        """Make a captcha under an id that a classic client chose, in place of an older one, and draw it as JPEG.

        It is a text of `CLASSIC_CHARACTERS`, whatever own captchas ask for.

        Raises:
            NotFound: the id is not a classic one.
        """
        self._check_classic(classic_id)
        answer = "".join(secrets.choice(CLASSIC_ALPHABET) for _ in range(CLASSIC_CHARACTERS))
        self.answers.put_answer(classic_id, answer, ttl_seconds=ttl_seconds)
        atlas = self.classic_atlases.atlas_of(self.classic_atlases.period())
        return draw_classic(answer, atlas=atlas, seed=self._seed(classic_id, answer))

    def drop(self, classic_id: str) -> None:
        """Forget a classic captcha, whether it exists or not.

        Raises:
            NotFound: the id is not a classic one.
        """
        self._check_classic(classic_id)
        self.answers.drop_answer(classic_id)

    def attempt(self, captcha_id: str, text: str) -> bool:
        """Judge the one attempt at a captcha, and use the captcha up whether it is right or wrong.

        Raises:
            CaptchaExpired: unknown, expired or already attempted.
        """
        answer = self.answers.take_answer(captcha_id) if _ANY_ID.fullmatch(captcha_id) else None
        if answer is None:
            raise CaptchaExpired
        if len(text) > LONGEST_ATTEMPT:
            return False
        return hmac.compare_digest(folded(text).encode(), folded(answer).encode())

    def _question_of(self, captcha_id: str) -> tuple[str, int, int]:
        """Return what an issued captcha asks, the seed of its picture, and the period in which it was made."""
        own = _OWN_ID.fullmatch(captcha_id)
        answer = self.answers.peek(captcha_id) if own else None
        if not own or answer is None:
            raise NotFound
        seed = self._seed(captcha_id, answer)
        return question_for(answer, seed=seed), seed, int(own["period"], 16)

    def _new_answer(self) -> str:
        if self.content is Content.ARITHMETIC:
            return new_result()
        return "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))

    def _period(self) -> int:
        return self.atlases[self.content].period()

    def _atlas(self, question: str, period: int) -> Atlas:
        content = Content.ARITHMETIC if question.endswith("=") else Content.TEXT
        return self.atlases[content].atlas_of(period)

    def _seed(self, captcha_id: str, answer: str) -> int:
        return int.from_bytes(hmac.digest(self.picture_key, f"{captcha_id} {answer}".encode(), sha256))

    def _check_classic(self, classic_id: str) -> None:
        if not _ANY_ID.fullmatch(classic_id) or classic_id.startswith(_OWN_PREFIX):
            raise NotFound


def joined(text: str) -> str:
    """Return a text in the plain forms of its letters and digits, without spaces and hyphens, as ``A G P-T U X``."""
    return plain(text).replace(" ", "").replace("-", "")


def folded(text: str) -> str:
    """Bring a text to the one spelling that is compared: joined, upper case, one of each group of look-alikes."""
    return joined(text).translate(_UPPER).translate(_LOOK_ALIKES)
