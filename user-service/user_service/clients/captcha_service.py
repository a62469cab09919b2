"""Asks captcha-service whether a captcha was answered, which uses the captcha up."""

from dataclasses import dataclass
from urllib.parse import quote

from chassis.errors import CaptchaExpired, CaptchaWrong, NotFound, RequestInvalid
from chassis.service_client import ServiceClient


@dataclass(frozen=True)
class CaptchaAnswer:
    """What somebody read in a captcha's picture."""

    captcha_id: str
    text: str


class Captchas:
    """The captchas of captcha-service, from the side that acts on a right answer."""

    def __init__(self, captcha_service: ServiceClient) -> None:
        self._captcha_service = captcha_service

    def spend(self, answer: CaptchaAnswer) -> None:
        """Use up a captcha that was answered rightly.

        Raises:
            CaptchaWrong: the answer is wrong; the captcha is used up all the same.
            CaptchaExpired: unknown, expired or used before.
            XinjingError: captcha-service cannot say. We fail closed: no captcha, no password check.
        """
        path = f"/internal/captchas/{quote(answer.captcha_id, safe='')}/attempts"
        try:
            judgement = self._captcha_service.call("POST", path, json={"text": answer.text})
        except (NotFound, RequestInvalid) as error:  # An id or a text that no captcha can have.
            raise CaptchaExpired from error
        if judgement != {"passed": True}:
            raise CaptchaWrong
