"""Take turns between two actions, and say what came of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["GAPS_MS", "Pair", "both_gaps", "summary", "turns"]

GAPS_MS = (0, 300)
"""Back to back, and as a person or a notebook asks: what a pause lets cool down is paid again."""

_BLOCK = 10


@dataclass(frozen=True)
class Pair:
    """Milliseconds of ours and of the peer's, taken in turns. ``target`` is the ratio that the project asks for."""

    title: str
    peer: str
    gap_ms: int
    ours_ms: list[float]
    peer_ms: list[float]
    target: float | None = None

    @property
    def ratio(self) -> float:
        """The peer's time over ours, median of the pairs: above 1, we are faster."""
        return statistics.median(b / a for a, b in zip(self.ours_ms, self.peer_ms, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether the target is; None without one."""
        return None if self.target is None else self.ratio >= self.target

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
            "target_ratio": self.target,
            "met": self.met,
        }


def summary(values: list[float]) -> dict[str, float]:
    """Median, and the tenth and ninetieth percentile, in milliseconds."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "median": round(statistics.median(ordered), 2),
        "p10": round(ordered[round(last * 0.1)], 2),
        "p90": round(ordered[round(last * 0.9)], 2),
    }


def both_gaps(
    title: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    n: int,
    target: float | None = None,
) -> list[Pair]:
    """``n`` turns back to back, and half as many with pauses; an action may return its own milliseconds."""
    pairs = []
    for gap_ms in GAPS_MS:
        turns = n if gap_ms == 0 else max(10, n // 2)
        first, second = _take_turns(ours, theirs, n=turns, gap_ms=gap_ms)
        pairs.append(Pair(title, peer, gap_ms, first, second, target))
    return pairs


def turns(
    title: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    n: int,
    target: float | None = None,
    warm_up: int = 3,
) -> Pair:
    """``n`` turns back to back alone: what a pause changes isn't the question."""
    first, second = _take_turns(ours, theirs, n=n, gap_ms=0, warm_up=warm_up)
    return Pair(title, peer, 0, first, second, target)


def _take_turns(
    ours: Callable[[], object], theirs: Callable[[], object], *, n: int, gap_ms: int, warm_up: int = 3
) -> tuple[list[float], list[float]]:
    for action in (ours, theirs):
        for _ in range(warm_up):  # what is loaded or written at first use isn't counted
            action()
    # Back to back a side keeps its turn for a while: what its own last run has warmed is part of the figure.
    block = 1 if gap_ms or n < _BLOCK else _BLOCK
    first: list[float] = []
    second: list[float] = []
    while len(first) < n:
        for action, values in ((ours, first), (theirs, second)):
            for _ in range(min(block, n - len(values))):
                time.sleep(gap_ms / 1000)
                before = time.perf_counter_ns()
                own = action()
                values.append(own if isinstance(own, float) else (time.perf_counter_ns() - before) / 1e6)
    return first, second
