import pytest

from chassis.errors import PasswordRejected
from chassis.mobiles import Mobile
from user_service.passwords.policy import _TEXTS, PasswordPolicy

MOBILE = Mobile("+8613800138000")


POLICY = PasswordPolicy()


def reasons(password, nick_name=None):
    with pytest.raises(PasswordRejected) as caught:
        POLICY.check(password, mobile=MOBILE, nick_name=nick_name)
    return [error.code for error in caught.value.errors]


@pytest.mark.parametrize(
    "password",
    ["4k2x-9vm", "qp   dw  x", "😀😁😂🤣😃😄😅😆", "密码要长一点才好", "13907156284!", "13907156284"],
)
def test_length_alone_counts(password):
    POLICY.check(password, mobile=MOBILE)


@pytest.mark.parametrize(
    "password",
    ["1234567", "x" * 6 + "y", "１２３４５", "vQ7kz2m ", "\u3000vQ7kz2m\t", "vQ7k\u200bz2m\ufeff", "        x"],
)
def test_seven_characters_are_too_few_whatever_cannot_be_seen(password):
    assert reasons(password)[0] == "too_short"


def test_129_characters_are_too_many():
    assert reasons(" " + "ab" * 64) == ["too_long"]


@pytest.mark.parametrize(
    "password",
    [
        "12345678",
        "PassWord",
        "ｐａｓｓｗｏｒｄ",
        "woaini1314",
        "jennifer",
        "12345678 ",
        "\u3000password\u00a0\n",
        "password\u200b",
        "pass\u00adword",
        "\ufeffpass\u2060word\ufe0f",
        "\u2800password\u3164",
        "password\x00\x1f",
    ],
)
def test_common_passwords_are_refused_in_every_spelling(password):
    assert reasons(password) == ["common"]


@pytest.mark.parametrize(
    ("kind", "passwords"),
    [
        (
            "words",
            "woaini123 a5201314 qq5201314 beijing2008 zhangwei1990 Zhangwei@123 wodemima123 laopo520 我爱你1314520",
        ),
        ("words", "Password1! P@ssw0rd123 Dragon!1 pa$$w0rd1 w0aini1314 раsswоrd1 wǒàinǐ1314 olleh123"),
        ("words", "zhangwei19900101 admin@2024 Summer2024! 5845201314 wangxiaoming1 zhongguo1949 Huang1987"),
        ("date", "19900101 1990-01-01 1990.1.1! 01021994! 1990年1月1日 19900101wang a19900101 wj19900101 20240229"),
        (
            "keyboard",
            "0123456789 qweasd!@# 2wsx#EDC asdfghjkl; 147896321! a1b2c3d4e5f6 abcdefgh! 98765432!? 一二三四五六七八",
        ),
        (
            "repeated",
            "12121212 abababab aaaaaaaaaaaaaaaaaa dragondragon 11223344a aabbccdd! abccbaabccba 我爱你我爱你我爱你",
        ),
    ],
)
def test_what_is_guessed_soon_is_refused_with_its_kind(kind, passwords):
    assert {password: reasons(password) for password in passwords.split()} == {
        each: [kind] for each in passwords.split()
    }


def test_each_reason_has_a_text_in_both_languages():
    assert set(_TEXTS) == set(PasswordRejected.REASONS)
    with pytest.raises(PasswordRejected) as caught:
        POLICY.check("19900101", mobile=MOBILE)
    assert caught.value.errmsg == f"密码不符合要求：{PasswordRejected.REASONS['date']}"
    assert caught.value.errors[0].detail.startswith("A date")


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
    assert reasons("abcabc") == ["too_short", "repeated"]


@pytest.mark.parametrize(
    "password",
    [
        " leading and trailing ",
        "no-digit-no-upper",
        "🔑🗝🔓" * 3,
        "字画梨花" * 2 + "长",
        "z" * 4 + "x" * 60 + "quartz jug 7" + "y" * 52,
    ],
)
def test_T26_no_kind_of_character_is_asked_for(password):
    POLICY.check(password, mobile=MOBILE)
