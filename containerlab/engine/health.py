"""Health checks: a command run inside a container again and again, and what its exit codes say.

Source: moby daemon/health.go and https://docs.docker.com/reference/dockerfile/#healthcheck. The state is the engine's
memory: after an engine was killed, a container is ``starting`` again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

from containerlab.engine.clock import rfc3339
from containerlab.engine.container import Container
from containerlab.engine.execs import Execs
from containerlab.engine.health_state import Health
from containerlab.engine.models import ExecConfig, HealthConfig
from containerlab.engine.parts import Parts
from containerlab.errors import ContainerlabError, InvalidParameter

__all__ = ["HealthMonitor", "check_health", "has_check"]

_SECOND = 1_000_000_000
_INTERVAL, _TIMEOUT, _START_INTERVAL, _RETRIES = 30 * _SECOND, 30 * _SECOND, 5 * _SECOND, 3
_KEPT_OUTPUT = 4096
_MILLISECOND = 1_000_000
_SHELL = ["/bin/sh", "-c"]


def has_check(config: HealthConfig | None) -> bool:
    """Whether there is something to run: ``NONE`` takes an image's check away."""
    return config is not None and bool(config.test) and config.test[0] != "NONE"


def check_health(config: HealthConfig | None) -> None:
    """Raise InvalidParameter, in Docker's words, for a check that can't be."""
    if config is None:
        return
    if config.test and config.test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidParameter(f"Unknown healthcheck type {config.test[0]!r} (expected 'CMD')")
    for name in ("interval", "timeout", "start_period", "start_interval"):
        if 0 < getattr(config, name) < _MILLISECOND or getattr(config, name) < 0:
            word = "".join(part.capitalize() for part in name.split("_"))
            raise InvalidParameter(f"{word} in Healthcheck cannot be less than 1ms")
    if config.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")


class HealthMonitor:
    """One task for each running container that has a check."""

    def __init__(self, parts: Parts, execs: Execs) -> None:
        self._parts, self._execs = parts, execs
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, container: Container) -> None:
        """The container has started."""
        self.end(container)
        config = container.record.config.healthcheck
        if config is None or not has_check(config):
            container.health = None
            return
        container.health = Health()
        self._tasks[container.id] = asyncio.get_running_loop().create_task(
            self._watch(container, config, container.health)
        )

    def end(self, container: Container) -> None:
        """The container has ended; what was known of it stays to be inspected, as unhealthy."""
        task = self._tasks.pop(container.id, None)
        if task is not None:
            task.cancel()
        if container.health is not None:
            container.health.status = "unhealthy"

    def close(self) -> None:
        """End every task."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    async def _watch(self, container: Container, config: HealthConfig, health: Health) -> None:
        started = time.monotonic()
        grace = config.start_period / _SECOND
        while True:
            in_grace = health.status == "starting" and time.monotonic() - started < grace
            wait = (config.start_interval or _START_INTERVAL) if in_grace else (config.interval or _INTERVAL)
            await asyncio.sleep(wait / _SECOND)
            if container.state.status == "running":
                await self._probe(container, config, health, time.monotonic() - started < grace)

    async def _probe(self, container: Container, config: HealthConfig, health: Health, in_grace: bool) -> None:
        began = time.time_ns()
        code, output = await self._run(container, config)
        result = {"Start": rfc3339(began), "End": rfc3339(time.time_ns()), "ExitCode": code, "Output": output}
        health.results.append(result)
        before = health.status
        if code == 0:
            health.failing_streak, health.status = 0, "healthy"
        elif not (in_grace and before == "starting"):
            health.failing_streak += 1
            if health.failing_streak >= (config.retries or _RETRIES):
                health.status = "unhealthy"
        if health.status != before:
            self._parts.tell(container, f"health_status: {health.status}")

    async def _run(self, container: Container, config: HealthConfig) -> tuple[int, str]:
        """Exit code and the beginning of the output of one run; -1 where it took too long or couldn't be started."""
        seconds = (config.timeout or _TIMEOUT) / _SECOND
        shell = container.record.config.shell or _SHELL
        command = config.test[1:] if config.test[0] == "CMD" else [*shell, " ".join(config.test[1:])]
        try:
            exec_id = await self._execs.create(
                container.id, ExecConfig(cmd=command, attach_stdout=True, attach_stderr=True)
            )
            async with asyncio.timeout(seconds):
                return await self._captured(exec_id)
        except TimeoutError:
            with contextlib.suppress(ContainerlabError):
                await self._execs.kill(exec_id)
            return -1, f"Health check exceeded timeout ({seconds:g}s)"
        except ContainerlabError as error:
            return -1, str(error)

    async def _captured(self, exec_id: str) -> tuple[int, str]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        output = b""
        try:
            try:
                await self._execs.start(exec_id, theirs.fileno(), raw=True)
            finally:
                theirs.close()
            while chunk := await reader.read(_KEPT_OUTPUT):
                output = (output + chunk)[:_KEPT_OUTPUT]
        finally:
            writer.close()
        code = (await self._execs.inspect(exec_id))["ExitCode"]
        return -1 if code is None else int(code), output.decode(errors="replace")
