"""The event bus: what happened, in Docker's event JSON, to whoever subscribed.

The last 256 events are kept for ``since``, as moby does (daemon/events/events.go). A subscriber that leaves
1,024 events unread is dropped: publishing never waits for anyone.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from containerlab.engine.matching import check_names, label_matches, word_matches
from containerlab.errors import InvalidReference
from containerlab.images import Reference

__all__ = ["Events", "Subscription"]

_KEPT = 256
_KINDS = (
    "builder",
    "config",
    "container",
    "daemon",
    "image",
    "network",
    "node",
    "plugin",
    "secret",
    "service",
    "volume",
)
_FILTERS = (*_KINDS, "event", "label", "scope", "type")
_UNREAD = 1024

Event = dict[str, Any]


class Subscription:
    """An async iterator of events; registered from the start, ``close`` lets go of it."""

    def __init__(self, bus: Events, until: float | None, filters: dict[str, list[str]]) -> None:
        self._bus, self._until, self._filters = bus, until, filters
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def offer(self, event: Event) -> None:
        """Queue an event that passes the filters; drop the subscriber that doesn't read."""
        if not matches(event, self._filters):
            return
        self._queue.append(event)
        if len(self._queue) > _UNREAD:
            self.close()
        self._wake.set()

    def close(self) -> None:
        """Stop receiving; what is queued can still be read."""
        self._closed = True
        self._bus.drop(self)
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._closed or not await self._woken():
                self.close()
                raise StopAsyncIteration
        event = self._queue.popleft()
        if self._until is not None and event["timeNano"] > self._until * 1e9:
            self.close()
            raise StopAsyncIteration
        return event

    async def _woken(self) -> bool:
        """False when ``until`` came first."""
        self._wake.clear()
        left = None if self._until is None else self._until - time.time()
        if left is not None and left <= 0:
            return False
        try:
            await asyncio.wait_for(self._wake.wait(), left)
        except TimeoutError:
            return False
        return True


class Events:
    """Publishes and replays; used from the engine's event loop alone."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._subscriptions: set[Subscription] = set()

    @property
    def subscribers(self) -> int:
        """How many listen now."""
        return len(self._subscriptions)

    def publish(self, type: str, action: str, id: str, attributes: dict[str, str]) -> None:
        """Tell everyone; ``type`` is ``container``, ``image``, ``builder`` …, ``action`` Docker's word."""
        now = time.time_ns()
        event: Event = {
            "Type": type,
            "Action": action,
            "Actor": {"ID": id, "Attributes": attributes},
            "scope": "local",
            "time": now // 1_000_000_000,
            "timeNano": now,
        }
        if type in ("container", "image"):
            # What clients older than API 1.22 read.
            event = {"status": action, "id": id, **event}
            if "image" in attributes:
                event["from"] = attributes["image"]
        self._kept.append(event)
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)

    def subscribe(
        self,
        since: float | None = None,
        until: float | None = None,
        filters: dict[str, list[str]] | None = None,
    ) -> Subscription:
        """Registered when this returns; the kept events since ``since`` come first; it ends at ``until``.

        Times are seconds since 1970. ``until`` alone replays all that is kept up to it, as in Docker.
        Raises InvalidParameter for a filter that isn't known.
        """
        check_names(filters or {}, _FILTERS)
        subscription = Subscription(self, until, filters or {})
        if since is not None or until is not None:
            for event in self._kept:
                if event["timeNano"] >= (since or 0) * 1e9:
                    subscription.offer(event)
        self._subscriptions.add(subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Forget a subscriber."""
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription."""
        for subscription in tuple(self._subscriptions):
            subscription.close()


def matches(event: Event, filters: dict[str, list[str]]) -> bool:
    """Whether an event passes: all filters must, one value of each is enough (labels: every value)."""
    actor = event["Actor"]
    attributes: dict[str, str] = actor["Attributes"]
    kind = event["Type"]
    names = {actor["ID"], attributes.get("name", "")}
    action = event["Action"]
    tests: dict[str, Callable[[str], bool]] = {
        "type": lambda value: kind == value,
        # ``exec_start: sh`` and ``health_status: healthy`` are found by their first word too.
        "event": lambda value: value in (action, action.partition(":")[0]),
        "container": lambda value: kind == "container" and _is_actor(value, names),
        "image": lambda value: _is_image(value, kind, actor["ID"], attributes),
        "scope": lambda value: event["scope"] == value,
    }
    for name, values in filters.items():
        if name == "label":
            if not all(label_matches(attributes, value) for value in values):
                return False
        elif name in tests:
            if not any(tests[name](value) for value in values):
                return False
        elif not any(kind == name and _is_actor(value, names) for value in values):
            return False
    return True


def _is_actor(value: str, names: set[str]) -> bool:
    """Docker's fuzzy match (moby daemon/events/filter.go): what the id or the name begins with."""
    return any(name.startswith(value) for name in names)


def _is_image(value: str, kind: str, actor_id: str, attributes: dict[str, str]) -> bool:
    shown = attributes.get("name", "") if kind == "image" else attributes.get("image", "")
    return word_matches(value, {shown, _without_tag(shown)} | ({actor_id} if kind == "image" else set()))


def _without_tag(image: str) -> str:
    try:
        return Reference.parse(image).familiar_name()
    except InvalidReference:
        return image
