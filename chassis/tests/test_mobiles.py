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
        "13800138000\n",
        "\n13800138000",
        "13800138000\t",
        "\u202d13800138000\u202c",
        "\u2068+86 138 0013 8000\u2069",
        "\ufeff13800138000",
        "138\u00a00013\u00a08000",
        "138\u20090013\u202f8000",
        "138\u30000013\u30008000",
        "138\u28000013\u28008000",
        "138\u20110013\u20118000",
        "138\u22120013\u22128000",
        "138\u00ad0013\u200b8000",
        "138\u00b70013\u00b78000",
        "＋86－138－0013－8000",
        "（＋86）13800138000",
        "１３８００１３８０００",
        "１3800138000",
        "\u0661\u0663\u0668\u0660\u0660\u0661\u0663\u0668\u0660\u0660\u0660",
    ],
    ids=lambda text: ascii(text)[:60],
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
        "13800138000\x00",
        "13800138000\x1c",
        "\u4e00\u4e09\u516b\u3007\u3007\u4e00\u4e09\u516b\u3007\u3007\u3007",
        "138\u03080013\u03088000",
        "\u200b",
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


INVISIBLE = [chr(code) for code in (0xAD, 0x34F, 0x61C, 0x180E, 0x200B, 0x200E, 0x202D, 0x202C, 0x2060, 0x2068, 0x2069)]
INVISIBLE += [chr(code) for code in (0x3164, 0xFE0F, 0xFEFF, 0xE0020, 0xE01EF)]
SEPARATORS = [
    chr(code) for code in (*range(0x2000, 0x200B), *range(0x2010, 0x2016), 0x20, 0x9, 0xA, 0xA0, 0x202F, 0x205F)
]
SEPARATORS += [chr(code) for code in (0x2800, 0x3000, 0x2D, 0x2212, 0x301C, 0xB7, 0xFE58, 0xFE63, 0xFF0D, 0xFF70)]
ZEROS = (0x30, 0x660, 0x6F0, 0x966, 0xE50, 0xFF10, 0x1D7CE, 0x1D7F6)
decorations = st.text(st.sampled_from(INVISIBLE), max_size=2)


@st.composite
def decorated(draw: st.DrawFn, number: str) -> str:
    """A number as it may be copied: digits of any script, invisible characters, single separators between digits."""
    digits = [chr(draw(st.sampled_from(ZEROS)) + int(digit)) + draw(decorations) for digit in number]
    between = [draw(st.sampled_from(["", "", *SEPARATORS])) + draw(decorations) for _ in number[1:]]
    spelled_number = "".join(part for pair in zip(digits, [*between, ""], strict=True) for part in pair)
    return draw(decorations) + draw(st.sampled_from(["", "+86", "\uff0b86 ", "(+86)", "0086-"])) + spelled_number


@given(st.data(), st.from_regex(r"1(3[0-9]|5[0-35-9]|8[0-9])[0-9]{8}", fullmatch=True))
def test_every_decoration_of_a_mobile_reads_as_the_mobile(data: st.DataObject, number: str) -> None:
    assert parse_mobile(data.draw(decorated(number))) == f"+86{number}"
