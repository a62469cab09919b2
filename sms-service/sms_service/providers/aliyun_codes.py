"""What aliyun's codes mean.

Source: the table of the SMS note, section 3.2, which was made from the vendor's documentation of SendSms.
"""

from sms_service.providers.code_table import CodeTable
from sms_service.providers.outcomes import Outcome

_EXACT = {
    Outcome.ACCEPTED: ["OK"],
    Outcome.REFUSED_RECIPIENT: [
        "isv.MOBILE_NUMBER_ILLEGAL",
        "isv.BLACK_KEY_CONTROL_LIMIT",
        "isv.CUSTOMER_REFUSED",
        "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
    ],
    Outcome.REFUSED_LIMIT: ["isv.BUSINESS_LIMIT_CONTROL"],  # By default 1 a minute, 5 an hour, 10 a day.
    Outcome.REFUSED_CONFIG: [
        "isv.DAY_LIMIT_CONTROL",  # Of the account, as is the next one.
        "isv.MONTH_LIMIT_CONTROL",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.OUT_OF_SERVICE",
        "isp.RAM_PERMISSION_DENY",
        "isv.SIGN_STATE_ILLEGAL",
        "isv.SMS_SIGNATURE_ILLEGAL",
        "isv.SMS_TEMPLATE_ILLEGAL",
        "isv.SMS_CONTENT_ILLEGAL",
        "isv.DENY_IP_RANGE",
        "SignatureDoesNotMatch",
        "InvalidTimeStamp.Expired",
        "InvalidAction",
        "InvalidVersion",
    ],
    # SignatureNonceUsed: these very bytes came before. We never send them twice, so whoever did may have texted.
    Outcome.UNCERTAIN: ["isp.SYSTEM_ERROR", "ServiceUnavailable", "InternalError", "SignatureNonceUsed"],
}
_PREFIXES = {
    Outcome.REFUSED_CONFIG: [
        "isv.ACCOUNT_",
        "isv.PRODUCT_UN",
        "isv.SMS_SIGNATURE_",
        "isv.TEMPLATE_",
        "isv.PARAM_",
        "isv.INVALID_",
    ],
    Outcome.REFUSED_BUSY: ["Throttling"],
}
CODES = CodeTable("aliyun", _EXACT, _PREFIXES)
