from datetime import UTC, datetime

import pytest

from news_service.pages.template_filters import beijing_day, beijing_time, own_picture, short_count


def test_times_are_written_by_the_clock_of_beijing() -> None:
    now = datetime(2026, 1, 4, 17, 0, tzinfo=UTC)
    assert beijing_day(now) == "2026年1月5日 星期一"
    assert beijing_time(datetime(2026, 1, 4, 16, 30, tzinfo=UTC), now) == "今天 00:30"
    assert beijing_time(datetime(2026, 1, 4, 15, 59, tzinfo=UTC), now) == "1月4日 23:59"
    assert beijing_time(datetime(2019, 3, 4, 1, 15, tzinfo=UTC), now) == "2019年3月4日 09:15"


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (9999, "9999"), (10_000, "1万"), (12_345, "1.2万")])
def test_views_are_written_short(number: int, text: str) -> None:
    assert short_count(number) == text


@pytest.mark.parametrize("address", [None, "", "http://a.example/x.jpg", "//a.example/x.jpg", "/\\a.example", "x.jpg"])
def test_only_pictures_of_this_site_are_ours(address: str | None) -> None:
    assert own_picture(address) is None
