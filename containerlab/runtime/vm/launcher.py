"""Run a bundle in a virtual machine, and be to its caller what a container's first process is.

Standard streams, signals, terminal size and exit code pass between the caller and the guest; when this process
ends, QEMU ends with it. What happened is written to ``vm.json`` in the bundle.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from containerlab.errors import ContainerlabError, InvalidParameter
from containerlab.runtime.vm import guest, kernel, probe
from containerlab.runtime.vm.busybox import read_busybox
from containerlab.runtime.vm.disk import make_disk
from containerlab.runtime.vm.qemu import MACHINE, Machine, find_qemu

__all__ = ["cache_folder", "main"]

_CANNOT_RUN = 125
_BOOT_SECONDS = 120.0
_DEFAULT_MEMORY_MB = 256
_CHUNK = 65536
_SERIAL_KEPT = 16384
_FORWARDED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT),
    signal.SIGALRM,
)
_ETC_FILES = {"/etc/hosts": "hosts", "/etc/hostname": "hostname", "/etc/resolv.conf": "resolv.conf"}


def main(bundle: Path) -> int:
    """Boot ``bundle`` and give its command's exit code; 125, with the reason on stderr, when it can't be run."""
    began = time.monotonic_ns()
    work = bundle / "vm"
    try:
        spec = json.loads((bundle / "config.json").read_text())
        work.mkdir(mode=0o700, exist_ok=True)
        return _Run(bundle, work, spec, began).run()
    except ContainerlabError as error:
        print(error, file=sys.stderr)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"The virtual machine couldn't be started: {error}", file=sys.stderr)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _CANNOT_RUN


def cache_folder(spec: dict[str, Any]) -> Path:
    """Where unpacked kernels and the accelerator's proof are kept: ``vm/`` of the store, else the user's cache."""
    overlay = json.loads(spec.get("annotations", {}).get("containerlab.overlay", "null"))
    if overlay is not None:
        return Path(overlay["layers"]).parent / "vm"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "containerlab" / "vm"


class _Run:
    """One boot, from the disk to the exit code."""

    def __init__(self, bundle: Path, work: Path, spec: dict[str, Any], began: int) -> None:
        self._bundle, self._work, self._spec, self._began = bundle, work, spec, began
        self._cache = cache_folder(spec)
        self._terminal = bool(spec.get("process", {}).get("terminal"))
        self._stages: dict[str, float] = {}
        self._facts: dict[str, Any] = {}
        self._serial = b""
        self._line = b""
        self._exit_code: int | None = None
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        machine = self._prepare()
        with _woken_by_signals() as wake:
            machine.start()
            try:
                self._stage("qemu")
                self._facts["qemu_pid"] = machine.process.pid
                self._write_facts()
                with _raw_terminal(self._terminal):
                    return self._serve(machine, wake)
            finally:
                machine.stop()

    # -- before the boot ---------------------------------------------------------------------------

    def _prepare(self) -> Machine:
        find_qemu()
        files = _etc_files(self._spec)
        size = _terminal_size() if self._terminal else None
        if size is not None:
            # So the guest has it before its command starts; a message could come after.
            self._spec["process"]["consoleSize"] = dict(zip(("height", "width"), size, strict=True))
        found = kernel.find(self._cache)
        initrd, disk = self._work / "initrd", self._work / "root.ext4"
        initrd.write_bytes(guest.initramfs(found, read_busybox(), self._spec, files))
        image = found.bootable(self._cache)
        self._stage("kernel")
        accel = probe.accel(self._cache)
        self._stage("accel")
        make_disk(self._bundle, self._spec, disk)
        self._stage("disk")
        memory = int(self._spec.get("annotations", {}).get("containerlab.memory_mb", _DEFAULT_MEMORY_MB))
        self._facts = {
            "accel": accel,
            "memory_mb": memory,
            "kernel": found.release,
            "machine": MACHINE.partition(",")[0],
            "disk_bytes": disk.stat().st_blocks * 512,
        }
        return Machine(accel, memory, image, initrd, disk, self._terminal)

    # -- while it runs -----------------------------------------------------------------------------

    def _serve(self, machine: Machine, wake: int) -> int:
        """Carry bytes until the guest says its exit code, or QEMU ends."""
        self._register(machine, wake)
        deadline = time.monotonic() + _BOOT_SECONDS
        while self._exit_code is None:
            waiting = None if "init" in self._stages else max(0.0, deadline - time.monotonic())
            ready = self._selector.select(waiting)
            if not ready and waiting is not None and "init" not in self._stages:
                return self._failed(f"the guest didn't start within {_BOOT_SECONDS:.0f} seconds")
            for key, _ in ready:
                if not key.data(key.fileobj):
                    self._selector.unregister(key.fileobj)
                    if key.fileobj is machine.serial:
                        return self._failed("QEMU ended before the guest's command did")
        self._drain(machine)
        return self._exit_code

    def _register(self, machine: Machine, wake: int) -> None:
        control = machine.ports[guest.CONTROL_PORT]
        read = selectors.EVENT_READ
        self._selector.register(machine.serial, read, self._on_serial)
        self._selector.register(control, read, self._on_control)
        self._selector.register(wake, read, lambda fd: self._on_signals(fd, control))
        if self._terminal:
            self._selector.register(machine.ports[0], read, lambda port: _copy_out(port, 1))
            self._input_from(machine.ports[0])
            self._send_size(control)
        else:
            for number, target in ((guest.STDOUT_PORT, 1), (guest.STDERR_PORT, 2)):
                self._selector.register(
                    machine.ports[number], read, lambda port, target=target: _copy_out(port, target)
                )
            self._input_from(machine.ports[guest.STDIN_PORT])

    def _input_from(self, port: socket.socket) -> None:
        """Standard input goes to ``port``; a plain file, which no selector takes, is always ready."""

        def copy(_: object) -> bool:
            data = _read(0)
            if data:
                port.sendall(data)
                return True
            if not self._terminal:
                port.shutdown(socket.SHUT_WR)
            return False

        try:
            self._selector.register(0, selectors.EVENT_READ, copy)
        except (PermissionError, ValueError):
            while copy(None):
                continue

    def _on_serial(self, serial: socket.socket) -> bool:
        data = _receive(serial)
        self._serial = (self._serial + data)[-_SERIAL_KEPT:]
        *lines, self._line = (self._line + data)[-_SERIAL_KEPT:].split(b"\n")
        for line in lines:
            word, mark, stage = line.decode(errors="replace").strip().rpartition(guest.STAMP)
            if mark and not word:
                self._stage(stage)
                self._write_facts()
        return bool(data)

    def _on_control(self, control: socket.socket) -> bool:
        data = _receive(control)
        for line in data.decode(errors="replace").splitlines():
            word, _, code = line.partition(" ")
            if word == "exit" and code.isdigit():
                self._exit_code = int(code) & 0xFF
        return bool(data)

    def _on_signals(self, wake: int, control: socket.socket) -> bool:
        for number in os.read(wake, 256):
            if number == signal.SIGWINCH:
                self._send_size(control)
            elif "exec" in self._stages:
                control.sendall(b"signal %d\n" % number)
            elif number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                # No command yet that could choose what to do about it.
                self._exit_code = 128 + number
        return True

    def _send_size(self, control: socket.socket) -> None:
        size = _terminal_size()
        if size is not None:
            control.sendall(b"resize %d %d\n" % size)

    def _drain(self, machine: Machine) -> None:
        """The guest says its exit code after its output has reached our end of the ports: what is there is all."""
        for number, target in ((0, 1), (guest.STDOUT_PORT, 1), (guest.STDERR_PORT, 2)):
            port = machine.ports.get(number)
            if port is not None:
                port.setblocking(False)
                while _copy_out(port, target):
                    continue

    def _failed(self, why: str) -> int:
        print(f"The virtual machine couldn't be run: {why}. Its console said last:", file=sys.stderr)
        for line in self._serial.decode(errors="replace").splitlines()[-15:]:
            print(f"  {line}", file=sys.stderr)
        return _CANNOT_RUN

    # -- what is told ------------------------------------------------------------------------------

    def _stage(self, name: str) -> None:
        self._stages.setdefault(name, round((time.monotonic_ns() - self._began) / 1e6, 3))

    def _write_facts(self) -> None:
        stages = self._stages
        facts = {**self._facts, "stages_ms": stages}
        if "init" in stages:
            facts["boot_ms"] = round(stages["init"] - stages["disk"], 3)
        half = self._bundle / "vm.json.tmp"
        half.write_text(json.dumps(facts))
        half.replace(self._bundle / "vm.json")


def _terminal_size() -> tuple[int, int] | None:
    """Rows and columns of the caller's terminal; None when there is none, or it has no size yet."""
    try:
        rows, columns = struct.unpack_from("HH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        return None
    return (rows, columns) if rows and columns else None


def _etc_files(spec: dict[str, Any]) -> dict[str, bytes]:
    """The engine's own files for /etc. Raises InvalidParameter for any other bind mount: the guest can't see it."""
    files = {}
    for mount in spec.get("mounts", []):
        if mount.get("type") != "bind" and not {"bind", "rbind"} & set(mount.get("options", [])):
            continue
        name = _ETC_FILES.get(mount["destination"])
        if name is None:
            raise InvalidParameter(
                f"A virtual machine can't mount {mount['destination']}: it sees no folder of this host.",
                hint="Copy the files into the image, or leave --runtime vm out.",
            )
        files[name] = Path(mount["source"]).read_bytes()
    return files


@contextmanager
def _woken_by_signals() -> Iterator[int]:
    """A descriptor that signals write their numbers to; none of them ends this process any more."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (*_FORWARDED, signal.SIGWINCH):
        signal.signal(number, lambda *_: None)
    yield read_end


@contextmanager
def _raw_terminal(terminal: bool) -> Iterator[None]:
    """The guest's terminal does the line editing and echoing, so ours passes bytes as they are."""
    if not terminal or not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


def _copy_out(port: socket.socket, target: int) -> bool:
    """Pass on what has arrived; a reader that is gone loses it, as with a pipe, and the guest goes on."""
    data = memoryview(_receive(port))
    more = bool(data)
    while data:
        try:
            data = data[os.write(target, data) :]
        except BrokenPipeError:
            break
    return more


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(_CHUNK)
    except (BlockingIOError, ConnectionResetError):
        return b""


def _read(fd: int) -> bytes:
    """Standard input; a terminal that was hung up is at its end."""
    try:
        return os.read(fd, _CHUNK)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""
