"""The life of one container: which states it went through, and what made it go on, as the engine's events tell it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import docker.errors

from containerlab.errors import NoSuchContainer
from containerlab.lab.words import Words, say

__all__ = ["STATES", "Turn", "read_life"]

# Docker's events that move a container to another state, and that state.
_MOVES = {
    "create": "created",
    "start": "running",
    "pause": "paused",
    "unpause": "running",
    "die": "exited",
    "destroy": "removed",
}
_NOTED = ("kill", "stop", "restart", "oom", "rename")
STATES = {
    "created": (Words("created"), Words("files, but no process")),
    "running": (Words("running"), Words("its process lives")),
    "paused": (Words("paused"), Words("its process is frozen")),
    "exited": (Words("exited"), Words("its files and log stay")),
    "removed": (Words("removed"), Words("nothing is left")),
}
"""Each state: its name, and what it means."""


@dataclass(frozen=True)
class Turn:
    """One event: ``state`` is what it led to (None: it changed none), ``detail`` an exit code or a signal."""

    event: str
    state: str | None
    detail: str = ""


def read_life(client: Any, name: str, *, since: float = 0) -> list[Turn]:
    """What the engine remembers of a container, also of one that is gone; ``since`` in seconds since 1970.

    Raises NoSuchContainer where no container of that name was ever heard of. One name may have had several
    containers: the last one's life is told.
    """
    filters = {"type": "container", "container": name}
    heard = list(client.api.events(since=since, until=f"{time.time():.9f}", filters=filters, decode=True))
    if not heard:
        raise NoSuchContainer(name)
    last = heard[-1]["Actor"]["ID"]
    turns = [_turn(event) for event in heard if event["Actor"]["ID"] == last and event["Action"] in (*_MOVES, *_NOTED)]
    return turns if since or any(turn.event == "create" for turn in turns) else [*_forgotten(client, last), *turns]


def _forgotten(client: Any, identifier: str) -> list[Turn]:
    """The beginning of a life whose events are forgotten (an engine keeps the last ones, and each health check
    makes three), as far as the container's record has it; nothing of one that is gone."""
    try:
        state = client.api.inspect_container(identifier)["State"]
    except docker.errors.NotFound:
        return []
    source = say("from its record; what came between is forgotten")
    turns = [Turn("create", "created")]
    if not state["StartedAt"].startswith("0001-"):
        turns.append(Turn("start", "running", source))
    return turns


def _turn(event: dict[str, Any]) -> Turn:
    action, attributes = event["Action"], event["Actor"]["Attributes"]
    detail = ""
    if action == "die":
        detail = say("exit code {code}", code=attributes.get("exitCode", "?"))
    elif action == "kill":
        detail = say("signal {number}", number=attributes.get("signal", "?"))
    return Turn(action, _MOVES.get(action), detail)
