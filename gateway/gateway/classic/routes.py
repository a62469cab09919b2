"""The classic passport routes, with the aliases of names and paths that the course's frontends use."""

import svcs
from flask import Flask, Response, request

from chassis.errors import BodyMalformed, RequestRefused, TooManyRequests, XinjingError
from chassis.web import Access
from gateway.classic.answers import ParametersMissing, always_200, classic_answer, with_csrf_cookie
from gateway.classic.passport import Passport
from gateway.cookies import SessionCookies, Tokens
from gateway.csrf import SameSite
from gateway.incoming import ENVIRON_KEY, Incoming
from gateway.limits import AddressLimits
from gateway.rules import Limit
from gateway.sessions import Sessions

_PICTURE_ID_NAMES = ("imageCodeId", "code_id", "cur_id", "image_Code", "image_code_id")
_FIELDS_MISSING, _LOGIN_FIELDS_MISSING = "缺少必传参数", "缺少参数"


def install(app: Flask) -> None:
    """Add the routes to the app."""
    for path in ("/passport/image_code", "/passport/imageCode"):
        app.add_url_rule(path, view_func=image_code)
    for path in ("/passport/sms_code", "/passport/smscode"):
        app.add_url_rule(path, view_func=sms_code, methods=["POST"])
    app.add_url_rule("/passport/register", view_func=register, methods=["POST"])
    app.add_url_rule("/passport/login", view_func=login, methods=["POST"])
    app.add_url_rule("/passport/logout", view_func=logout, methods=["GET", "POST"])


def image_code() -> Response:
    """Answer a captcha picture for the frontend's own id; the one classic call with real HTTP statuses."""
    passport, incoming = svcs.flask.get(Passport), _incoming()
    try:
        svcs.flask.get(AddressLimits).charge(Limit.CAPTCHAS, incoming.client_ip)
        picture_id = next((request.args[name] for name in _PICTURE_ID_NAMES if request.args.get(name)), "")
        picture, kind = passport.picture(picture_id, incoming)
        if request.args.get("pre_id"):
            passport.forget_picture(request.args["pre_id"])
    except XinjingError as error:
        status = error.status if isinstance(error, RequestRefused | TooManyRequests) else 500
        return with_csrf_cookie(classic_answer(error.errno, error.errmsg, status=status))
    answer = Response(picture, content_type=kind)
    answer.headers["Cache-Control"] = "no-store"
    return with_csrf_cookie(answer)


@always_200
def sms_code() -> Response:
    """Send a code for registering."""
    incoming = _accepted(Limit.SMS_CODES)
    fields = _fields()
    mobile, text, picture_id = (fields.get(name, "") for name in ("mobile", "image_code", "image_code_id"))
    if not (mobile and text and picture_id):
        raise ParametersMissing(_FIELDS_MISSING)
    passport = svcs.flask.get(Passport)
    passport.send_code(mobile=mobile, picture_text=text, picture_id=picture_id, incoming=incoming)
    return classic_answer("0", "发送短信成功")


@always_200
def register() -> Response:
    """Open an account and sign in."""
    incoming = _accepted(Limit.USERS)
    fields = _fields()
    mobile, password = fields.get("mobile", ""), fields.get("password", "")
    code = fields.get("sms_code") or fields.get("smscode") or ""
    if not (mobile and code and password):
        raise ParametersMissing(_FIELDS_MISSING)
    tokens = svcs.flask.get(Passport).register(mobile=mobile, sms_code=code, password=password, incoming=incoming)
    return _signed_in(tokens, "注册成功")


@always_200
def login() -> Response:
    """Sign in by password."""
    incoming = _accepted(Limit.SESSIONS)
    fields = _fields()
    mobile, password = fields.get("mobile", ""), fields.get("password") or fields.get("passport") or ""
    if not (mobile and password):
        raise ParametersMissing(_LOGIN_FIELDS_MISSING)
    return _signed_in(svcs.flask.get(Passport).log_in(mobile=mobile, password=password, incoming=incoming), "登录成功")


@always_200
def logout() -> Response:
    """End the session; signed out already is fine."""
    incoming = _accepted(None)
    sessions = svcs.flask.get(Sessions)
    visit = sessions.identify(incoming, Access.OPTIONAL, is_checked_for_csrf=True)
    if visit.identity is not None:
        svcs.flask.get(Passport).log_out(visit.identity.caller, incoming)
        sessions.end(visit.identity)
    return _with_cookies(classic_answer("0", "退出成功"), svcs.flask.get(SessionCookies).signed_out())


def _incoming() -> Incoming:
    incoming: Incoming = request.environ[ENVIRON_KEY]
    return incoming


def _accepted(limit: Limit | None) -> Incoming:
    incoming = _incoming()
    svcs.flask.get(SameSite).refuse_other_sites(incoming)
    if limit is not None:
        svcs.flask.get(AddressLimits).charge(limit, incoming.client_ip)
    return incoming


def _fields() -> dict[str, str]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BodyMalformed
    fields: dict[str, str] = {}
    for name, value in body.items():
        # Some frontends send the mobile as a number.
        if type(value) is int:
            fields[name] = str(value)
        elif isinstance(value, str):
            fields[name] = value
        elif value is not None:
            raise BodyMalformed
    return fields


def _signed_in(tokens: Tokens, errmsg: str) -> Response:
    return _with_cookies(classic_answer("0", errmsg), svcs.flask.get(SessionCookies).signed_in(tokens))


def _with_cookies(answer: Response, cookies: list[str]) -> Response:
    for cookie in cookies:
        answer.headers.add("Set-Cookie", cookie)
    return answer
