"""Pictures that go on: something is looked at again and again until it ends, and drawn anew when it has changed."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

import docker.errors

from containerlab.lab.copies import CopyWatch, Touch
from containerlab.lab.copies_figure import draw_copies
from containerlab.lab.figure import Figure
from containerlab.lab.life import Turn, read_life
from containerlab.lab.life_figure import draw_life
from containerlab.lab.namespaces import NOTEBOOK, Resident, draw_namespaces, read_namespaces
from containerlab.lab.trace_figure import draw_trace
from containerlab.lab.tracer import trace
from containerlab.lab.usage import Sample, draw_usage, nobody_counts, read_limits, read_sample
from containerlab.lab.words import Words, say

__all__ = ["SHOWS", "Watch", "pictures", "watch", "watch_requests"]

_GONE = ("exited", "dead", "removing")
_WINDOW = 60  # samples of a curve
_LATEST = 14  # requests in the picture


class Watch(Protocol):
    """What is looked at. ``every`` is how many seconds to wait between two looks."""

    every: float

    def look(self) -> Figure | None:
        """The picture of now; None where nothing has changed since the last one."""

    def over(self) -> bool:
        """Whether nothing more will happen."""

    def close(self) -> None:
        """Give back what the watch holds."""


def pictures(watched: Watch, seconds: float, stopped: threading.Event) -> Iterator[Figure]:
    """Each new picture, the first at once, until it is over, stopped, or time is up; the last one is of the end.

    Raises docker's ``NotFound`` where there is nothing to look at from the beginning.
    """
    deadline = time.monotonic() + seconds
    told = False
    try:
        while True:
            last = stopped.is_set() or time.monotonic() >= deadline or watched.over()
            try:
                picture = watched.look()
            except docker.errors.NotFound:
                if not told:
                    raise
                return  # it was removed as soon as it had ended
            if picture is not None:
                told = True
                yield picture
            if last:
                return
            stopped.wait(max(0.0, min(watched.every, deadline - time.monotonic())))
    finally:
        watched.close()


class _OfContainer:
    """What the watches of a container have in common. Raises docker's ``NotFound`` for one that isn't there."""

    every = 0.5

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name
        self._id = client.api.inspect_container(name)["Id"]

    def over(self) -> bool:
        return self._status() in (None, *_GONE)

    def close(self) -> None:
        pass

    def _status(self) -> str | None:
        """None of one that is gone."""
        try:
            return str(self._client.api.inspect_container(self._id)["State"]["Status"])
        except docker.errors.NotFound:
            return None


class _Files(_OfContainer):
    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self._copies = CopyWatch(client, name)
        self._drawn: list[Touch] | None = None

    def look(self) -> Figure | None:
        touches = self._copies.look()
        if touches == self._drawn:
            return None
        self._drawn = touches
        return draw_copies(self._name, self._copies.layers, touches, copied_root=self._copies.copied_root)


class _Usage(_OfContainer):
    every = 1.0

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self._began = time.monotonic()
        self._samples: deque[Sample] = deque(maxlen=_WINDOW)

    def look(self) -> Figure | None:
        sample = read_sample(self._client, self._id, time.monotonic() - self._began)
        if sample is None:
            if not self._samples:
                raise nobody_counts(self._name)
            return None
        self._samples.append(sample)
        return draw_usage(self._name, list(self._samples), read_limits(self._client, self._id))


class _Life(_OfContainer):
    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self._drawn: list[Turn] = []

    def over(self) -> bool:
        """One that has stopped may be started again."""
        return self._status() is None

    def look(self) -> Figure | None:
        turns = read_life(self._client, self._id)
        if turns == self._drawn:
            return None
        self._drawn = turns
        return draw_life(self._name, turns)


class _Namespaces(_OfContainer):
    here = NOTEBOOK

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self._drawn: list[Resident] = []

    def look(self) -> Figure | None:
        if self._drawn and self._status() not in ("running", "paused"):
            return None
        residents = read_namespaces(self._client, [self._name], self.here)
        if residents == self._drawn:
            return None
        self._drawn = residents
        return draw_namespaces(residents)


SHOWS: dict[str, tuple[type[_OfContainer], Words]] = {
    "files": (_Files, Words("which file comes up from which layer")),
    "usage": (_Usage, Words("memory, processors and processes, with their limits")),
    "life": (_Life, Words("the states that it goes through")),
    "namespaces": (_Namespaces, Words("which namespaces it has of its own")),
}
"""What can be watched of a container."""


def watch(client: Any, name: str, show: str = "files") -> Watch:
    """Look at the container ``name``; ``show`` is one of ``SHOWS``. Raises docker's ``NotFound``."""
    return SHOWS[show][0](client, name)  # type: ignore[return-value]


class _Requests:
    """All that clients ask of the engine while it lasts: ``DOCKER_HOST`` leads them, and programs that this process
    starts, through a listener. Raises UsageError where the engine isn't on a unix socket."""

    every = 0.5

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self._tracer = self._held.enter_context(trace())
        self._held.callback(_restore, os.environ.get("DOCKER_HOST"), self._tracer.host)
        os.environ["DOCKER_HOST"] = self._tracer.host
        self._drawn: list[tuple[str, int]] | None = None

    def over(self) -> bool:
        return False

    def look(self) -> Figure | None:
        calls = self._tracer.calls
        state = [(call.path, call.status) for call in calls]
        if state == self._drawn:
            return None
        self._drawn = state
        return draw_trace(calls[-_LATEST:], say("this notebook"), first=max(0, len(calls) - _LATEST) + 1)

    def close(self) -> None:
        self._held.close()


def _restore(before: str | None, ours: str) -> None:
    """Unless somebody has set another one meanwhile."""
    if os.environ.get("DOCKER_HOST") != ours:
        return
    if before is None:
        del os.environ["DOCKER_HOST"]
    else:
        os.environ["DOCKER_HOST"] = before


def watch_requests() -> Watch:
    """Look at the conversation between this process's clients and the engine."""
    return _Requests()
