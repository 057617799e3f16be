"""How an engine that starts tells its starter how that went: one JSON line on an inherited descriptor.

``CONTAINERLAB_READY_FD`` names the descriptor. The line is ``{"status": "ready"}``, ``{"status": "running"}``
(another engine has the store) or ``{"status": "failed", "message": …, "hint": …}``. An engine that dies
before it says anything closes the pipe, which the starter sees as well.
"""

from __future__ import annotations

import json
import os

from containerlab.errors import ContainerlabError

__all__ = ["Starter", "hint", "reason"]

_VARIABLE = "CONTAINERLAB_READY_FD"


def reason(error: BaseException) -> str:
    """What to tell about ``error``: our own errors speak for themselves, others need their class's name."""
    return error.message if isinstance(error, ContainerlabError) else f"{type(error).__name__}: {error}"


def hint(error: BaseException) -> str:
    """What to do about it, where somebody knows."""
    return error.hint if isinstance(error, ContainerlabError) else ""


class Starter:
    """Whoever waits for the engine; nobody does when ``serve`` was started by hand."""

    def __init__(self) -> None:
        number = os.environ.pop(_VARIABLE, None)
        self._descriptor = int(number) if number else None
        if self._descriptor is not None:
            os.set_inheritable(self._descriptor, False)

    def ready(self) -> None:
        """The socket takes connections."""
        self._tell({"status": "ready"})

    def running(self) -> None:
        """Another engine holds the store's lock."""
        self._tell({"status": "running"})

    def failed(self, error: BaseException) -> None:
        """The engine won't start, and why."""
        self._tell({"status": "failed", "message": reason(error), "hint": hint(error)})

    def _tell(self, what: dict[str, str]) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, json.dumps(what).encode() + b"\n")
        except BrokenPipeError:
            pass  # the starter gave up waiting; the engine serves whoever comes
        os.close(self._descriptor)
        self._descriptor = None
