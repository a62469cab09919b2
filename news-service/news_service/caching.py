"""Who may keep an answer, and for how long."""

from collections.abc import Iterable

from flask import Response, request

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
