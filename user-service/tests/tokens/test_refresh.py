from concurrent.futures import ThreadPoolExecutor

import pytest

UNKNOWN = "0" * 32 + ".0." + "A" * 43


@pytest.fixture
def first(register):
    return register()


def is_refused(answer):
    return (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_a_refresh_answers_a_new_pair_for_the_same_session(first, refresh, claims_of, clock):
    clock.move(minutes=10)
    answer = refresh(first.json["refresh_token"])
    before, after = claims_of(first.json["access_token"]), claims_of(answer.json["access_token"])
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert answer.json["refresh_token"] != first.json["refresh_token"]
    assert (after["sid"], after["sub"], after["auth_time"]) == (before["sid"], before["sub"], before["auth_time"])
    assert after["jti"] != before["jti"]
    assert after["iat"] == before["iat"] + 600


def test_only_digests_of_refresh_tokens_are_stored(first, refresh, stored_sessions):
    token = refresh(first.json["refresh_token"]).json["refresh_token"]
    assert len(stored_sessions()[0].refresh_hash) == 64
    assert token.rpartition(".")[2] not in str(vars(stored_sessions()[0]))


def test_T35_until_the_successor_is_used_its_parent_gets_it_again(first, refresh, clock, revoked):
    successor = refresh(first.json["refresh_token"]).json["refresh_token"]
    for _ in range(4):
        clock.move(seconds=150)
        assert refresh(first.json["refresh_token"]).json["refresh_token"] == successor
    assert refresh(successor).status_code == 200
    assert revoked() == []


def test_T35_after_the_life_of_an_access_token_the_parent_ends_the_session(first, refresh, clock, revoked, claims_of):
    successor = refresh(first.json["refresh_token"]).json["refresh_token"]
    clock.move(seconds=601)
    assert is_refused(refresh(first.json["refresh_token"]))
    assert [entry["id"] for entry in revoked()] == [claims_of(first.json["access_token"])["sid"]]
    assert is_refused(refresh(successor))


def test_a_repetition_lengthens_neither_its_own_time_nor_the_idle_time(first, refresh, clock, stored_sessions, revoked):
    successor = refresh(first.json["refresh_token"]).json["refresh_token"]
    used_at = stored_sessions()[0].last_used_at
    clock.move(seconds=400)
    assert refresh(first.json["refresh_token"]).json["refresh_token"] == successor
    assert stored_sessions()[0].last_used_at == used_at
    clock.move(seconds=400)
    assert is_refused(refresh(first.json["refresh_token"]))
    assert len(revoked()) == 1


def test_T35_a_parent_whose_successor_was_used_ends_the_session_at_once(first, refresh, revoked):
    token = first.json["refresh_token"]
    newest = refresh(refresh(token).json["refresh_token"]).json["refresh_token"]
    assert is_refused(refresh(token))
    assert len(revoked()) == 1
    assert is_refused(refresh(newest))


def test_reuse_ends_no_other_session(first, refresh, log_in, clock):
    other = log_in().json["refresh_token"]
    refresh(first.json["refresh_token"])
    clock.move(seconds=601)
    refresh(first.json["refresh_token"])
    assert refresh(other).status_code == 200


def test_a_made_up_token_of_a_known_session_ends_nothing(first, refresh, revoked):
    token = refresh(first.json["refresh_token"]).json["refresh_token"]
    session_id = token.partition(".")[0]
    for generation in (0, 1, 2, 999_999_999):
        assert is_refused(refresh(f"{session_id}.{generation}.{'A' * 43}"))
    assert revoked() == []
    assert refresh(token).status_code == 200


@pytest.mark.any_database
@pytest.mark.parametrize("token", [UNKNOWN, "x", UNKNOWN + "\n", UNKNOWN[:-1], "０" + UNKNOWN[1:], "a.b.c"])
def test_other_texts_are_refused(refresh, token):
    assert is_refused(refresh(token))


def test_reuse_while_redis_is_away_ends_the_session_all_the_same(first, refresh, clock, visitor, app_without_redis):
    refresh(first.json["refresh_token"])
    clock.move(seconds=601)
    body = {"refresh_token": first.json["refresh_token"]}
    assert is_refused(visitor.through(app_without_redis).call("POST", "/api/v1/tokens/refresh", body))
    assert is_refused(refresh(first.json["refresh_token"]))


def test_a_session_ends_after_fourteen_idle_days(first, refresh, clock):
    clock.move(days=13, hours=23)
    token = refresh(first.json["refresh_token"]).json["refresh_token"]
    clock.move(days=14)
    assert is_refused(refresh(token))


def test_T36_a_session_ends_after_thirty_days_however_used(first, refresh, clock, claims_of):
    answer = first
    for _ in range(3):
        clock.move(days=9, hours=23)
        answer = refresh(answer.json["refresh_token"])
    clock.move(hours=2, minutes=55)
    last = refresh(answer.json["refresh_token"])
    assert last.json["expires_in"] == 300
    clock.move(minutes=5)
    assert is_refused(refresh(last.json["refresh_token"]))


def test_parallel_refreshes_get_one_successor(first, refresh, stored_sessions):
    token = first.json["refresh_token"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(refresh, [token] * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    assert stored_sessions()[0].refresh_generation == 1


def test_a_refresh_works_without_redis(first, visitor, app_without_redis):
    body = {"refresh_token": first.json["refresh_token"]}
    answer = visitor.through(app_without_redis).call("POST", "/api/v1/tokens/refresh", body)
    assert answer.status_code == 200
