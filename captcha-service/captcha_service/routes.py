"""The routes: a captcha, its picture and its sound for everybody; attempts and classic captchas for services."""

import svcs
from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint

from captcha_service.captchas import Captchas
from captcha_service.contract import (
    Attempt,
    CaptchaPath,
    CaptchaRequest,
    ClassicPath,
    ImageQuery,
    IssuedCaptcha,
    Judgement,
    SoundQuery,
)
from captcha_service.drawing import Picture
from captcha_service.issue_limit import IssueLimit
from captcha_service.proof_of_work import PREFIX, ProofOfWork
from captcha_service.settings import Settings
from captcha_service.speech import Sound
from chassis import errors
from chassis.identity import GATEWAY, client_ip
from chassis.web import Access, endpoint, media_answer

api = APIBlueprint("captchas", __name__)
# The services that act on a right answer.
_ATTEMPTING_SERVICES = frozenset({"sms-service", "user-service"})
_CLASSIC_COST = 2  # Programs read classic pictures more often, so an address gets half as many.


@endpoint(
    api,
    "POST",
    "/api/v1/captchas",
    access=Access.PUBLIC,
    answers={201: IssuedCaptcha},
    failures=[errors.TooManyRequests, errors.DependencyUnavailable],
)
def issue_captcha(body: CaptchaRequest) -> Response:
    """Get a new captcha."""
    svcs.flask.get(IssueLimit).charge(client_ip())
    ttl_seconds = svcs.flask.get(Settings).ttl_seconds
    issued = _new_challenge(ttl_seconds) if body.kind == "pow" else _new_picture(ttl_seconds)
    answer = jsonify(issued | {"kind": body.kind, "expires_in": ttl_seconds})
    answer.headers["Cache-Control"] = "no-store"
    answer.status_code = 201
    return answer


@endpoint(
    api,
    "GET",
    "/api/v1/captchas/<id>/image",
    access=Access.PUBLIC,
    answers={200: media_answer("image/png")},
    failures=[errors.NotFound, errors.DependencyUnavailable],
)
def captcha_image(path: CaptchaPath, query: ImageQuery) -> Response:
    """See a captcha, as image/png; the same picture each time."""
    return _media_response(svcs.flask.get(Captchas).picture(path.id, scale=query.scale))


@endpoint(
    api,
    "GET",
    "/api/v1/captchas/<id>/audio",
    access=Access.PUBLIC,
    answers={200: media_answer("audio/wav"), 206: media_answer("audio/wav")},
    failures=[errors.NotFound, errors.DependencyUnavailable],
)
def captcha_audio(path: CaptchaPath, query: SoundQuery) -> Response:
    """Hear a captcha, as audio/wav; the same sound each time."""
    sound = svcs.flask.get(Captchas).sound(path.id, language=query.lang)
    answer = _media_response(sound)
    # Safari plays nothing from a server that does not answer requests for parts of it (RFC 9110, 14).
    answer.make_conditional(request, accept_ranges=True, complete_length=len(sound.content))
    return answer


@endpoint(
    api,
    "POST",
    "/internal/captchas/<id>/attempts",
    access=Access.SERVICE,
    callers=_ATTEMPTING_SERVICES,
    answers={200: Judgement},
    failures=[errors.CaptchaExpired, errors.DependencyUnavailable],
)
def attempt_captcha(path: CaptchaPath, body: Attempt) -> dict[str, bool]:
    """Judge the one attempt at a captcha."""
    judge: ProofOfWork | Captchas = (
        svcs.flask.get(ProofOfWork) if path.id.startswith(PREFIX) else svcs.flask.get(Captchas)
    )
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
    """Put a fresh captcha under a classic client's own id, and see it as image/jpeg, 160×60; counts as two captchas."""
    svcs.flask.get(IssueLimit).charge(client_ip(), cost=_CLASSIC_COST)
    ttl_seconds = svcs.flask.get(Settings).classic_ttl_seconds
    return _media_response(svcs.flask.get(Captchas).bind(path.id, ttl_seconds=ttl_seconds))


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


def _media_response(media: Picture | Sound) -> Response:
    """Answer a picture or a sound that may not be cached."""
    return Response(media.content, headers={"Cache-Control": "no-store"}, content_type=media.media_type)


def _new_picture(ttl_seconds: int) -> dict[str, object]:
    captcha_id = svcs.flask.get(Captchas).issue(ttl_seconds=ttl_seconds)
    return {
        "id": captcha_id,
        "content": svcs.flask.get(Settings).content,
        "image_url": f"/api/v1/captchas/{captcha_id}/image",
        "audio_url": f"/api/v1/captchas/{captcha_id}/audio",
    }


def _new_challenge(ttl_seconds: int) -> dict[str, object]:
    challenge = svcs.flask.get(ProofOfWork).issue(ttl_seconds=ttl_seconds)
    work = {"algorithm": "SHA-256", "target": challenge.target, "numbers": challenge.numbers}
    return {"id": challenge.challenge_id, "challenge": work}
