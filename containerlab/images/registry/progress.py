"""What a transfer says while it goes on: Docker's messages, so seldom that they cost nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Progress", "Tell", "short"]

Tell = Callable[[dict[str, Any]], None]

_PAUSE_SECONDS = 0.1


def short(digest: str) -> str:
    """Docker's twelve digits."""
    return digest.removeprefix("sha256:")[:12]


class Progress:
    """Messages from several threads; ``tell`` must bear that."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def line(self, status: str, id: str = "") -> None:
        """A line of its own, or under the name of a tag."""
        self._tell({"status": status, **({"id": id} if id else {})})

    def part(self, id: str, status: str) -> None:
        """A layer has come to another state."""
        self._tell({"status": status, "progressDetail": {}, "id": id})

    def bytes(self, id: str, status: str, current: int, total: int) -> None:
        """How far a layer is; at most ten times a second, and always when it is done."""
        now = time.monotonic()
        with self._lock:
            if current < total and now - self._last.get(id, 0.0) < _PAUSE_SECONDS:
                return
            self._last[id] = now
        detail = {"current": current, "total": total}
        self._tell({"status": status, "progressDetail": detail, "progress": bar(current, total), "id": id})

    def aux(self, **fields: object) -> None:
        """A result for programs."""
        self._tell({"progressDetail": {}, "aux": fields})


def bar(current: int, total: int) -> str:
    """Docker's bar, for clients that print what they are given."""
    filled = min(50, 50 * current // total) if total > 0 else 0
    arrow = "=" * filled + ">" if filled < 50 else "=" * 50
    return f"[{arrow:<50}]  {size(current)}/{size(total)}" if total > 0 else size(current)


def size(count: float) -> str:
    """Decimal units, four digits at most, as docker/go-units writes them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.4g}{unit}"
        count /= 1000
    return f"{count:.4g}TB"
