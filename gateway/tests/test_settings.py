from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import Settings

MakeSettings = Callable[..., Settings]


def test_lists_in_settings_are_written_with_commas(make_settings: MakeSettings) -> None:
    settings = make_settings(trusted_proxies="10.0.0.0/8, ::1/128", allowed_origins="https://a.example")
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.allowed_origins == ("https://a.example",)


def test_a_service_has_one_address_or_several(make_settings: MakeSettings) -> None:
    settings = make_settings(user_service_url="http://a:1, http://[::1]:2/", news_service_url="http://news")
    assert settings.user_service_url == ("http://a:1", "http://[::1]:2/")
    assert settings.news_service_url == ("http://news",)


@pytest.mark.parametrize(
    "changed",
    [
        {"user_service_url": ","},
        {"user_service_url": "http://a:1,ftp://b"},
        {"user_service_url": "http://a:99999"},
        {"user_service_url": "ftp://x"},
        {"internal_token_key": "short"},
        {"sessions_per_ip_per_minute": 0},
        {"trusted_proxies": "everybody"},
        {"allowed_origins": "https://a.example/path"},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(make_settings: MakeSettings, changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_settings(**changed)


@pytest.mark.parametrize("origins", ["*", "null", "https://*.example.com", "https://a.example,*"])
def test_T44_no_wildcard_origin_may_use_a_cookie_session(make_settings: MakeSettings, origins: str) -> None:
    with pytest.raises(ValidationError):
        make_settings(allowed_origins=origins)
