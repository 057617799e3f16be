"""The event bus: what happened, in Docker's event JSON, to whoever subscribed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

__all__ = ["Events"]


class Events:
    def publish(self, type: str, action: str, id: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def subscribe(
        self,
        since: float | None = None,
        until: float | None = None,
        filters: dict[str, list[str]] | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Registered when this returns; the kept events since ``since`` first; ends at ``until``."""
        raise NotImplementedError
