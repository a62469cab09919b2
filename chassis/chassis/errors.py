"""The one error tree: what can go wrong, as status, stable code, classic errno and both texts.

``errno`` and ``errmsg`` are the classic pair (the course's RET table and the texts of its passport calls), ``detail``
is the English text. A class may be raised with a more exact ``detail``; clients match ``code``, never a text. Of wrong
fields ``errmsg`` says nothing, except why a password is rejected: classic frontends and our pages show it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its dotted path, a stable code and an English text that never repeats the value."""

    field: str
    code: str
    detail: str


class XinjingError(Exception):
    """An error that the caller gets as the answer.

    ``retry_after_seconds`` becomes the ``Retry-After`` header, ``errors`` names wrong fields.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    errno: ClassVar[str] = "4500"
    errmsg: str = "内部错误"
    text: ClassVar[str] = "Something went wrong on our side."

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after_seconds: int | None = None,
        errors: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(detail or self.text)
        self.detail = detail or self.text
        self.retry_after_seconds = retry_after_seconds
        self.errors = tuple(errors)


class InternalError(XinjingError):
    """An unexpected exception; its text goes to the log only."""


class BodyMalformed(XinjingError):
    """The body is not JSON, or not a JSON object."""

    status, code, errno, errmsg = 400, "body_malformed", "4103", "参数错误"
    text = "The body must be one JSON object."


class MediaTypeUnsupported(XinjingError):
    """The body is declared as something that the operation does not read."""

    status, code, errno, errmsg = 415, "media_type_unsupported", "4103", "参数错误"
    text = "This operation does not read bodies of this media type."


class ContentEncodingUnsupported(MediaTypeUnsupported):
    """The body is compressed; services read bodies as they are (RFC 9110 15.5.16)."""

    code, text = "content_encoding_unsupported", "Send the body as it is, without Content-Encoding."


class BodyTooLarge(XinjingError):
    """The body is larger than the operation accepts."""

    status, code, errno, errmsg = 413, "body_too_large", "4103", "请求内容过大"
    text = "The body is too large."


class RequestInvalid(XinjingError):
    """Fields are missing or have a wrong shape; ``errors`` names all of them."""

    status, code, errno, errmsg = 422, "request_invalid", "4103", "参数错误"
    text = "Some fields are missing or wrong."


class RequestTimeout(XinjingError):
    """The client did not send its whole request in time."""

    status, code, errno, errmsg = 408, "request_timeout", "4201", "请求超时"
    text = "The request did not arrive in time."


class RequestRefused(XinjingError):
    """The request line or its headers are not acceptable."""

    status, code, errno, errmsg = 400, "request_refused", "4201", "非法请求"
    text = "The request is not acceptable."


class AddressTooLong(XinjingError):
    """The request line is longer than the server reads."""

    status, code, errno, errmsg = 414, "address_too_long", "4201", "请求地址过长"
    text = "The address is too long."


class HeadersTooLarge(XinjingError):
    """The request has too many headers, or one that is too long."""

    status, code, errno, errmsg = 431, "headers_too_large", "4201", "请求头过大"
    text = "The headers are too many or too long."


class ExpectationFailed(XinjingError):
    """The header Expect asks for something else than 100-continue."""

    status, code, errno, errmsg = 417, "expectation_failed", "4201", "非法请求"
    text = "The only expectation that is met is 100-continue."


class TransferCodingUnsupported(XinjingError):
    """The body comes in a transfer coding other than chunked."""

    status, code, errno, errmsg = 501, "transfer_coding_unsupported", "4201", "非法请求"
    text = "The only transfer coding that is read is chunked."


class HttpVersionUnsupported(XinjingError):
    """The request is of another major version of HTTP than 1."""

    status, code, errno, errmsg = 505, "http_version_unsupported", "4201", "非法请求"
    text = "The only versions of HTTP that are read are 1.x."


class NotFound(XinjingError):
    """There is no such thing, or the caller may not know that it exists."""

    status, code, errno, errmsg = 404, "not_found", "4002", "无数据"
    text = "There is nothing at this address."


class MethodNotAllowed(XinjingError):
    """The address exists, but not with this method."""

    status, code, errno, errmsg = 405, "method_not_allowed", "4201", "非法请求"
    text = "This address does not take this method."


class Unauthenticated(XinjingError):
    """No token, or one that is wrong, expired or revoked."""

    status, code, errno, errmsg = 401, "unauthenticated", "4101", "用户未登录"
    text = "Sign in first."


class StepUpRequired(XinjingError):
    """The user is signed in, but the last authentication is too old for this."""

    status, code, errno, errmsg = 401, "step_up_required", "4101", "请重新验证身份"
    text = "Prove again who you are."
    MAX_AGE_SECONDS: ClassVar[int] = 300  # ASVS 7.5.1.

    def __init__(self, detail: str | None = None, *, max_age_seconds: int = MAX_AGE_SECONDS) -> None:
        super().__init__(detail)
        self.max_age_seconds = max_age_seconds


class InternalTokenRefused(XinjingError):
    """Our own internal token is missing or wrong: a fault between services, never of the user.

    It has its own code, so that a service's refusal of us cannot be taken for its refusal of the user.
    """

    status, code = 401, "internal_token_refused"
    text = "Services accept calls only from the gateway and each other."


class ServiceRefused(XinjingError):
    """A service called a route that it may not call, as `InternalTokenRefused` between services only."""

    status, code = 403, "service_refused"
    text = "This service may not call this route."


class Forbidden(XinjingError):
    """The caller is known, and may not do this."""

    status, code, errno, errmsg = 403, "forbidden", "4105", "用户身份错误"
    text = "You may not do this."


class CrossSiteRefused(XinjingError):
    """An unsafe request with a session cookie that does not come from our own pages."""

    status, code, errno, errmsg = 403, "cross_site_refused", "4201", "非法请求"
    text = "This request does not come from our own pages."


class TooManyRequests(XinjingError):
    """A limit is reached; ``Retry-After`` says when to try again."""

    status, code, errno, errmsg = 429, "too_many_requests", "4201", "请求过于频繁，请稍后再试"
    text = "Too many requests. Try again later."


class AccountTooNew(TooManyRequests):
    """The account is too young to write; ``Retry-After`` says how long it waits."""

    code, errmsg = "account_too_new", "新注册的账号请稍后再发言"
    text = "New accounts wait a little before they write."


class TextRepeated(TooManyRequests):
    """The same user sent the same text a moment ago."""

    code, errmsg = "text_repeated", "请勿重复发布相同的内容"
    text = "You have just sent this text."


class IdempotencyKeyReused(RequestInvalid):
    """The Idempotency-Key came before with another body (draft-ietf-httpapi-idempotency-key-header, 2.7)."""

    code, text = "idempotency_key_reused", "This Idempotency-Key belongs to another request."


class IdempotencyKeyInFlight(TooManyRequests):
    """The first request with this Idempotency-Key is not answered yet."""

    status, code, text = 409, "idempotency_key_in_flight", "The first request with this Idempotency-Key is in work."


class StateConflict(XinjingError):
    """The thing is in a state in which this is not possible."""

    status, code, errno, errmsg = 409, "state_conflict", "4004", "当前状态不允许此操作"
    text = "This is not possible in the present state."


class SlugTaken(XinjingError):
    """Another thing of the same kind has the slug."""

    status, code, errno, errmsg = 409, "slug_taken", "4003", "别名已存在"
    text = "This slug is taken."


class EditConflict(XinjingError):
    """Somebody changed the thing since the caller read it; read it again."""

    status, code, errno, errmsg = 409, "edit_conflict", "4004", "内容已被修改，请刷新后再试"
    text = "Somebody changed this since you read it."


class CaptchaWrong(XinjingError):
    """The captcha was answered wrongly, and is used up."""

    status, code, errno, errmsg = 400, "captcha_wrong", "4103", "验证码输入有误"
    text = "The captcha answer is wrong. Fetch a new captcha."


class CaptchaExpired(XinjingError):
    """The captcha is unknown, expired or already used."""

    status, code, errno, errmsg = 400, "captcha_expired", "4002", "图片验证码不存在"
    text = "The captcha does not exist any more. Fetch a new captcha."


class CaptchaRequired(XinjingError):
    """After several failures a captcha is required."""

    status, code, errno, errmsg = 403, "captcha_required", "4103", "请输入图片验证码"
    text = "Answer a captcha first."


class MobileInvalid(XinjingError):
    """The text is not a mobile number that we can text."""

    status, code, errno, errmsg = 400, "mobile_invalid", "4103", "手机号格式错误"
    text = "This is not a mobile number we can text."


class SmsCodeWrong(XinjingError):
    """The SMS code is wrong; after five wrong tries it is deleted."""

    status, code, errno, errmsg = 400, "sms_code_wrong", "4103", "验证码输入错误"
    text = "The SMS code is wrong."


class SmsCodeExpired(XinjingError):
    """No code was sent, or it expired, was used, or was deleted after too many wrong tries."""

    status, code, errno, errmsg = 400, "sms_code_expired", "4002", "短信验证码不存在"
    text = "The SMS code does not exist any more. Ask for a new one."


class SmsUnavailable(XinjingError):
    """No text can be sent now: no valid code exists and none will be texted."""

    status, code, errno, errmsg = 503, "sms_unavailable", "4301", "发送短信失败"
    text = "The SMS could not be sent. Try again later."


class MobileTaken(XinjingError):
    """An account with this mobile exists."""

    status, code, errno, errmsg = 409, "mobile_taken", "4003", "手机号已注册"
    text = "An account with this mobile exists."


class NickNameTaken(XinjingError):
    """Another account has this nick name."""

    status, code, errno, errmsg = 409, "nick_name_taken", "4003", "昵称已存在"
    text = "Another account has this nick name."


class PasswordRejected(XinjingError):
    """The password breaks the policy; the SMS code is not used up. ``errmsg`` gives the reasons in Chinese."""

    status, code, errno, errmsg = 422, "password_rejected", "4103", "密码不符合要求"
    text = "Choose another password: 8 to 128 characters, not a common one."
    REASONS: ClassVar[dict[str, str]] = {
        "too_short": "至少 8 个字符（首尾空格和不可见字符不计）",
        "too_long": "最多 128 个字符",
        "common": "这是最常见的密码之一，请换一个",
        "words": "只由常见的词、姓名或数字组成，容易被猜到，请加上几个不相关的词",
        "date": "主要是日期，容易被猜到，请加上几个不相关的词",
        "keyboard": "主要是键盘上相邻的键或连续的数字、字母，容易被猜到，请加上几个词",
        "repeated": "主要是重复的内容，容易被猜到，请换成几个不相关的词",
        "is_mobile": "不能是手机号或与之相近",
        "is_nick_name": "不能是昵称或与之相近",
        "context": "不能是本站名称或与之相近",
    }

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after_seconds: int | None = None,
        errors: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, errors=errors)
        reasons = [self.REASONS[error.code] for error in self.errors if error.code in self.REASONS]
        if reasons:
            self.errmsg = f"{type(self).errmsg}：{'；'.join(reasons)}"


class CredentialsWrong(XinjingError):
    """Unknown account, wrong password or wrong code: one answer for every cause."""

    status, code, errno, errmsg = 401, "credentials_wrong", "4103", "用户名或密码错误"
    text = "The mobile or the secret is wrong."


class PasswordResetRequired(XinjingError):
    """The password was right, but an administrator requires a new one first."""

    status, code, errno, errmsg = 403, "password_reset_required", "4103", "请先重置密码"
    text = "Reset the password first. Logging in by code works."


class UpstreamUnavailable(XinjingError):
    """A service behind the gateway refused, broke or garbled its answer."""

    status, code, errno, errmsg = 502, "upstream_unavailable", "4301", "服务暂时不可用"
    text = "A part of the system cannot be reached."


class UpstreamTimeout(XinjingError):
    """A service behind the gateway did not answer in time."""

    status, code, errno, errmsg = 504, "upstream_timeout", "4301", "服务响应超时"
    text = "A part of the system did not answer in time."


class DependencyUnavailable(XinjingError):
    """A database, Redis or another service is away."""

    status, code, errno, errmsg = 503, "service_unavailable", "4301", "服务暂时不可用"
    text = "A part of the system is away. Try again later."


def every_error(root: type[XinjingError] = XinjingError) -> list[type[XinjingError]]:
    """List the errors of this module below a class.

    `XinjingError` itself is never answered and not among them, nor is what a service derives for its own use.
    """
    children = [child for child in root.__subclasses__() if child.__module__ == __name__]
    return [kind for child in children for kind in (child, *every_error(child))]


def by_code(code: str) -> type[XinjingError] | None:
    """Find the class that carries a code, as another service's problem names it; None for an unknown code."""
    return next((error for error in every_error() if error.code == code), None)
