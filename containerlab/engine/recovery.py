"""What an engine does first: bring the database, the supervisor's list and the files to one truth.

The supervisor is the truth about processes, the database about which containers there are. Whatever one of them
doesn't know is a leftover: of an engine that was killed between two steps, of a supervisor that was killed, or of
a machine that was switched off.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import Any

from containerlab.engine.container import Container
from containerlab.engine.execs import Execs
from containerlab.engine.lifecycle import Lifecycle
from containerlab.engine.parts import Parts, delete_tree
from containerlab.engine.state import ContainerState
from containerlab.rung import copies_roots
from containerlab.runtime import cgroups
from containerlab.runtime.identity import Identity, open_process
from containerlab.runtime.proot.tree import kill_tree

__all__ = ["SUPERVISOR_LOST", "recover"]

SUPERVISOR_LOST = "supervisor lost"
_KILLED = 137
# What moby records for a container whose end nobody saw, such as one that ran when the machine went down.
_UNSEEN = 255


async def recover(parts: Parts, lifecycle: Lifecycle, execs: Execs) -> None:
    """Load every container and settle it; restart policies take hold for those that ended unseen."""
    listed = (await parts.supervisor.call("list"))["containers"]
    known: dict[str, dict[str, Any]] = {entry["container"]: entry for entry in listed}
    for record, name, state in parts.table.load():
        parts.registry.add(Container(record, name, state, parts.folder(record.id)))
    for container in parts.registry:
        await _settle(parts, lifecycle, execs, container, known.pop(container.id, None))
    for stray in known.values():
        await _end_stray(parts, lifecycle, stray)
    await asyncio.to_thread(_sweep, parts)


async def _settle(
    parts: Parts, lifecycle: Lifecycle, execs: Execs, container: Container, seen: dict[str, Any] | None
) -> None:
    if seen is not None:
        container.supervised, container.cgroup = True, seen["cgroup"]
    else:
        await asyncio.to_thread(_end_left, container)
    if container.state.status == "removing":
        async with container.lock:
            await lifecycle.remove_locked(container)
    elif seen is not None and seen["status"] != "created":
        await _follow_process(lifecycle, execs, container, seen)
    elif container.state.running:
        await _lost(parts, lifecycle, container)
    elif container.state.status == "restarting":
        lifecycle.plan_restart(container)
    elif container.remove_at_exit and container.state.started_at:
        # Its end was recorded, and the engine killed before the removal.
        async with container.lock:
            await lifecycle.remove_locked(container)
    elif _starts_with_the_machine(parts, container):
        parts.background.spawn(lifecycle.start_quietly(container))


async def _follow_process(lifecycle: Lifecycle, execs: Execs, container: Container, seen: dict[str, Any]) -> None:
    """The supervisor has its process, or saw its end."""
    state = container.state
    if not state.running and state.started_at != seen["started_at"]:
        # Started by an engine that was killed before it could write so.
        lifecycle.adopt(container, seen)
    for entry in seen["execs"]:
        execs.adopt(container, entry["exec"])
        if entry["status"] == "stopped":
            await execs.exited(entry["exec"], entry["exit_code"])
    if seen["status"] == "stopped":
        if state.running:
            await lifecycle.exited(container, seen["exit_code"], seen["oom"], seen["finished_at"])
        else:
            await lifecycle.forget(container)


async def _lost(parts: Parts, lifecycle: Lifecycle, container: Container) -> None:
    """It ran, and no supervisor knows it: record the end."""
    state = container.state
    same_boot = state.boot_id == parts.boot_id
    state.error = SUPERVISOR_LOST if same_boot else ""
    await lifecycle.exited(container, _KILLED if same_boot else _UNSEEN, False, time.time_ns())


def _starts_with_the_machine(parts: Parts, container: Container) -> bool:
    """``always`` also starts what was stopped by hand, once the machine has been booted again (docker-run(1))."""
    state = container.state
    booted_since = bool(state.started_at) and state.boot_id != parts.boot_id
    return booted_since and container.record.host_config.restart_policy.name == "always"


async def _end_stray(parts: Parts, lifecycle: Lifecycle, seen: dict[str, Any]) -> None:
    """A build's step, or a container whose row was never written: nobody will ever ask for it."""
    container_id = seen["container"]
    if seen["status"] == "running":
        with contextlib.suppress(OSError):
            await parts.supervisor.call("signal", container=container_id, exec=None, signal=9, all=True)
        with contextlib.suppress(ProcessLookupError):
            await asyncio.to_thread(_await_end, Identity(seen["pid"], seen["starttime"], parts.boot_id))
    await lifecycle.forget_id(container_id)


def _end_left(container: Container) -> None:
    """No supervisor knows it: end what a killed one has left, its processes and its cgroup."""
    if container.state.pid:
        _kill_init(container.state)
    with contextlib.suppress(OSError):
        cgroups.driver().clear(container.id)


def _kill_init(state: ContainerState) -> None:
    identity = Identity(state.pid, state.starttime, state.boot_id)
    # By pidfd its init, and so all of its PID namespace (pid_namespaces(7)), also where there are no cgroups.
    with contextlib.suppress(ProcessLookupError):
        pidfd = open_process(identity)
        if copies_roots():
            kill_tree(state.pid, itself=False)
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)
        _await_end(identity)


def _await_end(identity: Identity, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.close(open_process(identity))
        except ProcessLookupError:
            return
        time.sleep(0.005)


def _sweep(parts: Parts) -> None:
    """Folders of containers whose row was never written, and of removals that were cut short."""
    folder = parts.settings.store / "containers"
    for entry in folder.iterdir():
        if entry.name not in parts.registry:
            parts.images.layers.unpin(entry.name)
            delete_tree(entry)
    for entry in (parts.settings.store / "tmp").iterdir():
        if entry.name.startswith(("removed-", "context-")):
            delete_tree(entry)
