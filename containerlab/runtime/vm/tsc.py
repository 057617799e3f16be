"""How fast this host's time stamp counter runs.

An emulated guest reads the host's counter and measures its speed against an emulated timer. On a busy host that
fails, and a guest of the microvm machine, which has no other clock, then waits for ever. So the guest is told
(``tsc_early_khz``, Documentation/admin-guide/kernel-parameters.txt).
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import time

__all__ = ["tsc_khz"]

# rdtsc; shl rdx, 32; or rax, rdx; ret
_RDTSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_SECONDS = 0.02


def tsc_khz() -> int | None:
    """Kilohertz, measured for 20 ms; None on a machine without that counter, or where memory can't be executed."""
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    page.write(_RDTSC)
    first_byte = ctypes.c_char.from_buffer(page)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(first_byte))
    began, ticks = time.perf_counter_ns(), int(read())
    time.sleep(_SECONDS)
    passed, ticked = time.perf_counter_ns() - began, int(read()) - ticks
    return round(ticked * 1_000_000 / passed)
