import pytest

from chassis.errors import PasswordRejected
from chassis.mobiles import Mobile
from user_service.password_policy import PasswordPolicy

MOBILE = Mobile("+8613800138000")


def reasons(password):
    with pytest.raises(PasswordRejected) as caught:
        PasswordPolicy().check(password, mobile=MOBILE)
    return [error.code for error in caught.value.errors]


@pytest.mark.parametrize(
    "password",
    ["12345679x", "        x", "😀😁😂🤣😃😄😅😆", "x y" * 42, "密码要长一点才好", "13900139000!", "13900139000"],
)
def test_length_alone_counts(password):
    PasswordPolicy().check(password, mobile=MOBILE)


@pytest.mark.parametrize("password", ["1234567", "x" * 6 + "y", "１２３４５"])
def test_seven_characters_are_too_few(password):
    assert "too_short" in reasons(password)


def test_129_characters_are_too_many():
    assert reasons("ab" * 64 + "c") == ["too_long"]


@pytest.mark.parametrize("password", ["12345678", "PassWord", "ｐａｓｓｗｏｒｄ", "woaini1314", "aaaaaaaaaa"])
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
