"""Secrets on their way to a build: left here by our own front ends, taken once, and never written anywhere.

``POST /build`` has no field for them, and what a query holds is logged. So they come first and apart, and the build's
request names them by a token.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Mapping

from containerlab.errors import InvalidParameter

__all__ = ["SecretDrop"]

_MOST_BYTES = 500 << 10  # as BuildKit
_MOST_WAITING = 32
_LIFETIME_S = 120.0
_ID = re.compile(r"[^\x00-\x1f]{1,256}\Z")


class SecretDrop:
    """What waits for its build; what isn't fetched within two minutes is forgotten."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[float, Mapping[str, bytes]]] = {}

    def leave(self, given: Mapping[str, object]) -> str:
        """Keep ``{id: base64}``; gives the token. Raises InvalidParameter, which never shows a value."""
        self._forget_old()
        if len(self._waiting) >= _MOST_WAITING:
            raise InvalidParameter("too many secrets wait for their builds")
        token = secrets.token_hex(16)
        decoded = {name: _decoded(name, value) for name, value in given.items()}
        self._waiting[token] = (time.monotonic() + _LIFETIME_S, decoded)
        return token

    def take(self, token: str) -> Mapping[str, bytes]:
        """The secrets of a token, once. Raises InvalidParameter."""
        self._forget_old()
        try:
            return self._waiting.pop(token)[1]
        except KeyError:
            raise InvalidParameter("the build's secrets aren't here any more", hint="start the build again") from None

    def _forget_old(self) -> None:
        now = time.monotonic()
        for token in [token for token, (until, _) in self._waiting.items() if until < now]:
            del self._waiting[token]


def _decoded(name: str, value: object) -> bytes:
    if not _ID.match(name):
        raise InvalidParameter("a secret's id has 1 to 256 printable characters")
    try:
        data = base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParameter(f"the secret {name} isn't base64") from None
    if len(data) > _MOST_BYTES:
        raise InvalidParameter(f"the secret {name} is larger than {_MOST_BYTES} bytes")
    return data
