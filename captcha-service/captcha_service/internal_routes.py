"""What other services ask captcha-service for: judging attempts, and the classic clients' captchas."""

import svcs
from flask import Response
from flask_openapi3 import APIBlueprint

from captcha_service.captchas import Captchas
from captcha_service.contract import Attempt, CaptchaPath, ClassicPath, Judgement
from captcha_service.issue_limit import IssueLimit
from captcha_service.proofs import PREFIX, Proofs
from captcha_service.routes import shown
from captcha_service.settings import Settings
from chassis import errors
from chassis.identity import GATEWAY, client_ip
from chassis.web import Access, endpoint

api = APIBlueprint("internal captchas", __name__)
# Everybody who may show a text for a captcha: the services that act on a right answer.
_JUDGED_FOR = frozenset({"sms-service", "user-service"})


@endpoint(
    api,
    "POST",
    "/internal/captchas/<id>/attempts",
    access=Access.SERVICE,
    callers=_JUDGED_FOR,
    answers={200: Judgement},
    failures=[errors.CaptchaExpired, errors.DependencyUnavailable],
)
def attempt_captcha(path: CaptchaPath, body: Attempt) -> dict[str, bool]:
    """Judge the one attempt at a captcha."""
    judge: Proofs | Captchas = svcs.flask.get(Proofs) if path.id.startswith(PREFIX) else svcs.flask.get(Captchas)
    return {"passed": judge.attempt(path.id, body.text)}


@endpoint(
    api,
    "PUT",
    "/internal/captchas/<id>",
    access=Access.SERVICE,
    callers=frozenset({GATEWAY}),
    answers={200: None},
    failures=[errors.NotFound, errors.TooManyRequests, errors.DependencyUnavailable],
)
def bind_classic_captcha(path: ClassicPath) -> Response:
    """Put a fresh captcha under a classic client's own id, and see it as image/jpeg."""
    svcs.flask.get(IssueLimit).charge(client_ip())
    ttl_seconds = svcs.flask.get(Settings).classic_ttl_seconds
    return shown(svcs.flask.get(Captchas).bind(path.id, ttl_seconds=ttl_seconds))


@endpoint(
    api,
    "DELETE",
    "/internal/captchas/<id>",
    access=Access.SERVICE,
    callers=frozenset({GATEWAY}),
    answers={204: None},
    failures=[errors.NotFound, errors.DependencyUnavailable],
)
def drop_classic_captcha(path: ClassicPath) -> tuple[str, int]:
    """Forget a classic client's captcha, whether it exists or not."""
    svcs.flask.get(Captchas).drop(path.id)
    return "", 204
