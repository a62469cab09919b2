"""The gateway's own metrics; requests are counted as in every service, with the rule as their route."""

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

from chassis.metrics import BUCKETS

UPSTREAM_SECONDS = Histogram(
    "gateway_upstream_seconds",
    "Time from the request to a service until the head of its answer, or until the gateway gave up.",
    ["upstream", "route"],
    buckets=BUCKETS,
)
upstream_seconds = lru_cache(4096)(UPSTREAM_SECONDS.labels)  # The lookup costs as much as the observation.
UPSTREAM_ERRORS = Counter("gateway_upstream_errors_total", "Requests a service did not answer.", ["upstream", "kind"])
UPSTREAM_RETRIES = Counter(
    "gateway_upstream_retries_total", "Requests sent a second time, or not for want of budget.", ["upstream", "outcome"]
)
EJECTED_REPLICAS = Gauge(
    "gateway_upstream_ejected_replicas",
    "Replicas that get no requests, in the worker that sees most of them.",
    ["upstream"],
    multiprocess_mode="livemax",
)
WAITING_REQUESTS = Gauge(
    "gateway_upstream_waiting_requests",
    "Requests that wait for a replica to come back.",
    ["upstream"],
    multiprocess_mode="livesum",
)
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
CACHE_REQUESTS = Counter("gateway_cache_requests_total", "Reads that may be answered from the cache.", ["result"])
CACHE_BYTES = Gauge("gateway_cache_bytes", "Memory that stored answers take.", multiprocess_mode="livesum")
CACHE_ENTRIES = Gauge("gateway_cache_entries", "Addresses with stored answers.", multiprocess_mode="livesum")
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
