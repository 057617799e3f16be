"""Volumes: data that outlives containers. Named ones are made and removed by hand, anonymous ones with a container.

A volume is a folder of the store, bound into each container that names it. Its first user fills it with what the image
has at that place. One with options is a file system, mounted at that folder while somebody uses it.
"""

from __future__ import annotations

import asyncio
import builtins
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from containerlab.engine.clock import rfc3339
from containerlab.engine.container import Container
from containerlab.engine.matching import check_names, label_matches
from containerlab.engine.moments import moment
from containerlab.engine.names import near, new_id
from containerlab.engine.parts import Parts, delete_tree
from containerlab.engine.sizes import tree_size
from containerlab.engine.state import MountPoint
from containerlab.engine.volume_mounts import VolumeMounts
from containerlab.engine.volume_options import check_driver, check_name, check_options
from containerlab.engine.volume_table import Volume, VolumeTable
from containerlab.errors import Conflict, ContainerlabError, InvalidParameter, NoSuchVolume

__all__ = ["Volumes"]

_FILTERS = ("dangling", "driver", "label", "name")
_PRUNE = ("all", "label", "label!", "until")
_TRUE = ("1", "true")


class Volumes:
    """Raises NoSuchVolume, with near names, for a name that it doesn't know."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._folder = parts.settings.store / "volumes"
        self._folder.mkdir(mode=0o711, exist_ok=True)
        self._table = VolumeTable(parts.database)
        self._changing = asyncio.Lock()
        """Held by whoever makes or removes one, so that neither meets half of the other."""
        self._held: dict[str, set[str]] = {}
        """By a volume's name, the ids of containers in the making that name it."""
        self._known = {volume.name: volume for volume in self._table.load()}
        self.mounts = VolumeMounts(self._folder, self._known.get, self._running)
        self._sweep()

    async def list(self, filters: dict[str, builtins.list[str]] | None = None) -> dict[str, Any]:
        """Docker's ``{"Volumes": [...], "Warnings": ...}``."""
        wanted = filters or {}
        check_names(wanted, _FILTERS)
        dangling = wanted.get("dangling", [])
        if dangling and dangling[0].lower() not in (*_TRUE, "0", "false"):
            raise InvalidParameter(f"invalid filter 'dangling=[{dangling[0]}]'")
        return {
            "Volumes": [self._view(volume) for volume in self._known.values() if self._passes(volume, wanted)],
            "Warnings": None,
        }

    async def create(
        self,
        name: str = "",
        driver: str = "",
        options: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """The volume, new or as it is: a name that exists is given back whatever it was made with, as Docker does.

        Raises InvalidParameter, HostLacks.
        """
        anonymous = not name
        check_driver(name, driver)
        known = self._known.get(name)
        if known is None:
            chosen = new_id() if anonymous else check_name(name)
            check_options(chosen, options or {})
            made = Volume(
                name=chosen,
                created=time.time_ns(),
                anonymous=anonymous,
                labels=labels or {},
                options=options or {},
            )
            known = await self._make(made)
        return self._view(known)

    async def inspect(self, name: str) -> dict[str, Any]:
        """Docker's volume inspect."""
        return self._view(self._get(name))

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Raises Conflict while a container names it. With ``force`` a missing one is no error."""
        if force and name not in self._known:
            return
        users = await self._remove(self._get(name))
        if users:
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")

    async def prune(self, filters: dict[str, builtins.list[str]] | None = None) -> dict[str, Any]:
        """Docker's ``{"VolumesDeleted": [...], "SpaceReclaimed": N}``: anonymous ones, or with ``all`` every unused."""
        wanted = filters or {}
        check_names(wanted, _PRUNE)
        everything = _asks_for_all(wanted.get("all", []))
        bounds = [moment(value) for value in wanted.get("until", [])]
        deleted, reclaimed = [], 0
        for volume in tuple(self._known.values()):
            labels = volume.labels
            goes = (
                (everything or volume.anonymous)
                and all(label_matches(labels, value) for value in wanted.get("label", []))
                and not any(label_matches(labels, value) for value in wanted.get("label!", []))
                and all(volume.created / 1e9 < bound for bound in bounds)
            )
            if goes and not self._named_by(volume.name):
                size = await asyncio.to_thread(tree_size, str(self.data(volume.name)))
                if not await self._remove(volume):
                    deleted.append(volume.name)
                    reclaimed += size
        self._parts.tell_prune("volume", reclaimed)
        return {"VolumesDeleted": deleted or None, "SpaceReclaimed": reclaimed}

    def users(self, name: str) -> builtins.list[Container]:
        """The containers that name it."""
        return [
            container
            for container in self._parts.registry
            if any(point.type == "volume" and point.name == name for point in container.record.mounts)
        ]

    def _named_by(self, name: str) -> builtins.list[str]:
        """The ids of containers that name it, those in the making too."""
        return [*(container.id for container in self.users(name)), *sorted(self._held.get(name, ()))]

    @contextmanager
    def held(self, container_id: str, points: Iterable[MountPoint]) -> Iterator[None]:
        """In the block nobody removes the volumes of ``points``: the registry doesn't know yet who names them."""
        names = {point.name for point in points if point.type == "volume"}
        for name in names:
            self._held.setdefault(name, set()).add(container_id)
        try:
            yield
        finally:
            for name in names:
                self._held[name].discard(container_id)
                if not self._held[name]:
                    del self._held[name]

    def data(self, name: str) -> Path:
        """The folder that is bound into containers."""
        return self.mounts.data(name)

    def with_options(self, points: Iterable[MountPoint]) -> builtins.list[MountPoint]:
        """Those of ``points`` whose volume has to be mounted before it is used."""
        known = self._known
        return [point for point in points if point.name in known and known[point.name].options.get("type")]

    def _running(self, name: str) -> bool:
        return any(container.state.running for container in self.users(name))

    async def ensure(self, points: Iterable[MountPoint], asked: dict[str, Volume]) -> None:
        """Make those of ``points`` that aren't there."""
        for point in points:
            if point.name not in self._known:
                plain = Volume(name=point.name, created=time.time_ns(), anonymous=point.anonymous)
                await self._make(asked.get(point.name, plain))

    async def release(self, points: Iterable[MountPoint]) -> None:
        """Remove the anonymous ones of ``points`` that no other container names."""
        for point in points:
            volume = self._known.get(point.name) if point.type == "volume" else None
            if volume is not None and volume.anonymous:
                await self._remove(volume)

    def tell_mounted(self, container: Container) -> None:
        """Publish that a container is about to see its volumes."""
        for point in container.record.mounts:
            if point.type == "volume":
                self._parts.tell_volume(
                    point.name,
                    "mount",
                    container=container.id,
                    destination=point.destination,
                    propagation=point.propagation,
                    **{"read/write": str(point.rw).lower()},
                )

    def tell_unmounted(self, container: Container) -> None:
        """Publish that it sees them no more."""
        for point in container.record.mounts:
            if point.type == "volume":
                self._parts.tell_volume(point.name, "unmount", container=container.id)

    def usage(self) -> builtins.list[dict[str, Any]]:
        """``Volumes`` of ``GET /system/df``; for a thread."""
        views = []
        # One with options isn't counted, and not listed: what it holds isn't the store's (moby volume/service).
        for volume in [volume for volume in self._known.values() if not volume.options]:
            size = tree_size(str(self.data(volume.name)))
            usage = {"Size": size, "RefCount": len(self.users(volume.name))}
            views.append({**self._view(volume), "UsageData": usage})
        return views

    def problems(self) -> builtins.list[str]:
        """What files and mounts don't agree with, a sentence each; for a thread."""
        missing = [f"volume {name}: its folder is missing" for name in self._known if not self.data(name).is_dir()]
        idle = [name for name in self.mounts.mounted_now() if not self._running(name)]
        return missing + [f"volume {name}: it is mounted, and no container that runs uses it" for name in idle]

    def repair(self) -> builtins.list[str]:
        """Bring both to one truth; what was done, a sentence each. For a thread."""
        done = []
        for name in [name for name in self._known if not self.data(name).is_dir()]:
            self.data(name).mkdir(mode=0o755, parents=True)
            done.append(f"made the folder of the volume {name} anew: what it held is lost")
        return done

    async def _make(self, volume: Volume) -> Volume:
        """Of two that ask for one name at once the first makes it."""
        async with self._changing:
            known = self._known.get(volume.name)
            if known is None:
                await asyncio.to_thread(self._write, volume)
                known = self._known[volume.name] = volume
                self._parts.tell_volume(volume.name, "create")
        return known

    def _write(self, volume: Volume) -> None:
        self.data(volume.name).mkdir(mode=0o755, parents=True, exist_ok=True)
        self._table.insert(volume)

    async def _remove(self, volume: Volume) -> builtins.list[str]:
        """The ids of the containers that name it, which keep it; with none it is gone."""
        name = volume.name
        async with self._changing:
            users = self._named_by(name)
            if users or self._known.get(name) is not volume:
                return users
            del self._known[name]
            self._table.delete(name)
            self._parts.tell_volume(name, "destroy")
            hidden = await asyncio.to_thread(self._hide, name)
        # However long that takes, the name is free.
        if hidden is not None:
            await asyncio.to_thread(delete_tree, hidden)
        return []

    def _hide(self, name: str) -> Path | None:
        self.mounts.drop_to_delete(name)
        return self._parts.discard_folder(self._folder / name)

    def _delete(self, name: str) -> None:
        self.mounts.drop_to_delete(name)
        delete_tree(self._folder / name)

    def _get(self, name: str) -> Volume:
        try:
            return self._known[name]
        except KeyError:
            raise NoSuchVolume(name, hint=near(name, self._known)) from None

    def _view(self, volume: Volume) -> dict[str, Any]:
        return {
            "Name": volume.name,
            "Driver": "local",
            "Mountpoint": str(self.data(volume.name)),
            "CreatedAt": rfc3339(volume.created // 1_000_000_000 * 1_000_000_000),
            "Labels": {**volume.labels, **({"com.docker.volume.anonymous": ""} if volume.anonymous else {})} or None,
            "Options": volume.options or None,
            "Scope": "local",
        }

    def _passes(self, volume: Volume, filters: dict[str, builtins.list[str]]) -> bool:
        dangling = filters.get("dangling", [])
        labels = self._view(volume)["Labels"] or {}
        return (
            (not dangling or (dangling[0].lower() in _TRUE) is not bool(self.users(volume.name)))
            and all(label_matches(labels, value) for value in filters.get("label", []))
            and ("driver" not in filters or "local" in filters["driver"])
            and ("name" not in filters or any(value in volume.name for value in filters["name"]))
        )

    def _sweep(self) -> None:
        """Folders whose row never came, or went first."""
        for folder in self._folder.iterdir():
            if folder.name not in self._known:
                with suppress(ContainerlabError):  # what stays mounted is left alone, and found by system check
                    self._delete(folder.name)


def _asks_for_all(values: list[str]) -> bool:
    """moby daemon/volume/service (``withPrune``). Raises InvalidParameter."""
    if len(values) > 1:
        raise InvalidParameter(f"invalid filter 'all=[{' '.join(values)}]': only one value is expected")
    if values and values[0].lower() not in (*_TRUE, "t", "0", "f", "false"):
        raise InvalidParameter(f"invalid filter 'all': strconv.ParseBool: parsing \"{values[0]}\": invalid syntax")
    return bool(values) and values[0].lower() in (*_TRUE, "t")
