"""Who is asked first: routes, paces and weights, without a clock or a network."""

from collections import Counter
from random import Random

import pytest

from sms_service.routing.routes import Pace, draw_order, parse_paces, parse_routes, shares_for


def test_routes_name_providers_and_weights_per_country() -> None:
    routes = parse_routes("CN = yuntongxun:3, aliyun ; US=twilio:2;*=webhook")
    assert routes == {
        "CN": {"yuntongxun": 3, "aliyun": 1},
        "US": {"twilio": 2},
        "*": {"webhook": 1},
    }
    assert shares_for(routes, "CN") == {"yuntongxun": 3, "aliyun": 1}
    assert shares_for(routes, "FR") == {"webhook": 1}
    assert shares_for(parse_routes("CN=aliyun"), "FR") == {}


def test_a_single_provider_needs_no_country() -> None:
    assert parse_routes("inbox") == {"*": {"inbox": 1}}


def test_a_provider_may_have_a_name_of_two_words() -> None:
    assert parse_routes("CN=aliyun_pnvs:2,aliyun") == {"CN": {"aliyun_pnvs": 2, "aliyun": 1}}
    assert parse_paces("aliyun_pnvs=10:16") == {"aliyun_pnvs": Pace(10, 16)}


@pytest.mark.parametrize("wrong", ["", ";", "CN=", "cn=aliyun", "CN=a;CN=b", "*=a,a", "*=a:0", "*=a:x", "CHN=a"])
def test_a_route_of_another_form_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="route"):
        parse_routes(wrong)


def test_paces_say_how_often_and_how_many_at_once() -> None:
    assert parse_paces("twilio=10:16, aliyun = 100:64") == {"twilio": Pace(10, 16), "aliyun": Pace(100, 64)}


@pytest.mark.parametrize("wrong", ["twilio", "twilio=10", "twilio=0:1", "twilio=1:0", "twilio=1:2:3"])
def test_a_pace_of_another_form_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="pace"):
        parse_paces(wrong)


def first_of(shares: dict[str, int], health: dict[str, float]) -> Counter[str]:
    random = Random(7)
    return Counter(draw_order(shares, health, random)[0] for _ in range(4000))


def test_weights_share_the_first_place() -> None:
    assert first_of({"a": 3, "b": 1}, {})["a"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_health_scales_a_weight_and_leaves_a_little() -> None:
    firsts = first_of({"a": 1, "b": 1}, {"a": 0.0})
    assert firsts["a"] / 4000 == pytest.approx(0.05 / 1.05, abs=0.02)


def test_every_provider_is_asked_once() -> None:
    assert sorted(draw_order({"a": 3, "b": 1, "c": 9}, {}, Random(1))) == ["a", "b", "c"]
