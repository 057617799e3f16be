"""The base images that the kit carries: a course runs with no registry in reach.

Both are made on first use from what this host has, and made twice they have the same id. lab/python stands on
lab/busybox's layer, so the two share it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from containerlab.errors import NoSuchImage
from containerlab.images.config import ContainerConfig, History, ImageConfig, Rootfs
from containerlab.images.embedded import busybox, python
from containerlab.images.embedded.tree import EPOCH, Tree

if TYPE_CHECKING:
    from containerlab.images.store import Image, ImageStore

__all__ = ["NAMES", "build"]

NAMES = ("lab/busybox", "lab/python")

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CREATED = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass
class _Recipe:
    """What an embedded image is made of: layers and instructions in order, as its history tells them."""

    description: str
    steps: list[tuple[str, Callable[[], Tree] | None]]
    env: list[str]
    command: list[str]
    version: str = ""


def build(name: str, images: ImageStore) -> Image:
    """Make and register the embedded image ``name`` with the tag ``latest``.

    Raises NoSuchImage for a name that isn't in ``NAMES``, HostLacks where this host has nothing to make it from.
    """
    if name not in NAMES:
        raise NoSuchImage(name)
    recipe = _busybox() if name == "lab/busybox" else _python()
    chain: str | None = None
    diff_ids = []
    history = []
    for created_by, make in recipe.steps:
        if make is not None:
            layer = images.layers.unpack(make().stream(), chain)
            chain = layer.chain_id
            diff_ids.append(layer.diff_id)
        history.append(History(created=_CREATED, created_by=created_by, empty_layer=make is None))
    config = ImageConfig(
        architecture=_architecture(),
        config=ContainerConfig(Env=recipe.env, Cmd=recipe.command, Labels=_labels(name, recipe)),
        rootfs=Rootfs(diff_ids=diff_ids),
        history=history,
        created=_CREATED,
    )
    return images.create(config, chain, f"{name}:latest")


def _busybox() -> _Recipe:
    return _Recipe(
        description="A shell and the usual small tools",
        steps=[("ADD busybox / # a shell and its tools", busybox.layer), ('CMD ["sh"]', None)],
        env=[_PATH],
        command=["sh"],
    )


def _python() -> _Recipe:
    version = python.version()
    return _Recipe(
        description="Python with its standard library and pip",
        steps=[
            *_busybox().steps,
            ("ENV LANG=C.UTF-8", None),
            (f"ENV PYTHON_VERSION={version}", None),
            (f"ADD python-{version} / # interpreter, standard library, shared libraries", python.interpreter_layer),
            ("ADD pip /", python.pip_layer),
            ('CMD ["python3"]', None),
        ],
        env=[_PATH, "LANG=C.UTF-8", f"PYTHON_VERSION={version}"],
        command=["python3"],
        version=version,
    )


def _labels(name: str, recipe: _Recipe) -> dict[str, str]:
    """Keys of the OCI image spec's annotations.md."""
    labels = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.description": recipe.description,
    }
    if recipe.version:
        labels["org.opencontainers.image.version"] = recipe.version
    return labels


def _architecture() -> str:
    """GOARCH's word, as the image spec has it."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)
