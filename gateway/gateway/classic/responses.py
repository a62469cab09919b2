"""The classic answers: HTTP 200 with ``errno`` and ``errmsg``, and the cookie that classic frontends expect."""

import json
import secrets
from collections.abc import Callable
from functools import wraps

import svcs
from flask import Response, request
from structlog import get_logger
from werkzeug.exceptions import RequestEntityTooLarge

from chassis.errors import BodyTooLarge, InternalError, XinjingError
from gateway.auth.cookies import SessionCookies

log = get_logger(__name__)
CSRF_COOKIE = "csrf_token"
View = Callable[[], Response]


class ParametersMissing(Exception):
    """Required fields are not there; carries the text of the classic contract."""


def classic_response(errno: str, errmsg: str, *, status: int = 200) -> Response:
    """Write one answer; nothing of it may be cached."""
    body = json.dumps({"errno": errno, "errmsg": errmsg}, ensure_ascii=False)
    response = Response(body, status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def always_200(view: View) -> View:
    """Turn every failure of a view into a classic answer: its frontends have no error handlers."""

    @wraps(view)
    def wrapped() -> Response:
        try:
            response = view()
        except ParametersMissing as error:
            response = classic_response("4103", str(error))
        except XinjingError as error:
            log.info("classic_refused", code=error.code)
            response = classic_response(error.errno, error.errmsg)
        except RequestEntityTooLarge:
            response = classic_response(BodyTooLarge.errno, BodyTooLarge.errmsg)
        except Exception as error:
            log.exception("unexpected_error", exc_info=error)
            response = classic_response(InternalError.errno, InternalError.errmsg)
        return with_csrf_cookie(response)

    return wrapped


def with_csrf_cookie(response: Response) -> Response:
    """Set the cookie that classic frontends read and send back as ``X-CSRFToken``, if they do not have it.

    It guards nothing: `gateway.auth.csrf` does. Hex, because their reader cuts off trailing characters that are not
    words.
    """
    if CSRF_COOKIE not in request.cookies:
        secure = svcs.flask.get(SessionCookies).is_secure
        response.set_cookie(CSRF_COOKIE, secrets.token_hex(16), secure=secure, samesite="Lax")
    return response
