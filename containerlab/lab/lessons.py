"""What a lesson makes, and its removal: nothing else of the engine's is touched.

Containers, networks and volumes that are made while a lesson is on carry the label ``containerlab.lesson``. An image
can't: a label would make it another image, with another digest. Its name is written down beside the learner's progress,
and so is that of a volume that came into being with its container (``-v NAME:DIR``).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors

from containerlab.errors import UsageError
from containerlab.lab.progress import progress_file
from containerlab.lab.words import Words, say

__all__ = ["LABEL", "TITLES", "begin", "current", "labels", "made_images", "made_volumes", "reset", "volumes_to_come"]

LABEL = "containerlab.lesson"
TITLES = {
    "01": Words("Your first container"),
    "02": Words("A container and a virtual machine"),
    "03": Words("Namespaces and cgroups"),
    "04": Words("The engine"),
    "05": Words("Images and layers"),
    "06": Words("The life of a container"),
    "07": Words("The Dockerfile"),
    "08": Words("Networking: containers that talk"),
    "09": Words("Volumes: data that stays"),
    "10": Words("Compose"),
    "11": Words("A container from scratch"),
    "12": Words("Capstone: a guestbook"),
}
"""The course's, by number; a test holds them to the headings of its notebooks."""

_NOTEBOOKS = "[0-9][0-9]-*.ipynb"
_LIMIT_BYTES = 1024 * 1024
_LEFT = (403, 404, 409)  # not there, or in use: Docker says 403 of a network that is

_current: str | None = None


def begin(number: str) -> str:
    """From now on this process works on a lesson; gives its two digits.

    Beside the course's own there are those of another author: a notebook ``NN-….ipynb`` where the kernel works.
    Raises UsageError, which lists the lessons, for any other.
    """
    global _current
    lesson = _two_digits(number)
    if lesson not in {*TITLES, *(path.name[:2] for path in Path().glob(_NOTEBOOKS))}:
        known = "\n".join(f"{int(one):4}  {say(title)}" for one, title in TITLES.items())
        raise UsageError(say("There is no lesson {number}.", number=int(lesson)), hint=known)
    _current = lesson
    return lesson


def current() -> str | None:
    """The lesson that this process works on."""
    return _current


def labels() -> dict[str, str]:
    """What is put on a container, network or volume that is made now."""
    return {} if _current is None else {LABEL: _current}


def made_images(names: list[str]) -> None:
    """Write down names that were given to images."""
    _write_down("images", names)


def made_volumes(names: list[str]) -> None:
    """Write down volumes that a container brought with it."""
    _write_down("volumes", names)


def volumes_to_come(client: Any, payload: dict[str, Any]) -> list[str]:
    """The named volumes of a container's payload (``POST /containers/create``) that don't exist yet.

    Outside a lesson nobody wants to know: none.
    """
    if _current is None:
        return []
    host = payload.get("HostConfig", {})
    named = [bind.partition(":")[0] for bind in host.get("Binds") or []]
    named += [mount.get("Source") for mount in host.get("Mounts") or [] if mount.get("Type") == "volume"]
    names = [name for name in dict.fromkeys(named) if name and not name.startswith("/")]
    return [name for name in names if not _has_volume(client, name)]


def _has_volume(client: Any, name: str) -> bool:
    try:
        client.api.inspect_volume(name)
    except docker.errors.NotFound:
        return False
    return True


def reset(client: Any, number: str | None = None) -> list[str]:
    """Remove what a lesson made, this process's own if none is named; gives a line each, sorted by kind.

    A volume or network that something else uses by now stays. Raises UsageError where there is no lesson.
    """
    lesson = _current if number is None else _two_digits(number)
    if lesson is None:
        raise UsageError("Which lesson?", hint="`%container lesson 5` begins one, `reset --lesson 5` names one.")
    chosen = {"label": f"{LABEL}={lesson}"}
    api, gone = client.api, []
    for container in api.containers(all=True, filters=chosen):
        if _removed(lambda one=container["Id"]: api.remove_container(one, force=True, v=True)):
            gone.append(f"container {container['Names'][0].lstrip('/')}")
    for network in api.networks(filters=chosen):
        if _removed(lambda one=network["Id"]: api.remove_network(one)):
            gone.append(f"network {network['Name']}")
    with _records() as records:
        written = records.pop(lesson, {})
    labelled = [volume["Name"] for volume in api.volumes(filters=chosen)["Volumes"] or []]
    for name in dict.fromkeys([*labelled, *written.get("volumes", [])]):
        if _removed(lambda one=name: api.remove_volume(one)):
            gone.append(f"volume {name}")
    for name in written.get("images", []):
        if _removed(lambda one=name: api.remove_image(one, force=True)):
            gone.append(f"image {name}")
    return gone


def _removed(remove: Any) -> bool:
    """False for what is gone already, or is somebody else's by now; any other refusal is raised."""
    try:
        remove()
    except docker.errors.APIError as refusal:
        if refusal.status_code not in _LEFT:
            raise
        return False
    return True


def _write_down(kind: str, names: list[str]) -> None:
    if _current is None or not names:
        return
    with _records() as records:
        known = records.setdefault(_current, {}).setdefault(kind, [])
        known.extend(name for name in names if name not in known)


def _two_digits(number: str) -> str:
    if not re.fullmatch(r"\d{1,2}", number):
        raise UsageError(f"{number!r} is no lesson.", hint="A lesson has a number: `lesson 5`.")
    return number.zfill(2)


@contextlib.contextmanager
def _records() -> Iterator[dict[str, dict[str, list[str]]]]:
    """What lessons wrote down, to be changed: lesson → kind → names."""
    path = progress_file().with_name("lessons.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        records = _read(path)
        yield records
        new = path.with_suffix(".new")
        new.write_text(json.dumps(records, indent=1))
        new.replace(path)


def _read(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LIMIT_BYTES))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
