"""A RUN's place on the default network, which is the engine's to give."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

__all__ = ["Join", "Joined"]


@dataclass(frozen=True, slots=True)
class Joined:
    """``namespace`` is a path to join; ``resolv_conf`` the whole file; ``address`` the RUN's own."""

    namespace: str
    address: str
    resolv_conf: str


Join = Callable[[str], AbstractAsyncContextManager[Joined | None]]
"""By a container's id: its place for as long as the block lasts; None where the host gives no bridges."""
