"""Take turns between two actions, and say what came of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Pair", "take_turns"]


@dataclass(frozen=True)
class Pair:
    """Milliseconds of ours and of the peer's, taken in turns."""

    title: str
    peer: str
    gap_ms: int
    ours_ms: list[float]
    peer_ms: list[float]

    @property
    def ratio(self) -> float:
        """The peer's time over ours, median of the pairs: above 1, we are faster."""
        return statistics.median(b / a for a, b in zip(self.ours_ms, self.peer_ms, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """For build/bench.json."""
        return {
            "title": self.title,
            "peer": self.peer,
            "gap_ms": self.gap_ms,
            "n": len(self.ours_ms),
            "ours_ms": summary(self.ours_ms),
            "peer_ms": summary(self.peer_ms),
            "ratio": round(self.ratio, 2),
        }


def summary(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum in milliseconds."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def take_turns(
    title: str, peer: str, ours: Callable[[], object], theirs: Callable[[], object], *, n: int, gap_ms: int
) -> Pair:
    """Run each ``n`` times after one warm-up; an action may return its own milliseconds, else it is timed here."""
    ours()
    theirs()
    first: list[float] = []
    second: list[float] = []
    for _ in range(n):
        for action, values in ((ours, first), (theirs, second)):
            time.sleep(gap_ms / 1000)
            before = time.perf_counter_ns()
            own = action()
            values.append(own if isinstance(own, float) else (time.perf_counter_ns() - before) / 1e6)
    return Pair(title, peer, gap_ms, first, second)
