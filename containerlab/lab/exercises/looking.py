"""What exercises ask of the engine again and again, and the steps that most of them begin with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import docker.errors

from containerlab.lab.exercises.model import Missing, Step
from containerlab.lab.words import Words

__all__ = [
    "container",
    "container_is_there",
    "image",
    "image_is_there",
    "is_running",
    "remove_containers",
    "remove_images",
]

Facts = dict[str, Any]


def container(client: Any, name: str) -> Facts | None:
    """The container as ``inspect`` gives it; None where there is none of that name."""
    try:
        found: Facts = client.api.inspect_container(name)
    except docker.errors.NotFound:
        return None
    return found


def image(client: Any, name: str) -> Facts | None:
    """The image as ``inspect`` gives it; None where there is none of that name."""
    try:
        found: Facts = client.api.inspect_image(name)
    except docker.errors.NotFound:
        return None
    return found


def container_is_there(name: str) -> Step:
    """The step that asks for a container of this name."""

    def look(client: Any) -> Missing | None:
        if container(client, name) is not None:
            return None
        return Missing(
            f"no container {name}",
            (
                Words("There is no container named {name}."),
                Words("`--name {name}` gives a container its name. With `--rm` it is gone as soon as it ends."),
            ),
            {"name": name},
        )

    return Step(Words("a container named {name}"), look, {"name": name})


def is_running(name: str) -> Step:
    """The step that asks for a container that runs."""

    def look(client: Any) -> Missing | None:
        found = container(client, name)
        if found is not None and found["State"]["Running"]:
            return None
        return Missing(
            f"{name} doesn't run",
            (
                Words("The container {name} doesn't run."),
                Words("Its program has ended: `logs {name}` and `ps -a` say how. `-d` alone keeps no program alive."),
            ),
            {"name": name},
        )

    return Step(Words("{name} runs"), look, {"name": name})


def image_is_there(name: str) -> Step:
    """The step that asks for an image of this name."""

    def look(client: Any) -> Missing | None:
        if image(client, name) is not None:
            return None
        return Missing(
            f"no image {name}",
            (
                Words("There is no image named {name}."),
                Words("`%%dockerfile -t {name}` builds one and gives it this name."),
            ),
            {"name": name},
        )

    return Step(Words("an image named {name}"), look, {"name": name})


def remove_containers(*names: str) -> Callable[[Any], None]:
    """A ``reset`` that removes these containers, running or not, where they are there."""

    def reset(client: Any) -> None:
        for name in names:
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_container(name, force=True, v=True)

    return reset


def remove_images(*names: str) -> Callable[[Any], None]:
    """A ``reset`` that takes these names off their images, and the images away that have no other."""

    def reset(client: Any) -> None:
        for name in names:
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_image(name, force=True)

    return reset
