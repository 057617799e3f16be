"""One container in the engine's memory, and the set of them with their names."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from containerlab.engine.health_state import Health
from containerlab.engine.link_words import parse_link
from containerlab.engine.names import near
from containerlab.engine.restart import Backoff
from containerlab.engine.state import ContainerRecord, ContainerState
from containerlab.engine.visitors import Visitor
from containerlab.engine.waiters import Waiters
from containerlab.errors import Conflict, InvalidParameter, NoSuchContainer

__all__ = ["Container", "Registry"]


class Container:
    """``lock`` is held for each step from one state to the next, never while waiting for a process to end."""

    def __init__(self, record: ContainerRecord, name: str, state: ContainerState, folder: Path) -> None:
        self.record = record
        self.name = name
        self.state = state
        self.folder = folder
        self.lock = asyncio.Lock()
        self.waiters = Waiters()
        self.backoff = Backoff()
        self.ended = asyncio.Event()
        """Set whenever no process of it runs: what ``stop`` and a followed log wait for."""
        self.supervised = False
        """Whether the supervisor holds its stdio endpoint and its cgroup."""
        self.cgroup: dict[str, str] = {}
        """Its paths by controller, as ``runtime.cgroups.open_cgroup`` takes them; empty while not supervised."""
        self.restarting: asyncio.Task[None] | None = None
        self.remove_at_exit = record.host_config.auto_remove
        self.remove_volumes = record.host_config.auto_remove
        """Whether its anonymous volumes go with it."""
        self.lower: list[str] | None = None
        """Its image's layers as overlayfs names them, top first, once somebody has asked: they never change."""
        self.process: dict[str, Any] | None = None
        """Its bundle's process, with ``user_name`` for Docker's words, once a command was to run beside it."""
        self.execs: set[str] = set()
        self.visits: set[Visitor] = set()
        """Who looks into its files; see ``engine.visits``."""
        self.health: Health | None = None
        """What its check has found so far; None without one, and until the first start."""
        if not state.running:
            self.ended.set()

    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self.record.id

    @functools.cached_property
    def log_path(self) -> Path:
        """The newest of its log's files."""
        return self.folder / f"{self.id}-json.log"

    @property
    def active(self) -> bool:
        """Running, or about to run again: what Docker's ``Running`` says."""
        return self.state.status in ("running", "paused", "restarting")

    def attributes(self) -> dict[str, str]:
        """What its events carry: its labels, image and name."""
        return {**self.record.config.labels, "image": self.record.config.image, "name": self.name}


class Registry:
    """Every container, by id and by name; a name is reserved before the container exists."""

    def __init__(self) -> None:
        self._by_id: dict[str, Container] = {}
        self._names: dict[str, str] = {}

    def __iter__(self) -> Iterator[Container]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, container_id: str) -> bool:
        return container_id in self._by_id

    def taken(self, name: str) -> bool:
        """Whether a name is used or reserved."""
        return name in self._names

    def reserve(self, name: str, container_id: str) -> None:
        """Raises Conflict in Docker's words."""
        holder = self._names.setdefault(name, container_id)
        if holder != container_id:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". You have to '
                "remove (or rename) that container to be able to reuse that name."
            )

    def release(self, name: str) -> None:
        """Give a name back."""
        self._names.pop(name, None)

    def add(self, container: Container) -> None:
        """Its name is reserved already, or becomes so."""
        self._names[container.name] = container.id
        self._by_id[container.id] = container

    def discard(self, container: Container) -> None:
        """The container is gone, its name is free."""
        self._by_id.pop(container.id, None)
        if self._names.get(container.name) == container.id:
            del self._names[container.name]

    def get(self, ref: str) -> Container:
        """By full id, name (also ``OTHER/ALIAS`` of who links to it) or unique prefix of an id, in this order, as
        Docker. Raises NoSuchContainer."""
        if ref in self._by_id:
            return self._by_id[ref]
        named = self._by_id.get(self._names.get(ref.removeprefix("/"), "") or self._linked(ref))
        if named is not None:
            return named
        found = [container for container_id, container in self._by_id.items() if container_id.startswith(ref)]
        if not ref or not found:
            raise NoSuchContainer(ref, hint=near(ref, self._names))
        if len(found) > 1:
            raise InvalidParameter(f"Multiple IDs found with provided prefix: {ref}")
        return found[0]

    def _linked(self, ref: str) -> str:
        """The id of what ``OTHER/ALIAS`` is by a link on the default network, whose links are noted by id."""
        own, _, alias = ref.strip("/").rpartition("/")
        container = self._by_id.get(self._names.get(own, ""))
        links = container.record.host_config.links if container is not None else []
        return next((linked for linked, called in map(parse_link, links) if called == alias), "")
