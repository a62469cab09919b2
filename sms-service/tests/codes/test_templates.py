"""The words of a text, and the operator's own in their place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sms_service.codes.purposes import Language, Notice, Purpose
from sms_service.codes.templates import Templates, TemplatesMalformed


@pytest.fixture
def own_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write an operator's file of templates."""

    def write(text: str) -> Path:
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("language", list(Language))
def test_every_text_names_its_code_and_how_long_it_lives(purpose: Purpose, language: Language) -> None:
    text = Templates().code_text(purpose, language, code="042619", valid_minutes=5)
    assert "042619" in text
    assert "5" in text.replace("042619", "")


@pytest.mark.parametrize("notice", list(Notice))
@pytest.mark.parametrize("language", list(Language))
def test_every_notice_is_worded_without_a_code_to_fill_in(notice: Notice, language: Language) -> None:
    text = Templates(web_otp_domain="example.com").notice_text(notice, language)
    assert len(text) > 20
    assert "@example.com" not in text


def test_a_default_template_takes_a_code_and_is_for_no_notice(own_file: Callable[[str], Path]) -> None:
    templates = Templates(own_file('[aliyun.zh]\ndefault = "SMS_1"\nmobile_changed = "SMS_2"\n'))
    assert templates.find_template("aliyun", Notice.PASSWORD_CHANGED, Language.ZH) is None
    assert templates.find_template("aliyun", Notice.MOBILE_CHANGED, Language.EN) == "SMS_2"


def test_the_last_line_binds_the_code_to_the_site() -> None:
    text = Templates(web_otp_domain="example.com").code_text(Purpose.LOGIN, Language.EN, code="042619", valid_minutes=5)
    assert text.splitlines()[-1] == "@example.com #042619"


def test_own_templates_take_the_place_of_the_shipped_ones(own_file: Callable[[str], Path]) -> None:
    own = '[text.en]\ndefault = "Code {code}"\n[aliyun.zh]\nlogin = "SMS_1"\ndefault = "SMS_2"\n'
    templates = Templates(own_file(own))
    assert templates.code_text(Purpose.LOGIN, Language.EN, code="042619", valid_minutes=5) == "Code 042619"
    assert "验证码" in templates.code_text(Purpose.LOGIN, Language.ZH, code="042619", valid_minutes=5)
    assert templates.find_template("aliyun", Purpose.LOGIN, Language.ZH) == "SMS_1"
    assert templates.find_template("aliyun", Purpose.REGISTER, Language.EN) == "SMS_2"
    assert templates.find_template("tencent", Purpose.LOGIN, Language.ZH) is None
    assert templates.find_template("yuntongxun", Purpose.LOGIN, Language.ZH) == "1"


@pytest.mark.parametrize(
    "wrong",
    ["[text", "text = 1", "[text.fr]\nlogin = 'x'", "[text.zh]\nlogin = 5", "[text.zh]\nlogin = '{code'",
     "[text.zh]\nlogin = '{codes}'", "[text.zh]\nlogin = '{minutes}'", "[aliyun]\nlogin = 'SMS_1'",
     "[notice.zh]\npassword_changed = '{code}'"],
)  # fmt: skip
def test_templates_that_cannot_be_used_are_refused_at_the_start(own_file: Callable[[str], Path], wrong: str) -> None:
    with pytest.raises(TemplatesMalformed):
        Templates(own_file(wrong))


def test_a_missing_file_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(TemplatesMalformed, match=r"missing\.toml"):
        Templates(tmp_path / "missing.toml")
