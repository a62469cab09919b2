"""Turns a claimed job into the text that a provider gets."""

from sms_service.codes.send_jobs import Claimed
from sms_service.jobs import SendJob
from sms_service.providers.provider import OutgoingSms
from sms_service.purposes import Notice
from sms_service.templates import Templates


class Texts:
    """Words the texts of codes that live ``code_ttl_seconds``, and the notices."""

    def __init__(self, templates: Templates, *, code_ttl_seconds: int) -> None:
        self._templates = templates
        self._valid_minutes = code_ttl_seconds // 60

    def of(self, job: SendJob, claimed: Claimed) -> OutgoingSms:
        """Write the text of one job."""
        return OutgoingSms(
            job.id,
            claimed.mobile,
            claimed.purpose,
            claimed.language,
            code=claimed.code,
            valid_minutes=self._valid_minutes,
            text=self._words(claimed),
            left_seconds=int(claimed.left_seconds),
        )

    def _words(self, claimed: Claimed) -> str:
        about, language = claimed.purpose, claimed.language
        if isinstance(about, Notice):
            return self._templates.notice(about, language)
        return self._templates.text(about, language, code=claimed.code, valid_minutes=self._valid_minutes)
