"""ADD of an ``http://`` or ``https://`` address: downloaded by the engine, bounded in size and time."""

from __future__ import annotations

import email.utils
import hashlib
import http.client
import posixpath
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from containerlab.build.scratch import keep_going
from containerlab.errors import InvalidParameter, NotFound

__all__ = ["Download", "download", "is_remote", "name_of"]

_STALLED_S = 30.0
_MOST_S = 3600.0
_MOST_BYTES = 8 << 30
_CHUNK = 1 << 18
_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was brought: ``digest`` is ``sha256:HEX``, ``mtime_ns`` the server's Last-Modified or 0."""

    path: Path
    digest: str
    mtime_ns: int


def is_remote(source: str) -> bool:
    """Is ``source`` of ADD an address?"""
    return source.startswith(_SCHEMES)


def name_of(url: str) -> str:
    """The file name that an address ends with, or an empty string."""
    return posixpath.basename(urllib.parse.unquote(urllib.parse.urlsplit(url).path))


class _OwnRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never out of http and https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if not newurl.startswith(_SCHEMES):
            raise InvalidParameter(f"{req.full_url} redirects to {newurl}, which is no http(s) address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, folder: Path) -> Download:
    """Bring ``url`` into a new file of ``folder``. Raises NotFound for a status other than 200, InvalidParameter."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(), _OwnRedirects(), urllib.request.HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers={"User-Agent": "containerlab", "Accept-Encoding": "identity"})
    try:
        with opener.open(request, timeout=_STALLED_S) as response:
            return _save(url, response, folder)
    except urllib.error.HTTPError as error:
        with error:
            raise NotFound(f"failed to GET {url} with status {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise InvalidParameter(f"failed to GET {url}: {reason}") from None


def _save(url: str, response: http.client.HTTPResponse, folder: Path) -> Download:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / secrets.token_hex(16)
    summary, size, deadline = hashlib.sha256(), 0, time.monotonic() + _MOST_S
    with open(path, "xb") as file:
        while chunk := response.read(_CHUNK):
            keep_going()
            size += len(chunk)
            if size > _MOST_BYTES:
                raise InvalidParameter(f"{url} has more than {_MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise InvalidParameter(f"{url} takes longer than {_MOST_S:.0f} seconds")
            summary.update(chunk)
            file.write(chunk)
    expected = response.headers.get("Content-Length", "")
    if expected.isdigit() and int(expected) != size:
        raise InvalidParameter(f"{url} ended after {size} of {expected} bytes")
    return Download(path, "sha256:" + summary.hexdigest(), _moment(response.headers.get("Last-Modified", "")))


def _moment(text: str) -> int:
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp()) * 1_000_000_000 if text else 0
    except (ValueError, OverflowError):
        return 0
