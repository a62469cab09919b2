"""Asks captcha-service whether a captcha was answered."""

from urllib.parse import quote

from chassis.errors import (
    CaptchaExpired,
    CaptchaWrong,
    DependencyUnavailable,
    NotFound,
    RequestInvalid,
    SmsUnavailable,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from chassis.service_client import ServiceClient


class Captchas:
    """The captchas of captcha-service, as their one caller here sees them."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def spend(self, captcha_id: str, text: str) -> None:
        """Use up a captcha that was answered rightly.

        Raises:
            CaptchaWrong: the answer is wrong; the captcha is used up all the same.
            CaptchaExpired: unknown, expired or used before.
            SmsUnavailable: captcha-service cannot say. We fail closed: no captcha, no text.
        """
        path = f"/internal/captchas/{quote(captcha_id, safe='')}/attempts"
        try:
            answer = self._client.call("POST", path, json={"text": text})
        except (NotFound, RequestInvalid) as error:  # An id or a text that no captcha can have.
            raise CaptchaExpired from error
        except (UpstreamTimeout, UpstreamUnavailable, DependencyUnavailable) as error:
            raise SmsUnavailable from error
        if answer != {"passed": True}:
            raise CaptchaWrong
