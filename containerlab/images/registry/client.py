"""One repository of one registry, by the OCI distribution API (https://github.com/opencontainers/distribution-spec).

Requests that change nothing are asked again, a few times, when the network or the server fails in passing.
"""

from __future__ import annotations

import contextlib
import hashlib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, TypeVar

import msgspec

from containerlab.errors import RegistryError
from containerlab.images.limits import MANIFEST_BYTES
from containerlab.images.registry.auth import Authorizer, Credentials
from containerlab.images.registry.hosts import Endpoint, Hosts
from containerlab.images.registry.manifests import ACCEPT, Document
from containerlab.images.registry.stop import Stop
from containerlab.images.registry.transport import Response, Transport, Unreachable

__all__ = ["Refused", "Repository", "connect", "patiently"]

T = TypeVar("T")

_ATTEMPTS = 4
_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 5.0
_ERROR_BYTES = 1 << 20
_TAG_PAGES = 1000
_BUSY = (408, 429, 500, 502, 503, 504)


class Refused(RegistryError):
    """The registry answered with an error: its status, its first error's code (``MANIFEST_UNKNOWN``) and message."""

    def __init__(self, method: str, url: str, status: int, code: str, detail: str) -> None:
        words = f"{code.lower().replace('_', ' ')}: {detail}" if code else detail
        super().__init__(words or f'{method.capitalize()} "{url}": the registry answers with status {status}')
        self.http_status, self.code = status, code
        self.words = words
        self.transient = status in _BUSY


def patiently(stop: Stop, work: Callable[[], T]) -> T:
    """Do ``work``, and again after a pause when it failed in passing."""
    pause = _FIRST_PAUSE
    for attempt in range(_ATTEMPTS):
        try:
            return work()
        except (Unreachable, Refused) as error:
            if not error.transient or attempt == _ATTEMPTS - 1:
                raise
        stop.wait(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    raise AssertionError


@contextlib.contextmanager
def connect(
    hosts: Hosts, endpoint: Endpoint, credentials: Credentials, stop: Stop
) -> Iterator[Callable[[str], Repository]]:
    """``repository(path)`` for the registry at ``endpoint``, asked once whether it is one. Raises ``RegistryError``."""
    transport = Transport(hosts, endpoint, stop)
    try:
        authorizer = Authorizer(transport, Credentials() if endpoint.mirror else credentials)
        base = _ping(transport, endpoint)
        yield lambda path: Repository(transport, authorizer, base, path)
    finally:
        transport.close()


def _ping(transport: Transport, endpoint: Endpoint) -> str:
    """The address that answers ``/v2/`` as a registry does: the first scheme, unless the next one does better."""
    failure: RegistryError | None = None
    for scheme in endpoint.schemes:
        base = f"{scheme}://{endpoint.host}"
        try:
            with transport.request("GET", f"{base}/v2/") as response:
                response.read(_ERROR_BYTES)
                if response.status in (200, 401):
                    return base
                failure = RegistryError(f'Get "{base}/v2/": {endpoint.host} is no registry: status {response.status}')
        except RegistryError as error:
            failure = failure or error
    raise failure or RegistryError(f"{endpoint.host} can't be asked")


class Repository:
    """``path`` in canonical form, as ``library/busybox``. Used by several threads."""

    def __init__(self, transport: Transport, authorizer: Authorizer, base: str, path: str) -> None:
        self._transport, self._authorizer = transport, authorizer
        self._base, self.path = base, path
        self.stop = transport.stop

    def need(self, *actions: str, path: str = "") -> None:
        """What the account shall be allowed to do: ``pull``, ``push``."""
        self._authorizer.need(f"repository:{path or self.path}:{','.join(actions)}")

    # -- manifests --------------------------------------------------------------------------------

    def manifest(self, reference: str) -> Document:
        """By tag or digest; a digest is verified. Raises ``Refused``, and ``RegistryError`` for what is no manifest."""

        def ask() -> Document:
            with self.request("GET", f"/manifests/{reference}", {"Accept": ACCEPT}) as response:
                body = response.read(MANIFEST_BYTES)
                return Document.of(body, response.headers.get_content_type())

        document = patiently(self.stop, ask)
        if reference.startswith("sha256:") and document.digest != reference:
            raise RegistryError(f"manifest verification failed for digest {reference}: it holds {document.digest}")
        return document

    def put_manifest(self, document: Document, reference: str) -> None:
        """Give the repository a manifest under a tag. Raises ``Refused``."""
        headers = {"Content-Type": document.media_type}
        with self.request("PUT", f"/manifests/{reference}", headers, document.body, statuses=(201,)) as response:
            response.read(_ERROR_BYTES)

    def tags(self) -> list[str]:
        """Every tag, by pages. Raises ``Refused``."""
        found: list[str] = []
        path = f"/v2/{self.path}/tags/list"
        for _ in range(_TAG_PAGES):
            with self.request("GET", path) as response:
                body = response.read(MANIFEST_BYTES)
                link = response.headers.get("Link", "")
            found += _tags(body)
            following = link.partition("<")[2].partition(">")[0] if 'rel="next"' in link else ""
            if not following:
                return found
            target = urllib.parse.urljoin(f"{self._base}{path}", following)
            if not target.startswith(f"{self._base}/"):
                raise RegistryError(f"the registry's list of tags goes on at another host: {target[:200]}")
            path = target.removeprefix(self._base)
        raise RegistryError(f"the registry lists more than {_TAG_PAGES} pages of tags")

    # -- blobs ------------------------------------------------------------------------------------

    def blob(self, digest: str, offset: int = 0) -> tuple[Response, int]:
        """A blob from byte ``offset`` on, and where the answer begins: a server without ranges starts anew."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        response = self.request("GET", f"/blobs/{digest}", headers, statuses=(200, 206))
        if response.status == 200:
            return response, 0
        start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        if start != str(offset):
            response.close()
            raise RegistryError(f"the registry answered another range than the one from {offset} on")
        return response, offset

    def small_blob(self, digest: str, most: int) -> bytes:
        """A blob of at most ``most`` bytes, verified. Raises ``RegistryError``."""

        def ask() -> bytes:
            with self.request("GET", f"/blobs/{digest}") as response:
                return response.read(most)

        data = patiently(self.stop, ask)
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise RegistryError(f"filesystem layer verification failed for digest {digest}")
        return data

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob."""

        def ask() -> bool:
            with self.request("HEAD", f"/blobs/{digest}", statuses=(200, 404)) as response:
                return response.status == 200

        return patiently(self.stop, ask)

    def begin_upload(self, digest: str = "", mount_from: str = "") -> str:
        """Where to send a blob to; empty when the registry took it from the repository ``mount_from``."""
        query = urllib.parse.urlencode({"mount": digest, "from": mount_from} if mount_from else {})
        path = "/blobs/uploads/" + (f"?{query}" if query else "")
        with self.request("POST", path, {"Content-Length": "0"}, b"", statuses=(201, 202)) as response:
            response.read(_ERROR_BYTES)
            if response.status == 201:
                return ""
            location = response.headers.get("Location", "")
        target = urllib.parse.urljoin(f"{self._base}/v2/{self.path}/blobs/uploads/", location)
        if not location or not target.startswith(("http://", "https://")):
            raise RegistryError("the registry doesn't say where a blob is to be sent to")
        return target

    def send(self, location: str, digest: str, body: IO[bytes] | bytes, size: int) -> None:
        """Send a whole blob to where ``begin_upload`` said. Raises ``Refused``."""
        parts = urllib.parse.urlsplit(location)
        query = urllib.parse.urlencode([*urllib.parse.parse_qsl(parts.query), ("digest", digest)])
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        with self.request("PUT", parts._replace(query=query).geturl(), headers, body, statuses=(201,)) as response:
            response.read(_ERROR_BYTES)

    # -- requests ---------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | IO[bytes] | None = None,
        *,
        statuses: tuple[int, ...] = (200,),
    ) -> Response:
        """A request with the authorization that the registry wants; ``path`` is the repository's, or a whole address.

        Raises ``Refused`` for any status but ``statuses``, ``Unreachable`` and ``LoginRefused``.
        """
        if not path.startswith(("http://", "https://")):
            path = self._base + (path if path.startswith("/v2/") else f"/v2/{self.path}{path}")
        ours = urllib.parse.urlsplit(path).netloc == urllib.parse.urlsplit(self._base).netloc
        while True:
            tried = self._authorizer.header if ours else ""
            sent = {**(headers or {}), **({"Authorization": tried} if tried else {})}
            start = body.tell() if body is not None and not isinstance(body, bytes) else 0
            response = self._transport.request(method, path, sent, body)
            if response.status in statuses:
                return response
            with response:
                refused = _refused(method, response, ours)
                if response.status != 401 or not ours or _is_elsewhere(response, self._base):
                    raise refused
                if tried.startswith("Bearer ") and "insufficient_scope" in response.headers.get("WWW-Authenticate", ""):
                    raise refused
                if not self._authorizer.answer(response, tried) or self._authorizer.header == tried:
                    raise refused
            if body is not None and not isinstance(body, bytes):
                body.seek(start)


def _is_elsewhere(response: Response, base: str) -> bool:
    """Whether the answer came from a host that the registry redirected to: its challenges are not ours to answer."""
    return urllib.parse.urlsplit(response.url).netloc != urllib.parse.urlsplit(base).netloc


def _refused(method: str, response: Response, ours: bool) -> Refused:
    code, detail = "", ""
    with contextlib.suppress(RegistryError, msgspec.DecodeError, RecursionError, LookupError, TypeError):
        given = msgspec.json.decode(response.read(_ERROR_BYTES), type=dict[str, Any])
        first = given["errors"][0]
        code, detail = str(first.get("code", "")), _printable(str(first.get("message", "")))
    challenge = response.headers.get("WWW-Authenticate", "")
    if response.status == 401:
        if "insufficient_scope" in challenge:
            code, detail = "DENIED", "requested access to the resource is denied"
        elif challenge.lower().startswith("basic"):
            code, detail = "UNAUTHORIZED", "no basic auth credentials"
        else:
            code, detail = code or "UNAUTHORIZED", detail or "authentication required"
    url = urllib.parse.urlsplit(response.url)._replace(query="").geturl()
    return Refused(method, url, response.status, _printable(code), detail)


def _printable(text: str) -> str:
    """A registry's words as they may stand in a message."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:500]


def _tags(body: bytes) -> list[str]:
    class Page(msgspec.Struct):
        tags: list[str] | None = None

    try:
        return msgspec.json.decode(body, type=Page).tags or []
    except (msgspec.DecodeError, RecursionError) as error:
        raise RegistryError(f"the registry's list of tags can't be read: {error}") from error
