"""The words of a text, per purpose."""

from sms_service.purposes import Purpose

_SIGN = "【新经资讯】"
_TEMPLATES = {
    Purpose.REGISTER: "您的验证码是{code}，{minutes}分钟内有效。",
    Purpose.LOGIN: "您的登录验证码是{code}，{minutes}分钟内有效。",
    Purpose.RESET_PASSWORD: "您正在重置密码，验证码是{code}，{minutes}分钟内有效。",
    Purpose.CHANGE_MOBILE: "您正在更换手机号，验证码是{code}，{minutes}分钟内有效。",
    Purpose.REAUTHENTICATE: "您正在验证身份，验证码是{code}，{minutes}分钟内有效。",
}


def text_of(purpose: Purpose, *, code: str, valid_minutes: int) -> str:
    """Write the whole text, sign included."""
    return _SIGN + _TEMPLATES[purpose].format(code=code, minutes=valid_minutes)
