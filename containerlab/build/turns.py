"""The messages of stages that run side by side, told one stage after another.

The first stage that isn't done is heard at once; what the others say waits for their turn, up to a bound. So the
stream reads as if the stages had run in the Dockerfile's order.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from containerlab.build.messages import Emit

__all__ = ["Turns"]

_MOST_WAITING = 4 << 20


class Turns:
    """For ``count`` stages; everything is called in the event loop."""

    def __init__(self, emit: Emit, count: int) -> None:
        self._emit, self._current = emit, 0
        self._waiting = [_Waiting() for _ in range(count)]
        self._ended = [False] * count

    def emitter(self, position: int) -> Emit:
        """What the stage at ``position`` is to tell its messages to."""

        def tell(message: dict[str, Any]) -> None:
            if position == self._current:
                self._emit(message)
            else:
                self._waiting[position].add(message)

        return tell

    def end(self, position: int) -> None:
        """The stage at ``position`` is done; whoever is next is heard."""
        self._ended[position] = True
        while self._current < len(self._ended) and self._ended[self._current]:
            self._current += 1
            if self._current < len(self._ended):
                self._flush(self._current)

    def fail(self, position: int) -> None:
        """The build ends with this stage: what it said is told now, whosever turn it is."""
        self._flush(position)

    def _flush(self, position: int) -> None:
        for message in self._waiting[position].take():
            self._emit(message)


class _Waiting:
    """Messages that wait, the oldest text dropped beyond the bound; step records are always kept."""

    def __init__(self) -> None:
        self._messages: deque[dict[str, Any]] = deque()
        self._size = 0
        self._cut = False

    def add(self, message: dict[str, Any]) -> None:
        text = message.get("stream")
        if text is None:
            self._messages.append(message)
            return
        self._size += len(text)
        if self._size <= _MOST_WAITING or text.startswith("Step "):
            self._messages.append(message)
        elif not self._cut:
            self._cut = True
            self._messages.append({"stream": "[Warning] more output of this stage was left out while it waited\n"})

    def take(self) -> list[dict[str, Any]]:
        taken, self._messages = list(self._messages), deque()
        return taken
