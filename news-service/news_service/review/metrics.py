"""Metrics of the review: what was decided, and what waits."""

from prometheus_client import Counter, Gauge

DECISIONS = Counter("news_decisions_total", "Decisions of reviewers.", ["action"])
QUEUE_LENGTH = Gauge(
    "news_review_queue_length",
    "Articles and comments that wait for a review; counted up to 1000.",
    ["kind"],
    multiprocess_mode="mostrecent",
)
QUEUE_AGE = Gauge(
    "news_review_queue_age_seconds",
    "How long the oldest of them has waited; 0 if none waits.",
    ["kind"],
    multiprocess_mode="mostrecent",
)
WORD_LIST_REFUSED = Gauge(
    "news_word_list_refused",
    "1 while the word list's file is wrong and the words of before are in force, else 0.",
    multiprocess_mode="mostrecent",
)
