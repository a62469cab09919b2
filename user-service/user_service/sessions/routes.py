"""The HTTP edge of sessions: logging in and out, token refresh, recent authentication, the keys that verify tokens."""

import json
from typing import Any  # Answers are JSON objects.

import svcs
from flask import Response, request
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.database import utc_now
from chassis.identity import client_ip, current_caller, current_user_id
from chassis.mobiles import parse_mobile
from chassis.web import Access, endpoint
from user_service.clients.captcha_service import CaptchaAnswer
from user_service.sessions.contract import (
    KeySet,
    LoginRequest,
    PageQuery,
    ReauthenticationRequest,
    RefreshRequest,
    ScopeQuery,
    SessionPath,
    SessionsAnswer,
    SignedInAnswer,
    TokensAnswer,
    current_device,
    sessions_page,
    signed_in,
    token_pair,
)
from user_service.sessions.recent_authentication import RecentAuthentication
from user_service.sessions.sessions import Sessions
from user_service.sessions.sign_in import SignIn
from user_service.tokens.access_tokens import AccessTokens, require_recent_authentication
from user_service.tokens.key_ring import SET_MAX_AGE_SECONDS
from user_service.tokens.refresh import TokenRefresh

api = APIBlueprint("sessions", __name__)
# The gateway shows a withdrawn key for five seconds, and the last set while this service is away.
_CACHED = {
    "Cache-Control": f"public, max-age={SET_MAX_AGE_SECONDS}",
    "CDN-Cache-Control": "max-age=5, stale-if-error=600",
}


@endpoint(
    api,
    "POST",
    "/api/v1/sessions",
    access=Access.PUBLIC,
    answers={201: SignedInAnswer},
    failures=[
        errors.MobileInvalid,
        errors.CredentialsWrong,
        errors.CaptchaRequired,
        errors.CaptchaWrong,
        errors.CaptchaExpired,
        errors.PasswordResetRequired,
        errors.TooManyRequests,
        errors.DependencyUnavailable,
    ],
)
def log_in(body: LoginRequest) -> tuple[dict[str, Any], int]:
    """Log in by password, or by a code that was texted."""
    mobile = parse_mobile(body.mobile)
    sign_in = svcs.flask.get(SignIn)
    if body.password is not None:
        captcha = CaptchaAnswer(body.captcha_id, body.captcha_text) if body.captcha_id and body.captcha_text else None
        result = sign_in.by_password(mobile, body.password, current_device(), client_ip(), captcha=captcha)
    else:
        code, device = body.sms_code or "", current_device()
        result = sign_in.by_code(mobile, code, device, client_ip(), create_user=body.create_user)
    return signed_in(result), 201


@endpoint(
    api,
    "POST",
    "/api/v1/tokens/refresh",
    access=Access.PUBLIC,
    answers={200: TokensAnswer},
    failures=[errors.Unauthenticated, errors.DependencyUnavailable],
)
def refresh_tokens(body: RefreshRequest) -> dict[str, Any]:
    """Exchange a refresh token for its successor and a fresh access token."""
    return token_pair(svcs.flask.get(TokenRefresh).refresh(body.refresh_token))


@endpoint(api, "GET", "/api/v1/sessions", access=Access.SIGNED_IN, answers={200: SessionsAnswer})
def list_sessions(query: PageQuery) -> dict[str, Any]:
    """List the devices on which the user is signed in."""
    page = svcs.flask.get(Sessions).live_sessions(current_user_id(), cursor=query.cursor, limit=query.limit)
    return sessions_page(page, current_id=current_caller().session_id)


@endpoint(
    api,
    "DELETE",
    "/api/v1/sessions/current",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[errors.NotFound, errors.DependencyUnavailable],
)
def log_out() -> tuple[str, int]:
    """Log out: end the session that asks."""
    session_id = current_caller().session_id or ""
    svcs.flask.get(Sessions).end(session_id, user_id=current_user_id(), audited_as="logout")
    return "", 204


@endpoint(
    api,
    "DELETE",
    "/api/v1/sessions/<session_id>",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[errors.NotFound, errors.StepUpRequired, errors.DependencyUnavailable],
)
def end_session(path: SessionPath) -> tuple[str, int]:
    """End one of the user's own sessions; one on another device needs a fresh proof of identity."""
    if path.session_id != current_caller().session_id:
        require_recent_authentication(utc_now())
    svcs.flask.get(Sessions).end(path.session_id, user_id=current_user_id())
    return "", 204


@endpoint(
    api,
    "DELETE",
    "/api/v1/sessions",
    access=Access.SIGNED_IN,
    answers={204: None},
    failures=[errors.StepUpRequired, errors.DependencyUnavailable],
)
def end_sessions(query: ScopeQuery) -> tuple[str, int]:
    """End all of the user's sessions, or all but the one that asks; needs a fresh proof of identity."""
    sessions, user_id = svcs.flask.get(Sessions), current_user_id()
    require_recent_authentication(utc_now())
    if query.scope == "all":
        sessions.end_all(user_id, actor_id=user_id)
    else:
        sessions.end_others(user_id, but=current_caller().session_id or "")
    return "", 204


@endpoint(api, "GET", "/.well-known/jwks.json", access=Access.PUBLIC, answers={200: KeySet})
def read_public_keys() -> Response:
    """Show the public keys that verify access tokens."""
    body = json.dumps(svcs.flask.get(AccessTokens).public_keys(), sort_keys=True)
    answer = Response(body, headers=_CACHED, content_type="application/json")
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@endpoint(
    api,
    "POST",
    "/api/v1/reauthentications",
    access=Access.SIGNED_IN,
    answers={200: TokensAnswer},
    failures=[
        errors.CredentialsWrong,
        errors.PasswordResetRequired,
        errors.CaptchaRequired,  # It cannot happen here, but stands in the published document.
        errors.TooManyRequests,
        errors.DependencyUnavailable,
    ],
)
def reauthenticate(body: ReauthenticationRequest) -> dict[str, Any]:
    """Prove again who one is; the answer is a new session in place of the one that asks."""
    authentication, caller = svcs.flask.get(RecentAuthentication), current_caller()
    if body.password is not None:
        tokens = authentication.by_password(caller, body.password, current_device(), client_ip())
    else:
        tokens = authentication.by_code(caller, body.sms_code or "", current_device(), client_ip())
    return token_pair(tokens)
