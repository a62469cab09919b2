"""Keys change in stages, in a file that processes share, without a token refused."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest
import svcs
from pydantic import SecretStr

from user_service.app import create_app
from user_service.tokens.key_ring import KeyFile, KeyRing, KeyState, RotationRefused, make_ring, read_ring, write_ring
from user_service.tokens.signing_key import new_key

pytestmark = pytest.mark.any_database  # Keys are a file.


@pytest.fixture
def ring(clock):
    return make_ring([new_key()], clock.now)


@pytest.fixture
def keys(app):
    """Run ``flask keys …`` and return its exit code and what it says."""

    def run(*words):
        result = app.test_cli_runner().invoke(args=["keys", *words])
        return result.exit_code, result.output

    return run


@pytest.fixture
def other_app(settings, clock):
    """A second process on the same file, from before any change."""
    app = create_app(settings, clock=clock)
    yield app
    svcs.flask.close_registry(app)


@pytest.fixture
def published(visitor):
    return lambda: [key["kid"] for key in visitor.call("GET", "/.well-known/jwks.json").json["keys"]]


def states(ring):
    return [entry.state for entry in ring.keys]


def kid_of(answer):
    return jwt.get_unverified_header(answer.json["access_token"])["kid"]


def test_a_next_key_signs_after_a_day_and_not_before(ring, clock):
    key = new_key()
    ring = ring.announce(key, clock.now)
    assert ring.active.kid != key.kid
    clock.move(hours=23, minutes=59)
    with pytest.raises(RotationRefused, match="may sign from"):
        ring.promote(clock.now)
    clock.move(minutes=1)
    promoted = ring.promote(clock.now)
    assert (promoted.active.kid, states(promoted)) == (key.kid, [KeyState.RETIRING, KeyState.ACTIVE])


def test_a_leak_does_not_wait_for_a_day(ring, clock):
    key = new_key()
    assert ring.announce(key, clock.now).promote(clock.now, forced=True).active.kid == key.kid


def test_a_retiring_key_stays_as_long_as_a_token_of_it_may_live(ring, clock):
    ring = ring.announce(new_key(), clock.now).promote(clock.now, forced=True)
    assert len(ring.without_retired(clock.now + timedelta(seconds=914), token_seconds=600).keys) == 2
    assert states(ring.without_retired(clock.now + timedelta(seconds=915), token_seconds=600)) == [KeyState.ACTIVE]


def test_the_key_that_signs_cannot_be_dropped(ring):
    with pytest.raises(RotationRefused, match="Rotate first"):
        ring.without(ring.active.kid)
    with pytest.raises(RotationRefused, match="no key"):
        ring.without("unknown")


def test_there_is_nothing_to_promote_without_a_next_key(ring, clock):
    with pytest.raises(RotationRefused):
        ring.promote(clock.now, forced=True)


def test_a_ring_survives_being_written(ring, clock):
    ring = ring.announce(new_key(), clock.now)
    again = read_ring(write_ring(ring), clock.now)
    assert [(entry.key.kid, entry.state, entry.since) for entry in again.keys] == [
        (entry.key.kid, entry.state, entry.since) for entry in ring.keys
    ]


def test_the_pem_of_one_key_is_a_ring(clock):
    key = new_key()
    assert read_ring(key.pem().encode(), clock.now).active.kid == key.kid


@pytest.mark.parametrize("text", [b"", b"{}", b'{"keys": []}', b'{"keys": [1]}', b'{"keys": "x"}', b"[]", b"{"])
def test_other_files_are_no_ring(text, clock):
    with pytest.raises(ValueError, match=r".+"):
        read_ring(text, clock.now)


def test_a_ring_with_two_active_keys_is_none(ring):
    with pytest.raises(ValueError, match="one active"):
        KeyRing(ring.keys * 2)


def test_the_stages_by_command(keys, clock, published, register, log_in, settings):
    first = kid_of(register())
    assert keys("rotate")[0] == 0
    following = published()[1]
    assert (published(), kid_of(log_in())) == ([first, following], first)
    code, output = keys("rotate")
    assert (code, "may sign from" in output) == (1, True)
    clock.move(hours=24)
    assert keys("rotate")[0] == 0
    assert (published(), kid_of(log_in())) == ([first, following], following)
    assert keys("retire") == (0, "0 keys are gone.\n")
    clock.move(seconds=915)
    assert keys("retire") == (0, "1 keys are gone.\n")
    assert published() == [following]
    assert keys("list")[1].split()[:2] == [following, "active"]
    assert stat.S_IMODE(settings.signing_key_file.stat().st_mode) == 0o600


def test_a_leaked_key_is_replaced_and_dropped_at_once(keys, published, register, log_in, revoked):
    first = kid_of(register())
    assert keys("rotate", "--now", "--settle-seconds", "0")[0] == 0
    assert kid_of(log_in()) != first
    assert keys("retire", "--now", first)[0] == 0
    assert first not in published()
    assert [entry["kind"] for entry in revoked()] == ["keys"] * 3


def test_no_command_shows_a_private_key(keys):
    output = "".join(keys(*words)[1] for words in (["list"], ["rotate"], ["retire"], ["rotate"]))
    assert "PRIVATE" not in output


def test_another_process_notices_a_change_without_restart(keys, other_app, visitor, register):
    first = register()
    keys("rotate", "--now", "--settle-seconds", "0")
    elsewhere = visitor.through(other_app)
    renewed = elsewhere.call("POST", "/api/v1/tokens/refresh", {"refresh_token": first.json["refresh_token"]})
    assert len(elsewhere.call("GET", "/.well-known/jwks.json").json["keys"]) == 2
    assert kid_of(renewed) != kid_of(first)


@pytest.mark.parametrize("text", [None, b"garbled"])
def test_a_file_that_cannot_be_read_any_more_does_not_stop_the_service(settings, register, log_in, text):
    first = kid_of(register())
    settings.signing_key_file.unlink()
    if text is not None:
        settings.signing_key_file.write_bytes(text)
    assert kid_of(log_in()) == first


def test_changes_at_once_are_made_in_turns(tmp_path, clock):
    file = KeyFile(tmp_path / "ring.json", clock=clock)

    def add_and_promote(_):
        file.change(lambda ring: ring.announce(new_key(), clock.now).promote(clock.now, forced=True))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_and_promote, range(12)))
    assert len(file.ring().keys) == 13
    assert [entry.name for entry in tmp_path.iterdir()] == ["ring.json"]


def test_keys_of_a_setting_are_the_operators(settings, clock):
    app = create_app(settings.model_copy(update={"signing_key": SecretStr(new_key().pem())}), clock=clock)
    result = app.test_cli_runner().invoke(args=["keys", "rotate", "--now"])
    svcs.flask.close_registry(app)
    assert (result.exit_code, "USER_SIGNING_KEY" in result.output) == (1, True)
