"""What is mounted into a container beside its image: host folders, tmpfs, anonymous volumes.

Each source (``Binds``, ``Mounts``, ``Tmpfs``, ``VOLUME``) becomes OCI mounts and inspect's ``Mounts``. Named
volumes come with their own release and are refused by name until then.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerlab.engine.models import ContainerConfig, HostConfig, Mount
from containerlab.engine.names import new_id
from containerlab.engine.state import MountPoint
from containerlab.errors import InvalidParameter

__all__ = ["MountPlan", "plan_mounts", "point_to_oci"]

_MODES = {"ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"}
_PROPAGATIONS = {"private", "rprivate", "slave", "rslave"}
_TMPFS_DEFAULTS = ["noexec", "nosuid", "nodev"]


@dataclass
class MountPlan:
    """Every mount point, by destination, and the options of those that are tmpfs."""

    points: dict[str, MountPoint] = field(default_factory=dict)
    tmpfs_options: dict[str, list[str]] = field(default_factory=dict)

    def add(self, point: MountPoint) -> None:
        """Raises InvalidParameter, in Docker's words, for a destination that is taken."""
        if point.destination in self.points:
            raise InvalidParameter(f"Duplicate mount point: {point.destination}")
        self.points[point.destination] = point

    @property
    def volumes(self) -> list[MountPoint]:
        """The anonymous ones, that take the image's content at their destination."""
        return [point for point in self.points.values() if point.type == "volume"]

    def oci(self) -> list[dict[str, Any]]:
        """OCI mounts, outer ones first."""
        ordered = sorted(self.points.values(), key=lambda point: point.destination.count("/"))
        return [point_to_oci(point, self.tmpfs_options.get(point.destination, [])) for point in ordered]


def plan_mounts(config: ContainerConfig, host: HostConfig, volumes: Path) -> MountPlan:
    """The plan; ``volumes`` is the container's own folder of anonymous volumes.

    Missing sources of ``Binds`` are made, as Docker does. Raises InvalidParameter.
    """
    plan = MountPlan()
    for bind in host.binds:
        plan.add(_from_bind(bind, volumes))
    for mount in host.mounts:
        _add_mount(plan, mount, volumes)
    for destination, options in host.tmpfs.items():
        target = _destination(destination)
        plan.add(MountPoint(type="tmpfs", source="", destination=target, mode=options))
        plan.tmpfs_options[target] = _TMPFS_DEFAULTS + [word for word in options.split(",") if word]
    for destination in config.volumes:
        target = _destination(destination)
        if target not in plan.points:
            plan.add(_anonymous(target, volumes))
    return plan


def point_to_oci(point: MountPoint, tmpfs_options: list[str]) -> dict[str, Any]:
    """One mount in the OCI runtime spec's words."""
    if point.type == "tmpfs":
        return {
            "destination": point.destination,
            "type": "tmpfs",
            "source": "tmpfs",
            "options": tmpfs_options or _TMPFS_DEFAULTS,
        }
    access = "rw" if point.rw else "ro"
    return {
        "destination": point.destination,
        "type": "bind",
        "source": point.source,
        "options": ["rbind", point.propagation or "rprivate", access],
    }


def _from_bind(text: str, volumes: Path) -> MountPoint:
    """``SOURCE:DESTINATION[:OPTIONS]``, or a destination alone for an anonymous volume."""
    parts = text.split(":")
    if len(parts) == 1:
        return _anonymous(_destination(parts[0]), volumes)
    if len(parts) > 3 or not all(parts):
        raise InvalidParameter(f"invalid volume specification: '{text}'")
    source, destination, options = parts[0], _destination(parts[1]), parts[2] if len(parts) == 3 else ""
    words = [word for word in options.split(",") if word]
    unknown = [word for word in words if word not in _MODES | _PROPAGATIONS]
    if unknown:
        raise InvalidParameter(f"invalid mode: {options}", hint=f"This engine doesn't know '{unknown[0]}'.")
    if not source.startswith("/"):
        raise _named_volume(source)
    _make_source(source)
    return MountPoint(
        type="bind",
        source=source,
        destination=destination,
        mode=options,
        rw="ro" not in words,
        propagation=next((word for word in words if word in _PROPAGATIONS), "rprivate"),
    )


def _add_mount(plan: MountPlan, mount: Mount, volumes: Path) -> None:
    target = _destination(mount.target)
    if mount.type == "bind":
        plan.add(_from_bind_mount(mount, target))
    elif mount.type == "tmpfs":
        plan.add(MountPoint(type="tmpfs", source="", destination=target, rw=not mount.read_only))
        plan.tmpfs_options[target] = _tmpfs_words(mount)
    elif mount.type == "volume":
        if mount.source:
            raise _named_volume(mount.source)
        plan.add(_anonymous(target, volumes, rw=not mount.read_only))
    else:
        raise InvalidParameter(f'invalid mount config for type "{mount.type}": mount type unknown')


def _from_bind_mount(mount: Mount, target: str) -> MountPoint:
    options = mount.bind_options
    propagation = options.propagation if options else ""
    if propagation and propagation not in _PROPAGATIONS:
        raise InvalidParameter(f"bind propagation '{propagation}' isn't carried out by this engine yet.")
    if options and (options.non_recursive or options.read_only_non_recursive or options.read_only_force_recursive):
        raise InvalidParameter("bind-recursive isn't carried out by this engine yet: binds are recursive.")
    if not mount.source.startswith("/"):
        raise InvalidParameter(
            f"invalid mount config for type \"bind\": invalid mount path: '{mount.source}' mount path must be absolute"
        )
    if options and options.create_mountpoint:
        _make_source(mount.source)
    if not os.path.lexists(mount.source):
        raise InvalidParameter(f'invalid mount config for type "bind": bind source path does not exist: {mount.source}')
    return MountPoint(
        type="bind",
        source=mount.source,
        destination=target,
        rw=not mount.read_only,
        propagation=propagation or "rprivate",
    )


def _tmpfs_words(mount: Mount) -> list[str]:
    words = ["ro" if mount.read_only else "rw", *_TMPFS_DEFAULTS]
    if mount.tmpfs_options and mount.tmpfs_options.size_bytes:
        words.append(f"size={mount.tmpfs_options.size_bytes}")
    if mount.tmpfs_options and mount.tmpfs_options.mode:
        words.append(f"mode={mount.tmpfs_options.mode:o}")
    return words


def _anonymous(destination: str, volumes: Path, *, rw: bool = True) -> MountPoint:
    name = new_id()
    return MountPoint(type="volume", name=name, source=str(volumes / name), destination=destination, rw=rw, mode="")


def _destination(path: str) -> str:
    if not path.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")
    clean = posixpath.normpath(path)
    # normpath keeps a leading double slash (POSIX lets it mean something else).
    clean = "/" + clean.lstrip("/")
    if clean == "/":
        raise InvalidParameter("invalid specification: destination can't be '/'")
    return clean


def _make_source(source: str) -> None:
    try:
        if not os.path.lexists(source):
            os.makedirs(source, exist_ok=True)  # noqa: PTH103
    except OSError as exc:
        raise InvalidParameter(f"error while creating mount source path '{source}': {exc.strerror}") from exc


def _named_volume(name: str) -> InvalidParameter:
    return InvalidParameter(
        f"named volumes aren't carried out by this engine yet: '{name}'.",
        hint="Bind a host folder by its absolute path, or name only the destination for an anonymous volume.",
    )
