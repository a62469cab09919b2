import re

import pytest

from chassis.errors import RequestRefused
from chassis.web import Access
from gateway.proxy.request import Target
from gateway.routing.route_files import own_rules
from gateway.routing.rules import Effect, Limit, Rule, RuleTable, Service
from gateway.settings import Settings


def test_a_path_written_out_wins_over_a_placeholder() -> None:
    table = RuleTable(own_rules())
    assert table.rules_of("/api/v1/users/me")["GET"].access is Access.SIGNED_IN
    assert table.rules_of("/api/v1/users/12")["GET"].access is Access.PUBLIC
    assert table.rules_of("/api/v1/users/") == table.rules_of("/api/v1/users/1/2") == {}


def test_head_follows_get() -> None:
    assert RuleTable(own_rules()).rules_of("/api/v1/news")["HEAD"].name == "GET /api/v1/news"


@pytest.mark.parametrize(
    ("rule", "is_cacheable"),
    [
        (Rule("GET", "/", Service.NEWS, Access.PUBLIC), True),
        (Rule("GET", "/", Service.NEWS, Access.OPTIONAL), True),
        (Rule("GET", "/", Service.NEWS, Access.SIGNED_IN), False),
        (Rule("GET", "/", Service.NEWS, Access.ADMIN), False),
        (Rule("POST", "/", Service.NEWS, Access.PUBLIC), False),
        (Rule("GET", "/", Service.NEWS, Access.PUBLIC, limit=Limit.CAPTCHA_SOUNDS), True),
        (Rule("GET", "/", Service.NEWS, Access.PUBLIC, effect=Effect.ENDS), False),
    ],
)
def test_only_plain_reads_for_everybody_are_cacheable(rule: Rule, is_cacheable: bool) -> None:
    assert rule.is_cacheable == is_cacheable


def test_no_two_rules_say_the_same() -> None:
    with pytest.raises(ValueError, match="two rules"):
        RuleTable((*own_rules(), own_rules()[0]))


def test_every_limit_has_its_setting() -> None:
    assert {f"{limit}_per_ip_per_minute" for limit in Limit} <= set(Settings.model_fields)


def foreign(path: str, method: str = "GET", access: Access = Access.PUBLIC) -> Rule:
    return Rule(method, path, "orders", access)


def target_of(path: str) -> Target:
    return Target(path, path)


ORDERS = (foreign("/api/orders/**"), foreign("/api/orders/reports/{day}", access=Access.ADMIN), foreign("/orders"))


@pytest.mark.parametrize(
    "path",
    [
        "/api/orders/reports/7/",
        "/api/orders//reports/7",
        "/api/orders/Reports/7",
        "/api/orders/reports;a=b/7",
        "/api/orders/reports/7;a=b/",
        "/api/orders/r%65ports/7",
        "/api/orders/reports%3B/7",
    ],
)
def test_a_path_that_a_service_may_read_as_another_one_is_refused(path: str) -> None:
    with pytest.raises(RequestRefused):
        RuleTable(own_rules(), ORDERS).find_rules(target_of(path))


@pytest.mark.parametrize(
    "path",
    [
        "/api/orders",
        "/api/orders/",
        "/api/orders//7",
        "/api/orders/UPPER;x/",
        "/api/orders/caf%C3%A9",
        "/api/orders/a%20b",
    ],
)
def test_a_path_that_stays_under_its_rule_is_forwarded(path: str) -> None:
    assert RuleTable(own_rules(), ORDERS).find_rules(target_of(path))["GET"].path == "/api/orders/**"


def test_a_rule_for_everything_takes_no_path_of_ours() -> None:
    table = RuleTable(own_rules(), [foreign("/**"), foreign("/{a}/{b}/{c}/{d}"), foreign("/healthz", "POST")])
    for rule in own_rules():
        path = re.sub(r"\{\w+\}", "7", rule.path)
        assert table.find_rules(target_of(path))[rule.method] is rule
        assert {each.service for each in table.find_rules(target_of(path)).values()} <= set(Service)
    for path in ("/healthz", "/readyz", "/docs", "/docs/x", "/inbox/messages", "/passport/login", "/internal/x"):
        assert table.find_rules(target_of(path)) == {}
    assert table.find_rules(target_of("/elsewhere"))["GET"].service == "orders"


def test_what_looks_like_a_path_of_ours_is_not_forwarded_elsewhere() -> None:
    table = RuleTable(own_rules(), [foreign("/**")])
    for path in ("/news/5/", "/NEWS/5", "/api//v1/users/me", "/api/v1/users/me/;x", "/Passport/login"):
        assert table.find_rules(target_of(path)) == {}
    assert table.page_address(target_of("/news/5/")) == "/news/5"


def test_no_service_of_the_operator_is_ours() -> None:
    assert not foreign("/orders").is_ours
    assert {rule.is_ours for rule in own_rules()} == {True}
