"""Carrying a plan out: what needs nothing of each other goes together."""

from __future__ import annotations

__all__ = ["Cancelled", "apply"]

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from containerlab.compose.steps import Await, Deed, Plan


class Cancelled(Exception):
    """Another step has failed, or the person has interrupted: what waits, gives up."""


def apply(
    plan: Plan, do: Callable[[Deed], None], *, parallel: int = 16, cancelled: threading.Event | None = None
) -> None:
    """``do`` every step once what it needs is done; at most ``parallel`` at a time beside those that only wait.

    After a failure nothing new is begun, ``cancelled`` is set, and when what is under way has ended the first failure
    is raised. An interrupt does the same.
    """
    if not plan.steps:
        return
    stop = cancelled or threading.Event()
    _Run(plan, do, max(1, parallel), stop).run()


class _Run:
    def __init__(self, plan: Plan, do: Callable[[Deed], None], parallel: int, stop: threading.Event) -> None:
        self._plan, self._do, self._stop, self._parallel = plan, do, stop, parallel
        self._ended: queue.SimpleQueue[tuple[int, BaseException | None]] = queue.SimpleQueue()
        self._waiting = {at: set(step.needs) for at, step in enumerate(plan.steps)}
        self._under_way = 0

    def run(self) -> None:
        """What waits has threads of its own, as many as there are waits: what they wait for may be done yet."""
        failure: BaseException | None = None
        waits = sum(isinstance(step.deed, Await) for step in self._plan.steps)
        with (
            ThreadPoolExecutor(self._parallel, "compose") as workers,
            ThreadPoolExecutor(max(1, waits), "compose-wait") as waiters,
        ):
            try:
                self._begin_ready(workers, waiters)
                while self._under_way:
                    at, error = self._ended.get()
                    self._under_way -= 1
                    if error is not None:
                        self._stop.set()
                        if failure is None or isinstance(failure, Cancelled):
                            failure = error
                    elif failure is None:
                        for needs in self._waiting.values():
                            needs.discard(at)
                        self._begin_ready(workers, waiters)
            except BaseException:
                self._stop.set()
                raise
        if failure is not None:
            raise failure

    def _begin_ready(self, workers: ThreadPoolExecutor, waiters: ThreadPoolExecutor) -> None:
        for at in [at for at, needs in self._waiting.items() if not needs]:
            del self._waiting[at]
            self._under_way += 1
            pool = waiters if isinstance(self._plan.steps[at].deed, Await) else workers
            pool.submit(self._carry_out, at)

    def _carry_out(self, at: int) -> None:
        try:
            if self._stop.is_set():
                raise Cancelled
            self._do(self._plan.steps[at].deed)
        except BaseException as error:
            self._ended.put((at, error))
        else:
            self._ended.put((at, None))
