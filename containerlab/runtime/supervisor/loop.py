"""The event loop: epoll(7), timers, signals. Callbacks run to their end and never block."""

from __future__ import annotations

import contextlib
import heapq
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["READ", "WRITE", "Loop", "Timer"]

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Timer:
    """A callback at a time; ``cancel`` at any moment, also after it fired."""

    __slots__ = ("callback", "deadline")

    def __init__(self, deadline: float, callback: Callable[[], None]) -> None:
        self.deadline = deadline
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def __lt__(self, other: Timer) -> bool:
        return self.deadline < other.deadline


class Loop:
    """``watch`` a descriptor, ``call_later``, ``on_signal``, ``run`` until ``stop``."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._unwatched: set[int] = set()
        self._timers: list[Timer] = []
        self._signals: dict[int, Callable[[], None]] = {}
        self._stopped = False
        self._wakeup, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.watch(self._wakeup, READ, self._dispatch_signals)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Calls ``callback(events)`` whenever ``fd`` is ready; hang-up and error are always reported."""
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Before ``fd`` is closed. What this round still held for it is dropped, even if the number is used anew."""
        if self._callbacks.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                # Closed by its owner already, and thereby gone from the epoll set.
                self._epoll.unregister(fd)
            self._unwatched.add(fd)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(time.monotonic() + seconds, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """``callback`` runs in the loop, once for any number of signals that came together."""
        self._signals[number] = callback
        signal.signal(number, lambda _number, _frame: None)

    def stop(self) -> None:
        self._stopped = True

    def run(self) -> None:
        while not self._stopped:
            self._unwatched.clear()
            for fd, events in self._epoll.poll(self._timeout()):
                callback = self._callbacks.get(fd)
                if callback is not None and fd not in self._unwatched:
                    self._guard(callback, events)
            self._fire_timers()

    def _timeout(self) -> float:
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return -1
        return max(0.0, self._timers[0].deadline - time.monotonic())

    def _fire_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].deadline <= now:
            callback = heapq.heappop(self._timers).callback
            if callback is not None:
                self._guard(callback)

    def _dispatch_signals(self, _events: int) -> None:
        try:
            numbers = set(os.read(self._wakeup, 4096))
        except BlockingIOError:
            return
        for number in numbers:
            callback = self._signals.get(number)
            if callback is not None:
                self._guard(callback)

    def _guard(self, callback: Callable[..., None], *arguments: int) -> None:
        """A fault in one callback is reported, and costs no other container its parent."""
        try:
            callback(*arguments)
        except Exception:
            sys.excepthook(*sys.exc_info())
