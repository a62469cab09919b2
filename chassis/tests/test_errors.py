import pytest

from chassis import errors

RET = {
    "0", "4001", "4002", "4003", "4004", "4101", "4102", "4103", "4104", "4105", "4106",
    "4201", "4202", "4301", "4302", "4500", "4501",
}  # fmt: skip
every = pytest.mark.parametrize("kind", errors.every_error(), ids=lambda kind: kind.__name__)


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in errors.every_error()]
    assert len(codes) == len(set(codes))


@every
def test_each_errno_stands_in_the_classic_table(kind: type[errors.XinjingError]) -> None:
    assert kind.errno in RET - {"0"}


@every
def test_each_error_is_a_failure_with_texts(kind: type[errors.XinjingError]) -> None:
    assert 400 <= kind.status < 600
    assert kind.errmsg
    assert not kind.errmsg.isascii()
    assert kind.text.endswith(".")
    assert kind.__doc__ != errors.XinjingError.__doc__


@every
def test_an_error_is_found_by_its_code(kind: type[errors.XinjingError]) -> None:
    assert errors.by_code(kind.code) is kind


def test_an_unknown_code_finds_nothing() -> None:
    assert errors.by_code("no_such_code") is None


def test_an_error_takes_a_more_exact_text() -> None:
    assert str(errors.NotFound("No such article.")) == "No such article."
    assert errors.NotFound().detail == errors.NotFound.text


def test_a_rejected_password_names_its_reasons_in_the_classic_text() -> None:
    reasons = [errors.FieldError("password", code, "x") for code in ("too_short", "common", "unknown")]
    assert errors.PasswordRejected().errmsg == "密码不符合要求"
    assert errors.PasswordRejected(errors=reasons[2:]).errmsg == "密码不符合要求"
    texts = errors.PasswordRejected.REASONS
    assert errors.PasswordRejected(errors=reasons).errmsg == f"密码不符合要求：{texts['too_short']}；{texts['common']}"
