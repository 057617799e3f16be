"""Whether a container is what others wait for: healthy, or ended well."""

from __future__ import annotations

__all__ = ["ended_well", "is_healthy"]

from collections.abc import Mapping
from typing import Any

from containerlab.compose.steps import Await
from containerlab.errors import ContainerlabError, StartFailed


def is_healthy(deed: Await, name: str, record: Mapping[str, Any]) -> str:
    """Docker compose's word once it is, nothing before. Raises StartFailed for one that won't be.

    ``record`` is what the engine's inspect gives.
    """
    state = record["State"]
    health = (state.get("Health") or {}).get("Status", "none")
    if state["Status"] in ("exited", "dead"):
        if deed.or_ended and not state["ExitCode"]:
            return "Exited"
        raise _failed(deed, name, f"container {name} exited ({state['ExitCode']})")
    if health == "unhealthy":
        raise _failed(deed, name, f"container {name} is unhealthy")
    if health == "none":
        if not deed.or_running:
            raise _failed(deed, name, f"container {name} has no healthcheck configured")
        return "Healthy" if state["Status"] == "running" else ""
    return "Healthy" if health == "healthy" else ""


def ended_well(deed: Await, name: str, record: Mapping[str, Any]) -> str:
    """The same for the end of a program with 0."""
    state = record["State"]
    if state["Status"] not in ("exited", "dead"):
        return ""
    if state["ExitCode"]:
        raise _failed(deed, name, f'service "{deed.service}" didn\'t complete successfully: exit {state["ExitCode"]}')
    return "Exited"


def _failed(deed: Await, name: str, message: str) -> ContainerlabError:
    plain = deed.or_running or deed.condition == "service_completed_successfully"
    what = message if plain else f"dependency failed to start: {message}"
    return StartFailed(what, exit_code=1, hint=f"`compose logs {deed.service}` shows what it has written.")
