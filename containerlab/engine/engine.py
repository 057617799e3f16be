"""The engine: opens a store, holds the managers, closes it again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from containerlab.database import Database
from containerlab.engine.archives import Archives
from containerlab.engine.attachments import Attachments
from containerlab.engine.builds import Builds
from containerlab.engine.container import Container
from containerlab.engine.containers import Containers
from containerlab.engine.execs import Execs
from containerlab.engine.health import HealthMonitor
from containerlab.engine.images import Images
from containerlab.engine.lifecycle import Lifecycle
from containerlab.engine.network_set import NetworkSet
from containerlab.engine.networks import Networks
from containerlab.engine.parts import Parts
from containerlab.engine.recovery import recover
from containerlab.engine.settings import Settings
from containerlab.engine.shared_network import SharedAttachments
from containerlab.engine.snapshots import Snapshots
from containerlab.engine.state import ContainerTable
from containerlab.engine.system import System
from containerlab.engine.visits import Visits
from containerlab.engine.volumes import Volumes
from containerlab.images import ImageStore
from containerlab.rung import copies_roots
from containerlab.runtime.client import SupervisorClient
from containerlab.runtime.identity import boot_id

__all__ = ["Engine", "Settings"]


class Engine:
    """One store's engine. ``ensure_supervisor`` was called by the process before its first thread."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.supervisor_lost = asyncio.Event()
        """The containers' parent is gone: this engine can do nothing more, a new one cleans up."""
        self._parts = parts
        self.events = parts.events
        self.execs = Execs(parts)
        self._health = HealthMonitor(parts, self.execs)
        self.volumes = Volumes(parts)
        networks = SharedAttachments if copies_roots() else Attachments
        self._attachments = networks(parts, NetworkSet(parts))
        self.networks = Networks(parts, self._attachments)
        self._lifecycle = Lifecycle(parts, self._health, self.volumes, self._attachments)
        self.containers = Containers(parts, self._lifecycle, self.volumes, self._attachments)
        self.visits = Visits(parts, self.volumes)
        self.images = Images(parts)
        self.archives = Archives(parts)
        self.snapshots = Snapshots(parts)
        self.builds = Builds(parts, self.images, self._attachments)
        self.system = System(parts, self.volumes)
        self._touched = time.monotonic()

    @classmethod
    async def open(cls, settings: Settings) -> Engine:
        """Open the store's database, reach the supervisor, and bring both to one truth.

        The caller holds the store's lock. Raises OSError when the supervisor can't be reached.
        """
        for name in ("containers", "tmp"):
            (settings.store / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        database = Database(settings.store / "db.sqlite")
        supervisor = None
        try:
            table = ContainerTable(database)
            images = ImageStore(database, settings.store, shared=settings.shared_store)
            supervisor = await SupervisorClient.connect(settings.run)
            parts = Parts(settings, database, images, supervisor, table, boot_id(), table.engine_id())
            engine = cls(settings, parts)
            # From here on an exit is noticed: one that the list shows already is settled once.
            supervisor.on_event(engine._on_event)
            supervisor.on_lost(engine.supervisor_lost.set)
            await recover(parts, engine._lifecycle, engine.execs)
            await engine._attachments.reconcile()
            await engine.volumes.mounts.reconcile()
            for container in parts.registry:
                if container.state.running and container.health is None:
                    engine._health.begin(container)
        except BaseException:
            if supervisor is not None:
                supervisor.close()
            database.close()
            raise
        return engine

    async def close(self) -> None:
        """Finish background work and let go of the store; containers run on under the supervisor."""
        parts = self._parts
        parts.events.close()
        self._health.close()
        for container in parts.registry:
            if container.restarting is not None:
                # Its row says restarting: the next engine goes on with it.
                container.restarting.cancel()
        await parts.background.finish()
        await asyncio.to_thread(parts.images.layers.finish_removals)
        await self._attachments.close()
        parts.supervisor.close()
        parts.database.close()

    def idle_since(self) -> float | None:
        """time.monotonic() since when nothing has needed the engine; None while something does.

        Containers that run (or wait for their restart), builds and waiters need it. Who listens to events does by its
        request, which the API counts, or is only looking on.
        """
        parts = self._parts
        busy = parts.builds_running or len(parts.background)
        if busy or any(container.active or len(container.waiters) for container in parts.registry):
            self._touched = time.monotonic()
            return None
        return self._touched

    def touch(self) -> None:
        """A request came: idleness starts anew."""
        self._touched = time.monotonic()

    def _on_event(self, event: dict[str, Any]) -> None:
        """What the supervisor pushed, in its order; a build's steps are none of the registry's containers."""
        if event["container"] not in self._parts.registry:
            return
        container = self._parts.registry.get(event["container"])
        if event["event"] == "detach":
            attributes = {"execID": event["exec"]} if event["exec"] else {}
            self._parts.tell(container, "exec_detach" if event["exec"] else "detach", **attributes)
        elif event["event"] == "exit" and event["exec"]:
            self._parts.background.spawn(self.execs.exited(event["exec"], event["exit_code"]))
        elif event["event"] == "exit":
            self._parts.background.spawn(self._exited(container, event))

    async def _exited(self, container: Container, event: dict[str, Any]) -> None:
        self.execs.container_ended(container)
        await self._lifecycle.exited(container, event["exit_code"], event["oom"], event["finished_at"])
