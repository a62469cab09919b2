"""The command that sends one test text, on a real Redis."""

import base64

from sms_service.providers.inbox import Inbox


def test_a_test_text_goes_to_the_provider_at_once(sms, inbox: Inbox) -> None:
    result = sms("send-test", "13800138000")
    assert result.exit_code == 0
    assert result.output.startswith("inbox to +86138****8000: accepted")
    assert [message.mobile for message in inbox.messages()] == ["+8613800138000"]


def test_a_test_text_from_where_no_vendor_is_reached_says_where_to_send_it(sms) -> None:
    result = sms(
        "send-test", "13800138000", routes="yuntongxun", yuntongxun_account_sid="sid", yuntongxun_auth_token="token",
        yuntongxun_app_id="app", yuntongxun_url="http://127.0.0.1:9",
    )  # fmt: skip
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith("Error: yuntongxun to +86138****8000: not_sent ")
    assert lines[-1] == "  docker compose exec sms-worker flask --app sms_service.app sms send-test MOBILE"


def test_a_test_text_that_a_vendor_refuses_needs_no_other_place(sms, captcha_stub, captcha_address: str) -> None:
    captcha_stub.forced = (403, {})  # The stub plays the receiver of the webhook here.
    key = base64.b64encode(b"k" * 32).decode()
    result = sms("send-test", "13800138000", routes="webhook", webhook_url=captcha_address, webhook_key=key)
    assert result.exit_code == 1
    assert result.output == "Error: webhook to +86138****8000: refused_config http_403\n"


def test_a_test_text_needs_a_mobile(sms) -> None:
    assert sms("send-test", "10086").exit_code == 1
