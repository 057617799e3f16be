"""The engine: opens a store, holds the managers, closes it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containerlab.engine.settings import Settings

if TYPE_CHECKING:
    from containerlab.engine.builds import Builds
    from containerlab.engine.containers import Containers
    from containerlab.engine.events import Events
    from containerlab.engine.execs import Execs
    from containerlab.engine.images import Images
    from containerlab.engine.system import System

__all__ = ["Engine", "Settings"]


class Engine:
    """One store's engine. ``ensure_supervisor`` was called by the process before its first thread."""

    containers: Containers
    execs: Execs
    images: Images
    builds: Builds
    events: Events
    system: System

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    async def open(cls, settings: Settings) -> Engine:
        """Lock the store, open its database, reach the supervisor, and bring both to one truth.

        Raises Conflict when another engine holds the store.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Finish background work and let go of the store; containers run on under the supervisor."""
        raise NotImplementedError

    def idle_since(self) -> float | None:
        """time.monotonic() since when nothing has needed the engine; None while something does.

        Containers that run (or wait for their restart), builds, waiters and subscribers need it.
        """
        raise NotImplementedError

    def touch(self) -> None:
        """A request came: idleness starts anew."""
        raise NotImplementedError
