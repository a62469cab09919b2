import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import MobileInvalid
from chassis.mobiles import Mobile, country_of, mask_mobile, parse_mobile


@pytest.mark.parametrize(
    "spelling",
    [
        "13800138000",
        " 13800138000 ",
        "138 0013 8000",
        "138-0013-8000",
        "138.0013.8000",
        "+8613800138000",
        "+86 138 0013 8000",
        "+86-138-0013-8000",
        "+86 (138) 0013-8000",
        "(+86)13800138000",
        "008613800138000",
        "0086 138 0013 8000",
        "8613800138000",
    ],
)
def test_usual_spellings_are_one_number(spelling: str) -> None:
    assert parse_mobile(spelling) == "+8613800138000"


@pytest.mark.parametrize(
    "prefix", ["130", "145", "147", "150", "166", "170", "171", "177", "189", "190", "193", "197", "199"]
)
def test_every_range_of_mobiles_is_accepted(prefix: str) -> None:
    assert parse_mobile(prefix + "12345678") == f"+86{prefix}12345678"


@pytest.mark.parametrize("text", ["+12025550123", "+447400123456", "+85251234567"])
def test_mobiles_of_other_countries_are_accepted(text: str) -> None:
    assert parse_mobile(text) == text


def test_a_number_without_a_country_belongs_to_the_region() -> None:
    assert parse_mobile("07400 123456", region="GB") == "+447400123456"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1380013800",
        "138001380000",
        "12800138000",
        "23800138000",
        "13800138000\n",
        "\n13800138000",
        "13800138000\t",
        "13800138000\x00",
        "１３８００１３８０００",
        "１3800138000",
        "١٣٨٠٠١٣٨٠٠٠",
        "138\u30000013\u30008000",
        "138\u20110013\u20118000",
        "01062345678",
        "+861062345678",
        "4008001234",
        "95555",
        "10086",
        "110",
        "+19005550123",
        "+18005550123",
        "13800138000x12",
        "13800138000;ext=12",
        "13800138000 ext. 12",
        "13800138000#12",
        "tel:13800138000",
        "1380013800O",
        "1-380-FLOWERS",
        "+",
        "++8613800138000",
        "-13800138000",
        "1" * 1000,
        "13800138000,13900139000",
        "+9991234567890",
        "\ud800",
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_cannot_be_texted_is_refused(text: str) -> None:
    with pytest.raises(MobileInvalid):
        parse_mobile(text)


def test_a_masked_mobile_hides_four_digits() -> None:
    assert mask_mobile(Mobile("+8613800138000")) == "+86138****8000"


def read(text: str) -> str | None:
    """Parse as a service does; every other exception than ours fails the test."""
    try:
        return parse_mobile(text)
    except MobileInvalid:
        return None


spelled = st.text("0123456789+-.() ", max_size=40) | st.from_regex(r"(\+86|0086|)[ -]?1[3-9][0-9]{9}", fullmatch=True)


@given(st.text() | spelled)
def test_parsing_raises_nothing_else_and_is_idempotent(text: str) -> None:
    once = read(text)
    assert once is None or read(once) == once


@given(st.from_regex(r"1(3[0-9]|5[0-35-9]|8[0-9])[0-9]{8}", fullmatch=True), st.sampled_from(["", " ", "-"]))
def test_separators_change_nothing(number: str, separator: str) -> None:
    assert parse_mobile(separator.join((number[:3], number[3:7], number[7:]))) == f"+86{number}"


@pytest.mark.parametrize(
    ("mobile", "country"),
    [("+8613800138000", "CN"), ("+85251234567", "HK"), ("+12025550123", "US"), ("+14165550123", "CA")],
)
def test_a_mobile_has_a_country(mobile: str, country: str) -> None:
    assert country_of(Mobile(mobile)) == country
