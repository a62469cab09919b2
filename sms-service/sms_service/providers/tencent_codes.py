"""What tencent's codes mean.

Source: the table of the SMS note, section 3.3, which was made from the vendor's SDK (its spelling errors included).
"""

from sms_service.providers.code_table import CodeTable
from sms_service.providers.outcomes import Outcome

_EXACT = {
    Outcome.ACCEPTED: ["Ok"],
    Outcome.REFUSED_RECIPIENT: [
        "FailedOperation.PhoneNumberInBlacklist",
        "FailedOperation.PhoneNumberOnBlacklist",
        "InvalidParameterValue.IncorrectPhoneNumber",
        "UnsupportedOperation.UnsuportedRegion",
    ],
    Outcome.REFUSED_LIMIT: [
        "LimitExceeded.PhoneNumberThirtySecondLimit",
        "LimitExceeded.PhoneNumberOneHourLimit",
        "LimitExceeded.PhoneNumberDailyLimit",
        "LimitExceeded.PhoneNumberSameContentDailyLimit",
        "LimitExceeded.DeliveryFrequencyLimit",
    ],
    Outcome.REFUSED_CONFIG: [
        "LimitExceeded.AppDailyLimit",
        "LimitExceeded.DailyLimit",
        "FailedOperation.InsufficientBalanceInSmsPackage",
        "FailedOperation.SignatureIncorrectOrUnapproved",
        "FailedOperation.TemplateIncorrectOrUnapproved",
        "FailedOperation.ContainSensitiveWord",
        "FailedOperation.FailResolvePacket",
        "FailedOperation.JsonParseFail",
        "InternalError.SigVerificationFail",
        "InternalError.SigFieldMissing",
        "InternalError.RequestTimeException",
    ],
    Outcome.UNCERTAIN: [
        "InternalError",
        "InternalError.Timeout",
        "InternalError.SendAndRecvFail",
        "InternalError.OtherError",
        "InternalError.UnknownError",
    ],
}
_PREFIXES = {
    # UnauthorizedOperation: arrears, address list, app disabled.
    Outcome.REFUSED_CONFIG: ["AuthFailure", "UnauthorizedOperation", "InvalidParameter", "MissingParameter"],
    Outcome.REFUSED_BUSY: ["RequestLimitExceeded"],  # The API takes 3,000 calls a second unless agreed otherwise.
}
CODES = CodeTable("tencent", _EXACT, _PREFIXES)
