"""HTTP to registries: connections that can be stopped, are bounded in time, and carry no secret further than meant.

A redirect to another host goes without ``Authorization`` (CVE-2020-15157), never from TLS to plain HTTP, and never to
a link-local address, where a cloud's host answers with its secrets. Environment variables name proxies as for every
other program; this host itself is always reached directly.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import IO

from containerlab import __version__
from containerlab.errors import RegistryError
from containerlab.images.registry.hosts import Endpoint, Hosts, is_loopback
from containerlab.images.registry.stop import Stop

__all__ = ["Response", "Transport", "Unreachable"]

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_REDIRECTS = 5
_DRAINED = 1 << 16
_BLOCK = 1 << 18
_REDIRECT = (301, 302, 303, 307, 308)
_SECRETS = ("authorization", "cookie")


class Unreachable(RegistryError):
    """No connection, or one that broke; ``transient`` when the same request may go through later."""

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class Response:
    """One answer; ``close`` it, or read it to its end, and its connection can be used again."""

    def __init__(self, answer: http.client.HTTPResponse, url: str, give_back: Callable[[bool], None]) -> None:
        self.status, self.headers, self.url = answer.status, answer.headers, url
        self._answer = answer
        self._give_back: Callable[[bool], None] | None = give_back

    def readinto(self, buffer: memoryview) -> int:
        """Up to ``len(buffer)`` bytes of the body; 0 at its end. Raises ``Unreachable`` when the connection breaks."""
        try:
            return self._answer.readinto(buffer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"the connection was lost: {_why(error)}", transient=True) from error

    def read(self, most: int) -> bytes:
        """The whole body; raises ``RegistryError`` when it is larger than ``most`` bytes."""
        try:
            data = self._answer.read(most + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"the connection was lost: {_why(error)}", transient=True) from error
        if len(data) > most:
            raise RegistryError(f"the registry's answer to {self.url} is larger than {most} bytes")
        if self._answer.length:
            raise Unreachable("the connection was lost: the registry ended its answer early", transient=True)
        return data

    def close(self) -> None:
        """Give the connection back when the body was read, else end it."""
        if self._give_back is None:
            return
        try:
            if not self._answer.isclosed() and (self._answer.length or 0) <= _DRAINED:
                self._answer.read(_DRAINED)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # then the connection isn't used again
        self._give_back(self._answer.isclosed())
        self._give_back = None

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class Transport:
    """The connections of one pull or push, used by several threads."""

    def __init__(self, hosts: Hosts, endpoint: Endpoint, stop: Stop) -> None:
        self.hosts, self.endpoint, self.stop = hosts, endpoint, stop
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}

    def close(self) -> None:
        """End every connection that isn't in use."""
        with self._lock:
            idle, self._idle = [one for many in self._idle.values() for one in many], {}
        for connection in idle:
            self._end(connection)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | IO[bytes] | None = None,
        *,
        follow: bool = True,
    ) -> Response:
        """One request; redirects of GET and HEAD are followed. Raises ``Unreachable`` naming the host."""
        sent = {"User-Agent": f"containerlab/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
        for _ in range(_REDIRECTS + 1):
            response = self._once(method, url, sent, body)
            target = response.headers.get("Location")
            if not follow or method not in ("GET", "HEAD") or response.status not in _REDIRECT or not target:
                return response
            response.close()
            before, url = url, urllib.parse.urljoin(url, target)
            self._check_redirect(before, url)
            if _origin(before) != _origin(url):
                sent = {name: value for name, value in sent.items() if name.lower() not in _SECRETS}
        raise RegistryError(f'{method.capitalize()} "{url}": stopped after {_REDIRECTS} redirects')

    def allows_plain(self, host: str) -> bool:
        """Whether ``host[:port]`` may be spoken to without TLS."""
        return self.hosts.is_insecure(host) or (host == self.endpoint.host and "http" in self.endpoint.schemes)

    def _check_redirect(self, before: str, after: str) -> None:
        target = urllib.parse.urlsplit(after)
        if target.scheme not in ("http", "https") or not target.hostname or target.username:
            raise RegistryError(f"the registry redirects {before} to {after[:200]!r}, which is no web address")
        if target.scheme == "http" and not self.allows_plain(target.netloc):
            raise RegistryError(f"the registry redirects {before} to plain HTTP on {target.netloc}, which is refused")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | IO[bytes] | None) -> Response:
        parts = urllib.parse.urlsplit(url)
        key = (parts.scheme, parts.netloc)
        connection, fresh = self._connection(key)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if getattr(connection, "absolute", False):
            path = f"{parts.scheme}://{parts.netloc}{path}"
        try:
            if connection.sock is None:
                connection.connect()
                if connection.sock is not None:
                    self.stop.watch(connection.sock)
            sock = connection.sock
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._end(connection)
            self.stop.check()
            if not fresh and not isinstance(error, TimeoutError) and (body is None or isinstance(body, bytes)):
                # The server had closed the idle connection: a new one isn't a new attempt.
                return self._once(method, url, headers, body)
            raise _unreachable(method, url, error) from error
        except BaseException:
            self._end(connection)
            raise

        def give_back(reusable: bool) -> None:
            if reusable and connection.sock is not None and not self.stop.asked:
                with self._lock:
                    self._idle.setdefault(key, []).append(connection)
                return
            answer.close()
            if sock is not None:
                self.stop.forget(sock)
            self._end(connection)

        return Response(answer, url, give_back)

    def _connection(self, key: tuple[str, str]) -> tuple[http.client.HTTPConnection, bool]:
        self.stop.check()
        with self._lock:
            idle = self._idle.get(key)
            if idle:
                return idle.pop(), False
        scheme, netloc = key
        verify = self.endpoint.verify if netloc == self.endpoint.host else not self.hosts.is_insecure(netloc)
        context = self.hosts.tls(netloc, verify=verify) if scheme == "https" else None
        return _Connection.to(netloc, context), True

    def _end(self, connection: http.client.HTTPConnection) -> None:
        if connection.sock is not None:
            self.stop.forget(connection.sock)
        with contextlib.suppress(OSError):
            connection.close()


class _Connection(http.client.HTTPConnection):
    """A TCP connection, with TLS where ``context`` is given, through a proxy where the environment names one."""

    absolute = False

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=_CONNECT_SECONDS, blocksize=_BLOCK)
        self._context = context
        self._server = host

    @classmethod
    def to(cls, netloc: str, context: ssl.SSLContext | None) -> _Connection:
        """A connection to ``host[:port]`` that isn't made yet."""
        parts = urllib.parse.urlsplit(f"//{netloc}")
        try:
            host, port = parts.hostname or "", parts.port or (443 if context else 80)
        except ValueError as error:
            raise RegistryError(f"{netloc[:200]!r} is not HOST[:PORT]") from error
        proxy = _proxy(netloc, "https" if context else "http")
        if proxy is None:
            return cls(host, port, context)
        made = cls(proxy[0], proxy[1], context)
        if context is not None:
            made._server = host
            made.set_tunnel(host, port)
        else:
            made.absolute = True
        return made

    def connect(self) -> None:
        _refuse_link_local(self.host, self.host)
        self.sock = socket.create_connection((self.host, self.port), _CONNECT_SECONDS)
        try:
            _refuse_link_local(self.host, str(self.sock.getpeername()[0]))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if getattr(self, "_tunnel_host", None):
                self._tunnel()  # type: ignore[attr-defined]
            if self._context is not None:
                self.sock = self._context.wrap_socket(self.sock, server_hostname=self._server)
            self.sock.settimeout(_READ_SECONDS)
        except BaseException:
            self.close()
            raise


def _refuse_link_local(host: str, address: str) -> None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return  # a name: its address is looked at once there is a connection
    if found.is_link_local:
        raise RegistryError(f"{host} is the link-local address {address}, where no registry is asked")


def _proxy(netloc: str, scheme: str) -> tuple[str, int] | None:
    """Host and port of the environment's proxy for ``netloc``."""
    if is_loopback(netloc):
        return None
    found = urllib.request.getproxies_environment().get(scheme)
    if not found or urllib.request.proxy_bypass_environment(netloc):  # type: ignore[attr-defined]
        return None
    parts = urllib.parse.urlsplit(found if "//" in found else f"//{found}")
    return (parts.hostname, parts.port or 3128) if parts.hostname else None


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _unreachable(method: str, url: str, error: Exception) -> Unreachable:
    host = urllib.parse.urlsplit(url).netloc
    final = isinstance(error, (socket.gaierror, ssl.SSLError, ConnectionRefusedError)) and not isinstance(
        error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)
    )
    where = urllib.parse.urlsplit(url)._replace(query="").geturl()
    words = f"the registry {host} can't be reached: {_why(error)}"
    return Unreachable(f'{method.capitalize()} "{where}": {words}', transient=not final)


def _why(error: Exception) -> str:
    """Docker's words for what the network says, where it has some."""
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, TimeoutError):
        return "i/o timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"tls: {error.reason or error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
