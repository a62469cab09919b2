from datetime import timedelta

import pytest


@pytest.fixture
def devices(visitor, register, log_in, clock):
    """Three sessions of one user, oldest first."""
    answers = [register()]
    for _ in range(2):
        clock.move(seconds=1)
        answers.append(log_in())
    return [visitor.signed_in(answer) for answer in answers]


def ids_of(answer):
    return [item["id"] for item in answer.json["items"]]


def test_the_list_shows_the_devices_newest_first(devices, clock):
    answer = devices[0].call("GET", "/api/v1/sessions")
    oldest = answer.json["items"][2]
    begun = (clock.now - timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert answer.status_code == 200
    assert ids_of(answer) == [device.user["session_id"] for device in reversed(devices)]
    assert answer.json["next_cursor"] is None
    assert oldest == {
        "id": devices[0].user["session_id"],
        "created_at": begun,
        "last_used_at": begun,
        "expires_at": (clock.now + timedelta(days=30, seconds=-2)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user_agent": "a test",
        "ip_prefix": "203.0.113.0/24",
        "is_current": True,
    }


def test_the_list_comes_in_pages(devices):
    first = devices[0].call("GET", "/api/v1/sessions?limit=2")
    second = devices[0].call("GET", f"/api/v1/sessions?limit=2&cursor={first.json['next_cursor']}")
    assert (len(ids_of(first)), len(ids_of(second))) == (2, 1)
    assert ids_of(first) + ids_of(second) == ids_of(devices[0].call("GET", "/api/v1/sessions"))
    assert second.json["next_cursor"] is None


def test_ended_expired_and_idle_sessions_are_not_listed(devices, clock, refresh):
    devices[0].call("DELETE", "/api/v1/sessions/current")
    assert len(ids_of(devices[1].call("GET", "/api/v1/sessions"))) == 2
    clock.move(days=14)
    assert ids_of(devices[1].call("GET", "/api/v1/sessions")) == []


def test_logging_out_ends_the_session_and_tells_the_gateways(visitor, register, refresh, revoked, clock):
    answer = register()
    owner = visitor.signed_in(answer)
    out = owner.call("DELETE", "/api/v1/sessions/current")
    assert (out.status_code, out.data) == (204, b"")
    until = str(int(clock.now.timestamp()) + 900)
    assert revoked() == [{"kind": "session", "id": owner.user["session_id"], "until": until}]
    refused = refresh(answer.json["refresh_token"])
    assert (refused.status_code, refused.json["code"]) == (401, "unauthenticated")


def test_logging_out_twice_is_harmless_and_tells_again(owner, revoked):
    assert [owner.call("DELETE", "/api/v1/sessions/current").status_code for _ in range(2)] == [204, 204]
    assert len(revoked()) == 2


def test_T38_a_user_ends_another_own_session(devices, revoked):
    other = devices[2].user["session_id"]
    assert devices[0].call("DELETE", f"/api/v1/sessions/{other}").status_code == 204
    assert [entry["id"] for entry in revoked()] == [other]
    assert other not in ids_of(devices[0].call("GET", "/api/v1/sessions"))


def test_a_session_of_another_user_is_not_found(owner, visitor, register, revoked, stored_sessions):
    stranger = visitor.signed_in(register(mobile="+8613800138001"))
    answer = stranger.call("DELETE", f"/api/v1/sessions/{owner.user['session_id']}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert revoked() == []
    assert [session.revoked_at for session in stored_sessions()] == [None, None]


def test_old_revocations_are_trimmed(owner, redis, clock):
    clock.move(seconds=-2000)
    redis.xadd("user:revocations", {"kind": "all", "id": "", "not_before": 0}, id="1-0")
    for number in range(200):
        redis.xadd("user:revocations", {"kind": "all", "id": "", "not_before": 0}, id=f"2-{number}")
    clock.move(seconds=2000)
    owner.call("DELETE", "/api/v1/sessions/current")
    assert redis.xlen("user:revocations") < 201


def test_what_is_kept_of_a_device_is_short_and_printable(visitor, register, clock):
    register()
    clock.move(seconds=1)
    body = {"mobile": "+8613800138000", "password": "correct horse battery"}
    answer = visitor.call("POST", "/api/v1/sessions", body, **{"User-Agent": "a\tb" + "x" * 300})
    item = visitor.signed_in(answer).call("GET", "/api/v1/sessions").json["items"][0]
    assert item["user_agent"] == "ab" + "x" * 254
