"""Packets: one JSON object each, SOCK_SEQPACKET, descriptors beside them (docs/interfaces.md)."""

from __future__ import annotations

import errno
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MAX_FDS", "MAX_PACKET", "PROTOCOL", "RequestError", "decode", "encode", "error_of", "field"]

PROTOCOL = 1
MAX_PACKET = 65536
MAX_FDS = 253  # SCM_MAX_FD (unix(7)); a start brings one for each bind


class RequestError(OSError):
    """Why a request can't be met; ``stage`` as in docs/interfaces.md, ``protocol`` for a request that is malformed."""

    def __init__(self, stage: str, number: int, message: str = "", path: str = "") -> None:
        super().__init__(number, message or os.strerror(number), path or None)
        self.stage = stage


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def decode(packet: bytes) -> dict[str, Any]:
    """The request in ``packet``: one JSON object with an integer ``id`` and an ``op``. Raises RequestError."""
    try:
        message = json.loads(packet)
    except (ValueError, RecursionError):
        raise RequestError("protocol", errno.EBADMSG, "a packet is one JSON object") from None
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise RequestError("protocol", errno.EBADMSG, "a request is an object with the keys id and op")
    if not isinstance(message.get("id"), int):
        raise RequestError("protocol", errno.EBADMSG, "a request's id is an integer")
    return message


def field(request: dict[str, Any], name: str, kind: type, default: Any = ...) -> Any:
    """The field ``name``, of type ``kind`` (JSON's true is no int). Raises RequestError."""
    value = request.get(name)
    if value is None and default is not ...:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RequestError("protocol", errno.EINVAL, f"{request.get('op')}: {name} must be of type {kind.__name__}")
    return value


def error_of(error: OSError, stage: str = "protocol") -> dict[str, Any]:
    """``error`` as it goes over the wire."""
    path = error.filename
    return {
        "stage": getattr(error, "stage", stage),
        "errno": error.errno or 0,
        "message": (error.strerror or str(error))[:4096],
        "path": os.fsdecode(path)[:4096] if isinstance(path, str | bytes) else "",
    }
