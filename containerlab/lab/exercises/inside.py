"""What exercises ask of an image's inside: what its program says, what a file holds, which layer made it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from typing import Any

import docker.errors

from containerlab.client import lab_get

__all__ = ["file_of", "made_in", "ran"]

_MOST_BYTES = 1 << 20
_LONGEST_S = 20


def ran(client: Any, name: str, command: Sequence[str] | None = None) -> tuple[int, str]:
    """The exit code and the output of an image's program, or of ``command`` in its place; one that goes on is ended."""
    entrypoint = {} if command is None else {"entrypoint": command[0], "command": list(command[1:])}
    try:
        container = client.containers.create(name, network_mode="none", **entrypoint)
    except docker.errors.APIError as error:  # an image without any program
        return 127, str(error.explanation)
    try:
        container.start()
        code = int(container.wait(timeout=_LONGEST_S)["StatusCode"])
        return code, container.logs(stdout=True, stderr=False, tail=100).decode(errors="replace")
    except (docker.errors.APIError, OSError) as error:
        return 127, str(error)
    finally:
        container.remove(force=True, v=True)


def file_of(client: Any, name: str, path: str) -> str | None:
    """What stands in a file of an image, its first megabyte; None where there is none."""
    made = client.api.create_container(name, command=["true"])
    try:
        pieces, _ = client.api.get_archive(made["Id"], path)
        packed = io.BytesIO(b"".join(pieces))
        with tarfile.open(fileobj=packed) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member is not None and member.isfile() else None
            return None if content is None else content.read(_MOST_BYTES).decode(errors="replace")
    except docker.errors.NotFound:
        return None
    finally:
        client.api.remove_container(made["Id"], v=True)


def made_in(client: Any, name: str, path: str) -> int:
    """The number of the layer that a file of an image was made in, from 1; 0 where there is no such file."""
    try:
        made_by = lab_get(client, "/containerlab/where", image=name, path=path)["made_by"]
    except docker.errors.NotFound:
        return 0
    return int(made_by["number"]) if made_by else 0
