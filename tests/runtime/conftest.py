"""A container made of one static busybox, started by the runtime itself in the test's own process."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from containerlab.runtime.join import spawn_exec
from containerlab.runtime.spawn import Failed, Started, Starting, spawn
from containerlab.runtime.spec import default_process, default_spec

_LIMIT_S = 20
_APPLETS = (
    "awk cat chmod chown cp dd echo env false fgrep grep head hostname id ip ls mkdir mknod mount ping ps pwd readlink "
    "rm sed seq sh sleep sort stat stty tail test touch true tty umount uniq wc yes"
)


@dataclass
class Ended:
    """How a container's program ended, or why it never ran."""

    out: str = ""
    err: str = ""
    exit_code: int | None = None
    failed: Failed | None = None
    timeline: list[tuple[str, int]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Running:
    """A started process; killed and reaped at the end of the test at the latest."""

    def __init__(self, starting: Starting, out: int | None, err: int | None) -> None:
        self.starting, self.pid, self.out, self.err = starting, starting.pid, out, err
        self.started: Started | None = None
        self.failed: Failed | None = None
        self.status: int | None = None

    def wait_started(self) -> None:
        deadline = time.monotonic() + _LIMIT_S
        answer = None
        while answer is None:
            readable, _, _ = select.select([self.starting], [], [], deadline - time.monotonic())
            if not readable:
                raise TimeoutError("the container didn't start in time")
            answer = self.starting.receive()
        if isinstance(answer, Started):
            self.started = answer
        else:
            self.failed = answer

    def finish(self) -> Ended:
        """Reads all output until its end, reaps."""
        ended = Ended(failed=self.failed, timeline=self.started.timeline if self.started else [])
        texts = {fd: b"" for fd in (self.out, self.err) if fd is not None}
        open_ = set(texts)
        deadline = time.monotonic() + _LIMIT_S
        while open_:
            readable, _, _ = select.select(list(open_), [], [], max(0, deadline - time.monotonic()))
            if not readable:
                raise TimeoutError(f"the container didn't end in time; so far: {texts}")
            for fd in readable:
                try:
                    chunk = os.read(fd, 65536)
                except OSError:  # EIO: the last slave of a terminal is closed
                    chunk = b""
                texts[fd] += chunk
                if not chunk:
                    open_.discard(fd)
        self.reap()
        ended.out = texts.get(self.out, b"").decode(errors="replace") if self.out is not None else ""
        ended.err = texts.get(self.err, b"").decode(errors="replace") if self.err is not None else ""
        if self.failed is None and self.status is not None:
            ended.exit_code = os.waitstatus_to_exitcode(self.status)
        return ended

    def reap(self, *, kill: bool = False) -> None:
        if self.status is None:
            if kill:
                os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitpid(self.pid, 0)[1]

    def close(self) -> None:
        self.reap(kill=True)
        self.starting.sync.close()
        for fd in (self.out, self.err, self.starting.console):
            if fd is not None:
                try:
                    os.close(fd)
                except OSError:
                    pass


class Sandbox:
    """One image (``base``), and as many containers of it as a test wants, each with its own writable layer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layers = folder / "layers"
        self.base = self.layers / "base" / "diff"
        (self.layers / "l").mkdir(parents=True)
        (self.layers / "l" / "B").symlink_to("../base/diff")
        for name in ("bin", "etc", "tmp", "root"):
            (self.base / name).mkdir(parents=True)
        (self.base / "tmp").chmod(0o1777)
        shutil.copy(shutil.which("busybox") or "/bin/busybox", self.base / "bin/busybox")
        for applet in _APPLETS.split():
            (self.base / "bin" / applet).symlink_to("busybox")
        (self.base / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n")
        (self.base / "etc/group").write_text("root:x:0:\nana:x:1000:\nlab:x:2000:ana\nteam:x:2001:ana,root\n")
        self._live: list[Running] = []
        self._count = 0

    def bundle(self) -> tuple[Path, dict[str, str]]:
        """A new container's folder, and the annotation that mounts its root."""
        self._count += 1
        bundle = self.folder / f"c{self._count}"
        for name in ("upper", "work"):
            (bundle / name).mkdir(parents=True)
        overlay = {
            "layers": str(self.layers),
            "lower": ["l/B"],
            "upper": str(bundle / "upper"),
            "work": str(bundle / "work"),
            "volatile": False,
        }
        return bundle, {"containerlab.overlay": json.dumps(overlay)}

    def spec(self, *args: str, **options: Any) -> dict[str, Any]:
        """Docker's defaults for this image."""
        options.setdefault("env", ["PATH=/bin"])
        return default_spec(list(args), **options)

    def start(
        self,
        *args: str,
        edit: Callable[[dict[str, Any]], None] | None = None,
        cgroup: Any = None,
        stdin: int | None = None,
        **options: Any,
    ) -> Running:
        """Starts a container and waits until its program runs, or has failed to."""
        bundle, annotations = self.bundle()
        spec = self.spec(*args, **options)
        spec["annotations"].update(annotations)
        if edit is not None:
            edit(spec)
        terminal = spec["process"]["terminal"]
        return self._watch(terminal, stdin, lambda stdio: spawn(spec, str(bundle), stdio, cgroup))

    def run(self, *args: str, **options: Any) -> Ended:
        """Starts a container and waits until it has ended."""
        return self.start(*args, **options).finish()

    def execute(
        self,
        pid: int,
        *args: str,
        user: str = "",
        tty: bool = False,
        seccomp: str | None = None,
        cwd: str = "/",
        env: tuple[str, ...] = ("PATH=/bin",),
        privileged: bool = False,
    ) -> Ended:
        """``exec`` in a running container, until its end."""
        process = default_process(args, env=env, cwd=cwd, tty=tty, privileged=privileged)
        process["user_name"] = user
        running = self._watch(tty, None, lambda stdio: spawn_exec(pid, process, stdio, None, seccomp=seccomp))
        return running.finish()

    def _watch(
        self, terminal: bool, stdin: int | None, start: Callable[[tuple[int, int, int] | None], Starting]
    ) -> Running:
        if terminal:
            running = Running(start(None), None, None)
            self._live.append(running)
            running.wait_started()
            running.out = running.starting.console
            return running
        null = os.open("/dev/null", os.O_RDONLY) if stdin is None else stdin
        out, out_writer = os.pipe()
        err, err_writer = os.pipe()
        try:
            running = Running(start((null, out_writer, err_writer)), out, err)
        finally:
            for fd in {null, out_writer, err_writer} - {stdin}:
                os.close(fd)
        self._live.append(running)
        running.wait_started()
        return running

    def close(self) -> None:
        for running in self._live:
            running.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    if shutil.which("busybox") is None:
        pytest.skip("needs busybox-static")
    sandbox = Sandbox(tmp_path)
    try:
        yield sandbox
    finally:
        sandbox.close()
