"""Static files under names that change with their content, so that browsers may cache them without end."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flask import Response, request

from chassis.errors import NotFound

_FOLDER = Path(__file__).parent / "static"
_IMMUTABLE = "public, max-age=31536000, immutable"
# A browser's worker has the policy of its own file, not of its page: it may load nothing.
_WORKER_POLICY = "default-src 'none'"
# The tables of Python and of the machine differ by version, and a wrong type breaks a module under `nosniff`.
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ico": "image/vnd.microsoft.icon",
}


@dataclass(frozen=True)
class Asset:
    """One static file as it is answered; ``name`` holds its hash, as ``app.3f2a9c0b1d4e.css``."""

    name: str
    content: bytes
    media_type: str
    digest: str


class Assets:
    """The static files of the site, read once when the app is made."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._by_logical_name = {path.name: _read(path) for path in sorted(folder.iterdir()) if path.is_file()}
        self._by_name = {asset.name: asset for asset in self._by_logical_name.values()}

    def url(self, logical_name: str) -> str:
        """Return the address of ``app.css``; an unknown name is a programming error (KeyError)."""
        return f"/static/{self._by_logical_name[logical_name].name}"

    def respond(self, name: str) -> Response:
        """Answer a file by its hashed name; caches may store it without end.

        Raises:
            NotFound: there is no such file, or the name has no hash: a cache would never see a new version.
        """
        asset = self._by_name.get(name)
        if asset is None:
            raise NotFound
        return _response(asset, _IMMUTABLE)

    def respond_unhashed(self, logical_name: str, *, max_age_seconds: int) -> Response:
        """Answer a file whose address is fixed by convention, as ``/favicon.ico``."""
        return _response(self._by_logical_name[logical_name], f"public, max-age={max_age_seconds}")


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{path.stem}.{digest}{path.suffix}", content, _MEDIA_TYPES[path.suffix], digest)


def _response(asset: Asset, cache_control: str) -> Response:
    response = Response(asset.content, content_type=asset.media_type)
    response.headers["Cache-Control"] = cache_control
    response.headers["Content-Security-Policy"] = _WORKER_POLICY
    response.set_etag(asset.digest)
    response.make_conditional(request)
    return response
