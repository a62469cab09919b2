"""The HTTP routes: request a code or a notice, check a code, receive receipts, read the inbox."""

from functools import partial

import svcs
from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import client_ip, current_caller, current_user_id
from chassis.mobiles import parse_mobile
from chassis.web import Access, endpoint
from sms_service import metrics
from sms_service.api.contract import (
    Consumption,
    ConsumptionResult,
    InboxItems,
    InboxQuery,
    NoticeRequest,
    ReceiptPath,
    SmsCodeHeaders,
    SmsCodePromise,
    SmsCodeRequest,
)
from sms_service.api.idempotency import AcceptedCodeRequest, IdempotencyKeys
from sms_service.api.receipts import Receipts
from sms_service.codes.code_requests import CodeRequest, CodeRequests
from sms_service.codes.notices import Notices
from sms_service.codes.recipients import Recipients
from sms_service.codes.sms_codes import SmsCodes
from sms_service.providers.inbox import Inbox
from sms_service.providers.receipts import ReceiptRequest
from sms_service.settings import Settings

api = APIBlueprint("sms", __name__)


@endpoint(
    api,
    "POST",
    "/api/v1/sms-codes",
    access=Access.OPTIONAL,
    answers={202: SmsCodePromise},
    failures=[
        errors.CaptchaWrong,
        errors.CaptchaExpired,
        errors.MobileInvalid,
        errors.Unauthenticated,
        errors.IdempotencyKeyInFlight,
        errors.IdempotencyKeyReused,
        errors.TooManyRequests,
        errors.SmsUnavailable,
    ],
)
def request_sms_code(header: SmsCodeHeaders, body: SmsCodeRequest) -> tuple[AcceptedCodeRequest, int]:
    """Have a code texted to a mobile."""
    recipient = svcs.flask.get(Recipients).parse_recipient(body.mobile)
    code_request = CodeRequest(
        recipient=recipient,
        purpose=body.purpose,
        captcha_id=body.captcha_id,
        captcha_text=body.captcha_text,
        subject=str(current_user_id()) if body.purpose.is_bound_to_user else "",
        ip=client_ip(),
        language=recipient.choose_language(request.accept_languages),
    )
    caller, act = str(current_caller().user_id or ""), partial(_request_code, code_request)
    keys = svcs.flask.get(IdempotencyKeys)
    return keys.run_once(header.idempotency_key, body.model_dump_json(), caller=caller, act=act), 202


def _request_code(code_request: CodeRequest) -> AcceptedCodeRequest:
    reservation = svcs.flask.get(CodeRequests).request(code_request)
    expires_in = svcs.flask.get(Settings).code_ttl_seconds
    return {"expires_in": expires_in, "resend_after": reservation.resend_after_seconds}


@endpoint(
    api,
    "POST",
    "/internal/sms-codes/consume",
    access=Access.SERVICE,
    callers=frozenset({"user-service"}),
    answers={200: ConsumptionResult},
    failures=[errors.MobileInvalid, errors.SmsCodeExpired, errors.TooManyRequests],
)
def consume_sms_code(body: Consumption) -> dict[str, bool | int]:
    """Try a code, once."""
    mobile = parse_mobile(body.mobile)
    checked = svcs.flask.get(SmsCodes).check(mobile, body.purpose, code=body.code, subject=body.subject or "")
    metrics.CHECKS.labels("right" if checked.is_right else "wrong").inc()
    if checked.is_right:
        metrics.VERIFIED.labels(checked.provider, checked.country).inc()
    if checked.starts_lockout:
        metrics.GUESS_LOCKOUTS.inc()
    return {"verified": checked.is_right, "attempts_left": checked.tries_left}


@endpoint(
    api,
    "POST",
    "/internal/sms-notices",
    access=Access.SERVICE,
    callers=frozenset({"user-service"}),
    answers={204: None},
    failures=[errors.MobileInvalid, errors.TooManyRequests, errors.SmsUnavailable],
)
def send_notice(body: NoticeRequest) -> tuple[str, int]:
    """Have a notice texted to an account's owner."""
    recipient = svcs.flask.get(Recipients).parse_recipient(body.mobile)
    language = recipient.choose_language(request.accept_languages)
    svcs.flask.get(Notices).request(recipient, body.notice, language)
    return "", 204


@endpoint(
    api,
    "POST",
    "/api/v1/sms/receipts/<provider>/<secret>",
    access=Access.PUBLIC,
    answers={200: None},
    failures=[errors.NotFound, errors.Forbidden, errors.RequestRefused, errors.DependencyUnavailable],
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
    return jsonify(dict(svcs.flask.get(Receipts).process(path.provider, path.secret, received)))


@endpoint(
    api,
    "GET",
    "/internal/inbox/messages",
    access=Access.SERVICE,
    callers=frozenset({"gateway"}),
    answers={200: InboxItems},
    failures=[errors.NotFound, errors.MobileInvalid],
)
def list_inbox_messages(query: InboxQuery) -> dict[str, list[dict[str, str]]]:
    """List the texts that the inbox provider keeps; 404 with any other provider."""
    try:
        inbox = svcs.flask.get(Inbox)
    except svcs.exceptions.ServiceNotFoundError as error:
        raise errors.NotFound from error
    messages = inbox.messages(parse_mobile(query.mobile) if query.mobile else None)
    return {
        "items": [{"mobile": m.mobile, "text": m.text, "sent_at": f"{m.sent_at:%Y-%m-%dT%H:%M:%SZ}"} for m in messages]
    }
