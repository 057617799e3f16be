"""The operations of the protocol on the table of containers (docs/interfaces.md)."""

from __future__ import annotations

import errno
import json
import os

from containerlab.runtime.supervisor.attachment import Attachment
from containerlab.runtime.supervisor.container import Container
from containerlab.runtime.supervisor.detach import DetachKeys
from containerlab.runtime.supervisor.protocol import MAX_PACKET, PROTOCOL, RequestError, encode, field
from containerlab.runtime.supervisor.replay import Replay
from containerlab.runtime.supervisor.task import CREATED, RUNNING, STOPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from containerlab.runtime.cgroups import Cgroup, Driver
    from containerlab.runtime.proot.spare import Spares
    from containerlab.runtime.supervisor.connection import Connection
    from containerlab.runtime.supervisor.loop import Loop
    from containerlab.runtime.supervisor.task import Answer, Task

__all__ = ["Operations"]

_MAX_HELD = 16
_STREAMS = frozenset({"stdin", "stdout", "stderr"})
# rmdir(2) of a cgroup is EBUSY for a moment after its last process: tried so often, at growing distance (seconds).
_REMOVE_TRIES, _REMOVE_WAIT = 12, 0.002


class Operations:
    """``publish(packet)`` sends an event to every client."""

    def __init__(self, loop: Loop, driver: Driver, publish: Callable[[bytes], None]) -> None:
        self._loop, self._driver, self._publish = loop, driver, publish
        self._spares: Spares | None = None
        self._containers: dict[str, Container] = {}
        self._tasks: dict[int, Task] = {}
        self._held: dict[str, int] = {}
        self._shutting_down = False
        self._table: dict[str, Callable[[Connection, dict[str, Any], list[int]], None]] = {
            "hello": self._hello,
            "create": self._create,
            "start": self._start,
            "exec": self._exec,
            "attach": self._attach,
            "signal": self._signal,
            "resize": self._resize,
            "widen": self._widen,
            "list": self._list,
            "forget": self._forget,
            "hold": self._hold,
            "shutdown": self._shutdown,
        }

    def handle(self, connection: Connection, request: dict[str, Any], fds: list[int]) -> None:
        """Carries out one request. Raises OSError."""
        operation = self._table.get(request["op"])
        if operation is None:
            raise RequestError("protocol", errno.EINVAL, f"there is no operation {request['op']}")
        operation(connection, request, fds)

    def reaped(self, pid: int, status: int) -> None:
        """A child has ended. One that nobody knows was a helper, or a process that was never quite started."""
        task = self._tasks.pop(pid, None)
        if task is not None:
            task.reaped(pid, status)

    def shut_down(self) -> None:
        """Ends the loop as soon as no container is left."""
        self._shutting_down = True
        if not self._containers:
            self._loop.stop()

    def _container(self, request: dict[str, Any]) -> Container:
        name = field(request, "container", str)
        try:
            return self._containers[name]
        except KeyError:
            raise RequestError("protocol", errno.ENOENT, f"no container {name}") from None

    def _task(self, request: dict[str, Any]) -> Task:
        return self._container(request).find(field(request, "exec", str, None))

    def _hello(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        wanted = field(request, "protocol", int)
        if wanted != PROTOCOL:
            raise RequestError("protocol", errno.EPROTONOSUPPORT, f"protocol {PROTOCOL} is spoken here, not {wanted}")
        connection.reply(request["id"], {"protocol": PROTOCOL, "pid": os.getpid()})

    def _create(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        name = field(request, "container", str)
        if not name or "/" in name or name.startswith("."):
            raise RequestError("protocol", errno.EINVAL, f"{name!r} can't be a container's id")
        old = self._containers.get(name)
        if old is not None:
            if old.task.status != STOPPED or not old.idle:
                raise RequestError("protocol", errno.EEXIST, f"container {name} exists already")
            old.close()
            old.cgroup.remove()
            del self._containers[name]
        bundle, io = field(request, "bundle", str), field(request, "io", dict)
        self._containers[name] = Container(self._loop, self._driver, name, bundle, io, self._exited, self._detached)
        connection.reply(request["id"], {"cgroup": self._containers[name].cgroup.paths})

    def _start(self, connection: Connection, request: dict[str, Any], fds: list[int]) -> None:
        container = self._container(request)
        container.start(_answer(connection, request["id"]), fds)
        self._adopt(container.task)
        if container.copied_from:
            self._spare_root(container.copied_from)

    def _spare_root(self, source: str) -> None:
        if self._spares is None:
            from containerlab.runtime.proot.spare import Spares

            self._spares = Spares(self._loop)
        self._spares.started(source)

    def _exec(self, connection: Connection, request: dict[str, Any], fds: list[int]) -> None:
        """With ``attach`` the connection is joined before the process starts, so that its first output isn't lost."""
        container, name = self._container(request), field(request, "exec", str)
        process, io = field(request, "process", dict), field(request, "io", dict)
        joined = field(request, "attach", dict, None)
        task = container.add_exec(name, io)
        if joined is not None and task.status == CREATED and not task.starting:
            try:
                self._join({"op": "exec", **joined}, task, fds)
            except OSError:
                container.drop_exec(name)
                raise
        container.exec(name, process, _answer(connection, request["id"]))
        self._adopt(task)

    def _adopt(self, task: Task) -> None:
        if task.starting:
            self._tasks[task.pid] = task

    def _attach(self, connection: Connection, request: dict[str, Any], fds: list[int]) -> None:
        self._join(request, self._task(request), fds)
        connection.reply(request["id"], {})

    def _join(self, request: dict[str, Any], task: Task, fds: list[int]) -> None:
        """Joins the descriptor in ``fds`` to the task's stdio."""
        streams = frozenset(field(request, "streams", list))
        if not streams <= _STREAMS:
            raise RequestError("protocol", errno.EINVAL, f"streams are of {sorted(_STREAMS)}")
        if len(fds) != 1:
            raise RequestError("protocol", errno.EINVAL, "attach takes the connection's descriptor")
        endpoint = task.endpoint
        try:
            # Docker looks for detach keys at a terminal only: elsewhere the bytes are data.
            keys = DetachKeys(field(request, "detach_keys", str, "")) if endpoint.tty else None
        except ValueError as error:
            raise RequestError("protocol", errno.EINVAL, str(error)) from None
        multiplexed = field(request, "multiplexed", bool, False)
        replay = Replay(endpoint.log) if field(request, "replay", bool, False) and endpoint.log else None
        attachment = Attachment(
            self._loop, endpoint, fds.pop(), streams, multiplexed=multiplexed, detach=keys, replay=replay
        )
        if task.status == STOPPED:
            attachment.finish()
        elif not attachment.closed:
            endpoint.attach(attachment)

    def _signal(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        container, task = self._container(request), self._task(request)
        everyone, others = field(request, "all", bool, False), []
        if everyone:
            others = [pid for pid in container.cgroup.pids() if pid != task.pid]
        task.signal(field(request, "signal", int), others, everyone=everyone)
        connection.reply(request["id"], {})

    def _resize(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        height, width = field(request, "height", int), field(request, "width", int)
        if not (0 <= height < 65536 and 0 <= width < 65536):
            raise RequestError("protocol", errno.EINVAL, "a terminal's height and width are 0 to 65535")
        self._task(request).endpoint.resize(height, width)
        connection.reply(request["id"], {})

    def _list(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        """A page of the list: those behind ``after``, and ``more`` when there are more than a packet holds."""
        after = field(request, "after", str, "")
        names = sorted(name for name in self._containers if name > after)
        records: list[dict[str, Any]] = []
        room = MAX_PACKET - 1024
        for name in names:
            record = self._containers[name].record()
            room -= len(json.dumps(record)) + 1
            if room < 0 and records:
                break
            records.append(record)
        connection.reply(request["id"], {"containers": records, "more": len(records) < len(names)})

    def _forget(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        container, name = self._container(request), field(request, "exec", str, None)
        if name is not None:
            task = container.find(name)
            if task.starting or task.status == RUNNING:
                raise RequestError("protocol", errno.EBUSY, f"exec {name} is running")
            container.drop_exec(name)
            connection.reply(request["id"], {})
            return
        if not container.idle:
            raise RequestError("protocol", errno.EBUSY, f"container {container.name} is running")
        container.close()
        del self._containers[container.name]
        self._remove_cgroup(container.cgroup, _answer(connection, request["id"]), _REMOVE_TRIES, _REMOVE_WAIT)

    def _remove_cgroup(self, cgroup: Cgroup, answer: Answer, tries: int, wait: float) -> None:
        try:
            gone = cgroup.remove()
        except OSError as error:
            answer(RequestError("cgroup", error.errno or 0, error.strerror or "", str(error.filename or "")))
        else:
            if gone:
                answer({})
            elif tries:
                # A container in the host's pid namespace may leave processes; they don't outlive its record.
                cgroup.kill()
                self._loop.call_later(wait, lambda: self._remove_cgroup(cgroup, answer, tries - 1, wait * 1.6))
                return
            else:
                answer(RequestError("cgroup", errno.EBUSY, "processes don't leave the cgroup", cgroup.directories[0]))
        if self._shutting_down:
            self.shut_down()

    def _hold(self, connection: Connection, request: dict[str, Any], fds: list[int]) -> None:
        """Keep a descriptor until another one comes under its name, or this process ends, by whatever cause."""
        name = field(request, "name", str)
        if len(fds) != 1:
            raise RequestError("protocol", errno.EINVAL, "hold takes one descriptor")
        if name not in self._held and len(self._held) >= _MAX_HELD:
            raise RequestError("protocol", errno.EMFILE, f"{_MAX_HELD} descriptors are held already")
        old = self._held.get(name)
        self._held[name] = fds.pop()
        if old is not None:
            os.close(old)
        connection.reply(request["id"], {})

    def _widen(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        container = self._container(request)
        try:
            paths = self._driver.widen(container.cgroup)
        except OSError as error:
            path = str(error.filename or "")
            raise RequestError("cgroup", error.errno or 0, error.strerror or str(error), path) from None
        connection.reply(request["id"], {"cgroup": paths})

    def _shutdown(self, connection: Connection, request: dict[str, Any], _fds: list[int]) -> None:
        connection.reply(request["id"], {})
        self.shut_down()

    def _exited(self, container: Container, name: str | None) -> None:
        task = container.find(name)
        event = {
            "event": "exit",
            "container": container.name,
            "exec": name,
            "exit_code": task.exit_code,
            "oom": container.oom if name is None else False,
            "finished_at": task.finished_at,
        }
        self._publish(encode(event))

    def _detached(self, container: Container, name: str | None) -> None:
        self._publish(encode({"event": "detach", "container": container.name, "exec": name}))


def _answer(connection: Connection, number: int) -> Answer:
    def answer(result: dict[str, Any] | OSError) -> None:
        if isinstance(result, OSError):
            connection.fail(number, result)
        else:
            connection.reply(number, result)

    return answer
