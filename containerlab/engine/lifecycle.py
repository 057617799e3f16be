"""The steps between a container's states: start, exit, restart, removal.

    created ──start──▶ running ──exit──▶ exited ──start──▶ running …
                         │  ▲               │
                     exit│  │backoff        └──remove──▶ gone
                         ▼  │
                       restarting

Each step holds the container's lock, commits once, then tells: the order at an end is the record, the ``die``
event, the waiters, the removal. Waiting for a process to end holds no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sqlite3
import time
from typing import Any

from containerlab.engine.attachments import Attachments
from containerlab.engine.bind_sources import have_sources, open_sources
from containerlab.engine.container import Container
from containerlab.engine.failures import start_failed
from containerlab.engine.freezer import thaw
from containerlab.engine.health import HealthMonitor
from containerlab.engine.joining import write_joined
from containerlab.engine.log_options import supervised_log
from containerlab.engine.parts import Parts, delete_tree
from containerlab.engine.restart import should_restart
from containerlab.engine.signals import parse_signal
from containerlab.engine.visits import end_visits
from containerlab.engine.volumes import Volumes
from containerlab.engine.waiters import Waiter
from containerlab.errors import Conflict, ContainerlabError, NotModified, StartFailed

__all__ = ["Lifecycle"]

_KILL_SECONDS = 10
# Docker's exit code of a container whose start failed for another reason than its command.
_START_ERROR = 128


class Lifecycle:
    """Moves containers from state to state; the managers ask, the supervisor answers."""

    def __init__(self, parts: Parts, health: HealthMonitor, volumes: Volumes, attachments: Attachments) -> None:
        self._parts = parts
        self._attachments = attachments
        self._volumes = volumes
        self._health = health

    async def supervise(self, container: Container) -> None:
        """Have the supervisor make the stdio endpoint and the cgroup, where it hasn't."""
        if container.supervised:
            return
        config = container.record.config
        io = {
            "tty": config.tty,
            "stdin": config.open_stdin,
            "stdin_once": config.stdin_once,
            "log": supervised_log(container, self._parts.settings),
        }
        call = self._parts.supervisor.call
        made = await call("create", container=container.id, bundle=str(container.folder), io=io)
        container.supervised, container.cgroup = True, made["cgroup"]

    async def start(self, container: Container) -> None:
        """Raises NotModified, Conflict, StartFailed."""
        async with container.lock:
            status = container.state.status
            if status == "paused":
                raise Conflict("cannot start a paused container, try unpause instead")
            if status in ("removing", "dead"):
                raise Conflict("container is marked for removal and cannot be started")
            if container.state.running:
                raise NotModified(f"container {container.name} is already running")
            self._cancel_restart(container)
            container.state.manually_stopped = False
            container.state.restart_count = 0
            try:
                await self._launch(container)
            except Exception:
                # Whatever the reason: its client waits for the removal (moby daemon/start.go).
                if container.remove_at_exit:
                    await self.remove_locked(container)
                raise

    async def _launch(self, container: Container) -> None:
        """The process itself; on failure the state keeps Docker's exit code and the reason."""
        state = container.state
        try:
            write_joined(self._parts, container)
            await end_visits(container)
            self._reuse_volatile(container)
            await self.supervise(container)
            began = time.monotonic_ns()
            await self._attachments.prepare(container)
            await self._run(container, [("request", began), ("network", time.monotonic_ns())])
        except (OSError, ContainerlabError) as exc:
            failure = start_failed(exc, container.record.path) if isinstance(exc, OSError) else exc
            state.error = str(failure)
            code = failure.exit_code if isinstance(failure, StartFailed) else _START_ERROR
            state.exit_code = code if code in (126, 127) else _START_ERROR
            await self._attachments.release(container)
            self._volumes.tell_unmounted(container)
            await self.forget(container)
            self._parts.save(container)
            raise failure from exc
        self._attachments.started(container)
        self._parts.tell(container, "start")

    async def _run(self, container: Container, before: list[tuple[str, int]]) -> None:
        """Have the supervisor start it, with its volumes mounted; ``before`` are the steps that networking took."""
        mounts = container.record.mounts
        async with self._volumes.mounts.mounted(mounts):
            self._volumes.tell_mounted(container)
            trees = await asyncio.to_thread(open_sources, mounts) if have_sources(mounts) else []
            try:
                started = await self._parts.supervisor.call("start", trees, container=container.id)
            finally:
                for fd in trees:
                    os.close(fd)
            if container.state.networked:
                # The namespace is made before the process: what the supervisor calls the request comes after it.
                started["timeline"] = before + [step for step in started["timeline"] if step[0] != "request"]
            self._note_start(container, started)

    def _note_start(self, container: Container, started: dict[str, Any]) -> None:
        state = container.state
        state.status, state.error, state.exit_code, state.oom_killed = "running", "", 0, False
        state.pid, state.starttime = started["pid"], started["starttime"]
        state.started_at, state.boot_id = started["started_at"], self._parts.boot_id
        state.timeline = [(step, at) for step, at in started.get("timeline", ())]
        container.ended.clear()
        self._parts.save(container)
        self._health.begin(container)

    def adopt(self, container: Container, seen: dict[str, Any]) -> None:
        """Take over a process that a former engine started without writing so; ``seen`` is the list's entry."""
        self._cancel_restart(container)
        self._note_start(container, seen)

    def plan_restart(self, container: Container) -> None:
        """Go on with a restart that a former engine was waiting for."""
        container.restarting = self._parts.background.spawn(
            self._start_again(container, container.backoff.after_run(0))
        )

    async def start_quietly(self, container: Container) -> None:
        """A start that nobody asked for just now: what stands in its way is in the container's state."""
        with contextlib.suppress(ContainerlabError):
            await self.start(container)

    def _reuse_volatile(self, container: Container) -> None:
        """Overlayfs marks an upper that was mounted ``volatile``, and refuses it until the mark is taken away.

        The mark guards against a machine that crashed; here the same kernel still has every page (overlayfs.rst,
        "Volatile mount"). Only an AutoRemove container that is restarted comes here a second time.
        """
        state = container.state
        if container.record.host_config.auto_remove and state.started_at and state.boot_id == self._parts.boot_id:
            delete_tree(container.folder / "work" / "work" / "incompat")

    async def exited(self, container: Container, exit_code: int, oom: bool, finished_at: int) -> None:
        """The supervisor's exit event (or what recovery makes of a missing process); ``finished_at`` in ns."""
        async with container.lock:
            if not container.state.running:
                return
            self._health.end(container)
            again = self._record_exit(container, exit_code, oom, finished_at)
            await self._attachments.release(container)
            await self._volumes.mounts.ended(container.record.mounts)
            self._parts.save(container)
            lasted = max(0, finished_at - container.state.started_at) // 1_000_000_000
            if oom:
                self._parts.tell(container, "oom")
            self._parts.tell(container, "die", exitCode=str(exit_code), execDuration=str(lasted))
            self._volumes.tell_unmounted(container)
            container.ended.set()
            container.waiters.exited(exit_code)
            await self.forget(container)
            if again:
                wait = container.backoff.after_run(lasted)
                container.restarting = self._parts.background.spawn(self._start_again(container, wait))
            elif container.remove_at_exit:
                await self.remove_locked(container)

    def _record_exit(self, container: Container, exit_code: int, oom: bool, finished_at: int) -> bool:
        """Write the end into the state; whether the restart policy wants another start."""
        state = container.state
        state.pid, state.starttime = 0, 0
        state.exit_code, state.oom_killed, state.finished_at = exit_code, oom, finished_at
        again = should_restart(
            container.record.host_config.restart_policy,
            exit_code=exit_code,
            restarts=state.restart_count,
            manually_stopped=state.manually_stopped,
        )
        state.status = "restarting" if again else "exited"
        return again

    async def _start_again(self, container: Container, wait: float) -> None:
        """The restart policy's next start; a failed one counts and waits longer, as Docker."""
        while True:
            await asyncio.sleep(wait)
            async with container.lock:
                if container.state.status != "restarting":
                    return
                container.restarting = None
                container.state.restart_count += 1
                with contextlib.suppress(ContainerlabError):
                    await self._launch(container)
                    return
                if not self._record_exit(container, container.state.exit_code, False, time.time_ns()):
                    self._parts.save(container)
                    return
                container.restarting = asyncio.current_task()
                wait = container.backoff.after_run(0)

    def _cancel_restart(self, container: Container) -> bool:
        """Take back a planned restart; whether there was one."""
        task, container.restarting = container.restarting, None
        if task is None:
            return False
        task.cancel()
        container.state.status = "exited"
        return True

    async def stop(self, container: Container, timeout: int | None, signal: int) -> None:
        """``signal``, and SIGKILL after ``timeout`` seconds (negative: never). Raises NotModified."""
        async with container.lock:
            if self._cancel_restart(container):
                container.state.manually_stopped = True
                self._parts.save(container)
                return
            if not container.state.running:
                raise NotModified(f"container {container.name} is not running")
            container.state.manually_stopped = True
            self._parts.save(container)
            await self.signal(container, signal)
        seconds = self._parts.settings.stop_timeout if timeout is None else timeout
        try:
            await asyncio.wait_for(container.ended.wait(), None if seconds < 0 else seconds)
        except TimeoutError:
            await self.signal(container, 9)
            await container.ended.wait()
        self._parts.tell(container, "stop")

    async def kill(self, container: Container, number: int) -> None:
        """A signal by the user's own hand; one that is meant to end it also ends its restarts.

        With a stop signal of the image's own, every other signal but SIGKILL is just a message; SIGKILL is waited for,
        ten seconds at most, so that whoever asked finds it ended (moby daemon/kill.go).
        """
        async with container.lock:
            stop_signal = container.record.config.stop_signal
            if not stop_signal or number in (9, parse_signal(stop_signal)):
                container.state.manually_stopped = True
                self._parts.save(container)
            await self.signal(container, number)
        if number == 9:
            try:
                await asyncio.wait_for(container.ended.wait(), _KILL_SECONDS)
            except TimeoutError:
                pass  # stuck in the kernel: it ends when that lets go of it

    async def end_for_removal(self, container: Container) -> Waiter:
        """Kill it so that its end removes it; the wait for that. The lock is held."""
        waiter = container.waiters.add("removed", running=True, exit_code=0)
        container.remove_at_exit = True
        container.state.manually_stopped = True
        if self._cancel_restart(container):
            await self.remove_locked(container)
        else:
            await self.signal(container, 9)
        return waiter

    async def signal(self, container: Container, number: int) -> None:
        """Send a signal to its first process and tell; one that has just ended is no error."""
        try:
            await self._parts.supervisor.call("signal", container=container.id, exec=None, signal=number, all=False)
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise
        if container.state.status == "paused":
            # A frozen process doesn't act on a signal before it is let go.
            thaw(container)
            container.state.status = "running"
            self._parts.save(container)
        self._parts.tell(container, "kill", signal=str(number))

    async def remove_locked(self, container: Container) -> None:
        """Its row, its name, its files. The lock is held and nothing of it runs."""
        self._cancel_restart(container)
        container.state.status = "removing"
        await self.forget(container)
        await self._delete_row(container)
        self._parts.registry.discard(container)
        self._parts.images.layers.unpin(container.id)
        hidden = self._parts.discard_folder(container.folder)
        if container.remove_volumes:
            await self._volumes.release(container.record.mounts)
        self._parts.tell(container, "destroy")
        container.waiters.removed(container.state.exit_code)
        if hidden is not None:
            self._parts.background.spawn(asyncio.to_thread(delete_tree, hidden))

    async def _delete_row(self, container: Container) -> None:
        """Where not a byte is free the files go first, which makes the room that the commit needs."""
        try:
            self._parts.table.delete(container.id)
        except sqlite3.OperationalError:
            await asyncio.to_thread(delete_tree, container.folder)
            self._parts.table.delete(container.id)

    async def forget(self, container: Container) -> None:
        """Let the supervisor drop its record, endpoint and cgroup."""
        if container.supervised:
            container.supervised, container.cgroup = False, {}
            await self.forget_id(container.id)

    async def forget_id(self, container_id: str) -> None:
        """The same for an id that may be unknown to it."""
        with contextlib.suppress(OSError):
            await self._parts.supervisor.call("forget", container=container_id)
