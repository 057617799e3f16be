"""What is mounted into a container beside its image: host folders, tmpfs, volumes.

Each source (``VolumesFrom``, ``Binds``, ``Mounts``, ``Tmpfs``, ``VOLUME``) becomes OCI mounts and inspect's ``Mounts``.
"""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerlab.engine import tmpfs_options
from containerlab.engine.bind_sources import MOST_BINDS, make_source
from containerlab.engine.models import BindOptions, ContainerConfig, HostConfig, Mount, VolumeOptions
from containerlab.engine.names import new_id
from containerlab.engine.state import MountPoint
from containerlab.engine.volume_options import check_driver, check_name, check_options
from containerlab.engine.volume_table import Volume
from containerlab.errors import InvalidParameter

__all__ = ["MountPlan", "plan_mounts", "point_to_oci"]

_PROPAGATIONS = {"private", "rprivate", "slave", "rslave", "shared", "rshared"}
# A mode is one word at most of each (moby daemon/volume/mounts/linux_parser.go).
_MODES = ({"ro", "rw"}, {"z", "Z"}, {"nocopy"}, {"cached", "delegated", "consistent"}, _PROPAGATIONS)


@dataclass
class MountPlan:
    """Every mount point, by destination, and the options of those that are tmpfs."""

    points: dict[str, MountPoint] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    inherited: set[str] = field(default_factory=set)
    tmpfs_options: dict[str, list[str]] = field(default_factory=dict)
    asked: dict[str, Volume] = field(default_factory=dict)
    """Labels and driver options of volumes that ``--mount`` would make."""

    def add(self, point: MountPoint) -> None:
        """Raises InvalidParameter, in Docker's words, for a destination that is taken (but by ``--volumes-from``)."""
        if point.destination in self.points and point.destination not in self.inherited:
            raise InvalidParameter(f"Duplicate mount point: {point.destination}")
        self.inherited.discard(point.destination)
        self.points[point.destination] = point

    def inherit(self, point: MountPoint) -> None:
        """One of another container's, until a mount of the container's own takes its place."""
        self.inherited.add(point.destination)
        self.points[point.destination] = point

    @property
    def listed(self) -> list[MountPoint]:
        """What inspect lists: all but ``--tmpfs``, which it shows in ``HostConfig`` alone."""
        return [point for point in self.points.values() if point.destination not in self.unlisted]

    @property
    def volumes(self) -> list[MountPoint]:
        """The volumes, that take the image's content at their destination while they are empty."""
        return [point for point in self.points.values() if point.type == "volume"]

    def oci(self) -> list[dict[str, Any]]:
        """OCI mounts, outer ones first."""
        ordered = sorted(self.points.values(), key=lambda point: point.destination.count("/"))
        return [point_to_oci(point, self.tmpfs_options.get(point.destination, [])) for point in ordered]


Locate = Callable[[str], Path]
"""The folder of a volume by its name, whether it exists or will be made."""


def plan_mounts(
    config: ContainerConfig,
    host: HostConfig,
    volumes: Locate,
    inherited: Iterable[MountPoint] = (),
    *,
    readonly_recursive: bool = True,
) -> MountPlan:
    """The plan; ``inherited`` are the mounts of ``--volumes-from``.

    ``readonly_recursive`` holds where a mount says nothing else (Docker's default since API 1.44).
    Missing sources of ``Binds`` are made, as Docker does. Raises InvalidParameter.
    """
    plan = MountPlan()
    for point in inherited:
        plan.inherit(point)
    for bind in host.binds:
        point = _from_bind(bind, volumes)
        point.readonly_recursive = not point.rw and readonly_recursive
        plan.add(point)
    for mount in host.mounts:
        _add_mount(plan, mount, volumes, readonly_recursive=readonly_recursive)
    for destination, options in host.tmpfs.items():
        target = _destination(destination)
        plan.add(MountPoint(type="tmpfs", source="", destination=target, mode=options))
        plan.unlisted.add(target)
        plan.tmpfs_options[target] = tmpfs_options.merged(options.split(","))
    for destination in config.volumes:
        target = _destination(destination)
        if target not in plan.points:
            plan.add(_anonymous(target, volumes))
    if sum(point.type == "bind" for point in plan.listed) > MOST_BINDS:
        raise InvalidParameter(f"a container takes {MOST_BINDS} binds of the host's folders at most here")
    return plan


def point_to_oci(point: MountPoint, tmpfs_words: list[str]) -> dict[str, Any]:
    """One mount in the OCI runtime spec's words."""
    if point.type == "tmpfs":
        return {
            "destination": point.destination,
            "type": "tmpfs",
            "source": "tmpfs",
            "options": tmpfs_words or tmpfs_options.merged([]),
        }
    # No word for a writable one: a source that is read-only itself stays so.
    access = [] if point.rw else ["rro" if point.readonly_recursive else "ro"]
    return {
        "destination": point.destination,
        "type": "bind",
        "source": point.source,
        "options": ["rbind" if point.recursive else "bind", point.propagation or "rprivate", *access],
    }


def _from_bind(text: str, volumes: Locate) -> MountPoint:
    """``SOURCE:DESTINATION[:MODE]``, or a destination alone for an anonymous volume."""
    parts = text.split(":")
    if len(parts) == 1:
        return _anonymous(_destination(parts[0]), volumes)
    if len(parts) > 3 or not all(parts[:2]) or (len(parts) == 2 and _is_mode(parts[1])):
        raise InvalidParameter(f"invalid volume specification: '{text}'")
    source, mode = parts[0], parts[2] if len(parts) == 3 else ""
    if not _is_mode(mode):
        raise InvalidParameter(f"invalid mode: {mode}")
    words = mode.split(",")
    propagation = next((word for word in words if word in _PROPAGATIONS), "")
    if not source.startswith("/"):
        if propagation:
            raise InvalidParameter(
                f"invalid volume specification: '{text}': "
                f"{_config_error('volume', 'field BindOptions must not be specified').message}"
            )
        return _named(
            source, _destination(parts[1]), volumes, mode=mode or "z", rw="ro" not in words, no_copy="nocopy" in words
        )
    try:
        if "nocopy" in words:
            raise InvalidParameter("field VolumeOptions must not be specified")
        destination = _destination(parts[1])
    except InvalidParameter as error:
        raise InvalidParameter(
            f"invalid volume specification: '{text}': {_config_error('bind', error.message)}"
        ) from None
    make_source(source)
    return MountPoint(
        type="bind",
        made=True,
        source=source,
        destination=destination,
        mode=mode,
        rw="ro" not in words,
        propagation=propagation or "rprivate",
    )


def _is_mode(text: str) -> bool:
    words = text.split(",") if text else []
    return set(words) <= set().union(*_MODES) and all(sum(word in kind for word in words) <= 1 for kind in _MODES)


def _config_error(kind: str, reason: str) -> InvalidParameter:
    return InvalidParameter(f'invalid mount config for type "{kind}": {reason}')


def _add_mount(plan: MountPlan, mount: Mount, volumes: Locate, *, readonly_recursive: bool) -> None:
    if not mount.target:
        raise _config_error(mount.type, "field Target must not be empty")
    try:
        target = _destination(mount.target)
    except InvalidParameter as error:
        raise _config_error(mount.type, error.message) from None
    for kind, field_name, options in (
        ("bind", "BindOptions", mount.bind_options),
        ("volume", "VolumeOptions", mount.volume_options),
        ("tmpfs", "TmpfsOptions", mount.tmpfs_options),
    ):
        if options is not None and mount.type != kind and mount.type in _KINDS:
            raise _config_error(mount.type, f"field {field_name} must not be specified")
    if mount.type not in _KINDS:
        raise _config_error(mount.type, "mount type unknown")
    point = _KINDS[mount.type](mount, target, volumes)
    options = mount.bind_options or BindOptions()
    spared = options.read_only_non_recursive or not (readonly_recursive or options.read_only_force_recursive)
    point.readonly_recursive = mount.read_only and not spared
    plan.add(point)
    if point.type == "tmpfs":
        plan.tmpfs_options[target] = _tmpfs_words(mount)
    elif point.type == "volume":
        plan.asked[point.name] = _asked_volume(mount, point)


def _tmpfs_mount(mount: Mount, target: str, volumes: Locate) -> MountPoint:
    if mount.source:
        raise _config_error("tmpfs", "field Source must not be specified")
    return MountPoint(type="tmpfs", source="", destination=target, rw=not mount.read_only)


def _volume_mount(mount: Mount, target: str, volumes: Locate) -> MountPoint:
    options = mount.volume_options or VolumeOptions()
    if options.subpath and not mount.source:
        raise _config_error("volume", "must not set Subpath when using anonymous volumes")
    if not _is_local(options.subpath):
        raise _config_error("volume", "subpath must be a relative path within the volume")
    driver = options.driver_config or {}
    check_driver(mount.source, driver.get("Name") or "")
    check_options(mount.source, driver.get("Options") or {})
    if mount.source:
        point = _named(mount.source, target, volumes, mode="z", rw=not mount.read_only, no_copy=options.no_copy)
        point.subpath = options.subpath
        return point
    return _anonymous(target, volumes, rw=not mount.read_only, no_copy=options.no_copy)


def _is_local(subpath: str) -> bool:
    """Go's filepath.IsLocal: neither absolute nor, by its words alone, above where it begins."""
    above = posixpath.normpath(subpath).split("/")[0] == ".."
    return not (subpath.startswith("/") or above or "\0" in subpath)


def _asked_volume(mount: Mount, point: MountPoint) -> Volume:
    """What ``--mount``'s volume options say of a volume that isn't there yet."""
    options = mount.volume_options or VolumeOptions()
    return Volume(
        name=point.name,
        created=time.time_ns(),
        anonymous=point.anonymous,
        labels=options.labels,
        options=(options.driver_config or {}).get("Options") or {},
    )


def _bind_mount(mount: Mount, target: str, volumes: Locate) -> MountPoint:
    options, source = mount.bind_options, mount.source
    if not source:
        raise _config_error("bind", "field Source must not be empty")
    options = options or BindOptions()
    if options.propagation and options.propagation not in _PROPAGATIONS:
        raise _config_error("bind", f"invalid propagation mode: {options.propagation}")
    _check_recursion(options, read_only=mount.read_only)
    if not source.startswith("/"):
        raise _config_error("bind", f"invalid mount path: '{source}' mount path must be absolute")
    if options.create_mountpoint:
        make_source(source)
    if not os.path.lexists(source):
        raise _config_error("bind", f"bind source path does not exist: {source}")
    return MountPoint(
        type="bind",
        made=options.create_mountpoint,
        source=source,
        destination=target,
        rw=not mount.read_only,
        propagation=options.propagation or "rprivate",
        recursive=not options.non_recursive,
    )


def _check_recursion(options: BindOptions, *, read_only: bool) -> None:
    """moby daemon/volumes_unix.go (``setupMounts``)."""
    spared, forced = options.read_only_non_recursive, options.read_only_force_recursive
    for conflict, words in (
        (not read_only and spared, "!ReadOnly && BindOptions.ReadOnlyNonRecursive"),
        (not read_only and forced, "!ReadOnly && BindOptions.ReadOnlyForceRecursive"),
        (spared and forced, "ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive"),
    ):
        if conflict:
            raise InvalidParameter(f"mount options conflict: {words}")


_KINDS: dict[str, Callable[[Mount, str, Locate], MountPoint]] = {
    "bind": _bind_mount,
    "tmpfs": _tmpfs_mount,
    "volume": _volume_mount,
}


def _tmpfs_words(mount: Mount) -> list[str]:
    try:
        return tmpfs_options.of_mount(mount.tmpfs_options, read_only=mount.read_only)
    except InvalidParameter as error:
        raise _config_error("tmpfs", error.message) from None


def _anonymous(destination: str, volumes: Locate, *, rw: bool = True, no_copy: bool = False) -> MountPoint:
    name = new_id()
    return MountPoint(
        type="volume",
        name=name,
        source=str(volumes(name)),
        destination=destination,
        rw=rw,
        anonymous=True,
        no_copy=no_copy,
    )


def _named(name: str, destination: str, volumes: Locate, *, mode: str, rw: bool, no_copy: bool) -> MountPoint:
    source = str(volumes(check_name(name)))
    return MountPoint(
        type="volume", name=name, source=source, destination=destination, mode=mode, rw=rw, no_copy=no_copy
    )


def _destination(path: str) -> str:
    if not path.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")
    if "\0" in path:
        raise InvalidParameter(f"invalid mount path: {path!r} holds a NUL")
    clean = posixpath.normpath(path)
    # normpath keeps a leading double slash (POSIX lets it mean something else).
    clean = "/" + clean.lstrip("/")
    if clean == "/":
        raise InvalidParameter("invalid specification: destination can't be '/'")
    return clean
