import io
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from PIL import Image
from redis import Redis
from werkzeug.test import TestResponse

from chassis.database import Database
from chassis.errors import DependencyUnavailable
from chassis.pictures import MOST_BYTES, Pictures
from news_service.settings import Settings
from news_service.writing.images import ImageFolder, Images
from news_service.writing.tables import NewsImage

pytestmark = pytest.mark.any_database  # One test below is of the row.
SCRIPT = b"<script>alert(1)</script>"
Upload = Callable[..., TestResponse]


def encoded(kind: str = "PNG", size: tuple[int, int] = (300, 200), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes = b"", *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.fixture
def upload(client: FlaskClient, called_by: Callable[..., dict[str, str]]) -> Upload:
    """Send a picture as user 7: as it is, or in a form."""

    def upload(data: bytes, media_type: str = "image/png", *, form: str = "", user_id: int = 7) -> TestResponse:
        headers = called_by("news-service", user_id=user_id)
        if form:  # Written here: the test client leaves its temporary file of a large form open.
            head = f'--b\r\nContent-Disposition: form-data; name="{form}"; filename="../../etc/x.png"\r\n\r\n'
            data, media_type = head.encode() + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
        return client.post("/api/v1/images", data=data, headers=headers | {"Content-Type": media_type})

    return upload


@pytest.fixture
def files(settings: Settings) -> Callable[[], list[str]]:
    """The names of the files in the folder."""
    return lambda: sorted(path.name for path in settings.images_dir.glob("*"))


@pytest.mark.every_database
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_is_drawn_again_and_shown_to_everybody(
    upload: Upload, client: FlaskClient, database: Database, files: Callable[[], list[str]], kind: str
) -> None:
    answer = upload(encoded(kind, (3200, 1000)), f"image/{kind.lower()}")
    assert (answer.status_code, answer.json["width"], answer.json["height"]) == (201, 1600, 500)
    assert answer.json["url"] == answer.headers["Location"] == f"/images/{files()[0]}"
    shown = client.get(answer.json["url"])
    assert (shown.status_code, shown.content_type, len(shown.data)) == (200, "image/webp", answer.json["bytes"])
    assert shown.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Security-Policy"] == "default-src 'none'"
    assert Image.open(io.BytesIO(shown.data)).size == (1600, 500)
    assert client.get(answer.json["url"], headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    with database.read() as session:
        row = session.get_one(NewsImage, files()[0])
    assert (row.user_id, row.width, row.height, row.bytes) == (7, 1600, 500, len(shown.data))


def test_a_form_carries_a_picture_too(upload: Upload, files: Callable[[], list[str]]) -> None:
    assert upload(encoded(), form="image").json == upload(encoded()).json
    assert len(files()) == 1
    assert upload(encoded(), form="other").json["errors"][0]["field"] == "image"


@pytest.mark.every_database
def test_equal_pictures_are_one_file_and_belong_to_the_first(
    upload: Upload, database: Database, files: Callable[[], list[str]]
) -> None:
    assert upload(encoded()).json == upload(encoded(), user_id=8).json
    with database.read() as session:
        assert [row.user_id for row in session.query(NewsImage)] == [7]
    assert len(files()) == 1


def test_nothing_of_a_file_but_its_pixels_is_stored(upload: Upload, client: FlaskClient) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, SCRIPT.decode()  # Turned by 90 degrees, and a description.
    polyglots = [
        encoded("JPEG", exif=exif, comment=SCRIPT) + SCRIPT,
        encoded("PNG") + b"PK\x03\x04" + SCRIPT,
        png(2, 1, b"\0" + SCRIPT[:6], chunk(b"tEXt", b"Comment\0" + SCRIPT)),
        encoded("GIF", comment=SCRIPT) + b";" + SCRIPT,
        encoded("WEBP", exif=exif, xmp=SCRIPT),
    ]
    for data in polyglots:
        assert SCRIPT in data
        answer = upload(data)
        assert answer.status_code == 201
        stored = client.get(answer.json["url"]).data
        assert (SCRIPT in stored, b"EXIF" in stored, b"PK" in stored) == (False, False, False)
    assert upload(polyglots[0]).json["height"] == 300  # As EXIF says, it stands upright.


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not_a_picture"),
        (b"<!doctype html>" + SCRIPT, "not_a_picture"),
        (b"GIF89a" + SCRIPT, "not_a_picture"),
        (b"\x89PNG\r\n\x1a\n" + SCRIPT, "not_a_picture"),
        (b"%PDF-1.7", "not_a_picture"),
        (b"", "not_a_picture"),
        (encoded("BMP"), "not_a_picture"),
        (encoded("TIFF"), "not_a_picture"),
        (encoded("JPEG")[:-300], "not_a_picture"),
        (png(50_000, 50_000), "not_a_picture"),  # Refused by Pillow before we ask for its size.
        (png(6_000, 5_000, b"\0" * 10_000_000), "too_many_pixels"),
        (png(100, 100, b"", chunk(b"zTXt", b"x\0\0" + zlib.compress(b"\0" * 80_000_000))), "not_a_picture"),
        (png(100, 100, b"", chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 80_000_000))), "not_a_picture"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_picture_or_a_bomb_leaves_nothing(
    upload: Upload, files: Callable[[], list[str]], database: Database, data: bytes, code: str
) -> None:
    for answer in (upload(data), upload(data, form="image")):
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, code)
    assert files() == []
    with database.read() as session:
        assert session.query(NewsImage).all() == []


def test_an_animation_becomes_its_first_frame(upload: Upload, client: FlaskClient) -> None:
    file, frames = io.BytesIO(), [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in range(0, 250, 10)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    stored = Image.open(io.BytesIO(client.get(upload(file.getvalue()).json["url"]).data))
    assert getattr(stored, "n_frames", 1) == 1


def test_a_body_that_is_too_large_or_of_another_type_is_not_read(upload: Upload) -> None:
    assert upload(b"\0" * (MOST_BYTES + 1)).json["code"] == "body_too_large"
    assert upload(b"\0" * (MOST_BYTES + 1), form="image").json["code"] == "body_too_large"
    assert upload(b"\0" * (MOST_BYTES + 20_000), form="image").json["code"] == "body_too_large"
    assert upload(encoded(), "image/svg+xml").json["code"] == "media_type_unsupported"
    assert upload(encoded(), "text/html").json["code"] == "media_type_unsupported"


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fsecret", "%2e%2e/secret", "..", "x.webp", f"{'0' * 64}.webp", f"{'0' * 64}.svg", f".{'0' * 64}.webp"],
)
def test_no_name_leads_out_of_the_folder(client: FlaskClient, settings: Settings, name: str) -> None:
    settings.images_dir.mkdir()
    (settings.images_dir.parent / "secret").write_text("secret")
    (settings.images_dir / "x.webp").write_text("secret")
    answer = client.get(f"/images/{name}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_user_sends_so_many_pictures_a_day(
    make_app: Callable[[Settings], OpenAPI], settings: Settings, called_by: Callable[..., dict[str, str]]
) -> None:
    client = make_app(settings.model_copy(update={"images_per_user_per_day": 2})).test_client()

    def send(user_id: int, data: bytes) -> TestResponse:
        headers = called_by("news-service", user_id=user_id) | {"Content-Type": "image/png"}
        return client.post("/api/v1/images", data=data, headers=headers)

    assert [send(7, data).status_code for data in (b"x", encoded(), encoded())] == [422, 201, 429]
    assert 0 < int(send(7, encoded()).headers["Retry-After"]) <= 86_401
    assert send(8, encoded()).status_code == 201


def test_nobody_uploads_without_a_session(client: FlaskClient) -> None:
    answer = client.post("/api/v1/images", data=encoded(), headers={"Content-Type": "image/png"})
    assert answer.json["code"] == "unauthenticated"


def test_a_folder_that_cannot_be_written_is_503_and_leaves_no_row(
    database: Database, redis: Redis, tmp_path: Path
) -> None:
    (tmp_path / "images").write_text("a file where the folder should be")
    images = Images(
        database=database,
        redis=redis,
        pictures=Pictures("image", side_px=64),
        folder=ImageFolder(tmp_path / "images"),
        most_per_day=9,
    )
    with pytest.raises(DependencyUnavailable):
        images.upload(7, encoded())
    with database.read() as session:
        assert session.query(NewsImage).all() == []


def test_an_article_shows_uploaded_pictures_alone(
    upload: Upload,
    client: FlaskClient,
    draft: Callable[..., Any],
    set_article: Callable[..., None],
) -> None:
    url = upload(encoded()).json["url"]
    article = draft(index_image_url=url, markdown=f"![图]({url}) ![外](https://elsewhere.example/a.png)")
    assert article["content"] == f'<p><img src="{url}" alt="图"> 外</p>\n'
    set_article(article["id"], status=0, published_at=datetime(2026, 1, 1, tzinfo=UTC))
    page = client.get(f"/news/{article['id']}").text
    assert url in page
    assert "elsewhere.example" not in page
