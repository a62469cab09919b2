import pytest

from chassis.web import Access
from gateway.routing.rules import ADMIN, OPTIONAL, PUBLIC, RULES, SIGNED_IN, Effect, Limit, Rule, RuleTable, Service
from gateway.settings import Settings


def test_a_path_written_out_wins_over_a_placeholder() -> None:
    table = RuleTable()
    assert table.rules_of("/api/v1/users/me")["GET"].access is Access.SIGNED_IN
    assert table.rules_of("/api/v1/users/12")["GET"].access is Access.PUBLIC
    assert table.rules_of("/api/v1/users/") == table.rules_of("/api/v1/users/1/2") == {}


def test_head_follows_get() -> None:
    assert RuleTable().rules_of("/api/v1/news")["HEAD"].name == "GET /api/v1/news"


@pytest.mark.parametrize(
    ("rule", "is_cacheable"),
    [
        (Rule("GET", "/", Service.NEWS, PUBLIC), True),
        (Rule("GET", "/", Service.NEWS, OPTIONAL), True),
        (Rule("GET", "/", Service.NEWS, SIGNED_IN), False),
        (Rule("GET", "/", Service.NEWS, ADMIN), False),
        (Rule("POST", "/", Service.NEWS, PUBLIC), False),
        (Rule("GET", "/", Service.NEWS, PUBLIC, limit=Limit.CAPTCHA_SOUNDS), False),
        (Rule("GET", "/", Service.NEWS, PUBLIC, effect=Effect.ENDS), False),
    ],
)
def test_only_plain_reads_for_everybody_are_cacheable(rule: Rule, is_cacheable: bool) -> None:
    assert rule.is_cacheable == is_cacheable


def test_no_two_rules_say_the_same() -> None:
    with pytest.raises(ValueError, match="two rules"):
        RuleTable((*RULES, RULES[0]))


def test_every_limit_has_its_setting() -> None:
    assert {f"{limit}_per_ip_per_minute" for limit in Limit} <= set(Settings.model_fields)
