"""Who asks: the account that a client sent along, and what a registry wants to see of it.

A registry answers 401 with a challenge (RFC 7235): ``Basic``, or ``Bearer`` with the address of a token server
(https://distribution.github.io/distribution/spec/auth/token/). Only the registry itself is answered, never a host that
it redirected to, and no password goes over plain HTTP unless the settings allow that host.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

import msgspec

from containerlab.errors import InvalidParameter, LoginRefused, RegistryError
from containerlab.images.registry.transport import Response, Transport

__all__ = ["ANONYMOUS", "Authorizer", "Challenge", "Credentials", "challenges"]

_TOKEN_BYTES = 1 << 20
_CLIENT_ID = "containerlab"
_SCHEME = re.compile(r"\s*,?\s*(\w+)(?=\s|$)\s*")
_PARAMETER = re.compile(r'\s*,?\s*(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account as ``X-Registry-Auth`` carries it; empty for nobody. No secret shows in a log."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    server: str = ""

    @classmethod
    def decode(cls, header: str) -> Credentials:
        """The header's base64 (for URLs, also without its padding) of a JSON object. Raises InvalidParameter."""
        return cls.of(_decoded(header, "X-Registry-Auth"))

    @classmethod
    def decode_many(cls, header: str) -> dict[str, Credentials]:
        """``X-Registry-Config``: an account for each registry. Raises InvalidParameter."""
        given = _decoded(header, "X-Registry-Config")
        return {server: cls.of(entry) for server, entry in given.items() if isinstance(entry, dict)}

    @classmethod
    def of(cls, given: dict[str, Any]) -> Credentials:
        """From the API's AuthConfig (``username``, ``password``, ``auth``, ``identitytoken``, …).

        Raises InvalidParameter for a value that isn't text.
        """
        words = {str(key).lower(): value for key, value in given.items() if value is not None}
        for name in ("username", "password", "auth", "identitytoken", "registrytoken", "serveraddress"):
            if not isinstance(words.get(name, ""), str):
                raise InvalidParameter(f"invalid authentication: {name} is not text")
        username, password = words.get("username", ""), words.get("password", "")
        if words.get("auth") and not username:
            username, _, password = _base64(words["auth"], "auth").decode("utf-8", "replace").partition(":")
        return cls(
            username,
            password.rstrip("\0"),
            words.get("identitytoken", ""),
            words.get("registrytoken", ""),
            words.get("serveraddress", ""),
        )

    @property
    def basic(self) -> str:
        """The value of ``Authorization``, or empty."""
        if not self.username:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


ANONYMOUS = Credentials()


@dataclass(frozen=True, slots=True)
class Challenge:
    """One of a 401's challenges: its scheme and parameters in lower case."""

    scheme: str
    parameters: dict[str, str]


def challenges(response: Response) -> list[Challenge]:
    """What the registry wants to see, in its order."""
    found: list[Challenge] = []
    for header in response.headers.get_all("WWW-Authenticate") or []:
        position = 0
        while match := _SCHEME.match(header, position):
            position = match.end()
            parameters = {}
            while pair := _PARAMETER.match(header, position):
                value = pair[3] if pair[2] is None else re.sub(r"\\(.)", r"\1", pair[2])
                parameters[pair[1].lower()] = value
                position = pair.end()
            found.append(Challenge(match[1].lower(), parameters))
    return found


class Authorizer:
    """Answers the challenges of one registry for one account and one scope; a token is asked for once and shared."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport, self._credentials = transport, credentials
        self._lock = threading.Lock()
        self._scopes: list[str] = []
        self.header = f"Bearer {credentials.registry_token}" if credentials.registry_token else ""
        """The value of ``Authorization`` that the registry accepted, or empty."""

    def need(self, scope: str) -> None:
        """From now on tokens shall allow ``scope`` too, such as ``repository:library/busybox:pull``."""
        with self._lock:
            if scope not in self._scopes:
                self._scopes.append(scope)
                if self.header.startswith("Bearer ") and not self._credentials.registry_token:
                    self.header = ""

    def answer(self, refused: Response, tried: str) -> bool:
        """Find the header that ``refused`` asks for; False when there is none, or ``tried`` was that already.

        Raises ``RegistryError`` when the token server can't be used, ``LoginRefused`` when it doesn't know the account.
        """
        asked = challenges(refused)
        with self._lock:
            if self.header and self.header != tried:
                return True  # another thread was faster
            for challenge in asked:
                if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                    if self._credentials.registry_token:
                        return False
                    self.header = f"Bearer {self._token(challenge.parameters)}"
                    return True
                if challenge.scheme == "basic" and self._credentials.basic and tried != self._credentials.basic:
                    self.header = self._credentials.basic
                    return True
        return False

    def _token(self, parameters: dict[str, str]) -> str:
        realm = urllib.parse.urlsplit(parameters["realm"])
        if realm.scheme not in ("http", "https") or not realm.hostname or realm.username:
            raise RegistryError(f"the registry names {parameters['realm'][:200]!r} as its token server")
        if realm.scheme == "http" and not self._transport.allows_plain(realm.netloc):
            raise RegistryError(f"the registry's token server {realm.netloc} speaks plain HTTP, which is refused")
        scopes = self._scopes or [scope for scope in [parameters.get("scope", "")] if scope]
        service = parameters.get("service", "")
        if self._credentials.identity_token:
            response = self._refresh(realm.geturl(), service, scopes)
        else:
            response = self._ask(realm, service, scopes)
        with response:
            body = response.read(_TOKEN_BYTES)
            if response.status in (401, 403):
                raise LoginRefused(f'Get "{realm.geturl()}": unauthorized: incorrect username or password')
            if response.status != 200:
                raise RegistryError(f'Get "{realm.geturl()}": the token server answers with status {response.status}')
        try:
            given = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise RegistryError(
                f"Get \"{realm.geturl()}\": the token server's answer can't be read: {error}"
            ) from error
        token = given.get("token") or given.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError(f'Get "{realm.geturl()}": the token server gave no token')
        return token

    def _ask(self, realm: urllib.parse.SplitResult, service: str, scopes: list[str]) -> Response:
        query = urllib.parse.parse_qsl(realm.query)
        query += [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        query += [("account", self._credentials.username)] if self._credentials.username else []
        headers = {"Authorization": self._credentials.basic} if self._credentials.basic else {}
        return self._transport.request("GET", realm._replace(query=urllib.parse.urlencode(query)).geturl(), headers)

    def _refresh(self, realm: str, service: str, scopes: list[str]) -> Response:
        """OAuth 2 with the token that stands for the account (https://distribution.github.io/distribution/spec/auth/oauth/)."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._credentials.identity_token,
            "service": service,
            "client_id": _CLIENT_ID,
            "scope": " ".join(scopes),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._transport.request("POST", realm, headers, urllib.parse.urlencode(form).encode())


def _decoded(header: str, name: str) -> dict[str, Any]:
    try:
        given = msgspec.json.decode(_base64(header, name) or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParameter(f"invalid {name} header: {error}") from None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidParameter(f"invalid {name} header: expected a JSON object")
    return given


def _base64(text: str, name: str) -> bytes:
    standard = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        raise InvalidParameter(f"invalid {name}: it is not base64") from None
