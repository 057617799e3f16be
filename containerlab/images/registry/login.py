"""The check behind ``docker login``: whether a registry takes an account."""

from __future__ import annotations

import urllib.parse

from containerlab.errors import LoginRefused, RegistryError
from containerlab.images.registry.auth import Authorizer, Credentials
from containerlab.images.registry.hosts import INDEX_SERVER, Hosts, is_official
from containerlab.images.registry.stop import Stop
from containerlab.images.registry.transport import Transport

__all__ = ["log_in", "registry_of"]

_ANSWER_BYTES = 1 << 20


def registry_of(server: str) -> str:
    """``host[:port]`` of what people and clients write: a name, or an address with ``https://`` in front."""
    if server in ("", INDEX_SERVER):
        return "docker.io"
    host = urllib.parse.urlsplit(server if "//" in server else f"//{server}").netloc
    return "docker.io" if is_official(host) else host


def log_in(hosts: Hosts, credentials: Credentials, stop: Stop) -> None:
    """Ask the registry ``credentials.server``. Raises LoginRefused, or RegistryError when it can't be asked."""
    endpoint = hosts.push_to(registry_of(credentials.server))
    transport = Transport(hosts, endpoint, stop)
    failure: RegistryError | None = None
    try:
        for scheme in endpoint.schemes:
            try:
                return _ask(transport, f"{scheme}://{endpoint.host}/v2/", credentials)
            except LoginRefused:
                raise
            except RegistryError as error:
                failure = failure or error
    finally:
        transport.close()
    raise failure or RegistryError(f"{endpoint.host} can't be asked")


def _ask(transport: Transport, url: str, credentials: Credentials) -> None:
    authorizer = Authorizer(transport, credentials)
    with transport.request("GET", url, follow=False) as response:
        response.read(_ANSWER_BYTES)
        status = response.status
        if status == 401 and authorizer.answer(response, ""):
            with transport.request("GET", url, {"Authorization": authorizer.header}, follow=False) as again:
                again.read(_ANSWER_BYTES)
                status = again.status
    if status == 401:
        raise LoginRefused(f"login attempt to {url} failed with status: 401 Unauthorized")
    if status != 200:
        raise RegistryError(f'Get "{url}": the registry answers with status {status}')
