import io
import wave
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import svcs
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from pydantic import SecretStr
from redis import Redis
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from captcha_service.captchas import ALPHABET, Captchas
from captcha_service.clips import SPEAKABLE, Language, load_clips
from captcha_service.speech import SOUND, Tracks, record, speak

Ask = Callable[..., TestResponse]
Attempt = Callable[[str, object], TestResponse]
Headers = Callable[..., dict[str, str]]
Hear = Callable[..., TestResponse]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@pytest.fixture
def hear(client: FlaskClient, from_gateway: Headers) -> Hear:
    """Fetch a sound."""

    def get(address: str, **headers: str) -> TestResponse:
        return client.get(address, headers={**from_gateway(), **headers})

    return get


def samples_of(content: bytes) -> np.ndarray:
    """The samples of a WAV, which must be as we promise."""
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        frames = file.readframes(file.getnframes())
        assert len(frames) == 2 * file.getnframes()
    return np.frombuffer(frames, "<i2").astype(float)


def decibels(tracks: Tracks) -> float:
    """How far the speech is above the background."""
    speech, background = tracks.speech[tracks.is_speech], tracks.background
    return float(10 * np.log10(np.mean(speech**2) / np.mean(background**2)))


def test_the_sound_is_a_wav_that_nobody_stores(issue: Ask, hear: Hear) -> None:
    answer = hear(issue().json["audio_url"])
    assert answer.status_code == 200
    assert answer.content_type == "audio/wav"
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert 3.5 < samples_of(answer.data).size / 8000 < 9


def test_every_fetch_and_every_process_gives_the_same_sound(
    make_app: Callable[..., OpenAPI], issue: Ask, from_gateway: Headers
) -> None:
    address = issue().json["audio_url"]
    clients = [make_app().test_client() for _ in range(2)]
    addresses = [address, f"{address}?lang=zh"]
    assert len({each.get(url, headers=from_gateway()).data for each in clients for url in addresses}) == 1


def test_ids_and_languages_have_sounds_of_their_own(hear: Hear, redis: Redis) -> None:
    ids = ["xj" + digit * 38 for digit in "01"]
    for captcha_id in ids:
        redis.set(f"captcha:answer:{captcha_id}", "ADG34")
    sounds = {hear(f"/api/v1/captchas/{each}/audio?lang={lang}").data for each in ids for lang in LANGUAGES}
    assert len(sounds) == 4


def test_the_sound_depends_on_the_key(make_app: Callable[..., OpenAPI], redis: Redis) -> None:
    redis.set("captcha:answer:xj" + "0" * 38, "ADG34")
    sounds = set()
    for app in (make_app(), make_app(internal_token_key=SecretStr("another key that also has 32 bytes"))):
        with app.app_context():
            sounds.add(svcs.flask.get(Captchas).sound("xj" + "0" * 38, language="zh").content)
    assert len(sounds) == 2


def test_listening_does_not_use_the_captcha_up(issue: Ask, hear: Hear, attempt: Attempt, redis: Redis) -> None:
    captcha = issue().json
    for language in LANGUAGES:
        hear(f"{captcha['audio_url']}?lang={language}")
    assert attempt(captcha["id"], redis.get(f"captcha:answer:{captcha['id']}")).json == {"passed": True}


def test_a_used_captcha_is_not_spoken_any_more(issue: Ask, hear: Hear, attempt: Attempt) -> None:
    captcha = issue().json
    attempt(captcha["id"], "wrong")
    assert hear(captcha["audio_url"]).status_code == 404


def test_an_expired_captcha_is_not_spoken_any_more(issue: Ask, hear: Hear, redis: Redis) -> None:
    captcha = issue().json
    redis.pexpire(f"captcha:answer:{captcha['id']}", 0)
    assert hear(captcha["audio_url"]).status_code == 404


@pytest.mark.parametrize("captcha_id", ["xj" + "0" * 38, "unknown", "a" * 5000, "%0A", "*", "xj0%EF%BC%90"])
def test_an_unknown_or_malformed_id_is_a_404_problem(hear: Hear, captcha_id: str) -> None:
    answer = hear(f"/api/v1/captchas/{captcha_id}/audio")
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "not_found"


def test_a_classic_captcha_has_no_sound(bind: Ask, hear: Hear) -> None:
    bind("an-id")
    assert hear("/api/v1/captchas/an-id/audio").status_code == 404


@pytest.mark.parametrize("query", ["lang=fr", "lang=", "lang=ZH", "lang=zh-CN", "lang=..%2Fen"])
def test_an_unknown_language_is_refused(issue: Ask, hear: Hear, query: str) -> None:
    answer = hear(f"{issue().json['audio_url']}?{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert len(answer.json["errors"]) == 1


def test_neither_headers_nor_logs_hold_the_text(issue: Ask, hear: Hear, redis: Redis) -> None:
    captcha = issue().json
    text = redis.get(f"captcha:answer:{captcha['id']}")
    with capture_logs() as lines:
        answer = hear(captcha["audio_url"])
    assert [line["route"] for line in lines] == ["/api/v1/captchas/<id>/audio"]
    assert text not in f"{lines} {answer.headers}"
    assert "Content-Disposition" not in answer.headers
    assert text.encode() not in answer.data


@pytest.mark.parametrize(("asked", "start", "stop"), [("bytes=0-1", 0, 2), ("bytes=44-", 44, None)])
def test_a_part_of_the_sound_can_be_fetched(issue: Ask, hear: Hear, asked: str, start: int, stop: int | None) -> None:
    address = issue().json["audio_url"]
    whole = hear(address)
    part = hear(address, Range=asked)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert (part.status_code, part.data) == (206, whole.data[start:stop])
    assert part.headers["Cache-Control"] == "no-store"
    assert part.headers["Content-Range"].endswith(f"/{len(whole.data)}")


def test_a_part_outside_of_the_sound_is_a_problem(issue: Ask, hear: Hear) -> None:
    answer = hear(issue().json["audio_url"], Range="bytes=90000000-")
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_a_captcha_can_show_can_be_said(language: Language) -> None:
    assert set(ALPHABET) | set("0123456789+-×=") <= set(SPEAKABLE)
    for character in SPEAKABLE:
        clips = load_clips(language).clips_of(character)
        assert len(clips) == 4
        assert all(0.15 < clip.size / 8000 < 1.5 for clip in clips)
        assert all(np.mean(clip**2) == pytest.approx(1, rel=1e-3) for clip in clips)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_clips_are_equal(language: Language) -> None:
    clips = [clip.tobytes() for character in SPEAKABLE for clip in load_clips(language).clips_of(character)]
    assert len(set(clips)) == len(clips)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_arithmetic_captcha_is_spoken_too(language: Language) -> None:
    assert 3 < samples_of(speak("7×6=", language=language, seed=1).content).size / 8000 < 8


@pytest.mark.parametrize("text", ["", "A" * 17, "a", "ADG3 ", "ADG3!", "ＡＤＧ３４", "中"])
def test_what_no_captcha_holds_is_an_error_of_the_program(text: str) -> None:
    with pytest.raises(ValueError, match="text"):
        speak(text, language="zh", seed=1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["ADG34", "W" * 8, "E", ALPHABET[:16]])
def test_a_sound_is_loud_and_never_clipped(language: Language, text: str) -> None:
    for seed in range(10):
        loudest = np.abs(samples_of(speak(text, language=language, seed=seed).content)).max()
        assert 0.89 * 32767 <= loudest <= 0.9 * 32767


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_speech_is_above_the_background_by_the_declared_level(language: Language) -> None:
    for level in (SOUND.speech_over_background_db, 0.0, 20.0):
        style = replace(SOUND, speech_over_background_db=level)
        tracks = [record("ADG34", language=language, seed=seed, style=style) for seed in range(5)]
        assert [decibels(each) for each in tracks] == pytest.approx([level] * 5, abs=0.05)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_speech_begins_after_the_lead_in_and_has_gaps(language: Language) -> None:
    for seed in range(10):
        tracks = record("ADG34", language=language, seed=seed)
        edges = np.flatnonzero(np.diff(tracks.is_speech.astype(int), prepend=0, append=0)) / 8000
        starts, ends = edges[::2], edges[1::2]
        assert len(starts) == 5
        assert 0.5 <= starts[0] <= 0.9
        assert ((starts[1:] - ends[:-1] >= 0.349) & (starts[1:] - ends[:-1] <= 0.651)).all()
        assert np.abs(tracks.speech[~tracks.is_speech]).max() == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_pause_is_silent(language: Language) -> None:
    tracks = record("ADG34", language=language, seed=1)
    blocks = tracks.background[: tracks.background.size // 800 * 800].reshape(-1, 800)
    levels = 20 * np.log10(np.sqrt(np.mean(blocks**2, axis=1)) / np.sqrt(np.mean(tracks.background**2)))
    assert levels.min() > -9


def test_another_seed_gives_another_sound() -> None:
    assert len({speak("ADG34", language="zh", seed=seed).content for seed in range(10)}) == 10


def test_a_proof_of_work_is_neither_seen_nor_heard(client: FlaskClient, from_gateway: Headers) -> None:
    captcha_id = client.post("/api/v1/captchas", json={"kind": "pow"}, headers=from_gateway()).json["id"]
    for form in ("image", "audio"):
        assert client.get(f"/api/v1/captchas/{captcha_id}/{form}", headers=from_gateway()).status_code == 404
