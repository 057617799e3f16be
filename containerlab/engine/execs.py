"""Commands run inside a container that runs already."""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import dataclass
from typing import Any

from containerlab.engine import names
from containerlab.engine.container import Container
from containerlab.engine.detaching import check_detach_keys
from containerlab.engine.failures import start_failed
from containerlab.engine.models import ExecConfig
from containerlab.engine.parts import Parts
from containerlab.engine.signals import parse_signal
from containerlab.errors import Conflict, InvalidParameter, NoSuchExec
from containerlab.runtime.client import PROTOCOL
from containerlab.runtime.spec import default_process

__all__ = ["Exec", "Execs"]

# As long as moby's exec garbage collection (daemon/exec.go, ``execCommandGC``) leaves an ended one to be inspected.
_REMEMBERED_SECONDS = 300.0


@dataclass
class Exec:
    """One command; ``exit_code`` is None until it has ended."""

    id: str
    container: Container
    config: ExecConfig
    pid: int = 0
    exit_code: int | None = None
    started: bool = False

    @property
    def running(self) -> bool:
        """Started, and not ended."""
        return self.started and self.exit_code is None


class Execs:
    """Raises NoSuchExec for an id it doesn't know, Conflict when the container doesn't run."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._execs: dict[str, Exec] = {}

    async def create(self, ref: str, config: ExecConfig) -> str:
        """The id of a command that ``start`` will run."""
        container = self._parts.registry.get(ref)
        _check_running(container)
        if not config.cmd:
            raise InvalidParameter("No exec command specified")
        check_detach_keys(config.detach_keys)
        created = Exec(names.new_id(), container, config)
        self._execs[created.id] = created
        container.execs.add(created.id)
        self._tell(created, f"exec_create: {' '.join(config.cmd)}")
        return created.id

    def check(self, exec_id: str) -> None:
        """Raise what ``start`` would for an unknown, already started, or orphaned exec."""
        found = self._get(exec_id)
        if found.started:
            raise Conflict(f"exec {exec_id} has already been started")
        _check_running(found.container)

    async def start(
        self,
        exec_id: str,
        fd: int | None,
        *,
        detach: bool = False,
        tty: bool | None = None,
        console_size: tuple[int, int] | None = None,
        raw: bool = False,
    ) -> None:
        """Run it; its streams go to the socket ``fd`` (the caller's to close), whose response head is written already.

        ``tty`` must say what ``create`` said, as the head was chosen by it; ``raw`` joins stdout and stderr in one
        stream without frames. Raises StartFailed (126, 127).
        """
        self.check(exec_id)
        found = self._get(exec_id)
        found.started = True
        self._tell(found, f"exec_start: {' '.join(found.config.cmd)}")
        config = found.config
        io = {"tty": config.tty, "stdin": config.attach_stdin and fd is not None, "stdin_once": True, "log": None}
        try:
            started = await self._parts.supervisor.call(
                "exec",
                fds=() if fd is None else (fd,),
                container=found.container.id,
                exec=exec_id,
                process=self._process(found, console_size),
                io=io,
                attach=None if fd is None else _attachment(config, raw),
            )
        except OSError as exc:
            failure = start_failed(exc, config.cmd[0], of_exec=True)
            # What never began tells no end.
            self._ended(found, failure.exit_code, tell=False)
            raise failure from exc
        found.pid = started["pid"]

    async def inspect(self, exec_id: str) -> dict[str, Any]:
        """Docker's exec inspect."""
        found = self._get(exec_id)
        if found.running:
            # Its client may have seen the end of its output: then the news of its exit is under way already, ahead of
            # the answer to this.
            await self._parts.supervisor.call("hello", protocol=PROTOCOL)
        config = found.config
        return {
            "ID": found.id,
            "Running": found.running,
            "ExitCode": found.exit_code,
            "ProcessConfig": {
                "tty": config.tty,
                "entrypoint": config.cmd[0],
                "arguments": config.cmd[1:],
                "privileged": config.privileged,
                "user": config.user,
            },
            "OpenStdin": config.attach_stdin,
            "OpenStderr": config.attach_stderr,
            "OpenStdout": config.attach_stdout,
            "CanRemove": False,
            "ContainerID": found.container.id,
            "DetachKeys": config.detach_keys,
            "Pid": found.pid,
        }

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """The size of its terminal, in characters. Raises Conflict when it doesn't run."""
        found = self._running(exec_id)
        await self._parts.supervisor.call(
            "resize", container=found.container.id, exec=exec_id, height=height, width=width
        )

    async def kill(self, exec_id: str, signal: str = "SIGKILL") -> None:
        """Signal its process. Raises Conflict when it doesn't run."""
        found, number = self._running(exec_id), parse_signal(signal, default=9)
        try:
            await self._parts.supervisor.call(
                "signal", container=found.container.id, exec=exec_id, signal=number, all=False
            )
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise
            raise Conflict(f"exec {exec_id} is not running") from None

    async def exited(self, exec_id: str, exit_code: int) -> None:
        """The supervisor's exit event of an exec."""
        found = self._execs.get(exec_id)
        if found is not None and found.exit_code is None:
            self._ended(found, exit_code)
            await self._parts.supervisor.call("forget", container=found.container.id, exec=exec_id)

    def adopt(self, container: Container, exec_id: str) -> None:
        """An exec that a former engine started: its end must still be noticed; what it ran isn't known any more."""
        config = ExecConfig(cmd=["unknown"])
        self._execs[exec_id] = Exec(exec_id, container, config, started=True)
        container.execs.add(exec_id)

    def container_ended(self, container: Container) -> None:
        """Those that were never started can't be any more."""
        for exec_id in tuple(container.execs):
            found = self._execs.get(exec_id)
            if found is None or not found.started:
                self._execs.pop(exec_id, None)
                container.execs.discard(exec_id)

    def _process(self, found: Exec, console_size: tuple[int, int] | None) -> dict[str, Any]:
        """The container's own process as written in its bundle, with this command's words in place of its own."""
        config, container = found.config, found.container
        if container.process is None:
            spec = json.loads((container.folder / "config.json").read_bytes())
            container.process = {**spec["process"], "user_name": spec["annotations"].get("containerlab.user", "")}
        own = container.process
        process = default_process(
            config.cmd,
            env=[*own["env"], *config.env] + (["TERM=xterm"] if config.tty and not _names(own["env"], "TERM") else []),
            cwd=config.working_dir or own["cwd"],
            tty=config.tty,
            privileged=config.privileged,
        )
        if not config.privileged:
            process["capabilities"] = own["capabilities"]
        for key in ("noNewPrivileges", "oomScoreAdj", "rlimits"):
            if key in own:
                process[key] = own[key]
        process["user_name"] = config.user or own["user_name"]
        size = console_size or config.console_size
        if config.tty and size and any(size):
            process["consoleSize"] = {"height": size[0], "width": size[1]}
        return process

    def _ended(self, found: Exec, exit_code: int, *, tell: bool = True) -> None:
        found.exit_code = exit_code
        found.container.execs.discard(found.id)
        if tell:
            self._tell(found, "exec_die", exitCode=str(exit_code))
        asyncio.get_running_loop().call_later(_REMEMBERED_SECONDS, self._execs.pop, found.id, None)

    def _get(self, exec_id: str) -> Exec:
        found = self._execs.get(exec_id)
        if found is None or found.container.id not in self._parts.registry:
            raise NoSuchExec(exec_id)
        return found

    def _running(self, exec_id: str) -> Exec:
        found = self._get(exec_id)
        if not found.running:
            raise Conflict(f"exec {exec_id} is not running")
        return found

    def _tell(self, found: Exec, action: str, **attributes: str) -> None:
        self._parts.tell(found.container, action, execID=found.id, **attributes)


def _attachment(config: ExecConfig, raw: bool) -> dict[str, Any]:
    wanted = (("stdin", config.attach_stdin), ("stdout", config.attach_stdout), ("stderr", config.attach_stderr))
    return {
        "streams": [name for name, flag in wanted if flag],
        "multiplexed": not (config.tty or raw),
        "detach_keys": config.detach_keys,
    }


def _names(env: list[str], key: str) -> bool:
    return any(entry.startswith(f"{key}=") for entry in env)


def _check_running(container: Container) -> None:
    if container.state.status == "paused":
        raise Conflict(f"Container {container.name} is paused, unpause the container before exec")
    if container.state.status == "restarting":
        raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
    if not container.state.running:
        raise Conflict(f"container {container.id} is not running")
