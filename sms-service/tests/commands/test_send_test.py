"""The command that sends one test text, on a real Redis."""

from sms_service.providers.inbox import Inbox


def test_a_test_text_goes_to_the_provider_at_once(sms, inbox: Inbox) -> None:
    result = sms("send-test", "13800138000")
    assert result.exit_code == 0
    assert result.output.startswith("inbox to +86138****8000: accepted")
    assert [message.mobile for message in inbox.messages()] == ["+8613800138000"]


def test_a_test_text_that_is_refused_fails(sms) -> None:
    result = sms(
        "send-test", "13800138000", routes="yuntongxun", yuntongxun_account_sid="sid", yuntongxun_auth_token="token",
        yuntongxun_app_id="app", yuntongxun_url="http://127.0.0.1:9",
    )  # fmt: skip
    assert (result.exit_code, "not_sent" in result.output) == (1, True)


def test_a_test_text_needs_a_mobile(sms) -> None:
    assert sms("send-test", "10086").exit_code == 1
