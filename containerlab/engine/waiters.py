"""Waiting for a container: registered at once, awaited later, let go of at any time."""

from __future__ import annotations

import asyncio
from typing import Any

from containerlab.errors import InvalidParameter

__all__ = ["CONDITIONS", "Waiter", "Waiters"]

CONDITIONS = ("not-running", "next-exit", "removed")


class Waiter:
    """One registered wait."""

    def __init__(self, owner: Waiters | None, outcome: dict[str, Any] | None = None) -> None:
        self._owner = owner
        self._future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if outcome is not None:
            self._future.set_result(outcome)

    async def result(self) -> dict[str, Any]:
        """``{"StatusCode": N}`` once the condition holds."""
        return await asyncio.shield(self._future)

    def complete(self, outcome: dict[str, Any]) -> None:
        """Answer; a second answer changes nothing."""
        if not self._future.done():
            self._future.set_result(outcome)

    def close(self) -> None:
        """Let go of it (the client went away)."""
        if self._owner is not None:
            self._owner.forget(self)
        self._future.cancel()


class Waiters:
    """The waits on one container."""

    def __init__(self) -> None:
        self._waiting: dict[Waiter, str] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, condition: str, *, running: bool, exit_code: int) -> Waiter:
        """``not-running`` is answered at once where nothing runs. Raises InvalidParameter."""
        wanted = condition or "not-running"
        if wanted not in CONDITIONS:
            raise InvalidParameter(f"invalid condition: {condition!r}")
        if wanted == "not-running" and not running:
            return Waiter(None, {"StatusCode": exit_code})
        waiter = Waiter(self)
        self._waiting[waiter] = wanted
        return waiter

    def exited(self, exit_code: int) -> None:
        """The process ended: answer all but those who wait for the removal."""
        self._answer(("not-running", "next-exit"), {"StatusCode": exit_code})

    def removed(self, exit_code: int) -> None:
        """The container is gone: answer everyone who is left."""
        self._answer(CONDITIONS, {"StatusCode": exit_code})

    def forget(self, waiter: Waiter) -> None:
        """Drop one."""
        self._waiting.pop(waiter, None)

    def _answer(self, conditions: tuple[str, ...], outcome: dict[str, Any]) -> None:
        for waiter in [w for w, condition in self._waiting.items() if condition in conditions]:
            del self._waiting[waiter]
            waiter.complete(outcome)
