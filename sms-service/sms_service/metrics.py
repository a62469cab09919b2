"""The metrics of requests, sends and receipts; no label holds a mobile or a code."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("sms_requests_total", "Requests for a code.", ["result"])
NOTICES = Counter("sms_notices_total", "Notices asked for by another service.", ["result"])
NO_TEMPLATES = Counter("sms_no_template_total", "Notices that no provider of the route has a template for.")
NOT_DELIVERABLE = Counter("sms_not_deliverable_total", "Requests refused because no text could arrive.", ["reason"])
WORKERS_ALIVE = Gauge(
    "sms_workers_alive", "Workers that were heard of, when the API last looked.", multiprocess_mode="mostrecent"
)
LIMITS = Counter("sms_limits_total", "Requests refused, by the limit that was reached.", ["limit"])
BUDGET_USED = Gauge(
    "sms_budget_used_ratio", "Share of a budget of all texts that is used.", ["budget"], multiprocess_mode="mostrecent"
)
UNVERIFIED = Gauge(
    "sms_unverified_ratio",
    "Share of the codes of the last 24 hours that nobody entered; a wave of them is SMS pumping.",
    ["country"],
    multiprocess_mode="mostrecent",
)
ALARM = Gauge(
    "sms_pumping_alarm",
    "1 while unused codes are many, and only trust has room.",
    ["country"],
    multiprocess_mode="mostrecent",
)
ALARMS = Counter("sms_pumping_alarms_total", "Alarms of SMS pumping that began.", ["country"])
# Their ratio is the best sign that a provider delivers.
TEXTED = Counter("sms_texted_total", "Texts that a provider took.", ["provider", "country"])
VERIFIED = Counter("sms_verified_total", "Codes entered rightly.", ["provider", "country"])
GUESS_LOCKOUTS = Counter("sms_guess_rests_total", "Mobiles whose codes began to rest after too many wrong tries.")
PUBLISH_SECONDS = Histogram(
    "sms_publish_seconds", "Time to a confirmed publish.", buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1, 2)
)
PUBLISHES = Counter("sms_publish_outcome_total", "Publishes, by outcome.", ["outcome"])
ABORTS = Counter("sms_abort_race_total", "Failed publishes, by who won the job.", ["winner"])
CHECKS = Counter("sms_checks_total", "Codes tried, by result.", ["result"])
CLAIMS = Counter("sms_claim_total", "Claims of workers, by reason.", ["reason"])
BUSY_THREADS = Gauge("sms_worker_busy_threads", "Jobs in hand.", multiprocess_mode="livesum")
DRAINING = Gauge("sms_worker_draining", "1 while the worker finishes its last jobs.", multiprocess_mode="livesum")
FINISHES = Counter("sms_finish_total", "Attempts, by how they ended.", ["state"])
DEAD = Counter("sms_dead_total", "Messages put to the dead ones.", ["reason"])
ACCEPT_TO_HANDOVER_SECONDS = Histogram(
    "sms_accept_to_handover_seconds",
    "Time from the request to the provider's yes.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 150, 300),
)
RECEIPTS = Counter("sms_receipts_total", "Delivery receipts, by what became of them.", ["provider", "status", "taken"])
HANDOVER_TO_RECEIPT_SECONDS = Histogram(
    "sms_handover_to_receipt_seconds",
    "Time from the provider's yes to its receipt.",
    ["provider"],
    buckets=(1, 2.5, 5, 10, 20, 40, 80, 160, 320, 3600),
)
FAILOVERS = Counter("sms_failover_total", "Refusals after which another provider was asked.", ["provider"])
BREAKER_OPENINGS = Counter("sms_breaker_openings_total", "Times a provider was found to be down.", ["provider"])
PROVIDER_SECONDS = Histogram("sms_provider_seconds", "Time of a provider's answer.", ["provider"])
PROVIDER_ANSWERS = Counter("sms_provider_total", "Provider answers.", ["provider", "outcome", "code"])
UNKNOWN_CODES = Counter("sms_provider_unknown_codes_total", "Answers with a code that no table has.", ["provider"])
