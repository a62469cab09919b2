"""The gateway's own metrics; requests are counted as in every service, with the rule as their route."""

from prometheus_client import Counter, Gauge

UPSTREAM_ERRORS = Counter("gateway_upstream_errors_total", "Requests a service did not answer.", ["upstream", "kind"])
LIMITED = Counter("gateway_limited_total", "Requests refused by a limit.", ["limit"])
LIMITS_UNREACHABLE = Counter("gateway_limits_unreachable_total", "Requests let through because Redis was away.")
ROUTES_REFUSED = Gauge(
    "gateway_routes_refused",
    "1 while the routes files are wrong and those of before are in force, else 0.",
    multiprocess_mode="mostrecent",
)
FORWARDED_IGNORED = Counter(
    "gateway_forwarded_ignored_total", "Requests whose forwarded headers were not believed or not readable.", ["reason"]
)
FORWARDED_IGNORED_AT = Gauge(
    "gateway_forwarded_ignored_timestamp_seconds",
    "When forwarded headers were ignored last.",
    multiprocess_mode="mostrecent",
)
REFRESHES = Counter("gateway_cookie_refreshes_total", "Cookie sessions renewed on the way.", ["outcome"])
VERIFIED = Counter("gateway_tokens_verified_total", "Access tokens looked at.", ["outcome"])
CLOCK_DIFFERENCE = Gauge(
    "gateway_clock_difference_seconds",
    "How far user-service's clock is ahead of this gateway's; beyond 60, fresh tokens are refused.",
    multiprocess_mode="mostrecent",
)
REVOCATIONS_AGE = Gauge(
    "gateway_revocations_age_seconds",
    "Time since the revocation feed was last read, in the worker that is furthest behind.",
    multiprocess_mode="livemax",
)
KEYS_AGE = Gauge(
    "gateway_keys_age_seconds", "Time since the public keys were last fetched.", multiprocess_mode="livemax"
)
