import io
import random
from collections.abc import Callable, Iterable

import pytest
import svcs
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from PIL import Image, ImageChops, ImageStat
from pydantic import SecretStr
from redis import Redis
from werkzeug.test import TestResponse

from captcha_service.atlas import Atlas
from captcha_service.captchas import ALPHABET, CLASSIC_ALPHABET, Captchas
from captcha_service.drawing import Picture, draw, draw_classic

Ask = Callable[..., TestResponse]
Headers = Callable[..., dict[str, str]]


def luminance(colour: tuple[int, int, int]) -> float:
    """The relative luminance of WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def assert_whole(pictures: Iterable[Picture]) -> None:
    """A part that reached out of the picture would break its rows."""
    for drawn in pictures:
        with Image.open(io.BytesIO(drawn.content)) as picture:
            picture.load()


def test_the_picture_is_a_png_that_nobody_stores(client: FlaskClient, issue: Ask, from_gateway: Headers) -> None:
    answer = client.get(issue().json["image_url"], headers=from_gateway())
    assert answer.status_code == 200
    assert answer.content_type == "image/png"
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    with Image.open(io.BytesIO(answer.data)) as picture:
        assert (picture.format, picture.size) == ("PNG", (240, 90))


def test_every_fetch_and_every_process_gives_the_same_picture(
    make_app: Callable[..., OpenAPI], issue: Ask, from_gateway: Headers
) -> None:
    address = issue().json["image_url"]
    clients = [make_app().test_client() for _ in range(2)]
    pictures = {client.get(address, headers=from_gateway()).data for client in clients for _ in range(2)}
    assert len(pictures) == 1


def test_the_picture_depends_on_the_key(make_app: Callable[..., OpenAPI], redis: Redis) -> None:
    redis.set("captcha:answer:xj" + "0" * 38, "APGXU")
    other = make_app(internal_token_key=SecretStr("another key that also has 32 bytes"))
    own = make_app()
    pictures = []
    for app in (own, other):
        with app.app_context():
            pictures.append(svcs.flask.get(Captchas).picture("xj" + "0" * 38, scale=1).content)
    assert pictures[0] != pictures[1]


def test_looking_does_not_use_the_captcha_up(
    client: FlaskClient, issue: Ask, attempt: Callable[[str, object], TestResponse], from_gateway: Headers, redis: Redis
) -> None:
    captcha = issue().json
    for _ in range(3):
        client.get(captcha["image_url"], headers=from_gateway())
    assert attempt(captcha["id"], redis.get(f"captcha:answer:{captcha['id']}")).json == {"passed": True}


@pytest.mark.parametrize("captcha_id", ["xj" + "0" * 38, "unknown", "a" * 5000, "%0A", "*", "xj0%EF%BC%90"])
def test_an_unknown_or_malformed_id_is_a_404_problem(
    client: FlaskClient, from_gateway: Headers, captcha_id: str
) -> None:
    answer = client.get(f"/api/v1/captchas/{captcha_id}/image", headers=from_gateway())
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "not_found"


def test_a_used_captcha_is_not_shown_any_more(
    client: FlaskClient, issue: Ask, attempt: Callable[[str, object], TestResponse], from_gateway: Headers
) -> None:
    captcha = issue().json
    attempt(captcha["id"], "wrong")
    assert client.get(captcha["image_url"], headers=from_gateway()).status_code == 404


def test_a_classic_captcha_gives_no_second_view(client: FlaskClient, bind: Ask, from_gateway: Headers) -> None:
    bind("an-id")
    assert client.get("/api/v1/captchas/an-id/image", headers=from_gateway()).status_code == 404


def test_a_classic_picture_is_a_jpeg_of_twice_the_size_that_pages_show(bind: Ask) -> None:
    with Image.open(io.BytesIO(bind("an-id").data)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (160, 60))


def test_a_classic_picture_follows_from_its_text_and_seed(classic_atlas: Atlas) -> None:
    first, again, other = (draw_classic("AGH2", atlas=classic_atlas, seed=seed).content for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_classic_picture_has_two_colours_of_enough_contrast(classic_atlas: Atlas) -> None:
    for seed in range(50):
        with Image.open(io.BytesIO(draw_classic("A8M2", atlas=classic_atlas, seed=seed).content)) as picture:
            shades = sorted(luminance(colour) for colour in picture.reduce(2).get_flattened_data())
        # The darkest and the lightest twentieth, as they are seen at the size of the page.
        darkest, lightest = shades[len(shades) // 20], shades[-len(shades) // 20]
        assert (lightest + 0.05) / (darkest + 0.05) >= 4.5


def test_a_dense_screen_gets_the_same_picture_in_twice_the_pixels(
    client: FlaskClient, issue: Ask, from_gateway: Headers
) -> None:
    address = issue().json["image_url"]
    pictures = []
    for query in ("", "?scale=1", "?scale=2"):
        answer = client.get(address + query, headers=from_gateway())
        with Image.open(io.BytesIO(answer.data)) as picture:
            pictures.append(picture.convert("L"))
    plain, same, dense = pictures
    assert same.tobytes() == plain.tobytes()
    assert dense.size == (480, 180)
    difference = ImageChops.difference(dense.reduce(2), plain)
    assert ImageStat.Stat(difference).mean[0] < 8  # Of 255: what four shades round away at the edges.


@pytest.mark.parametrize("scale", ["0", "3", "1.5", "x", ""])
def test_another_scale_is_refused(client: FlaskClient, issue: Ask, from_gateway: Headers, scale: str) -> None:
    answer = client.get(f"{issue().json['image_url']}?scale={scale}", headers=from_gateway())
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")


@pytest.mark.parametrize("text", ["X" * 8, "T", "PUPUP", ALPHABET])
def test_any_text_fits(atlas: Atlas, text: str) -> None:
    assert_whole(draw(text, atlas=atlas, seed=seed) for seed in range(20))


@pytest.mark.parametrize("text", ["97-4=", "6×7=", "3+4="])
def test_any_sum_fits(sums_atlas: Atlas, text: str) -> None:
    assert_whole(draw(text, atlas=sums_atlas, seed=seed) for seed in range(20))


@pytest.mark.parametrize("text", ["MMMM", "8", "A9G9", CLASSIC_ALPHABET])
def test_any_classic_text_fits(classic_atlas: Atlas, text: str) -> None:
    assert_whole(draw_classic(text, atlas=classic_atlas, seed=seed) for seed in range(20))


def test_another_seed_gives_another_picture(atlas: Atlas) -> None:
    assert len({draw("APGXU", atlas=atlas, seed=seed).content for seed in range(10)}) == 10


def test_a_picture_has_two_colours_of_enough_contrast(atlas: Atlas) -> None:
    for seed in range(50):
        with Image.open(io.BytesIO(draw("APGXU", atlas=atlas, seed=seed).content)) as picture:
            palette = picture.getpalette()
        ends = sorted([luminance(tuple(palette[:3])), luminance(tuple(palette[9:12]))])
        assert (ends[1] + 0.05) / (ends[0] + 0.05) >= 4.5


def test_a_picture_is_small(atlas: Atlas) -> None:
    chance = random.Random(1)
    texts = ["".join(chance.choices(ALPHABET, k=6)) for _ in range(10)]
    assert max(len(draw(text, atlas=atlas, seed=chance.getrandbits(64)).content) for text in texts) < 3000


def test_a_classic_picture_is_small(classic_atlas: Atlas) -> None:
    pictures = [draw_classic("8M9G", atlas=classic_atlas, seed=seed) for seed in range(10)]
    assert max(len(picture.content) for picture in pictures) < 7000
