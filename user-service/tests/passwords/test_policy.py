import pytest

from chassis.errors import PasswordRejected
from chassis.mobiles import Mobile
from user_service.passwords.policy import PasswordPolicy

MOBILE = Mobile("+8613800138000")


POLICY = PasswordPolicy()


def reasons(password, nick_name=None):
    with pytest.raises(PasswordRejected) as caught:
        POLICY.check(password, mobile=MOBILE, nick_name=nick_name)
    return [error.code for error in caught.value.errors]


@pytest.mark.parametrize(
    "password",
    ["12345679x", "        x", "😀😁😂🤣😃😄😅😆", "x y" * 42, "密码要长一点才好", "13900139000!", "13900139000"],
)
def test_length_alone_counts(password):
    POLICY.check(password, mobile=MOBILE)


@pytest.mark.parametrize("password", ["1234567", "x" * 6 + "y", "１２３４５"])
def test_seven_characters_are_too_few(password):
    assert "too_short" in reasons(password)


def test_129_characters_are_too_many():
    assert reasons("ab" * 64 + "c") == ["too_long"]


@pytest.mark.parametrize(
    "password", ["12345678", "PassWord", "ｐａｓｓｗｏｒｄ", "woaini1314", "aaaaaaaaaa", "dragondragon", "jennifer"]
)
def test_common_passwords_are_refused_in_every_spelling(password):
    assert reasons(password) == ["common"]


@pytest.mark.parametrize(
    "password",
    [
        "13800138000",
        "+8613800138000",
        "138-0013-8000",
        "008613800138000",
        "１３８００１３８０００",
        "00138000",
    ],
)
def test_the_mobile_is_no_password(password):
    assert reasons(password) == ["is_mobile"]


@pytest.mark.parametrize(
    "password",
    ["١٣٨٠٠١٣٨٠٠٠", "13800138000a", "my 138-0013-8000", "!!13800138000!!", "1380013800013800138000"],
)
def test_the_mobile_and_little_more_is_no_password(password):
    assert reasons(password) == ["is_mobile"]


@pytest.mark.parametrize(
    "password",
    [
        "xinjing2026",
        "XinJing!!",
        "x.i.n.j.i.n.g",
        "新经资讯1234",
        "新经新经新经新经",
        "新经20261124",
        "ＸＩＮＪＩＮＧ资讯ab",
        "information9x",
    ],
)
def test_names_of_the_product_are_no_password(password):
    assert reasons(password) == ["context"]


@pytest.mark.parametrize(
    ("nick_name", "password"),
    [
        ("Alice", "alice!!!"),
        ("Alice", "ALICE1987"),
        ("李小明", "李小明20260101"),
        ("Al Ice", "xy-al-ice-z"),
        ("Alice", "alicealice"),
    ],
)
def test_the_nick_name_and_little_more_is_no_password(nick_name, password):
    assert "is_nick_name" in reasons(password, nick_name)


@pytest.mark.parametrize(
    ("nick_name", "password"),
    [
        ("Alice", "alice goes down the rabbit hole"),
        ("a", "a1234a5678b"),
        ("🚀", "🚀🚀 to the moon 🚀🚀"),
        ("12", "9131264873"),
        ("Alice", "information overload, coffee"),
        (None, "call 13800138000 and ask for the cat"),
    ],
)
def test_a_long_password_may_hold_such_words(nick_name, password):
    POLICY.check(password, mobile=MOBILE, nick_name=nick_name)


def test_every_reason_is_told_at_once():
    assert reasons("xj", "xj") == ["too_short", "is_nick_name"]


@pytest.mark.parametrize(
    "password",
    [
        " leading and trailing ",
        "no-digit-no-upper",
        "🔑🗝🔓" * 3,
        "密码" * 4 + "长",
        "z" * 4 + "x" * 124,
    ],
)
def test_T26_no_kind_of_character_is_asked_for(password):
    POLICY.check(password, mobile=MOBILE)
