"""The HTTP edge of pictures: uploads, and the files as pages show them."""

from contextlib import closing
from typing import Any  # Answers are JSON objects.

import svcs
from flask import Response, request
from flask_openapi3 import APIBlueprint, RawModel
from pydantic import BaseModel

from chassis import errors
from chassis.identity import current_user_id
from chassis.pictures import DRAWN_TYPE, MEDIA_TYPES, MOST_BYTES, OTHER_MEDIA_TYPES
from chassis.web import Access, endpoint, media_answer
from news_service.writing.images import ADDRESS, Images

MOST_FORM_BYTES = MOST_BYTES + 16 * 1024
"""A form around the largest picture; the gateway's rule has the same bound."""

_FORM = "multipart/form-data"
api = APIBlueprint("images", __name__)


class PictureBody(RawModel):
    """The bytes of a picture, at most 5 MiB, or a form with a file named ``image``."""

    mimetypes = [*MEDIA_TYPES, _FORM]  # noqa: RUF012 - RawModel wants a list here.


class ImagePath(BaseModel):
    """Which picture, by its file name."""

    name: str


class UploadedImage(BaseModel):
    """A picture as articles refer to it, and its size in pixels."""

    url: str
    width: int
    height: int
    bytes: int


@endpoint(
    api,
    "POST",
    "/api/v1/images",
    access=Access.SIGNED_IN,
    answers={201: UploadedImage},
    failures=[errors.BodyTooLarge, errors.MediaTypeUnsupported, errors.TooManyRequests, errors.DependencyUnavailable],
)
def upload_image(raw: PictureBody) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Upload a picture (JPEG, PNG, WebP or GIF, at most 5 MiB); it becomes a WebP of at most 1600 pixels a side."""
    image = svcs.flask.get(Images).upload(current_user_id(), _picture_of(raw))
    url = f"{ADDRESS}{image.name}"
    answer = {"url": url, "width": image.width, "height": image.height, "bytes": image.bytes}
    return answer, 201, {"Location": url}


@endpoint(
    api,
    "GET",
    f"{ADDRESS}<name>",
    access=Access.PUBLIC,
    answers={200: media_answer(DRAWN_TYPE), 304: None},
    failures=[errors.NotFound],
    documented=False,
)
def read_image(path: ImagePath) -> Response:
    """Show a picture; its address names its content, so it never changes."""
    answer = Response(svcs.flask.get(Images).read(path.name), content_type=DRAWN_TYPE)
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.headers["CDN-Cache-Control"] = "no-store"  # The gateway's memory is for lists and articles.
    answer.headers["Content-Security-Policy"] = "default-src 'none'"
    answer.set_etag(path.name)
    answer.make_conditional(request)
    return answer


def _picture_of(raw: PictureBody) -> bytes:
    if raw.mimetype == _FORM:
        raw.max_content_length = MOST_FORM_BYTES
        with closing(raw):  # Flask closes the files of its own request object, and this is another.
            return _picture_in_form(raw)
    if raw.mimetype not in MEDIA_TYPES + OTHER_MEDIA_TYPES:
        raise errors.MediaTypeUnsupported(f"Send the picture itself, as {', '.join(MEDIA_TYPES)}, or a form.")
    raw.max_content_length = MOST_BYTES
    return raw.get_data(cache=False)


def _picture_in_form(raw: PictureBody) -> bytes:
    if (file := raw.files.get("image")) is None:
        missing = errors.FieldError("image", "missing", "Send the picture in a field named image.")
        raise errors.RequestInvalid(errors=[missing])
    data = file.stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise errors.BodyTooLarge
    return data
