"""The HTTP edge of avatars."""

from typing import Any  # Answers are JSON objects.

import svcs
from flask import Response, request
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import current_user_id
from chassis.web import Access, endpoint
from user_service import answers
from user_service.accounts.avatars import DRAWN_TYPE, MEDIA_TYPES, MOST_BYTES, Avatars
from user_service.accounts.contract import AvatarPath, OwnUser, PictureBody

api = APIBlueprint("avatars", __name__)


@endpoint(
    api,
    "PUT",
    "/api/v1/users/me/avatar",
    access=Access.SIGNED_IN,
    answers={200: OwnUser},
    failures=[errors.BodyTooLarge, errors.MediaTypeUnsupported, errors.TooManyRequests, errors.DependencyUnavailable],
)
def change_avatar(raw: PictureBody) -> dict[str, Any]:
    """Make a picture the avatar: the body is the file itself (JPEG, PNG, WebP or GIF, at most 5 MiB)."""
    if raw.mimetype not in MEDIA_TYPES:
        raise errors.MediaTypeUnsupported(f"Send the picture itself, as {', '.join(MEDIA_TYPES)}.")
    raw.max_content_length = MOST_BYTES
    return answers.own_user(svcs.flask.get(Avatars).put(current_user_id(), raw.get_data(cache=False)))


@endpoint(api, "DELETE", "/api/v1/users/me/avatar", access=Access.SIGNED_IN, answers={204: None})
def remove_avatar() -> tuple[str, int]:
    """Take the avatar away."""
    svcs.flask.get(Avatars).remove(current_user_id())
    return "", 204


@endpoint(
    api,
    "GET",
    "/api/v1/avatars/<name>",
    access=Access.PUBLIC,
    answers={200: None},
    failures=[errors.NotFound],
)
def read_avatar(path: AvatarPath) -> Response:
    """Show an avatar, a WebP of 256 x 256; its address names its content, so it never changes."""
    answer = Response(svcs.flask.get(Avatars).read(path.name), content_type=DRAWN_TYPE)
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.set_etag(path.name)
    answer.make_conditional(request)
    return answer
