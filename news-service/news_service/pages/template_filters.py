"""The filters of the templates: times, numbers and picture addresses as the pages show them."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlencode, urlsplit

# A fixed offset, because small images carry no time zone data and China has had no summer time since 1991.
_BEIJING = timezone(timedelta(hours=8), "北京时间")
_TEN_THOUSAND = 10_000


def beijing_time(moment: datetime, now: datetime | None = None) -> str:
    """Write a moment in Beijing time: ``今天 09:30``, ``7月25日 09:30``, ``2019年3月4日 09:30``."""
    local, today = moment.astimezone(_BEIJING), (now or datetime.now(UTC)).astimezone(_BEIJING)
    clock = f"{local:%H:%M}"
    if local.date() == today.date():
        return f"今天 {clock}"
    day = f"{local.month}月{local.day}日"
    return f"{day} {clock}" if local.year == today.year else f"{local.year}年{day} {clock}"


def beijing_day(now: datetime | None = None) -> str:
    """Write today's date for the masthead: ``2026年1月5日 星期一``."""
    today = (now or datetime.now(UTC)).astimezone(_BEIJING)
    return f"{today.year}年{today.month}月{today.day}日 星期{'一二三四五六日'[today.weekday()]}"


def short_count(number: int) -> str:
    """Write a number of views as Chinese readers do: ``318``, ``1.2万``."""
    if number < _TEN_THOUSAND:
        return str(number)
    return f"{number / _TEN_THOUSAND:.1f}".removesuffix(".0") + "万"


def own_picture(address: str | None, image_hosts: Collection[str] = ()) -> str | None:
    """Return the address of a picture on this site or on one of some hosts; None for what the content policy blocks."""
    if address and address.startswith("https://") and urlsplit(address).netloc in image_hosts:
        return address
    if address and address.startswith("/") and not address.startswith(("//", "/\\")):
        return address
    return None


def query_text(values: dict[str, object]) -> str:
    """Write a query string; values that are None are left out."""
    return urlencode({name: value for name, value in values.items() if value is not None})
