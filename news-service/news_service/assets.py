"""Static files under names that change with their content, so that browsers may keep them for ever."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flask import Response, request

from chassis.errors import NotFound

_FOLDER = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"
# A worker lives under the policy of its own file, not of its page: it may fetch and load nothing.
_ALONE = "default-src 'none'"
# Not the tables of Python or the machine: they differ by version, and a wrong type breaks a module under `nosniff`.
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

    def answer(self, name: str) -> Response:
        """Answer a file by its hashed name, for ever.

        Raises:
            NotFound: no such file, or its name without the hash, which would be kept for ever as well.
        """
        asset = self._by_name.get(name)
        if asset is None:
            raise NotFound
        return _response(asset, _FOR_EVER)

    def answer_unhashed(self, logical_name: str, *, max_age_seconds: int) -> Response:
        """Answer a file whose address is fixed by convention, as ``/favicon.ico``."""
        return _response(self._by_logical_name[logical_name], f"public, max-age={max_age_seconds}")


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{path.stem}.{digest}{path.suffix}", content, _MEDIA_TYPES[path.suffix], digest)


def _response(asset: Asset, cache_control: str) -> Response:
    answer = Response(asset.content, content_type=asset.media_type)
    answer.headers["Cache-Control"] = cache_control
    answer.headers["Content-Security-Policy"] = _ALONE
    answer.set_etag(asset.digest)
    answer.make_conditional(request)
    return answer
