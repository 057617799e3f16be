"""QEMU's command line, and QEMU as a child that doesn't outlive its parent."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.runtime import syscalls
from containerlab.runtime.vm import guest
from containerlab.runtime.vm.tsc import tsc_khz

__all__ = ["MACHINE", "Machine", "find_qemu"]

MACHINE = "microvm,x-option-roms=off,pit=on,pic=on,rtc=on"
"""QEMU's smallest machine: no PCI, no firmware's option ROMs; with the old timers, which TCG's guest starts from."""

_PR_SET_PDEATHSIG = 1


def find_qemu() -> str:
    """QEMU's path. Raises HostLacks, saying what to install."""
    if os.uname().machine != "x86_64":
        raise HostLacks(f"Virtual machines are made on x86_64 alone, not on {os.uname().machine}.")
    found = shutil.which("qemu-system-x86_64")
    if found is None:
        raise HostLacks(
            "No virtual machine can be made: QEMU is missing.",
            hint="Install the packages qemu-system-x86 and linux-image-cloud-amd64.",
        )
    return found


@dataclass
class Machine:
    """One virtual machine. ``ports`` are our ends of its virtio-serial ports, by number; ``serial`` its console."""

    accel: str
    memory_mb: int
    kernel: Path
    initrd: Path
    disk: Path | None = None
    terminal: bool = False
    ports: dict[int, socket.socket] = field(default_factory=dict)
    serial: socket.socket = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start QEMU. Raises OSError; what QEMU itself complains of comes on ``serial`` too."""
        self.serial, theirs = socket.socketpair()
        others = [theirs]
        devices = ["-device", "virtio-serial-device"]
        for number in self._port_numbers():
            self.ports[number], other = socket.socketpair()
            others.append(other)
            kind = "virtconsole" if number == 0 else "virtserialport"
            devices += ["-chardev", f"socket,id=port{number},fd={other.fileno()}"]
            devices += ["-device", f"{kind},chardev=port{number},nr={number}"]
        if self.disk is not None:
            devices += ["-drive", f"id=root,file={self.disk},format=raw,if=none,cache=unsafe"]
            devices += ["-device", "virtio-blk-device,drive=root"]
        self.process = subprocess.Popen(
            [*self._command(), *devices],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            start_new_session=True,
            pass_fds=[other.fileno() for other in others],
            preexec_fn=_die_with_parent,
        )
        for other in others:
            other.close()

    def stop(self) -> None:
        """End QEMU at once and wait for it; nothing in the guest is worth a shutdown."""
        self.process.kill()
        self.process.wait()
        for end in (self.serial, *self.ports.values()):
            end.close()

    def _port_numbers(self) -> tuple[int, ...]:
        if self.disk is None:
            return ()
        if self.terminal:
            return 0, guest.CONTROL_PORT
        return guest.STDIN_PORT, guest.STDOUT_PORT, guest.STDERR_PORT, guest.CONTROL_PORT

    def _command(self) -> list[str]:
        processor = "host" if self.accel == "kvm" else "qemu64,+rdrand"
        return [
            *(find_qemu(), "-M", MACHINE, "-accel", self.accel, "-cpu", processor, "-m", str(self.memory_mb)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
            *("-kernel", str(self.kernel), "-initrd", str(self.initrd), "-append", self._parameters()),
        ]

    def _parameters(self) -> str:
        """The kernel's command line: less to do before its first process, nothing taken from the program."""
        words = ["console=ttyS0", "quiet", "panic=-1", "reboot=t", "audit=0", "lsm="]
        words += ["cryptomgr.notests", "rcupdate.rcu_expedited=1"]
        khz = tsc_khz() if self.accel == "tcg" else None
        if khz is not None:
            words += [f"tsc_early_khz={khz}", "tsc=nowatchdog"]
        return " ".join(words)


def _die_with_parent() -> None:
    parent = os.getppid()
    syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
