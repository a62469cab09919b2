"""The classic passport routes, with the aliases of names and paths that the course's frontends use."""

import svcs
from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected

from chassis.errors import BodyMalformed, RequestRefused, TooManyRequests, XinjingError
from chassis.web import Access
from gateway.auth.authentication import Authentication
from gateway.auth.cookies import SessionCookies, Tokens
from gateway.auth.csrf import SameSite
from gateway.classic.api import ClassicApi
from gateway.classic.responses import ParametersMissing, always_200, classic_response, with_csrf_cookie
from gateway.proxy.request import ENVIRON_KEY, ProxyRequest
from gateway.routing.limits import RequestLimits
from gateway.routing.rules import Limit

_PICTURE_ID_NAMES = ("imageCodeId", "code_id", "cur_id", "image_Code", "image_code_id")
_PICTURE_COST = 2  # Programs read classic pictures more often, so an address gets half as many.
_FIELDS_MISSING, _LOGIN_FIELDS_MISSING = "缺少必传参数", "缺少参数"
api = Blueprint("classic", __name__)


@api.get("/passport/image_code")
@api.get("/passport/imageCode")
def image_code() -> Response:
    """Answer a captcha picture for the frontend's own id; the one classic call with real HTTP statuses."""
    classic, proxy_request = svcs.flask.get(ClassicApi), _proxy_request()
    try:
        svcs.flask.get(RequestLimits).charge(Limit.CAPTCHAS, proxy_request.client.ip, cost=_PICTURE_COST)
        picture_id = next((request.args[name] for name in _PICTURE_ID_NAMES if request.args.get(name)), "")
        picture, media_type = classic.bind_picture(picture_id, proxy_request)
        if request.args.get("pre_id"):
            classic.forget_picture(request.args["pre_id"])
    except XinjingError as error:
        status = error.status if isinstance(error, RequestRefused | TooManyRequests) else 500
        return with_csrf_cookie(classic_response(error.errno, error.errmsg, status=status))
    response = Response(picture, content_type=media_type)
    response.headers["Cache-Control"] = "no-store"
    return with_csrf_cookie(response)


@api.post("/passport/sms_code")
@api.post("/passport/smscode")
@always_200
def sms_code() -> Response:
    """Send a code for registering."""
    proxy_request = _accepted(Limit.SMS_CODES)
    fields = _fields()
    mobile, text, picture_id = (fields.get(name, "") for name in ("mobile", "image_code", "image_code_id"))
    if not (mobile and text and picture_id):
        raise ParametersMissing(_FIELDS_MISSING)
    classic = svcs.flask.get(ClassicApi)
    classic.request_code(mobile=mobile, picture_text=text, picture_id=picture_id, request=proxy_request)
    return classic_response("0", "发送短信成功")


@api.post("/passport/register")
@always_200
def register() -> Response:
    """Open an account and sign in."""
    proxy_request = _accepted(Limit.USERS)
    fields = _fields()
    mobile, password = fields.get("mobile", ""), fields.get("password", "")
    code = fields.get("sms_code") or fields.get("smscode") or ""
    if not (mobile and code and password):
        raise ParametersMissing(_FIELDS_MISSING)
    tokens = svcs.flask.get(ClassicApi).register(mobile=mobile, sms_code=code, password=password, request=proxy_request)
    return _signed_in(tokens, "注册成功")


@api.post("/passport/login")
@always_200
def login() -> Response:
    """Sign in by password."""
    proxy_request = _accepted(Limit.SESSIONS)
    fields = _fields()
    mobile, password = fields.get("mobile", ""), fields.get("password") or fields.get("passport") or ""
    if not (mobile and password):
        raise ParametersMissing(_LOGIN_FIELDS_MISSING)
    tokens = svcs.flask.get(ClassicApi).log_in(mobile=mobile, password=password, request=proxy_request)
    return _signed_in(tokens, "登录成功")


@api.route("/passport/logout", methods=["GET", "POST"])
@always_200
def logout() -> Response:
    """End the session; signed out already is fine."""
    proxy_request = _accepted(None)
    authentication, cookies = svcs.flask.get(Authentication), svcs.flask.get(SessionCookies)
    if not proxy_request.is_unsafe and cookies.read_session(proxy_request.header("Cookie")).is_present:
        svcs.flask.get(SameSite).require_page(proxy_request)
    auth = authentication.authenticate(proxy_request, Access.OPTIONAL, is_checked_for_csrf=True)
    if auth.identity is not None:
        svcs.flask.get(ClassicApi).log_out(auth.identity.caller, proxy_request)
        authentication.end_session(auth.identity)
    return _with_cookies(classic_response("0", "退出成功"), cookies.clear_session(proxy_request))


def _proxy_request() -> ProxyRequest:
    proxy_request: ProxyRequest = request.environ[ENVIRON_KEY]
    return proxy_request


def _accepted(limit: Limit | None) -> ProxyRequest:
    proxy_request = _proxy_request()
    svcs.flask.get(SameSite).refuse_other_sites(proxy_request)
    if limit is not None:
        svcs.flask.get(RequestLimits).charge(limit, proxy_request.client.ip)
    return proxy_request


def _fields() -> dict[str, str]:
    try:
        body = request.get_json(force=True, silent=True)
    except (RequestRefused, ClientDisconnected) as error:
        raise BodyMalformed from error
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
    cookies = svcs.flask.get(SessionCookies).write_session(tokens, _proxy_request())
    return _with_cookies(classic_response("0", errmsg), cookies)


def _with_cookies(response: Response, cookies: list[str]) -> Response:
    for cookie in cookies:
        response.headers.add("Set-Cookie", cookie)
    return response
