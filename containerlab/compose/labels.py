"""The labels by which Compose knows its own: what docker-compose writes, and reads of ours."""

from __future__ import annotations

__all__ = [
    "CONFIG_FILES",
    "DEPENDS_ON",
    "HASH",
    "IMAGE",
    "NETWORK",
    "NUMBER",
    "ONEOFF",
    "PROJECT",
    "REPLACE",
    "SERVICE",
    "SLUG",
    "VERSION",
    "VOLUME",
    "WORKING_DIR",
    "of_container",
    "of_network",
    "of_volume",
]

from containerlab import __version__
from containerlab.compose.model import Project, Service

_PREFIX = "com.docker.compose."
PROJECT = f"{_PREFIX}project"
WORKING_DIR = f"{_PREFIX}project.working_dir"
CONFIG_FILES = f"{_PREFIX}project.config_files"
SERVICE = f"{_PREFIX}service"
NUMBER = f"{_PREFIX}container-number"
ONEOFF = f"{_PREFIX}oneoff"
SLUG = f"{_PREFIX}slug"
HASH = f"{_PREFIX}config-hash"
IMAGE = f"{_PREFIX}image"
DEPENDS_ON = f"{_PREFIX}depends_on"
REPLACE = f"{_PREFIX}replace"
NETWORK = f"{_PREFIX}network"
VOLUME = f"{_PREFIX}volume"
VERSION = f"{_PREFIX}version"


def of_container(project: Project, service: Service, number: int, digest: str, image: str) -> dict[str, str]:
    """``digest`` is the service's configuration hash, ``image`` the id of its image."""
    return {
        **service.labels,
        PROJECT: project.name,
        WORKING_DIR: str(project.working_dir),
        CONFIG_FILES: ",".join(map(str, project.files)),
        SERVICE: service.name,
        NUMBER: str(number),
        ONEOFF: "False",
        HASH: digest,
        IMAGE: image,
        DEPENDS_ON: ",".join(
            f"{name}:{dependency.condition}:{str(dependency.restart).lower()}"
            for name, dependency in service.depends_on.items()
        ),
        VERSION: __version__,
    }


def of_network(project: Project, key: str) -> dict[str, str]:
    return {**project.networks[key].labels, PROJECT: project.name, NETWORK: key, VERSION: __version__}


def of_volume(project: Project, key: str) -> dict[str, str]:
    return {**project.volumes[key].labels, PROJECT: project.name, VOLUME: key, VERSION: __version__}
