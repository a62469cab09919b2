"""What a webhook's HTTP statuses mean.

Source: the SMS note, section 3.5. 429 and a 503 with ``Retry-After`` do not stand here: for these alone the header
counts too.
"""

from sms_service.providers.code_table import CodeTable
from sms_service.providers.outcomes import Outcome

_EXACT = {
    Outcome.ACCEPTED: ["http_200", "http_201", "http_202", "http_204", "http_409"],  # 409: it has this job already.
    Outcome.REFUSED_RECIPIENT: ["http_400", "http_422"],
    Outcome.REFUSED_CONFIG: ["http_401", "http_403"],
    Outcome.UNCERTAIN: ["http_500", "http_502", "http_503", "http_504"],
}
_PREFIXES = {Outcome.ACCEPTED: ["http_2"], Outcome.UNCERTAIN: ["http_5"]}
CODES = CodeTable("webhook", _EXACT, _PREFIXES)
