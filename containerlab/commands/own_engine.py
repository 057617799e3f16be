"""What only our own engine knows, and what another one is told to the person as."""

from __future__ import annotations

__all__ = ["lab_facts"]

from typing import Any

import docker.errors

from containerlab.client import lab_get
from containerlab.commands.context import Context
from containerlab.errors import HostLacks


def lab_facts(context: Context, path: str, what: str, /, **parameters: str) -> dict[str, Any]:
    """The JSON of a ``/containerlab/…`` route. Raises HostLacks for Docker's engine, which has no such route."""
    try:
        return lab_get(context.client, path, **parameters)
    except docker.errors.NotFound as error:
        if "page not found" not in str(error.explanation):
            raise
        raise HostLacks(
            f"This engine doesn't tell {what}: it is not the kit's own.",
            hint="Unset DOCKER_HOST and CONTAINERLAB_HOST to use your own engine, which starts by itself.",
        ) from error
