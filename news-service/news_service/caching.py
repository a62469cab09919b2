"""Who may keep an answer, for how long, and how a client asks whether it has changed."""

from collections.abc import Iterable
from typing import Any  # JSON objects.

from flask import Response, jsonify, request

from chassis.identity import current_caller


def let_caches_keep(response: Response, *, varies_by: Iterable[str] = ()) -> Response:
    """Let browsers keep an answer for 30 seconds, and the gateway for five, unless it is for a signed-in reader.

    An article that is withdrawn is gone 15 seconds later, unless this service is away: then the gateway shows what it
    has for ten minutes. That is said in CDN-Cache-Control (RFC 9213), which browsers do not read; ``s-maxage`` would
    forbid the use beyond it (RFC 9111 5.2.2.10). ``varies_by`` names headers that tell other readers' answers apart.
    """
    response.vary.update(varies_by)
    if current_caller().user_id is not None:
        response.headers["Cache-Control"] = "private, no-cache"
        return response
    response.headers["Cache-Control"] = "public, max-age=30, stale-while-revalidate=300"
    response.headers["CDN-Cache-Control"] = "max-age=5, stale-while-revalidate=10, stale-if-error=600"
    return response


def revalidated(response: Response) -> Response:
    """Give an answer a validator, and answer 304 to a client that has it."""
    response.add_etag(weak=True)
    response.make_conditional(request)
    return response


def kept_json(answer: dict[str, Any], *, by_reader: bool = False) -> Response:
    """Answer JSON as `let_caches_keep` and `revalidated` say; ``by_reader``: signed-in readers get another answer."""
    varies_by = ["Cookie", "Authorization"] if by_reader else []
    return revalidated(let_caches_keep(jsonify(answer), varies_by=varies_by))
