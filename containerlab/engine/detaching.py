"""Detach keys of a request, looked at before a stream's head promises anything."""

from __future__ import annotations

from containerlab.errors import InvalidParameter
from containerlab.runtime.supervisor.detach import parse_keys

__all__ = ["check_detach_keys"]


def check_detach_keys(keys: str) -> None:
    """Raise InvalidParameter for what is no sequence of keys; the supervisor looks for them (``detach.DetachKeys``)."""
    try:
        parse_keys(keys)
    except ValueError as error:
        raise InvalidParameter(f"Invalid detach keys ({keys}) provided", hint=f"{error}.") from None
