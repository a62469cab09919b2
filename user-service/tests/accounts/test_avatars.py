import gzip
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageCms

from chassis.errors import DependencyUnavailable
from user_service.accounts.avatars import avatar_pictures

pytestmark = pytest.mark.any_database  # Pictures are files; of the column for their name the profiles tell.

SECRET = b"<script>alert(1)</script>"


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(kind="PNG", size=(300, 200), colour=(200, 30, 30), **options):
    return encoded(Image.new("RGB", size, colour), kind, **options)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width, height, data=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def png(depth, colour_type, pixel, *chunks):
    """A PNG of 24 x 24 equal pixels; ``pixel`` is the bytes of so many pixels as make up whole bytes."""
    row = b"\0" + (pixel * 24 * 8)[: 24 * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type] * depth // 8]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 24, depth, colour_type, 0, 0, 0))
    extra = b"".join(chunk(kind, data) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(row * 24)) + chunk(b"IEND", b"")


def put(person, data, media_type="image/png"):
    headers = {**person.called_by("user-service", **person.user), "Content-Type": media_type}
    return person.app.test_client().put("/api/v1/users/me/avatar", data=data, headers=headers)


@pytest.fixture
def shown(visitor):
    """Fetch an avatar and read its pixels."""

    def shown(address):
        answer = visitor.call("GET", address)
        assert answer.status_code == 200
        return Image.open(io.BytesIO(answer.data))

    return shown


@pytest.fixture
def files(settings):
    return lambda: sorted(path.name for path in (settings.media_dir / "avatars").iterdir())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_becomes_a_webp_of_256_x_256(owner, shown, kind):
    answer = put(owner, picture(kind), f"image/{kind.lower()}")
    assert answer.status_code == 200
    assert answer.json == owner.call("GET", "/api/v1/users/me").json
    drawn = shown(answer.json["avatar_url"])
    assert (drawn.format, drawn.size, getattr(drawn, "n_frames", 1)) == ("WEBP", (256, 256), 1)
    red, green, blue = drawn.convert("RGB").getpixel((128, 128))
    assert (red > 180, green < 60, blue < 60) == (True, True, True)


def test_everybody_may_fetch_it_and_keep_it_for_ever(owner, visitor):
    address = put(owner, picture()).json["avatar_url"]
    answer = visitor.call("GET", address)
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["CDN-Cache-Control"] == "no-store", "a deleted one would stay in the gateway"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = visitor.call("GET", address, **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_it_is_on_the_public_profile_and_on_cards(owner, visitor, app, called_by):
    address = put(owner, picture()).json["avatar_url"]
    assert visitor.call("GET", "/api/v1/users/1").json["avatar_url"] == address
    cards = app.test_client().get("/internal/users?id=1", headers=called_by("user-service", "news-service"))
    assert cards.json["items"][0]["avatar_url"] == address


def test_the_middle_of_a_wide_picture_is_shown(owner, shown):
    wide = Image.new("RGB", (900, 300), (0, 0, 255))
    wide.paste((255, 0, 0), (300, 0, 600, 300))
    file = io.BytesIO()
    wide.save(file, "PNG")
    drawn = shown(put(owner, file.getvalue()).json["avatar_url"]).convert("RGB")
    assert all(drawn.getpixel((x, 128))[0] > 200 for x in (4, 128, 251))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_turns_the_picture_and_is_gone(owner, shown, visitor, kind):
    turned = Image.new("RGB", (300, 300), (0, 0, 255))
    turned.paste((255, 0, 0), (0, 0, 300, 150))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, SECRET.decode()  # Orientation: turn it clockwise. Description.
    file = io.BytesIO()
    turned.save(file, kind, exif=exif)
    address = put(owner, file.getvalue()).json["avatar_url"]
    drawn = shown(address)
    assert not drawn.getexif()
    assert SECRET not in visitor.call("GET", address).data
    assert drawn.convert("RGB").getpixel((240, 128))[0] > 200  # What was above is on the right.
    assert drawn.convert("RGB").getpixel((16, 128))[2] > 200


def test_transparency_stays(owner, shown):
    file = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(file, "PNG")
    assert shown(put(owner, file.getvalue()).json["avatar_url"]).convert("RGBA").getpixel((128, 128))[3] == 0


GREY, CLEAR = (64, 64, 64, 255), (0, 0, 0, 0)
COLOUR, HALF = (64, 128, 192, 255), (64, 128, 192, 128)
WORDS = struct.pack(">HHHH", 0x4000, 0x8000, 0xC000, 0x8000)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(16, 0, b"\x00\x00"), (0, 0, 0, 255)),
        (png(16, 0, b"\x40\x00"), GREY),
        (png(16, 0, b"\xff\xff"), (255, 255, 255, 255)),
        (png(16, 0, b"\x40\x00", (b"tRNS", b"\x40\x00")), CLEAR),
        (png(16, 0, b"\x40\x00", (b"tRNS", b"\x80\x00")), GREY),
        (png(16, 4, b"\x40\x00\x80\x00"), (64, 64, 64, 128)),
        (png(16, 2, WORDS[:6]), COLOUR),
        (png(16, 2, WORDS[:6], (b"tRNS", WORDS[:6])), CLEAR),
        (png(16, 6, WORDS), HALF),
        (png(8, 0, b"\x40"), GREY),
        (png(8, 0, b"\x40", (b"tRNS", b"\x00\x40")), CLEAR),
        (png(8, 4, b"\x40\x80"), (64, 64, 64, 128)),
        (png(8, 2, b"\x40\x80\xc0", (b"tRNS", b"\0\x40\0\x80\0\xc0")), CLEAR),
        (png(4, 0, b"\x44", (b"tRNS", b"\0\x04")), CLEAR),
        (png(4, 0, b"\x44"), (68, 68, 68, 255)),
        (png(2, 0, b"\x55"), (85, 85, 85, 255)),
        (png(1, 0, b"\xff"), (255, 255, 255, 255)),
        (png(8, 3, b"\x01", (b"PLTE", b"\0\0\0\x40\x80\xc0")), COLOUR),
        (png(8, 3, b"\x01", (b"PLTE", b"\0\0\0\x40\x80\xc0"), (b"tRNS", b"\xff\x80")), HALF),
        (encoded(Image.new("CMYK", (24, 24), (0, 255, 255, 0)), "JPEG"), (255, 0, 0, 255)),
        (encoded(Image.new("L", (24, 24), 64), "JPEG"), GREY),
        (encoded(Image.new("P", (24, 24), 0), "GIF", transparency=0), CLEAR),
        (encoded(Image.new("RGBA", (24, 24), HALF), "WEBP", lossless=True), HALF),
        (encoded(Image.new("RGB", (24, 24), COLOUR[:3]), "PNG", icc_profile=b"no profile"), COLOUR),
    ],
)
def test_a_picture_of_every_kind_keeps_its_colours(owner, shown, data, expected):
    drawn = shown(put(owner, data).json["avatar_url"]).convert("RGBA").getpixel((128, 128))
    assert max(abs(is_drawn - is_sent) for is_drawn, is_sent in zip(drawn, expected, strict=True)) <= 3


def test_grey_of_16_bits_keeps_all_its_shades(owner, shown):
    row = b"\0" + b"".join(struct.pack(">H", 257 * shade) for shade in range(256))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 256, 256, 16, 0, 0, 0, 0))
    file = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(row * 256)) + chunk(b"IEND", b"")
    drawn = shown(put(owner, file).json["avatar_url"]).convert("L")
    assert max(abs(drawn.getpixel((shade, 128)) - shade) for shade in range(256)) <= 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_colours_of_a_profile_are_those_of_browsers(owner, shown, kind, mode):
    # sRGB with the names of the red and the blue primary exchanged: red of the file is blue on the screen.
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = swapped.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    red = Image.new("RGB" if kind == "JPEG" else mode, (24, 24), (255, 0, 0))
    drawn = shown(put(owner, encoded(red, kind, icc_profile=swapped)).json["avatar_url"])
    red, green, blue = drawn.convert("RGB").getpixel((128, 128))
    assert (red < 10, green < 10, blue > 245, "icc_profile" in drawn.info) == (True, True, True, False)


def test_of_an_animation_the_first_frame_is_taken(owner, shown):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    drawn = shown(put(owner, file.getvalue(), "image/gif").json["avatar_url"])
    assert getattr(drawn, "n_frames", 1) == 1
    assert drawn.convert("RGB").getpixel((128, 128))[0] > 200


def test_what_hides_behind_a_picture_is_not_served(owner, visitor):
    polyglot = picture("JPEG") + b"PK\x03\x04" + SECRET
    address = put(owner, polyglot, "image/jpeg").json["avatar_url"]
    served = visitor.call("GET", address).data
    assert SECRET not in served
    assert b"PK\x03\x04" not in served


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        SECRET,
        b"GIF89a" + SECRET,
        b"\xff\xd8\xff\xe0" + b"x" * 100,
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        picture("BMP"),
        picture("TIFF"),
        encoded(Image.new("F", (24, 24), 0.5), "TIFF"),
        encoded(Image.new("I;16", (24, 24), 5), "TIFF"),
        picture("ICO", size=(64, 64)),
        png_that_claims(0, 0),
        png_that_claims(64, 64, b"short"),
        *(picture(kind)[: len(picture(kind)) // 2] for kind in ("JPEG", "PNG", "WEBP", "GIF")),
    ],
)
def test_what_is_no_whole_picture_of_ours_is_refused(owner, files, data):
    answer = put(owner, data)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [("avatar", "not_a_picture")]
    assert files() == []
    assert owner.call("GET", "/api/v1/users/me").json["avatar_url"] is None


@pytest.mark.parametrize("side", [5000, 20_000, 65_535, 2**31 - 1])
def test_a_decompression_bomb_is_refused_by_its_header(owner, side):
    answer = put(owner, png_that_claims(side, side, b"\0" * 1_000_000))
    assert answer.status_code == 422
    assert answer.json["errors"][0]["code"] in ("too_many_pixels", "not_a_picture")


def test_24_megapixels_are_taken_and_a_row_more_is_not(owner):
    assert put(owner, picture("JPEG", (6000, 4000)), "image/jpeg").status_code == 200
    assert put(owner, picture("JPEG", (6000, 4001)), "image/jpeg").json["errors"][0]["code"] == "too_many_pixels"


def test_five_mebibytes_are_read_and_a_byte_more_is_not(owner):
    padded = picture("JPEG").ljust(5 * 1024 * 1024, b"\0")
    assert put(owner, padded, "image/jpeg").status_code == 200
    answer = put(owner, padded + b"\0", "image/jpeg")
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_a_compressed_picture_is_refused_as_what_it_is(owner):
    headers = {**owner.called_by("user-service", **owner.user), "Content-Type": "image/png", "Content-Encoding": "gzip"}
    answer = owner.app.test_client().put("/api/v1/users/me/avatar", data=gzip.compress(picture()), headers=headers)
    assert (answer.status_code, answer.json["code"]) == (415, "content_encoding_unsupported")
    assert answer.json["detail"] == "Send the body as it is, without Content-Encoding."


@pytest.mark.parametrize("media_type", ["image/svg+xml", "text/html", "application/json", "multipart/form-data", ""])
def test_a_body_that_is_declared_as_something_else_is_refused(owner, media_type):
    answer = put(owner, picture(), media_type)
    assert (answer.status_code, answer.json["code"]) == (415, "media_type_unsupported")
    assert answer.json["detail"] == "Send the picture itself, as image/jpeg, image/png, image/webp, image/gif."
    assert "json" not in answer.json["title"]


@pytest.mark.parametrize(
    "media_type",
    ["image/jpg", "image/pjpeg", "IMAGE/JPEG", "image/jpeg; name=me.jpg", "image/x-png", "Image/JPG;charset=binary"],
)
def test_a_picture_may_be_declared_as_some_systems_do(owner, media_type):
    assert put(owner, picture("JPEG"), media_type).status_code == 200


def test_what_it_is_declared_as_among_pictures_does_not_matter(owner):
    assert put(owner, picture("PNG"), "image/jpeg").status_code == 200


def test_the_old_file_goes_with_a_new_avatar(owner, files):
    put(owner, picture())
    second = put(owner, picture(colour=(0, 0, 255))).json["avatar_url"]
    assert files() == [second.rpartition("/")[2]]


def test_the_same_picture_again_keeps_its_file(owner, files):
    first, second = put(owner, picture()).json["avatar_url"], put(owner, picture()).json["avatar_url"]
    assert first == second
    assert files() == [first.rpartition("/")[2]]


@pytest.mark.every_database
def test_another_users_avatar_of_the_same_picture_stays(owner, register, visitor, shown):
    other = visitor.signed_in(register(mobile="+8613800138001"))
    put(owner, picture())
    kept = put(other, picture()).json["avatar_url"]
    owner.call("DELETE", "/api/v1/users/me/avatar")
    assert shown(kept).size == (256, 256)


@pytest.mark.every_database
def test_uploads_at_a_time_leave_the_file_that_is_shown(owner, files, shown):
    pictures = [picture(colour=(60 * number, 0, 0)) for number in range(4)] * 2
    with ThreadPoolExecutor(4) as pool:
        assert {answer.status_code for answer in pool.map(lambda data: put(owner, data), pictures)} == {200}
    address = owner.call("GET", "/api/v1/users/me").json["avatar_url"]
    assert files() == [address.rpartition("/")[2]]


def test_an_avatar_is_taken_away(owner, files, visitor):
    address = put(owner, picture()).json["avatar_url"]
    assert [owner.call("DELETE", "/api/v1/users/me/avatar").status_code for _ in range(2)] == [204, 204]
    assert owner.call("GET", "/api/v1/users/me").json["avatar_url"] is None
    assert files() == []
    answer = visitor.call("GET", address)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


def test_it_goes_with_the_account(owner, files):
    put(owner, picture())
    owner.call("DELETE", "/api/v1/users/me")
    assert files() == []


def test_it_goes_with_the_account_even_without_redis(owner, files, app_without_redis):
    put(owner, picture())
    owner.through(app_without_redis).call("DELETE", "/api/v1/users/me")
    assert files() == []


@pytest.mark.parametrize(
    "name", ["x.webp", "0" * 64, "0" * 64 + ".html", "..%2f..%2fkeys%2fsigning.pem", "A" * 64 + ".webp"]
)
def test_nothing_else_can_be_fetched(visitor, name):
    assert visitor.call("GET", f"/api/v1/avatars/{name}").status_code in (404, 422)


def test_a_picture_that_nobody_has_is_not_found(visitor):
    answer = visitor.call("GET", f"/api/v1/avatars/{'0' * 64}.webp")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_user_uploads_twenty_in_an_hour(owner):
    assert [put(owner, b"x").status_code for _ in range(21)] == [422] * 20 + [429]


def test_nobody_uploads_without_a_session(visitor):
    assert put(visitor, picture()).json["code"] == "unauthenticated"


def test_who_waits_too_long_for_a_free_place_is_sent_away():
    pictures = avatar_pictures(wait_seconds=0.01)
    pictures._slot.acquire()
    with pytest.raises(DependencyUnavailable):
        pictures.redraw(picture())
    pictures._slot.release()
    assert pictures.redraw(picture())


@pytest.mark.every_database
def test_changes_stand_in_the_audit_log(owner, stored_events):
    put(owner, picture())
    owner.call("DELETE", "/api/v1/users/me/avatar")
    assert [(event.event, event.user_id, event.actor_id) for event in stored_events()[1:]] == [
        ("avatar_changed", 1, 1),
        ("avatar_removed", 1, 1),
    ]
