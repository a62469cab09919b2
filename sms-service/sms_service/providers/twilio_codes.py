"""What twilio's error codes mean (twilio.com/docs/api/errors).

Source: the table of the SMS note, section 3.4. The note calls 20003, 20005, 20404, 21603, 21212, 30002, 30007, 21214,
21217 and 14107 unverified. Of 21617, which it does not place for sure, the vendor's page says that the text exceeds
1,600 characters: our templates are at fault, and no limit of a number.
"""

from sms_service.providers.code_table import CodeTable
from sms_service.providers.outcomes import Outcome

ACCEPTED = "accepted"  # Our word: the vendor has none for success.
_EXACT = {
    Outcome.ACCEPTED: [ACCEPTED],
    Outcome.REFUSED_RECIPIENT: [
        "21211", "21214", "21217", "21408", "21610", "21612", "21614", "21635", "30003", "30004", "30005", "30006",
    ],
    Outcome.REFUSED_LIMIT: ["60203"],
    Outcome.REFUSED_CONFIG: [
        "20003", "20005", "20404", "21212", "21603", "21606", "21608", "21617", "30002", "30007",
    ],
    Outcome.REFUSED_BUSY: ["14107", "20429", "21611"],
    Outcome.UNCERTAIN: ["20500"],
}  # fmt: skip
CODES = CodeTable("twilio", _EXACT)
