"""Which rung of the host ladder this process stands on, for every room (docs/design.md, "The host ladder").

Best first: ``root``; ``rootless-ids``, a user namespace with subordinate ids; ``rootless-one-id``, one without; and
``proot``, where the host gives no namespace at all. ``CONTAINERLAB_RUNG`` asks for one by its name, for tests and
teaching; a rung that isn't asked for is found by trying. Whoever finds out, writes the variable, so that every process
that is started from there knows it too.
"""

from __future__ import annotations

import os

from containerlab.errors import InvalidParameter

__all__ = ["PROOT", "RUNGS", "VARIABLE", "asked", "copies_roots", "settle"]

VARIABLE = "CONTAINERLAB_RUNG"
PROOT = "proot"
RUNGS = ("root", "rootless-ids", "rootless-one-id", PROOT)


def asked() -> str:
    """The rung that the environment names, empty for none. Raises InvalidParameter for a name that is none."""
    name = os.environ.get(VARIABLE, "")
    if name and name not in RUNGS:
        raise InvalidParameter(f"{VARIABLE}={name}: there is no such rung", hint=f"One of {', '.join(RUNGS)}.")
    return name


def settle(name: str) -> None:
    """From here on this process, and all that it starts, stands on that rung."""
    os.environ[VARIABLE] = name


def copies_roots() -> bool:
    """Whether nothing can be mounted here: a container's root is a copy, and no process has a namespace of its own."""
    return os.environ.get(VARIABLE) == PROOT
