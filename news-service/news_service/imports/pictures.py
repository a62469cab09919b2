"""Where the pictures of a dump are shown from: a host that the operator keeps, or not at all.

Nothing is a broken picture: without one an article gets a drawn cover, and a text the alternative text of its picture.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

# What needs no care in HTML, in a header or in a URL. (RFC 3986, section 2.3, and what image hosts use in queries.)
_REST = re.compile(r"/[A-Za-z0-9._~/%@!+,:=-]*(?:\?[A-Za-z0-9._~/%@!+,:=&|-]*)?")
_LONGEST = 256


@dataclass(frozen=True)
class Pictures:
    """Maps addresses of a dump to those under which the pages show the same pictures.

    ``kept_hosts`` are bare names of hosts, whose pictures are shown from there by HTTPS; the content policy names the
    same hosts. Nothing else is shown: ``/static/news/1.jpg`` or a bare key meant the course's own server.
    """

    kept_hosts: frozenset[str] = frozenset()

    def shown_address(self, given: str) -> str | None:
        """Return the address under which a picture is shown, or None. An address that it gives stays as it is."""
        try:
            parts = urlsplit(given.strip())
        except ValueError:
            return None
        rest = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        is_kept = parts.scheme in ("", "http", "https") and parts.netloc.lower() in self.kept_hosts
        address = f"https://{parts.netloc.lower()}{rest}"
        return address if is_kept and _REST.fullmatch(rest) and len(address) <= _LONGEST else None
