"""Nothing that is not approved is readable: every GET route, called by everybody, in every way that it can be asked."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask_openapi3 import OpenAPI
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from chassis.database import Database
from news_service.articles.tables import APPROVED
from news_service.comments.tables import DELETED, HELD, HIDDEN
from news_service.readers.tables import InfoUserCollection, InfoUserFans, NewsNotice
from news_service.review.tables import NewsDecision
from news_service.writing.states import STATE_NAMES

pytestmark = pytest.mark.any_database
AUTHOR, STRANGER, THIRD = 7, 8, 9
REVIEWER_NAME = "REVIEWER-NAME"
OLD, FUTURE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
QUERIES = (
    "",
    "?order=liked",
    "?order=hot&limit=50",
    "?category=2",
    "?author=7",
    "?author=9",
    "?kind=comment",
    "?q=SECRET",
)
COMMENT_STATES = {HELD: "held", HIDDEN: "hidden", DELETED: "deleted"}
CALLERS = {
    "nobody": {"user_id": None, "roles": frozenset()},
    "stranger": {"user_id": STRANGER, "roles": frozenset()},
    "author": {"user_id": AUTHOR, "roles": frozenset()},
    "editor": {"user_id": 90, "roles": frozenset({"editor"})},
    "administrator": {"user_id": 91, "roles": frozenset({"admin"})},
}


@pytest.fixture
def secrets(add_article, add_comment, database: Database, user_service) -> None:
    """What is not public, of two authors; each text says whose and in which state: ``SECRET-7-draft``.

    The stranger knows all of it by relations: as favourites, by following the authors, and by notices.
    """
    user_service.known |= {AUTHOR: "作者", STRANGER: "路人", THIRD: "他人", 90: REVIEWER_NAME}
    public = add_article(user_id=THIRD, comment_count=1)
    shown = add_comment(public, user_id=STRANGER)
    articles, comments = [], []
    for user_id in (AUTHOR, THIRD):
        moments = [(state, OLD) for state in STATE_NAMES if state != APPROVED] + [(APPROVED, FUTURE)]
        for status, published_at in moments:
            name = "future" if status == APPROVED else STATE_NAMES[status]
            secret = f"SECRET-{user_id}-{name}"
            texts = dict.fromkeys(("title", "source", "digest", "content", "markdown", "reason"), secret)
            article = {"user_id": user_id, "status": status, "published_at": published_at, "submitted_at": OLD}
            articles.append(add_article(**article, **texts))
            below = add_comment(articles[-1], user_id=user_id, content=secret, create_time=OLD)
            comments.append((articles[-1], below))
        for status, name in COMMENT_STATES.items():
            secret = f"SECRET-{user_id}-{name}"
            comment = {"user_id": user_id, "status": status, "content": secret, "reason": secret, "create_time": OLD}
            comments.append((public, add_comment(public, **comment)))
            comments.append((public, add_comment(public, parent_id=shown, root_id=shown, **comment)))
    notice = {"user_id": STRANGER, "kind": "reply", "actor_id": AUTHOR, "created_at": OLD}
    with database.write() as session:
        session.add_all(InfoUserCollection(user_id=STRANGER, news_id=each, create_time=OLD) for each in articles)
        session.add_all(
            InfoUserFans(follower_id=STRANGER, followed_id=each, create_time=OLD) for each in (AUTHOR, THIRD)
        )
        session.add_all(
            NewsNotice(news_id=news_id, comment_id=comment_id, **notice) for news_id, comment_id in comments
        )
        session.add_all(
            NewsDecision(actor_id=90, action="reject", news_id=each, decided_at=OLD, status_before=1, status_after=-1)
            for each in articles
        )


def addresses(rule: Rule) -> Iterator[str]:
    """Fill a route with every id that exists and with every query."""
    values = range(1, 25) if rule.arguments else (0,)
    for value, query in itertools.product(values, QUERIES[:2] if rule.arguments else QUERIES):
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<int:{name}>", str(value)).replace(f"<{name}>", str(value))
        yield path + query


@pytest.fixture
def answers(app: OpenAPI, called_by, secrets) -> dict[tuple[str, str], str]:
    """Every answer that holds anything, by the caller and the address."""
    client = app.test_client()
    found: dict[tuple[str, str], str] = {}
    for name, caller in CALLERS.items():
        headers = called_by("news-service", **caller)
        for rule in app.url_map.iter_rules():
            for address in addresses(rule) if "GET" in (rule.methods or ()) else ():
                answer: TestResponse = client.get(address, headers=headers)
                assert answer.status_code < 500, address
                found[name, address] = answer.get_data().decode("utf-8", "replace")
    return found


def test_only_authors_and_reviewers_read_what_is_not_public(answers: dict[tuple[str, str], str]) -> None:
    allowed = {
        "nobody": lambda _address, _text: False,
        "stranger": lambda _address, _text: False,
        "author": lambda _address, text: f"SECRET-{THIRD}" not in text,
        "editor": lambda address, text: "/review/" in address and "-draft" not in text,
        "administrator": lambda address, text: "/review/" in address and "-draft" not in text,
    }
    leaks = [
        (name, address)
        for (name, address), text in answers.items()
        if "SECRET-" in text and not allowed[name](address, text)
    ]
    assert leaks == []
    # The reviewer's name is for reviewers.
    named = {name for (name, _), text in answers.items() if REVIEWER_NAME in text}
    assert named <= {"editor", "administrator"}
    # The walk has met everything.
    assert len({address.partition("?")[0] for _, address in answers}) > 50
    by_reviewers = "".join(text for (name, _), text in answers.items() if name == "editor")
    for state in ("in_review", "rejected", "withdrawn", "future", "held"):
        assert f"SECRET-{AUTHOR}-{state}" in by_reviewers
    assert REVIEWER_NAME in by_reviewers
    by_author = "".join(text for (name, _), text in answers.items() if name == "author")
    for state in ("held", "hidden"):
        assert f"SECRET-{AUTHOR}-{state}" in by_author
