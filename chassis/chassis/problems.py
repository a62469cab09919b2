"""Turns every failure of a Flask app into one RFC 9457 problem."""

import json
from typing import Any, Literal

from flask import Flask, Response
from pydantic import BaseModel, ValidationError
from structlog import get_logger
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from chassis import errors
from chassis.tracing import current_request_id

log = get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_SECONDS = 5  # For errors that pass by themselves, if nothing else is known.
_MOST_ERRORS = 100  # A body of a megabyte can hold a hundred thousand unknown members.
_BY_STATUS: dict[int, type[errors.XinjingError]] = {
    400: errors.BodyMalformed,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.BodyTooLarge,
    415: errors.MediaTypeUnsupported,
}


class WrongField(BaseModel):
    """One entry of a problem's ``errors``."""

    field: str
    code: str
    detail: str


class Problem(BaseModel):
    """The answer to every failed request (RFC 9457), with the classic pair ``errno`` and ``errmsg``."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errno: str
    errmsg: str
    request_id: str
    errors: list[WrongField] = []


def problem(error: errors.XinjingError) -> dict[str, Any]:  # Any: it is a JSON object.
    """Build the body of the answer to one error."""
    return Problem(
        title=error.text,
        status=error.status,
        detail=error.detail,
        code=error.code,
        errno=error.errno,
        errmsg=error.errmsg,
        request_id=current_request_id(),
        errors=[WrongField(field=e.field, code=e.code, detail=e.detail) for e in error.errors],
    ).model_dump()


def problem_headers(error: errors.XinjingError) -> dict[str, str]:
    """Build the headers that belong to one error: no caching, and when to try again."""
    headers = {"Cache-Control": "no-store"}
    wait = error.retry_after_seconds
    if wait is None and error.status in (429, 502, 503, 504):
        wait = _RETRY_AFTER_SECONDS
    if wait is not None:
        headers["Retry-After"] = str(max(wait, 1))
    if error.status == 401:  # RFC 9110 15.5.2 requires a challenge.
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.ContentEncodingUnsupported):  # RFC 9110 12.5.3.
        headers["Accept-Encoding"] = "identity"
    if isinstance(error, errors.StepUpRequired):  # RFC 9470.
        challenge = f'Bearer error="insufficient_user_authentication", max_age={error.max_age_seconds}'
        headers["WWW-Authenticate"] = challenge
    return headers


def problem_response(error: errors.XinjingError) -> Response:
    """Answer one error."""
    body = json.dumps(problem(error), ensure_ascii=False)
    return Response(body, error.status, problem_headers(error), content_type=MEDIA_TYPE)


def prefers_page(accepted: MIMEAccept) -> bool:
    """Say whether an Accept header prefers HTML to JSON of any kind, as browsers do when a person opens an address."""
    json_quality = max(accepted.quality(name) for name in ("application/json", MEDIA_TYPE))
    return bool(accepted.quality("text/html") > json_quality)


def _fields_of(error: ValidationError) -> list[errors.FieldError]:
    """Name every wrong field of a pydantic error (the first hundred), without the values."""
    return [
        errors.FieldError(".".join(str(part) for part in wrong["loc"]) or "body", wrong["type"], wrong["msg"])
        for wrong in error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]
    ]


def validation_response(error: ValidationError) -> Response:
    """Answer a request that pydantic refused: 422 with every wrong field."""
    return problem_response(errors.RequestInvalid(errors=_fields_of(error)))


def _from_http(error: HTTPException) -> errors.XinjingError:
    code = error.code or 500
    if code >= 500:
        return errors.InternalError()
    return _BY_STATUS[code]() if code in _BY_STATUS else errors.RequestRefused(error.name)


def install_problems(app: Flask) -> None:
    """Let an app answer every error with a problem: our own, Werkzeug's, and unexpected ones as 500."""

    @app.errorhandler(errors.XinjingError)
    def answer_ours(error: errors.XinjingError) -> Response:
        if error.status >= 500:
            log.error("request_failed", code=error.code, exc_info=error)
        return problem_response(error)

    @app.errorhandler(HTTPException)
    def answer_werkzeugs(error: HTTPException) -> Response:
        answer = problem_response(_from_http(error))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return answer

    @app.errorhandler(Exception)
    def answer_unexpected(error: Exception) -> Response:
        log.error("unexpected_error", exc_info=error)
        return problem_response(errors.InternalError())
