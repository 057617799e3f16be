"""One container's record: its bundle, stdio, log, cgroup, first process and execs."""

# The supervisor does without pathlib, which alone is 1.5 MB of its memory.
# ruff: noqa: PTH116
from __future__ import annotations

import errno
import json
import os

from containerlab.rung import PROOT
from containerlab.runtime.join import spawn_exec
from containerlab.runtime.spawn import spawn
from containerlab.runtime.supervisor.endpoint import Endpoint
from containerlab.runtime.supervisor.jsonlog import JsonLog
from containerlab.runtime.supervisor.protocol import RequestError, field
from containerlab.runtime.supervisor.task import CREATED, RUNNING, Task
from containerlab.runtime.userns import in_user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from containerlab.runtime.cgroups import Cgroup, Driver
    from containerlab.runtime.spawn import Starting
    from containerlab.runtime.supervisor.loop import Loop
    from containerlab.runtime.supervisor.task import Answer

__all__ = ["Container", "make_endpoint"]

_BUNDLE_LIMIT = 16 << 20


def make_endpoint(loop: Loop, io: dict[str, Any], on_detach: Callable[[], None]) -> Endpoint:
    """The stdio endpoint that a request's ``io`` describes. Raises RequestError or OSError."""
    log = io.get("log")
    writer = None
    if log is not None:
        if log.get("driver") != "json-file":
            raise RequestError("protocol", errno.EINVAL, f"the log driver {log.get('driver')} is unknown")
        limits = (field(log, "max_size", int, 0), field(log, "max_file", int, 1))
        writer = JsonLog(field(log, "path", str), *limits)
    flags = {name: field(io, name, bool, False) for name in ("tty", "stdin", "stdin_once")}
    return Endpoint(loop, **flags, log=writer, on_detach=on_detach)


class Container:
    """``on_exit(container, exec id or None)`` and ``on_detach(container, exec id or None)`` report to the server."""

    def __init__(
        self,
        loop: Loop,
        driver: Driver,
        name: str,
        bundle: str,
        io: dict[str, Any],
        on_exit: Callable[[Container, str | None], None],
        on_detach: Callable[[Container, str | None], None],
    ) -> None:
        self._loop, self._driver, self.name, self._bundle = loop, driver, name, bundle
        self._report_exit, self._report_detach = on_exit, on_detach
        self.oom = False
        self.execs: dict[str, Task] = {}
        spec = self._read_spec()
        self._spec: dict[str, Any] | None = spec
        self._seccomp = spec.get("annotations", {}).get("containerlab.seccomp")
        backend = spec.get("annotations", {}).get("containerlab.backend", "native")
        self._vm, self._proot = backend == "vm", backend == PROOT
        # The tree that the root is a copy of, on the rung proot.
        self.copied_from = str(spec.get("annotations", {}).get("containerlab.copy", "")) if self._proot else ""
        self.cgroup = self._make_cgroup(spec)
        try:
            endpoint = make_endpoint(loop, io, lambda: on_detach(self, None))
        except OSError:
            self.cgroup.remove()
            raise
        self.task = Task(loop, endpoint, self._exited, traced=self._proot)

    def _read_spec(self) -> dict[str, Any]:
        path = f"{self._bundle}/config.json"
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            self._spec_stamp = os.fstat(fd).st_mtime_ns
            content = file.read(_BUNDLE_LIMIT + 1)
        try:
            spec = json.loads(content) if len(content) <= _BUNDLE_LIMIT else None
        except ValueError:
            spec = None
        if not isinstance(spec, dict):
            raise RequestError("protocol", errno.EINVAL, "config.json is no JSON object of 16 MiB at most", path)
        return spec

    def _make_cgroup(self, spec: dict[str, Any]) -> Cgroup:
        resources = spec.get("linux", {}).get("resources") or {}
        try:
            try:
                return self._driver.create(self.name, resources)
            except FileExistsError:
                # An id is used once, so that a group of its name was left by a supervisor that was killed.
                self._driver.clear(self.name)
                return self._driver.create(self.name, resources)
        except OSError as error:
            message = error.strerror or str(error)
            raise RequestError("cgroup", error.errno or 0, message, str(error.filename or "")) from None

    def start(self, answer: Answer, trees: Sequence[int] = ()) -> None:
        """Idempotent: a container that was started already answers as it did then. ``trees`` are mounts for its shared
        binds. Raises OSError."""
        if self.task.status != CREATED or self.task.starting:
            self.task.wait_started(answer)
            return
        spec = self._fresh_spec()
        self._require_device_filter(spec)
        spec = {**spec, "process": self.task.endpoint.sized(spec["process"])}
        self.task.start(
            lambda stdio: spawn(spec, self._bundle, stdio, self.cgroup, trees), answer, self._start_answered
        )

    def _start_answered(self) -> None:
        self.cgroup.close()
        self._spec = None

    def _fresh_spec(self) -> dict[str, Any]:
        """The spec read at ``create``, kept until the start; read again if the engine has changed it since."""
        stamp = os.stat(f"{self._bundle}/config.json").st_mtime_ns
        if self._spec is None or stamp != self._spec_stamp:
            self._spec = self._read_spec()
        return self._spec

    def _require_device_filter(self, spec: dict[str, Any]) -> None:
        """The last check that no container of the host's root gets CAP_MKNOD without a device filter: with it,
        mknod(1) in the container reads the host's disk. Inside a user namespace the kernel refuses mknod anyhow."""
        capabilities = spec.get("process", {}).get("capabilities") or {}
        if self._vm or self._proot or "CAP_MKNOD" not in (capabilities.get("bounding") or ()) or in_user_namespace():
            return
        if not self._driver.can_filter_devices:
            reason = self._driver.missing.get("devices", "")
            raise RequestError("cgroup", errno.EPERM, f"CAP_MKNOD without a device filter ({reason})")
        if not (spec.get("linux", {}).get("resources") or {}).get("devices"):
            raise RequestError("cgroup", errno.EPERM, "CAP_MKNOD without device rules in linux.resources.devices")

    def add_exec(self, name: str, io: dict[str, Any]) -> Task:
        """The exec ``name`` with its stdio, made unless there is one. Raises OSError."""
        if self._vm:
            # The launcher lives in the host's namespaces: what joined them would run on the host.
            raise RequestError("exec", errno.EOPNOTSUPP, "no process can be started inside a running virtual machine")
        if self.task.status != RUNNING or self.task.finished_at:
            raise RequestError("exec", errno.ESRCH, "the container is not running")
        if name not in self.execs:
            endpoint = make_endpoint(self._loop, io, lambda: self._report_detach(self, name))
            self.execs[name] = Task(
                self._loop, endpoint, lambda _task: self._report_exit(self, name), traced=self._proot
            )
        return self.execs[name]

    def exec(self, name: str, process: dict[str, Any], answer: Answer) -> None:
        """Starts the exec ``name``; one that can't be started is dropped. Raises OSError."""
        task = self.execs[name]
        if task.status != CREATED or task.starting:
            task.wait_started(answer)
            return

        def answered(result: dict[str, Any] | OSError) -> None:
            if isinstance(result, OSError):
                self.drop_exec(name)
            answer(result)

        try:
            sized = task.endpoint.sized(process)
            task.start(lambda stdio: self._spawn_exec(sized, stdio), answered, self.cgroup.close)
        except OSError:
            self.drop_exec(name)
            raise

    def _spawn_exec(self, process: dict[str, Any], stdio: tuple[int, int, int] | None) -> Starting:
        if self._proot:
            from containerlab.runtime.proot.spawn import spawn_exec as under_proot

            return under_proot(self._bundle, process, stdio)
        return spawn_exec(self.task.pid, process, stdio, self.cgroup, seccomp=self._seccomp)

    def drop_exec(self, name: str) -> None:
        """Forgets an exec that doesn't run."""
        self.execs.pop(name).endpoint.close()

    def _exited(self, _task: Task) -> None:
        self.oom = self.cgroup.oom_kills() > 0
        for task in self.execs.values():
            task.end()
        self._report_exit(self, None)

    def find(self, exec_name: str | None) -> Task:
        """The container's own task, or an exec's. Raises RequestError(ENOENT)."""
        if exec_name is None:
            return self.task
        try:
            return self.execs[exec_name]
        except KeyError:
            raise RequestError("protocol", errno.ENOENT, f"no exec {exec_name}") from None

    @property
    def idle(self) -> bool:
        """Nothing of it runs or starts: it may be forgotten."""
        tasks = [self.task, *self.execs.values()]
        return not any(task.starting or task.status == RUNNING for task in tasks)

    def record(self) -> dict[str, Any]:
        """The container as ``list`` shows it."""
        return {
            "container": self.name,
            **_state(self.task),
            "oom": self.oom,
            "cgroup": self.cgroup.paths,
            "execs": [{"exec": name, **_state(task)} for name, task in self.execs.items()],
        }

    def close(self) -> None:
        """Closes what is open; the cgroup stays for ``Cgroup.remove``."""
        for task in (self.task, *self.execs.values()):
            task.endpoint.close()
        self.cgroup.close()


def _state(task: Task) -> dict[str, Any]:
    stopped = task.status not in (CREATED, RUNNING)
    return {
        "pid": task.pid,
        "starttime": task.starttime,
        "status": task.status,
        "started_at": task.started_at,
        "exit_code": task.exit_code if stopped else None,
        "finished_at": task.finished_at if stopped else None,
    }
