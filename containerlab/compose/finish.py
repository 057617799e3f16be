"""A settled tree to the model: every field through its reader, then what one field says about another."""

from __future__ import annotations

__all__ = ["Faults", "blobs", "finished", "networks", "places_of", "services", "volumes"]

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from containerlab.compose import document, dotenv, model, resources
from containerlab.compose.nodes import Fields, Items, Node, Place, fields_of, near
from containerlab.compose.service import SERVICE
from containerlab.errors import ComposeError

_T = TypeVar("_T")
Faults = dict[str, ComposeError]
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,200}")
_NAMESPACES = ("network_mode", "ipc", "pid", "uts")


def finished(tree: Fields) -> None:
    """Raise for a name at the top level that isn't the specification's."""
    for name in tree.entries:
        if name == "models":
            raise tree.key(name).error("models is not supported: no language model is run here")
        if name not in resources.TOP_LEVEL and not name.startswith("x-"):
            hint = near(name, resources.TOP_LEVEL)
            if not hint and "services" not in tree.entries:
                hint = "Services stand below `services:`; files of version 1, which had none, can't be read."
            raise tree.key(name).error(f"additional properties '{name}' not allowed", hint=hint, path="")


def section(tree: Fields, name: str) -> Fields:
    """One part of the top level, its names checked."""
    node = tree.entries.get(name)
    fields = fields_of(node) if node is not None else Fields({}, {}, tree.place)
    for key in fields.entries:
        if not _NAME.fullmatch(key):
            raise fields.key(key).error(
                f"{name} additional properties '{key}' not allowed",
                hint="A name has letters, digits, '.', '_' and '-'.",
                path=name,
            )
    return fields


def _each(tree: Fields, name: str, project: str, read: Callable[[str, Node, str], _T]) -> dict[str, _T]:
    entries = section(tree, name).entries
    return {key: read(key, entries[key], project) for key in sorted(entries)}


def networks(tree: Fields, project: str) -> dict[str, model.Network]:
    return _each(tree, "networks", project, resources.network)


def volumes(tree: Fields, project: str) -> dict[str, model.Volume]:
    return _each(tree, "volumes", project, resources.volume)


def blobs(tree: Fields, name: str, project: str) -> dict[str, model.Blob]:
    return _each(tree, name, project, resources.secret if name == "secrets" else resources.config)


def services(tree: Fields, environment: Mapping[str, str]) -> tuple[dict[str, model.Service], Faults]:
    """Every service of the file, and what is wrong with the files that one names (which matters once it runs)."""
    found: dict[str, model.Service] = {}
    faults: Faults = {}
    entries = section(tree, "services").entries
    for name in sorted(entries):
        node = fields_of(entries[name])
        values = SERVICE(node)
        own = values.get("environment", {})
        values["environment"] = _resolved(own, environment)
        try:
            files = _env_files(values.pop("env_file", ()), environment, node)
            values["environment"] = {**files, **values["environment"]}
            values["labels"] = {**_label_files(values.pop("label_file", ()), node), **values.get("labels", {})}
        except ComposeError as error:
            faults[name] = error
            values.pop("label_file", None)
        found[name] = _service(name, values, node, environment)
    return found, faults


def _resolved(values: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, str | None]:
    """A name without a value takes the project's, where there is one."""
    return {name: environment.get(name) if value is None else value for name, value in values.items()}


def _env_files(
    files: tuple[dict[str, Any], ...], environment: Mapping[str, str], node: Fields
) -> dict[str, str | None]:
    found: dict[str, str] = {}
    for number, file in enumerate(files):
        if "path" not in file:
            raise _item(node, "env_file", number).error("missing property 'path'")
        path = Path(file["path"])
        trouble = document.trouble(path)
        if trouble and file.get("required", True):
            raise _item(node, "env_file", number).error(f"env file {path} not found: stat {path}: {trouble}")
        if trouble:
            continue
        found.update(dotenv.read(path, {**found, **environment}, raw=file.get("format") == "raw"))
    return dict(sorted(found.items()))


def _label_files(files: tuple[str, ...], node: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, path in enumerate(files):
        trouble = document.trouble(Path(path))
        if trouble:
            raise _item(node, "label_file", number).error(f"label file {path} not found: stat {path}: {trouble}")
        found.update(dotenv.read(Path(path), found))
    return found


def _item(node: Fields, name: str, number: int) -> Place:
    entry = node.entries.get(name)
    return entry.items[number].place if isinstance(entry, Items) and number < len(entry.items) else node.key(name)


def _service(name: str, values: dict[str, Any], node: Fields, environment: Mapping[str, str]) -> model.Service:
    if values.get("network_mode") and values.get("networks"):
        raise node.key("networks").error(
            f"service {name} declares mutually exclusive `network_mode` and `networks`", path=f"services.{name}"
        )
    if not values.get("network_mode") and not values.get("networks"):
        values["networks"] = {"default": model.NetworkUse()}
    build: model.Build | None = values.get("build")
    if build is not None:
        known = {key: value for key, value in _resolved(build.args, environment).items() if value is not None}
        values["build"] = msgspec.structs.replace(build, args=known)
    values["depends_on"] = _dependencies(values)
    _deployed(name, values, node)
    return model.Service(name=name, **values)


def _dependencies(values: dict[str, Any]) -> dict[str, model.Dependency]:
    """What the file says, and what links, shared namespaces and ``volumes_from`` imply."""
    found: dict[str, model.Dependency] = dict(values.get("depends_on", {}))
    for link in values.get("links", {}):
        found.setdefault(link, model.Dependency(restart=True))
    for namespace in _NAMESPACES:
        prefix, _, shared = values.get(namespace, "").partition(":")
        if prefix == "service":
            found.setdefault(shared, model.Dependency(restart=True))
    for other in values.get("volumes_from", ()):
        if not other.container:
            found.setdefault(other.name, model.Dependency())
    return dict(sorted(found.items()))


def _deployed(name: str, values: dict[str, Any], node: Fields) -> None:
    """``deploy`` and the older fields that say the same: one may stand for the other, two values are an error."""
    deploy: model.Deploy = values.get("deploy") or model.Deploy()
    limits, reservations = deploy.limits, deploy.reservations
    for field, other, said in (
        ("scale", "deploy.replicas", deploy.replicas),
        ("cpus", "deploy.resources.limits.cpus", limits.cpus),
        ("mem_limit", "deploy.resources.limits.memory", limits.memory),
        ("mem_reservation", "deploy.resources.reservations.memory", reservations.memory),
        ("pids_limit", "deploy.resources.limits.pids", limits.pids),
    ):
        if said is None:
            continue
        if values.setdefault(field, said) != said:
            raise node.key(field).error(
                f"can't set distinct values on '{field}' and '{other}'", path=f"services.{name}"
            )
    if values.get("scale", 1) < 0:
        where = "scale" if "scale" in node.entries else "deploy.replicas"
        raise node.key(where.partition(".")[0]).error(
            "must be greater than or equal to 0", path=f"services.{name}.{where}"
        )
    if deploy.restart_policy:
        values.setdefault("restart", deploy.restart_policy.restart())


def places_of(tree: Fields) -> dict[str, Place]:
    """Each part's path in the merged project, and where it is written."""
    found: dict[str, Place] = {}

    def walk(node: Node, path: str) -> None:
        if path:
            found[path] = node.place
        if isinstance(node, Fields):
            for name, entry in node.entries.items():
                below = f"{path}.{name}" if path else name
                walk(entry, below)
                found[below] = node.keys.get(name, entry.place)
        elif isinstance(node, Items):
            for number, item in enumerate(node.items):
                walk(item, f"{path}[{number}]")

    walk(tree, "")
    return found
