"""What the managers share: one engine's store, supervisor, events and containers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from containerlab.database import Database
from containerlab.engine.background import Background
from containerlab.engine.container import Container, Registry
from containerlab.engine.events import Events
from containerlab.engine.names import new_id
from containerlab.engine.settings import Settings
from containerlab.engine.state import ContainerTable
from containerlab.images import Image, ImageStore
from containerlab.images.trees import directory, remove_at
from containerlab.runtime.client import SupervisorClient

__all__ = ["Parts", "delete_tree"]


@dataclass
class Parts:
    """Held by the engine, handed to each manager."""

    settings: Settings
    database: Database
    images: ImageStore
    supervisor: SupervisorClient
    table: ContainerTable
    boot_id: str
    engine_id: str
    events: Events = field(default_factory=Events)
    registry: Registry = field(default_factory=Registry)
    background: Background = field(default_factory=Background)
    builds_running: int = 0

    def folder(self, container_id: str) -> Path:
        """A container's own folder."""
        return self.settings.store / "containers" / container_id

    def save(self, container: Container) -> None:
        """Commit a container's state."""
        self.table.save(container.id, container.state)

    def tell(self, container: Container, action: str, **attributes: str) -> None:
        """Publish a container's event."""
        self.events.publish("container", action, container.id, {**container.attributes(), **attributes})

    def tell_image(self, image: Image, action: str, *, name: str = "") -> None:
        """Publish an image's event; it is known by the familiar ``name`` that was used, or by its id."""
        attributes = {**(image.config.config.Labels or {}), "name": name or image.id}
        self.events.publish("image", action, image.id, attributes)

    def tell_volume(self, name: str, action: str, **attributes: str) -> None:
        """Publish a volume's event."""
        self.events.publish("volume", action, name, {"driver": "local", **attributes})

    def tell_prune(self, kind: str, reclaimed: int) -> None:
        """Publish that a prune is done; ``reclaimed`` in bytes."""
        self.events.publish(kind, "prune", "", {"reclaimed": str(reclaimed)})

    def discard_folder(self, folder: Path) -> Path | None:
        """Hide a folder by one rename; the path that ``delete_tree`` can take its time with."""
        hidden = self.settings.store / "tmp" / f"removed-{new_id()}"
        try:
            folder.rename(hidden)
        except FileNotFoundError:
            return None
        return hidden


def delete_tree(path: Path) -> None:
    """Remove a tree that a container filled, however deep; links aren't followed, a missing one is no error."""
    try:
        with directory(path.parent) as parent:
            remove_at(parent, path.name)
    except FileNotFoundError:
        return
