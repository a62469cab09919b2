"""Two gateways and two workers of user-service are one system: sessions, limits, renewals and keys are shared."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Get = Callable[..., Any]
ME = "/api/v1/users/me"
OURS = {"Sec-Fetch-Site": "same-origin"}


def cookies_of(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.cookies.items() if value}


def test_T35_one_refresh_cookie_at_two_gateways_gets_one_successor(accounts: Any, ask: Get, register: Get) -> None:
    headers = {"Cookie": f"xinjing_rt={register().tokens['refresh_token']}"}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, accounts.gateways[i % 2], "GET", ME, headers=headers) for i in range(8)]
        answers = [future.result() for future in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert len({cookies_of(answer)["xinjing_rt"] for answer in answers}) == 1
    successor = cookies_of(answers[0])["xinjing_rt"]
    assert ask(accounts.gateways[1], "GET", ME, headers={"Cookie": f"xinjing_rt={successor}"}).status_code == 200


def test_T37_a_proof_by_cookie_sets_the_cookies_of_a_new_session(
    accounts: Any, ask: Get, register: Get, seconds_until_refused: Get
) -> None:
    tokens = register().tokens
    cookies = {"Cookie": f"xinjing_at={tokens['access_token']}; xinjing_rt={tokens['refresh_token']}"}
    path, body = "/api/v1/reauthentications", {"password": "correct horse battery"}
    assert ask(accounts.gateways[0], "POST", path, headers=cookies, json=body).status_code == 403
    answer = ask(accounts.gateways[0], "POST", path, headers={**cookies, **OURS}, json=body)
    assert (answer.status_code, set(cookies_of(answer))) == (200, {"xinjing_at", "xinjing_rt"})
    assert cookies_of(answer)["xinjing_at"] == answer.json()["access_token"] != tokens["access_token"]
    for gateway in accounts.gateways:
        assert seconds_until_refused(gateway, tokens["access_token"], time.monotonic()) < 5
        assert ask(gateway, "GET", ME, token=answer.json()["access_token"]).status_code == 200


def test_T12_limits_and_sessions_hold_over_replicas_and_restarts(
    accounts: Any, ask: Get, register: Get, log_in: Get
) -> None:
    person = register()
    tries = [log_in(person.mobile, "not the password", through=number % 2).status_code for number in range(5)]
    assert tries == [401] * 5
    assert {log_in(person.mobile, through=number % 2).status_code for number in range(8)} == {429}
    accounts.user.stop()
    assert ask(accounts.gateways[0], "GET", "/api/v1/users/me", token=person.tokens["access_token"]).status_code == 503
    accounts.user.start()
    end = time.monotonic() + 30
    while (answer := log_in(person.mobile)).status_code == 503 and time.monotonic() < end:
        time.sleep(0.05)  # The gateway has not noticed yet.
    assert answer.status_code == 429
    assert ask(accounts.gateways[1], "GET", ME, token=person.tokens["access_token"]).status_code == 200


def test_no_request_fails_while_keys_rotate_and_a_dropped_key_opens_nothing(
    accounts: Any, ask: Get, register: Get, log_in: Get, seconds_until_refused: Get
) -> None:
    person, statuses, done = register(), [], threading.Event()
    old = person.tokens["access_token"]

    def go_on_asking() -> None:
        while not done.is_set():
            for number, gateway in enumerate(accounts.gateways):
                answer = log_in(person.mobile, through=number)
                statuses.append(answer.status_code)
                token = answer.json()["access_token"]
                statuses.extend(
                    ask(gateway, "GET", ME, token=access_token).status_code for access_token in (old, token)
                )
                time.sleep(0.02)

    asking = threading.Thread(target=go_on_asking)
    asking.start()
    try:
        accounts.command("keys", "rotate", "--now")
        time.sleep(1)
    finally:
        done.set()
        asking.join()
    assert set(statuses) == {200, 201}

    (retiring,) = [line.split()[0] for line in accounts.command("keys", "list").splitlines() if "retiring" in line]
    accounts.command("keys", "retire", "--now", retiring)
    retired_at = time.monotonic()
    for gateway in accounts.gateways:
        assert seconds_until_refused(gateway, old, retired_at) < 5
        cookies = {"Cookie": f"xinjing_at={old}; xinjing_rt={person.tokens['refresh_token']}"}
        assert ask(gateway, "GET", ME, headers=cookies).status_code == 200
