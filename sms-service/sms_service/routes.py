"""The HTTP side: ask for a code, check a code, read the inbox."""

import svcs
from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint

from chassis.errors import (
    CaptchaExpired,
    CaptchaWrong,
    DependencyUnavailable,
    Forbidden,
    MobileInvalid,
    NotFound,
    RequestRefused,
    SmsCodeExpired,
    SmsUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from chassis.identity import client_ip, current_user_id
from chassis.mobiles import parse_mobile
from chassis.web import Access, endpoint
from sms_service import metrics
from sms_service.code_requests import CodeRequests
from sms_service.codes.sms_codes import SmsCodes
from sms_service.contract import (
    Consumption,
    ConsumptionResult,
    InboxItems,
    InboxQuery,
    ReceiptPath,
    SmsCodePromise,
    SmsCodeRequest,
)
from sms_service.providers.inbox import Inbox
from sms_service.providers.receipts import ReceiptRequest
from sms_service.receipts import Receipts
from sms_service.settings import Settings

api = APIBlueprint("sms", __name__)


@endpoint(
    api,
    "POST",
    "/api/v1/sms-codes",
    access=Access.OPTIONAL,
    answers={202: SmsCodePromise},
    failures=[CaptchaWrong, CaptchaExpired, MobileInvalid, Unauthenticated, TooManyRequests, SmsUnavailable],
)
def request_sms_code(body: SmsCodeRequest) -> tuple[dict[str, int], int]:
    """Have a code texted to a mobile."""
    mobile = parse_mobile(body.mobile)
    subject = str(current_user_id()) if body.purpose.is_bound_to_user else ""
    captcha = (body.captcha_id, body.captcha_text)
    svcs.flask.get(CodeRequests).ask(mobile, body.purpose, captcha=captcha, subject=subject, ip=client_ip())
    settings = svcs.flask.get(Settings)
    return {"expires_in": settings.code_ttl_seconds, "resend_after": settings.resend_interval_seconds}, 202


@endpoint(
    api,
    "POST",
    "/internal/sms-codes/consume",
    access=Access.SERVICE,
    callers=frozenset({"user-service"}),
    answers={200: ConsumptionResult},
    failures=[MobileInvalid, SmsCodeExpired],
)
def consume_sms_code(body: Consumption) -> dict[str, bool | int]:
    """Try a code, once."""
    mobile = parse_mobile(body.mobile)
    checked = svcs.flask.get(SmsCodes).check(mobile, body.purpose, code=body.code, subject=body.subject or "")
    metrics.CHECKS.labels("right" if checked.is_right else "wrong").inc()
    return {"verified": checked.is_right, "attempts_left": checked.tries_left}


@endpoint(
    api,
    "POST",
    "/api/v1/sms/receipts/<provider>/<secret>",
    access=Access.PUBLIC,
    answers={200: None},
    failures=[NotFound, Forbidden, RequestRefused, DependencyUnavailable],
)
def take_receipts(path: ReceiptPath) -> Response:
    """Take delivery receipts from a provider, in that provider's own form."""
    public_url = svcs.flask.get(Settings).public_url or request.host_url
    received = ReceiptRequest(
        body=request.get_data(),
        form=request.form.to_dict(),
        headers={name.lower(): value for name, value in request.headers},
        url=public_url.rstrip("/") + (request.full_path if request.query_string else request.path),
    )
    return jsonify(dict(svcs.flask.get(Receipts).take(path.provider, path.secret, received)))


@endpoint(
    api,
    "GET",
    "/internal/inbox/messages",
    access=Access.SERVICE,
    callers=frozenset({"gateway"}),
    answers={200: InboxItems},
    failures=[NotFound, MobileInvalid],
)
def list_inbox_messages(query: InboxQuery) -> dict[str, list[dict[str, str]]]:
    """List the texts that the inbox provider keeps; 404 with any other provider."""
    try:
        inbox = svcs.flask.get(Inbox)
    except svcs.exceptions.ServiceNotFoundError as error:
        raise NotFound from error
    messages = inbox.messages(parse_mobile(query.mobile) if query.mobile else None)
    return {
        "items": [{"mobile": m.mobile, "text": m.text, "sent_at": f"{m.sent_at:%Y-%m-%dT%H:%M:%SZ}"} for m in messages]
    }
