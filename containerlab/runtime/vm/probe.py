"""Which accelerator a guest really boots with here.

/dev/kvm may open and still give a machine whose guest never starts (nested virtualisation), so a guest has to
print its first line within a time limit. The answer holds until the host is booted again.
"""

from __future__ import annotations

import json
import os
import select
import tempfile
import time
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.runtime.vm import guest, kernel
from containerlab.runtime.vm.busybox import read_busybox
from containerlab.runtime.vm.qemu import Machine, find_qemu

__all__ = ["accel", "available"]

_KVM_SECONDS = 5.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def available(cache: Path) -> tuple[bool, str]:
    """Whether a virtual machine can be made here, and what is missing where not. Downloads a kernel at most once."""
    try:
        find_qemu()
        read_busybox()
        kernel.find(cache)
    except HostLacks as error:
        return False, str(error)
    return True, ""


def accel(cache: Path) -> str:
    """``kvm`` when a guest has booted with it, else ``tcg``; the proof is kept in ``cache``. Raises HostLacks."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    record = cache / "accel.json"
    boot_id = _BOOT_ID.read_text().strip()
    try:
        known = json.loads(record.read_text())
        if known["boot_id"] == boot_id:
            return str(known["accel"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = "kvm" if _boots("kvm", cache) else "tcg"
    cache.mkdir(parents=True, exist_ok=True)
    half = record.with_suffix(f".{os.getpid()}.tmp")
    half.write_text(json.dumps({"boot_id": boot_id, "accel": found}))
    half.replace(record)
    return found


def _boots(accelerator: str, cache: Path) -> bool:
    """Whether a guest without a disk reaches its first line in time."""
    found = kernel.find(cache)
    with tempfile.TemporaryDirectory(prefix="containerlab-vm-") as folder:
        initrd = Path(folder) / "initrd"
        initrd.write_bytes(guest.initramfs(found, read_busybox(), {"process": {"args": ["true"]}}, {}))
        machine = Machine(accelerator, 128, found.bootable(cache), initrd)
        machine.start()
        try:
            return _prints(machine, guest.STAMP.encode(), time.monotonic() + _KVM_SECONDS)
        finally:
            machine.stop()


def _prints(machine: Machine, wanted: bytes, deadline: float) -> bool:
    seen = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([machine.serial], [], [], left)[0]:
            return False
        part = machine.serial.recv(65536)
        if not part:
            return False
        seen = (seen + part)[-65536:]
        if wanted in seen:
            return True
    return False
