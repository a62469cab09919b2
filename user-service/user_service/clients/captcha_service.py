"""Asks captcha-service whether a captcha was answered, which uses the captcha up."""

from dataclasses import dataclass
from urllib.parse import quote

from chassis.errors import CaptchaExpired, CaptchaWrong, NotFound, RequestInvalid
from chassis.service_client import ServiceClient


@dataclass(frozen=True)
class CaptchaAnswer:
    """The text that a person read in the picture of a captcha."""

    captcha_id: str
    text: str


@dataclass(frozen=True)
class Captchas:
    """The captchas of captcha-service."""

    captcha_service: ServiceClient

    def verify(self, answer: CaptchaAnswer) -> None:
        """Accept a right answer. The captcha is used up in any case.

        Raises:
            CaptchaWrong: the answer is wrong.
            CaptchaExpired: the captcha is unknown, expired or used already.
            XinjingError: captcha-service cannot say. The caller fails closed: it checks no password.
        """
        path = f"/internal/captchas/{quote(answer.captcha_id, safe='')}/attempts"
        try:
            reply = self.captcha_service.call("POST", path, json={"text": answer.text})
        except (NotFound, RequestInvalid) as error:  # No captcha can have this id or this text.
            raise CaptchaExpired from error
        if reply != {"passed": True}:
            raise CaptchaWrong
