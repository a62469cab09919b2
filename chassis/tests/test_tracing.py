import structlog

from chassis.tracing import begin_request, current_request_id


def test_a_request_begins_with_a_clean_context() -> None:
    structlog.contextvars.bind_contextvars(left_over=1)
    assert begin_request("abc") == "abc"
    assert structlog.contextvars.get_contextvars() == {"request_id": "abc"}


def test_outside_of_a_request_there_is_no_id() -> None:
    structlog.contextvars.clear_contextvars()
    assert current_request_id() == ""
