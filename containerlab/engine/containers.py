"""Containers: every verb of Docker's ``/containers`` routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig

__all__ = ["Containers", "Waiter"]


class Waiter(Protocol):
    """A registered wait; ``await result()`` gives ``{"StatusCode": N}`` and, after a failed start, ``"Error": {"Message"}``.

    ``close()`` lets go of it (a client that went away).
    """

    async def result(self) -> dict[str, Any]: ...
    def close(self) -> None: ...


class Containers:
    """``ref`` is a name, a full id or a unique prefix of one; NoSuchContainer with near names otherwise."""

    async def create(
        self,
        config: ContainerConfig,
        host_config: HostConfig,
        name: str | None = None,
        networking: NetworkingConfig | None = None,
    ) -> tuple[str, list[str]]:
        """A new container's id, and warnings for the caller. Raises NoSuchImage, Conflict, InvalidParameter."""
        raise NotImplementedError

    async def start(self, ref: str, detach_keys: str = "") -> None:
        """Raises NotModified when it runs already, StartFailed when its process can't be started."""
        raise NotImplementedError

    async def stop(self, ref: str, timeout: int | None = None, signal: str | None = None) -> None:
        """Signal, then SIGKILL after ``timeout`` seconds (-1: never). Raises NotModified when it doesn't run."""
        raise NotImplementedError

    async def restart(self, ref: str, timeout: int | None = None, signal: str | None = None) -> None:
        raise NotImplementedError

    async def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        """Raises Conflict when it doesn't run."""
        raise NotImplementedError

    async def pause(self, ref: str) -> None:
        raise NotImplementedError

    async def unpause(self, ref: str) -> None:
        raise NotImplementedError

    async def rename(self, ref: str, name: str) -> None:
        raise NotImplementedError

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        raise NotImplementedError

    async def prune(self, filters: dict[str, list[str]] | None = None) -> dict[str, Any]:
        """Docker's ``{"ContainersDeleted": [...], "SpaceReclaimed": N}``."""
        raise NotImplementedError

    async def resize(self, ref: str, height: int, width: int) -> None:
        raise NotImplementedError

    async def inspect(self, ref: str, *, size: bool = False) -> dict[str, Any]:
        raise NotImplementedError

    async def list(
        self,
        *,
        all: bool = False,
        limit: int | None = None,
        size: bool = False,
        filters: dict[str, list[str]] | None = None,
    ) -> list[dict[str, Any]]:
        """Newest first. ``filters`` is name to values (``{"label": {"a": true}}`` is the API's to unfold)."""
        raise NotImplementedError

    async def top(self, ref: str, ps_args: str = "-ef") -> dict[str, Any]:
        """Docker's ``{"Titles": [...], "Processes": [[...]]}``."""
        raise NotImplementedError

    async def stats(self, ref: str, previous: dict[str, Any] | None = None) -> dict[str, Any]:
        """One reading in Docker's JSON; ``previous`` is the one before, and becomes ``precpu_stats``."""
        raise NotImplementedError

    def wait(self, ref: str, condition: str = "not-running") -> Waiter:
        """``not-running``, ``next-exit`` or ``removed``; registered when this returns."""
        raise NotImplementedError

    async def attach(
        self,
        ref: str,
        fd: int,
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        logs: bool = False,
        stream: bool = True,
        detach_keys: str = "",
    ) -> None:
        """Hand the socket ``fd`` (the response head is written to it already) to the supervisor.

        The descriptor stays the caller's to close.
        """
        raise NotImplementedError

    def logs(
        self,
        ref: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since: float = 0.0,
        until: float = 0.0,
        tail: int | None = None,
        follow: bool = False,
        timestamps: bool = False,
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Pairs of stream (1 stdout, 2 stderr) and bytes; times in seconds since 1970, ``tail`` None for all.

        NoSuchContainer is raised by the call, not by the first step.
        """
        raise NotImplementedError

    def tty(self, ref: str) -> bool:
        """Whether its stdio is one terminal: attach and logs are then not multiplexed."""
        raise NotImplementedError

    async def timeline(self, ref: str) -> dict[str, Any]:
        """``{"steps": [{"step", "at_us"}]}`` of the last start, microseconds since ``request``."""
        raise NotImplementedError

    async def memory(self, ref: str) -> dict[str, Any]:
        """``{"backend", "cgroup_bytes", "pss_bytes", "processes", "accel"}``."""
        raise NotImplementedError
