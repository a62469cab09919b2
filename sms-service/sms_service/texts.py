"""Turns a claimed job into the text that a provider gets."""

from sms_service.codes.send_jobs import Claimed
from sms_service.jobs import SendJob
from sms_service.providers.provider import OutgoingSms
from sms_service.templates import Templates


class Texts:
    """Words the texts of codes that live ``code_ttl_seconds``."""

    def __init__(self, templates: Templates, *, code_ttl_seconds: int) -> None:
        self._templates = templates
        self._valid_minutes = code_ttl_seconds // 60

    def of(self, job: SendJob, claimed: Claimed) -> OutgoingSms:
        """Write the text of one job."""
        language, minutes = claimed.language, self._valid_minutes
        return OutgoingSms(
            job.id,
            claimed.mobile,
            claimed.purpose,
            language,
            code=claimed.code,
            valid_minutes=minutes,
            text=self._templates.text(claimed.purpose, language, code=claimed.code, valid_minutes=minutes),
            left_seconds=int(claimed.left_seconds),
        )
