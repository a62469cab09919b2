"""What yuntongxun's status codes mean.

Source: the table of the SMS note, section 3.1, which was made from the vendor's documentation
(console.yuntongxun.com/doc/rest/sms/3_2_2_2.html) and its SDK. 172xxx codes are made by that SDK, never sent.
"""

from sms_service.providers.code_table import CodeTable
from sms_service.providers.outcomes import Outcome


def _codes(*spans: int | tuple[int, int]) -> set[str]:
    numbers = [span if isinstance(span, tuple) else (span, span) for span in spans]
    return {f"{number:06d}" for first, last in numbers for number in range(first, last + 1)}


_EXACT = {
    # 160054: the request is repeated. With our own reqId that means that the earlier attempt landed.
    Outcome.ACCEPTED: _codes(0, 160054),
    Outcome.REFUSED_RECIPIENT: _codes(
        160013, 160042, 160044, 112316, 112319,  # Bad number.
        160034, 112317, 160051, 160068, (160072, 160074),  # Blacklist or opt-out.
        160061, 160062,  # Country.
        113302, 112305, 112310,  # App not live, or number not on the test list.
    ),
    Outcome.REFUSED_LIMIT: _codes(160038, (160039, 160041), 160015, 160021, 160022, 160056, 112314),
    Outcome.REFUSED_CONFIG: _codes(
        111109, 111141, 111181, (161100, 161108), 160053,  # Signature, account, app, clock, address list.
        160012, 160014, 161002, 112303,  # Balance or feature.
        160049, 160033, 160018, 160031, 160047,  # Sensitive word, parse.
        160019, 160032, 160036, 160043, 160052, 160055, 160057, (112307, 112309), (112311, 112313), 112323,
    ),
    # 161008-161012 are the vendor's database or Redis: not taken, given that we always send a reqId.
    Outcome.REFUSED_BUSY: _codes((160001, 160010), 160016, 161005, 161006, 161020, (161008, 161012)),
    Outcome.UNCERTAIN: _codes(
        160000, 112326, 160050, 160063, 160064, 161000, 161001, 161003, 161004, (161021, 161024)
    ),
}  # fmt: skip
CODES = CodeTable("yuntongxun", _EXACT)
# Refusals of a recipient that our own set-up causes: an operator must look.
ALERTING = _codes(113302, 112305, 112310, 112316, 112317, 112319)
