"""Lets the calls of the gateway's own, which `chassis` sends with requests, go to the replicas of a service too."""

from typing import Any  # The signature is that of requests.

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from chassis.web import MAX_BODY_BYTES
from gateway.proxy.body import Body
from gateway.upstreams.upstream import Upstream, UpstreamRequest, UpstreamResponse

_LONGEST_BYTES = 8 * MAX_BODY_BYTES
# The connection is another one than requests thinks, and bodies come as they are.
_NOT_SENT = frozenset({"content-length", "connection", "accept-encoding", "host"})


class UpstreamAdapter(BaseAdapter):
    """Sends what requests prepared through an `Upstream`, whose errors pass through requests as they are."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__()
        self._upstream = upstream

    def send(self, request: requests.PreparedRequest, *_args: Any, **options: Any) -> requests.Response:
        """Send one request and read the whole answer; of the time-outs only the second one, of reading, counts.

        Raises:
            DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable: as `Upstream.send_request`.
        """
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        headers = [(name, str(value)) for name, value in request.headers.items() if name.lower() not in _NOT_SENT]
        sent = UpstreamRequest(
            method=request.method or "GET",
            target=request.path_url,
            headers=headers,
            body=Body(body, len(body)),
            read_seconds=options["timeout"][1],
        )
        return _to_requests(request, self._upstream.send_request(sent))

    def close(self) -> None:
        """Do nothing: the connections are those of the `Upstream`."""


def _to_requests(request: requests.PreparedRequest, received: UpstreamResponse) -> requests.Response:
    response = requests.Response()
    response.request, response.url = request, request.url or ""
    response.status_code, response.reason = received.status, received.reason
    response.headers = CaseInsensitiveDict(received.headers)
    response.encoding = get_encoding_from_headers(response.headers)
    response._content = received.read_whole(_LONGEST_BYTES)
    return response
