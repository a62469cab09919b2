"""The speed and the memory of captchas.

Pictures of one thread against those of the package ``captcha`` from PyPI at the same size, which is given its four
characters where ours has six; what of our time is encoding alone; other ways to encode; what a picture costs
within a whole request; and what a flood of requests costs Redis, with every request from an address of its own.
"""

import io
import secrets
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

from captcha.image import ImageCaptcha
from PIL import Image
from pydantic import SecretStr
from redis import Redis

from bench.effort import Effort, Tell
from bench.rounds import in_turns, per_second
from bench.table import Row, compare
from captcha_service.app import create_app
from captcha_service.atlas import PERIOD_SECONDS, Atlas, make_atlas
from captcha_service.bitmaps import Canvas, encode_png
from captcha_service.captchas import ALPHABET, CLASSIC_ALPHABET, CLASSIC_CHARACTERS, LETTERS
from captcha_service.drawing import draw, draw_classic
from captcha_service.issue_limit import IssueLimit
from captcha_service.settings import Settings
from captcha_service.speech import speak
from captcha_service.style import CLASSIC, TEXTS
from chassis.errors import TooManyRequests
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from local.redis_server import RedisServer

_KEY = "a key of the benchmark, never used elsewhere"
_PACKAGE = "the package captcha"
_PACKAGE_GOAL = 20
_PACKAGE_LETTERS = 4
_LIVES_SECONDS = Settings.model_fields["ttl_seconds"].default
_REDIS_MB = 256  # What docker-compose.yml gives to Redis.


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure pictures, encodings, a sound, requests and a flood."""
    tell("an atlas")
    begun_at = time.perf_counter()
    atlas = make_atlas(ALPHABET, style=TEXTS, seed=b"benchmark")
    seconds = time.perf_counter() - begun_at
    yield compare("an atlas, in the background", seconds, PERIOD_SECONDS, unit="s", against="the time until the next")
    classic_atlas = make_atlas(CLASSIC_ALPHABET, style=CLASSIC, seed=b"benchmark")
    yield from _pictures(atlas, classic_atlas, effort, tell)
    yield from _encodings(atlas, effort, tell)
    yield _sound(atlas, effort)
    with tempfile.TemporaryDirectory(prefix="xj") as folder:
        server = RedisServer(Path(folder), Path(folder) / "redis.sock")
        server.start()
        try:
            redis = Redis.from_url(server.url, decode_responses=True)
            yield from _requests(redis, server.url, effort, tell)
            yield _flood(redis, effort.flood_requests, tell)
            redis.close()
        finally:
            server.stop()


def _text(letters: int = LETTERS, alphabet: str = ALPHABET) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(letters))


def _alone(act: Callable[[], object], effort: Effort) -> float:
    """Count how often one thread acts in a second."""
    return per_second(lambda _: act(), threads=1, seconds=effort.call_seconds)


def _pictures(atlas: Atlas, classic_atlas: Atlas, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Draw as the service does, and as the package does."""
    texts = cycle([_text() for _ in range(500)])
    classic_texts = cycle([_text(CLASSIC_CHARACTERS, CLASSIC_ALPHABET) for _ in range(500)])
    package_texts = cycle([_text(_PACKAGE_LETTERS) for _ in range(500)])

    def ours(scale: int) -> Callable[[], object]:
        return lambda: draw(next(texts), atlas=atlas, seed=secrets.randbits(256), scale=scale)

    def classic() -> object:
        return draw_classic(next(classic_texts), atlas=classic_atlas, seed=secrets.randbits(256))

    def package(width_px: int, height_px: int, form: str = "png") -> Callable[[], object]:
        generator = ImageCaptcha(width_px, height_px)
        return lambda: generator.generate(next(package_texts), form).getvalue()

    comparisons = (
        ("pictures, 240×90", ours(1), package(240, 90), _PACKAGE, _PACKAGE_GOAL),
        ("pictures, 480×180", ours(2), package(480, 180), _PACKAGE, _PACKAGE_GOAL),
        ("JPEG, 160×60", classic, package(160, 60, "jpeg"), _PACKAGE, None),
        ("pictures, 240×90", ours(1), _encoding(atlas), "their encoding alone", None),
    )
    for what, own, other, against, goal in comparisons:
        tell(f"{what}, beside {against}")
        mine, theirs = in_turns(lambda: _alone(own, effort), lambda: _alone(other, effort), rounds=effort.rounds)  # noqa: B023
        yield compare(what, mine, theirs, unit="a second", against=against, at_least=goal)


def _drawn_rows(atlas: Atlas) -> tuple[Canvas, bytes, bytes]:
    """Take the rows and the palette of a picture back out of its PNG."""
    canvas = Canvas.of_style(TEXTS, 1)
    content = draw("APGXUT", atlas=atlas, seed=1).content
    palette_at, data_at = content.index(b"PLTE") + 4, content.index(b"IDAT")
    length = int.from_bytes(content[data_at - 4 : data_at], "big")
    return canvas, zlib.decompress(content[data_at + 4 : data_at + 4 + length]), content[palette_at : palette_at + 12]


def _encoding(atlas: Atlas) -> Callable[[], object]:
    """Prepare what is left if a picture stands already: to encode it."""
    canvas, rows, palette = _drawn_rows(atlas)
    return lambda: encode_png(rows, canvas=canvas, palette=palette)


def _encodings(atlas: Atlas, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure the time of other ways to encode one picture; the sizes stand with the names."""
    canvas, rows, palette = _drawn_rows(atlas)
    picture = Image.open(io.BytesIO(encode_png(rows, canvas=canvas, palette=palette)))
    colours = picture.convert("RGB")

    def saved(image: Image.Image, form: str, **how: object) -> bytes:
        encoded = io.BytesIO()
        image.save(encoded, form, **how)
        return encoded.getvalue()

    def own() -> bytes:
        return encode_png(rows, canvas=canvas, palette=palette)

    ways: dict[str, Callable[[], bytes]] = {
        "its rows by zlib, level 1": lambda: zlib.compress(rows, 1),
        "its rows by zlib, level 6": lambda: zlib.compress(rows, 6),
        "Pillow's PNG, level 1": lambda: saved(picture, "PNG", compress_level=1),
        "Pillow's WebP, lossless, fastest": lambda: saved(colours, "WEBP", lossless=True, method=0, quality=0),
        "Pillow's WebP, quality 80": lambda: saved(colours, "WEBP", method=0, quality=80),
    }
    for name, way in ways.items():
        tell(name)
        mine, other = 1e6 / _alone(own, effort), 1e6 / _alone(way, effort)
        yield compare(
            f"encoding a picture, {len(own()):,} bytes", mine, other, unit="µs", against=f"{name}, {len(way()):,} bytes"
        )


def _sound(atlas: Atlas, effort: Effort) -> Row:
    sound = _alone(lambda: speak(_text(), language="zh", seed=secrets.randbits(256)), effort)
    picture = _alone(lambda: draw(_text(), atlas=atlas, seed=secrets.randbits(256)), effort)
    return compare("a sound", 1e3 / sound, 1e3 / picture, unit="ms", against="a picture, 240×90")


def _requests(redis: Redis, url: str, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure whole requests within one process, beside one that neither draws nor speaks."""
    settings = Settings(redis_url=url, internal_token_key=SecretStr(_KEY), issues_per_ip_per_minute=10**9)
    client = create_app(settings.model_copy(update={"issues_per_minute": 10**9})).test_client()
    token = InternalTokens(_KEY).write_token(Caller(GATEWAY), audience="captcha-service")
    headers = {INTERNAL_TOKEN_HEADER: token, "X-Forwarded-For": "198.51.100.1"}
    issued = client.post("/api/v1/captchas", json={}, headers=headers).get_json()

    def milliseconds(ask: Callable[[], object]) -> float:
        ask()  # Draws an atlas, reads the clips.
        return 1e3 / _alone(ask, effort)

    asks = {
        "issuing": lambda: client.post("/api/v1/captchas", json={}, headers=headers),
        "the picture": lambda: client.get(issued["image_url"], headers=headers),
        "the sound": lambda: client.get(issued["audio_url"], headers=headers),
    }
    nothing = milliseconds(lambda: client.get("/api/v1/captchas/unknown/image", headers=headers))
    for name, ask in asks.items():
        tell(f"a request: {name}")
        yield compare(f"a request: {name}", milliseconds(ask), nothing, unit="ms", against="one that finds nothing")
    redis.flushall()


def _flood(redis: Redis, requests: int, tell: Tell) -> Row:
    """Ask for captchas as fast as one process can, each time from another address, and watch Redis's memory."""
    per_minute = Settings.model_fields["issues_per_minute"].default
    limit = IssueLimit(redis, per_address_per_minute=20, per_minute=per_minute)
    before, begun_at = redis.info("memory")["used_memory"], time.monotonic()
    most, allowed = 0, 0
    for number in range(requests):
        try:
            limit.charge(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
            redis.set(f"captcha:answer:xj{secrets.token_hex(19)}", _text(), ex=_LIVES_SECONDS)
            allowed += 1
        except TooManyRequests:
            pass
        if number % 1000 == 999:
            most = max(most, redis.info("memory")["used_memory"] - before)
            tell(f"flood, request {number + 1:,} of {requests:,}, {allowed:,} let in")
    alive = allowed * min(1, _LIVES_SECONDS / (time.monotonic() - begun_at))
    bound_mb = most / alive * per_minute * _LIVES_SECONDS / 60 / 1e6
    what = f"an endless flood, {most / alive:,.0f} bytes a captcha"
    return compare(what, bound_mb, _REDIS_MB, unit="MB", against="Redis has", at_most=1)
