"""Which servers stand behind an image's name, and how they may be spoken to.

``docker.io`` is served by a host of another name, and by mirrors where the settings list some. TLS is the rule. A
registry that the settings call insecure, and one on this very host (127.0.0.0/8, ::1, ``localhost``), may also show a
certificate that nobody vouches for, or speak plain HTTP: Docker's rule (moby ``registry/config.go``).
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from containerlab.errors import InvalidParameter

__all__ = ["INDEX_SERVER", "Endpoint", "Hosts", "check_insecure", "check_mirror", "is_loopback", "is_official"]

INDEX_SERVER = "https://index.docker.io/v1/"
"""The name under which Docker's clients keep the account of ``docker.io``."""

_OFFICIAL = ("docker.io", "index.docker.io", "registry-1.docker.io")
_OFFICIAL_HOST = "registry-1.docker.io"
_CERTIFICATES = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server: ``schemes`` to try in this order, ``verify`` its certificate; a mirror gets no account's words."""

    host: str
    schemes: tuple[str, ...] = ("https",)
    verify: bool = True
    mirror: bool = False


@dataclass(frozen=True)
class Hosts:
    """The settings: ``mirrors`` as URLs, ``insecure`` as host[:port] or CIDR, ``certificates`` as HOST/*.crt."""

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    certificates: tuple[Path, ...] = field(default=(Path("/etc/docker/certs.d"),))

    def pull_from(self, domain: str) -> list[Endpoint]:
        """Where an image of ``domain`` may come from, in this order."""
        found = []
        if is_official(domain):
            for mirror in self.mirrors:
                url = urllib.parse.urlsplit(mirror)
                found.append(Endpoint(url.netloc, (url.scheme,), not self.is_insecure(url.netloc), mirror=True))
        return [*found, self.push_to(domain)]

    def push_to(self, domain: str) -> Endpoint:
        """Where an image of ``domain`` goes to."""
        if is_official(domain):
            return Endpoint(_OFFICIAL_HOST)
        if is_loopback(domain):
            return Endpoint(domain, ("http", "https"), verify=False)
        if self.is_insecure(domain):
            return Endpoint(domain, ("https", "http"), verify=False)
        return Endpoint(domain)

    def is_insecure(self, host: str) -> bool:
        """Whether plain HTTP is allowed with ``host[:port]``."""
        if is_loopback(host) or host in self.insecure:
            return True
        networks = [ipaddress.ip_network(entry, strict=False) for entry in self.insecure if "/" in entry]
        return bool(networks) and any(address in network for address in _addresses(_bare(host)) for network in networks)

    def tls(self, host: str, *, verify: bool) -> ssl.SSLContext:
        """The context for ``host[:port]``; its own authorities and client certificate as Docker's certs.d has them."""
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for folder in self.certificates:
            if "/" in host or not (folder / host).is_dir():
                continue
            for path in sorted((folder / host).iterdir())[:_CERTIFICATES]:
                if path.suffix == ".crt":
                    context.load_verify_locations(path)
                elif path.suffix == ".cert":
                    context.load_cert_chain(path, path.with_suffix(".key"))
        return context


def is_official(domain: str) -> bool:
    """Whether this is ``docker.io`` by one of its names."""
    return domain in _OFFICIAL


def is_loopback(host: str) -> bool:
    """Whether ``host[:port]`` names this host itself; nothing is looked up."""
    bare = _bare(host)
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def check_mirror(text: str) -> str:
    """A setting's mirror, without the slash at its end. Raises InvalidParameter."""
    url = urllib.parse.urlsplit(text)
    if url.scheme not in ("http", "https") or not url.netloc or url.username:
        raise InvalidParameter(f"invalid mirror: {text!r} is not http(s)://HOST[:PORT]")
    if url.path not in ("", "/") or url.query or url.fragment:
        raise InvalidParameter(f"invalid mirror: path, query, or fragment at end of the URI {text!r}")
    return text.rstrip("/")


def check_insecure(text: str) -> str:
    """A setting's insecure registry: host[:port] or a CIDR. Raises InvalidParameter."""
    if "/" in text:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise InvalidParameter(f"insecure registry {text!r} is neither HOST[:PORT] nor ADDRESS/BITS") from None
    elif not text or text.startswith("-") or not text.isprintable() or " " in text:
        raise InvalidParameter(f"insecure registry {text!r} is not valid: invalid host")
    return text


def _bare(host: str) -> str:
    """The host without its port: ``a:1``, ``[::1]:1``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
