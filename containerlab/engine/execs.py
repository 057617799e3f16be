"""Commands run inside a container that runs already."""

from __future__ import annotations

from typing import Any

from containerlab.engine.models import ExecConfig

__all__ = ["Execs"]


class Execs:
    """Raises NoSuchExec for an id it doesn't know, Conflict when the container doesn't run."""

    async def create(self, ref: str, config: ExecConfig) -> str:
        raise NotImplementedError

    async def start(
        self,
        exec_id: str,
        fd: int | None,
        *,
        detach: bool = False,
        tty: bool | None = None,
        console_size: tuple[int, int] | None = None,
    ) -> None:
        """Run it; its streams go to the socket ``fd`` (the caller's to close), whose response head is written already.

        Raises StartFailed (126, 127). ``check(exec_id)`` says beforehand what can be said before the head.
        """
        raise NotImplementedError

    def check(self, exec_id: str) -> None:
        """Raise what ``start`` would for an unknown, already started, or orphaned exec."""
        raise NotImplementedError

    async def inspect(self, exec_id: str) -> dict[str, Any]:
        raise NotImplementedError

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        raise NotImplementedError
