"""What a container's health check has found so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Health"]

_KEPT_RESULTS = 5


@dataclass
class Health:
    """``status`` is ``starting``, ``healthy`` or ``unhealthy``; the results are inspect's, newest last."""

    status: str = "starting"
    failing_streak: int = 0
    results: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT_RESULTS))

    def view(self) -> dict[str, Any]:
        """Inspect's ``State.Health``."""
        return {"Status": self.status, "FailingStreak": self.failing_streak, "Log": list(self.results)}
