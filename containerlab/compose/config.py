"""A project as ``config`` prints it: the whole of it in the long forms, which is itself a Compose file of the same
project.

The order of fields and the forms are docker compose's: names sorted, times as ``1m30s``, sizes in bytes as text, paths
absolute, a dollar sign written twice.
"""

from __future__ import annotations

__all__ = ["as_json", "as_yaml", "canonical", "images", "raw", "service_hash"]

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import yaml

from containerlab.compose import model
from containerlab.compose.nodes import Fields, Items, Node, Place, Scalar, Source, kind

_NANOSECONDS = ((3600 * 10**9, "h"), (60 * 10**9, "m"), (10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_TIMES = ("interval", "timeout", "start_period", "start_interval", "stop_grace_period")
_SIZES = ("mem_limit", "mem_reservation", "memswap_limit", "shm_size", "memory")
_HEALTH = ("test", "timeout", "interval", "retries", "start_period", "start_interval", "disable")
# What says how to write or count a service, and not what its containers are.
_NOT_HASHED = ("name", "build", "pull_policy", "scale", "depends_on", "profiles", "attach")


def canonical(project: model.Project) -> dict[str, Any]:
    """The project as plain data, by the specification's names."""
    sections = {
        "services": {name: _service(service) for name, service in sorted(project.services.items())},
        "networks": {name: _network(network) for name, network in sorted(project.networks.items())},
        "volumes": {name: _plain(volume) for name, volume in sorted(project.volumes.items())},
        "secrets": {name: _plain(secret) for name, secret in sorted(project.secrets.items())},
        "configs": {name: _plain(config) for name, config in sorted(project.configs.items())},
    }
    filled = {name: section for name, section in sections.items() if section or name == "services"}
    return {"name": project.name, **filled}


def as_yaml(project: model.Project) -> str:
    return _dumped(_escaped(canonical(project)))


def as_json(project: model.Project) -> str:
    """As docker compose prints it: a command and an entrypoint that aren't said are null there."""
    data = canonical(project)
    data["services"] = {
        name: {"command": None, "entrypoint": None, **service} for name, service in data["services"].items()
    }
    return json.dumps(_escaped(data), indent=2, ensure_ascii=False) + "\n"


def raw(name: str, tree: Fields) -> str:
    """A tree whose variables weren't filled in, as YAML."""
    data = _data(tree)
    assert isinstance(data, dict)
    return _dumped({"name": name, **{key: value for key, value in data.items() if key != "name"}})


def images(project: model.Project) -> list[str]:
    """Each service's image; of one that is only built, the name that its build gives (``PROJECT-SERVICE``)."""
    return sorted({service.image or f"{project.name}-{name}" for name, service in project.services.items()})


def service_hash(project: model.Project, service: model.Service) -> str:
    """The digest of what a service's containers are made of, 64 hexadecimal digits: the same for the same
    configuration, in any order of the file's names and whatever else the project holds.

    A network, volume, secret or config counts with its definition. How many containers there are, how the image is
    built and what runs before don't count.
    """
    fields = {name: value for name, value in _plain(service).items() if name not in _NOT_HASHED}
    fields.pop("deploy", None)
    for mount in fields.get("volumes", ()):
        mount.pop("short", None)  # how it was written
    named: dict[str, Mapping[str, Any]] = {
        "networks": {name: project.networks.get(name) for name in service.networks},
        "volumes": {mount.source: project.volumes.get(mount.source) for mount in service.volumes if mount.source},
        "secrets": {use.source: project.secrets.get(use.source) for use in service.secrets},
        "configs": {use.source: project.configs.get(use.source) for use in service.configs},
    }
    whole = {
        "service": fields,
        "uses": msgspec.to_builtins(named),
        "labels": service.deploy.labels if service.deploy else {},
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@cache
def _defaults(kind_of: type[msgspec.Struct]) -> dict[str, Any]:
    found = {}
    for field in msgspec.structs.fields(kind_of):
        made = field.default_factory is not msgspec.NODEFAULT
        found[field.name] = field.default_factory() if made else field.default
    return found


def _plain(part: msgspec.Struct) -> dict[str, Any]:
    """A struct's fields that say something; the default is left out."""
    said = ((name, getattr(part, name), default) for name, default in _defaults(type(part)).items())
    return {name: _value(name, value) for name, value, default in said if value != default}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return _plain(value)
    if isinstance(value, tuple):
        return [_value("", item) for item in value]
    if isinstance(value, dict):
        return {key: _value("", item) for key, item in sorted(value.items())}
    if name in _TIMES:
        return _duration(value)
    return str(value) if name in _SIZES else value


def _service(service: model.Service) -> dict[str, Any]:
    found = _plain(service)
    found.pop("name", None)
    found.pop("scale", None)
    if service.healthcheck:
        found["healthcheck"] = {name: found["healthcheck"][name] for name in _HEALTH if name in found["healthcheck"]}
    if service.ports:
        found["ports"] = [_port(port) for port in service.ports]
    if service.volumes:
        found["volumes"] = [_mount(mount) for mount in service.volumes]
    if service.networks:
        found["networks"] = {name: _plain(use) or None for name, use in sorted(service.networks.items())}
    if service.depends_on:
        found["depends_on"] = {name: _dependency(other) for name, other in sorted(service.depends_on.items())}
    if service.links:
        links = [(name, alias) for name, aliases in service.links.items() for alias in aliases]
        found["links"] = [name if name == alias else f"{name}:{alias}" for name, alias in links]
    if service.external_links:
        found["external_links"] = [f"{link.container}:{link.alias}" for link in service.external_links]
    if service.volumes_from:
        found["volumes_from"] = [_volumes_from(other) for other in service.volumes_from]
    if service.devices:
        found["devices"] = [msgspec.to_builtins(device) for device in service.devices]
    for name, uses in (("secrets", service.secrets), ("configs", service.configs)):
        if uses:
            found[name] = [_blob_use(use) for use in uses]
    _deploy(service, found)
    return dict(sorted(found.items(), key=lambda field: (field[0] != "profiles", field[0])))


def _deploy(service: model.Service, found: dict[str, Any]) -> None:
    """``deploy`` as it was said; what it implies for the service isn't said twice."""
    deploy = service.deploy
    if service.scale != 1 and (deploy is None or deploy.replicas is None):
        found["scale"] = service.scale
    if deploy is None:
        return
    plain = _plain(deploy)
    resources = {name: plain.pop(name) for name in ("limits", "reservations") if name in plain}
    for said in resources.values():
        if "cpus" in said:
            said["cpus"] = f"{said['cpus']:g}"
    implied = {
        "cpus": deploy.limits.cpus,
        "mem_limit": deploy.limits.memory,
        "mem_reservation": deploy.reservations.memory,
        "pids_limit": deploy.limits.pids,
        "restart": deploy.restart_policy.restart() if deploy.restart_policy else None,
    }
    for name, value in implied.items():
        if value is not None and getattr(service, name) == value:
            found.pop(name, None)
    found["deploy"] = {**plain, "resources": resources} if resources else plain


def _port(port: model.Port) -> dict[str, Any]:
    names = ("name", "mode", "host_ip", "target", "published", "protocol", "app_protocol")
    return {name: getattr(port, name) for name in names if getattr(port, name)}


def _mount(mount: model.Mount) -> dict[str, Any]:
    found: dict[str, Any] = {"type": mount.type}
    for name in ("source", "target", "read_only", "consistency"):
        if getattr(mount, name):
            found[name] = getattr(mount, name)
    if mount.type == "bind":
        options: dict[str, Any] = {"propagation": mount.propagation, "selinux": mount.selinux}
        found["bind"] = {name: value for name, value in options.items() if value}
        if not mount.create_host_path:
            found["bind"]["create_host_path"] = False
    elif mount.type == "volume":
        options = {"nocopy": mount.nocopy, "subpath": mount.subpath}
        found["volume"] = {name: value for name, value in options.items() if value}
    else:
        found["tmpfs"] = {} if mount.tmpfs_size is None else {"size": str(mount.tmpfs_size)}
        if mount.tmpfs_mode is not None:
            found["tmpfs"]["mode"] = mount.tmpfs_mode
    return found


def _dependency(other: model.Dependency) -> dict[str, Any]:
    found: dict[str, Any] = {"condition": other.condition}
    if other.restart:
        found["restart"] = True
    return {**found, "required": other.required}


def _volumes_from(other: model.VolumesFrom) -> str:
    return ("container:" if other.container else "") + other.name + (":ro" if other.read_only else "")


def _blob_use(use: model.BlobUse) -> dict[str, Any]:
    found = _plain(use)
    if use.mode is not None:
        found["mode"] = f"0{use.mode:o}"
    return found


def _network(network: model.Network) -> dict[str, Any]:
    found = _plain(network)
    pools = [_plain(pool) for pool in network.ipam]
    ipam = {"driver": network.ipam_driver, "options": network.ipam_options, "config": pools}
    for name in ("ipam_driver", "ipam_options"):
        found.pop(name, None)
    found["ipam"] = {name: value for name, value in ipam.items() if value}
    if network.external:
        found.pop("ipam")
    return found


def _duration(nanoseconds: int) -> str:
    """Go's form: ``1m30s``, ``1.5s`` as ``1s500ms``."""
    if nanoseconds == 0:
        return "0s"
    text = ""
    for unit, name in _NANOSECONDS:
        count, nanoseconds = divmod(nanoseconds, unit)
        text += f"{count}{name}" if count else ""
    return text


def _escaped(value: Any) -> Any:
    """Dollar signs doubled, so that what is printed can be read again."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _data(node: Node) -> Any:
    if isinstance(node, Fields):
        return {name: _data(entry) for name, entry in node.entries.items()}
    if isinstance(node, Items):
        return [_data(item) for item in node.items]
    return kind(node)


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their name, and a string that another reader could take for something else is quoted."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_YAML_1_1 = ("y", "n", "yes", "no", "on", "off")  # booleans for readers of the older YAML
_NOWHERE = Place(Source(""))


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if text.lower() in _YAML_1_1 or kind(Scalar(text, _NOWHERE, plain=True)) != text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    block = "\n" in text and not any(line.endswith(" ") for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _string)


def _dumped(value: dict[str, Any]) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=10**6, allow_unicode=True)
