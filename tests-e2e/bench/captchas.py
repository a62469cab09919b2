"""The speed and the memory of captchas, as ratios against yardsticks in the same run: ``python -m bench.captchas``.

Pictures of one thread against those of the package ``captcha`` from PyPI at the same size, which is given its four
characters where ours has six; what of our time is encoding alone; other ways to encode; what a picture costs
within a whole request; and what a flood of requests costs Redis, with every request from an address of its own.
FLOOD is the number of those requests: 100,000, or what is set.
"""

import io
import os
import secrets
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from captcha.image import ImageCaptcha
from PIL import Image
from pydantic import SecretStr
from redis import Redis

from bench.rounds import compared, per_second
from captcha_service.app import create_app
from captcha_service.atlas import Atlas, make_atlas
from captcha_service.bitmaps import Canvas, encode_png
from captcha_service.captchas import ALPHABET, LETTERS
from captcha_service.drawing import draw, draw_classic
from captcha_service.issue_limit import IssueLimit
from captcha_service.settings import Settings
from captcha_service.speech import speak
from captcha_service.style import TEXTS
from chassis.errors import TooManyRequests
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from chassis.logs import configure_logs
from local.redis_server import RedisServer

_KEY = "a key of the benchmark, never used elsewhere"
_PACKAGE_LETTERS = 4
_LIVES_SECONDS = Settings.model_fields["ttl_seconds"].default


def text_of(letters: int) -> str:
    """Choose a text."""
    return "".join(secrets.choice(ALPHABET) for _ in range(letters))


def compare_pictures(atlas: Atlas) -> list[str]:
    """Draw as the service does, and as the package does."""
    texts = cycle([text_of(LETTERS) for _ in range(500)])
    package_texts = cycle([text_of(_PACKAGE_LETTERS) for _ in range(500)])

    def ours(scale: int) -> Callable[[], float]:
        return lambda: alone(lambda: draw(next(texts), atlas=atlas, seed=secrets.randbits(256), scale=scale))

    def classic() -> float:
        return alone(lambda: draw_classic(next(texts), atlas=atlas, seed=secrets.randbits(256)))

    def package(width_px: int, height_px: int, form: str = "png") -> Callable[[], float]:
        generator = ImageCaptcha(width_px, height_px)
        return lambda: alone(lambda: generator.generate(next(package_texts), form).getvalue())

    return [
        compared("pictures, 240×90, to the package", ours(1), package(240, 90), unit="a second"),
        compared("pictures, 480×180, to the package", ours(2), package(480, 180), unit="a second"),
        compared("JPEG, 200×75, to the package", classic, package(200, 75, "jpeg"), unit="a second"),
        compared("pictures, to their encoding alone", ours(1), lambda: alone(encoding(atlas)), unit="a second"),
    ]


def alone(act: Callable[[], object]) -> float:
    """Count in one thread for a second."""
    return per_second(lambda _: act(), threads=1, seconds=1)


def drawn_rows(atlas: Atlas) -> tuple[Canvas, bytes, bytes]:
    """Take the rows and the palette of a picture back out of its PNG."""
    canvas = Canvas.of_style(TEXTS, 1)
    content = draw("APGXUT", atlas=atlas, seed=1).content
    palette_at, data_at = content.index(b"PLTE") + 4, content.index(b"IDAT")
    length = int.from_bytes(content[data_at - 4 : data_at], "big")
    return canvas, zlib.decompress(content[data_at + 4 : data_at + 4 + length]), content[palette_at : palette_at + 12]


def encoding(atlas: Atlas) -> Callable[[], object]:
    """Prepare what is left if a picture stands already: to encode it."""
    canvas, rows, palette = drawn_rows(atlas)
    return lambda: encode_png(rows, canvas=canvas, palette=palette)


def compare_encodings(atlas: Atlas) -> list[str]:
    """Measure time and size of each way to encode one picture, ours first."""
    canvas, rows, palette = drawn_rows(atlas)
    picture = Image.open(io.BytesIO(encode_png(rows, canvas=canvas, palette=palette)))
    colours = picture.convert("RGB")

    def saved(image: Image.Image, form: str, **how: object) -> bytes:
        encoded = io.BytesIO()
        image.save(encoded, form, **how)
        return encoded.getvalue()

    ways: dict[str, Callable[[], bytes]] = {
        "our PNG (isal)": lambda: encode_png(rows, canvas=canvas, palette=palette),
        "its rows by zlib, level 1": lambda: zlib.compress(rows, 1),
        "its rows by zlib, level 6": lambda: zlib.compress(rows, 6),
        "Pillow's PNG, level 1": lambda: saved(picture, "PNG", compress_level=1),
        "Pillow's WebP, lossless, fastest": lambda: saved(colours, "WEBP", lossless=True, method=0, quality=0),
        "Pillow's WebP, quality 80": lambda: saved(colours, "WEBP", method=0, quality=80),
    }
    return [f"  {name:42} {1e6 / alone(way):8,.0f} µs {len(way()):8,} bytes" for name, way in ways.items()]


def measure_requests(redis: Redis, url: str) -> list[str]:
    """Measure whole requests within one process, and what is left of them without the drawing or the sound."""
    settings = Settings(redis_url=url, internal_token_key=SecretStr(_KEY), issues_per_ip_per_minute=10**9)
    client = create_app(settings.model_copy(update={"issues_per_minute": 10**9})).test_client()
    token = InternalTokens(_KEY).write(Caller(GATEWAY), audience="captcha-service")
    headers = {INTERNAL_TOKEN_HEADER: token, "X-Forwarded-For": "198.51.100.1"}
    issued = client.post("/api/v1/captchas", json={}, headers=headers).get_json()
    asks = {
        "issuing": lambda: client.post("/api/v1/captchas", json={}, headers=headers),
        "the picture": lambda: client.get(issued["image_url"], headers=headers),
        "the sound": lambda: client.get(issued["audio_url"], headers=headers),
        "nothing there": lambda: client.get("/api/v1/captchas/unknown/image", headers=headers),
    }
    asks["the picture"](), asks["the sound"]()
    lines = [f"  a request: {name:31} {1e3 / alone(ask):8.2f} ms" for name, ask in asks.items()]
    redis.flushall()
    return lines


def flood(redis: Redis, requests: int) -> list[str]:
    """Ask for captchas as fast as one process can, each time from another address, and watch Redis's memory."""
    per_minute = Settings.model_fields["issues_per_minute"].default
    limit = IssueLimit(redis, per_address_per_minute=20, per_minute=per_minute)
    before, begun_at = redis.info("memory")["used_memory"], time.monotonic()
    most, allowed = 0, 0
    for number in range(requests):
        try:
            limit.charge(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
            redis.set(f"captcha:answer:xj{secrets.token_hex(19)}", text_of(LETTERS), ex=_LIVES_SECONDS)
            allowed += 1
        except TooManyRequests:
            pass
        if number % 5000 == 4999:
            most = max(most, redis.info("memory")["used_memory"] - before)
            print(f"\r  flood: {number + 1:,} of {requests:,}", end="", file=sys.stderr)
    print("\r", end="", file=sys.stderr)
    seconds = time.monotonic() - begun_at
    alive = allowed * min(1, _LIVES_SECONDS / seconds)
    each = most / alive
    bound = each * per_minute * _LIVES_SECONDS / 60 / 1e6
    return [
        f"  flood: {requests:,} requests in {seconds:,.0f} s, {allowed:,} let in; Redis grew by {most / 1e6:.1f} MB",
        f"  {each:,.0f} bytes a captcha with its address, so at most {bound:,.0f} MB with {per_minute:,} a minute",
    ]


def main() -> int:
    """Measure, and print."""
    configure_logs("bench", "ERROR")
    print("\nCaptchas, one thread")
    begun_at = time.perf_counter()
    atlas = make_atlas(ALPHABET, style=TEXTS, seed=b"benchmark")
    print(f"  an atlas, every 15 minutes in the background {time.perf_counter() - begun_at:8.2f} s")
    print(*(f"  {line}" for line in compare_pictures(atlas)), sep="\n")
    print(*compare_encodings(atlas), sep="\n")
    spoken = alone(lambda: speak(text_of(LETTERS), language="zh", seed=secrets.randbits(256)))
    print(f"  a sound {1e3 / spoken:35.2f} ms")
    with tempfile.TemporaryDirectory(prefix="xj") as folder:
        server = RedisServer(Path(folder), Path(folder) / "redis.sock")
        server.start()
        try:
            redis = Redis.from_url(server.url, decode_responses=True)
            print(*measure_requests(redis, server.url), sep="\n")
            print(*flood(redis, int(os.environ.get("FLOOD", "100000"))), sep="\n")
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
