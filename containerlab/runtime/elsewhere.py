"""Work by a thread that enters other namespaces and ends there: it needs no way back, which a user namespace hasn't.

setns(2) moves the calling thread alone, for the kinds that threads don't share (network, and mount after CLONE_FS).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

_Result = TypeVar("_Result")


def in_thread(name: str, enter: Callable[[], None], work: Callable[[], _Result]) -> _Result:
    """``work()`` after ``enter()``, by a thread of that name; waits for it, and raises what either raises."""
    results: list[_Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            enter()
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
