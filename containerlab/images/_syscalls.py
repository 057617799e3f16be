"""The few system calls of this room that Python's ``os`` lacks. Every wrapper raises ``OSError``.

Names, argument order and constants are the kernel's. ``images`` and ``runtime`` are independent rooms,
so each has its own handful of wrappers.
"""

from __future__ import annotations

import ctypes
import os
import time

__all__ = [
    "CLONE_NEWNS",
    "MS_NODEV",
    "MS_PRIVATE",
    "MS_REC",
    "RESOLVE_IN_ROOT",
    "RESOLVE_NO_MAGICLINKS",
    "RESOLVE_NO_SYMLINKS",
    "mount",
    "openat2",
    "syncfs",
    "unshare",
]

# Taken from the Linux kernel headers (linux/mount.h, linux/openat2.h, linux/sched.h).
CLONE_NEWNS = 0x00020000
MS_NODEV = 4
MS_PRIVATE = 1 << 18
MS_REC = 1 << 14
RESOLVE_IN_ROOT = 0x10
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04

_SYS_OPENAT2 = 437  # the same number on every architecture
_OPENAT2_RETRIES = 200

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


_SIZEOF_OPEN_HOW = ctypes.c_size_t(ctypes.sizeof(_OpenHow))
_NUMBER = ctypes.c_long(_SYS_OPENAT2)


def _error(path: bytes | None = None) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), os.fsdecode(path) if path is not None else None)


def openat2(dir_fd: int, path: bytes, flags: int, resolve: int) -> int:
    """Open ``path`` below ``dir_fd`` and return a descriptor, close-on-exec. See openat2(2).

    With ``RESOLVE_IN_ROOT`` the kernel gives EAGAIN when anything on the machine was renamed while it
    looked at a ``..``; it asks for another try.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    for attempt in range(_OPENAT2_RETRIES):
        fd = _libc.syscall(_NUMBER, ctypes.c_int(dir_fd), path, ctypes.byref(how), _SIZEOF_OPEN_HOW)
        if fd >= 0:
            return int(fd)
        error = _error(path)
        if not isinstance(error, BlockingIOError | InterruptedError):
            raise error
        if attempt > 10:
            time.sleep(0.001)
    raise error


def mount(source: bytes | None, target: bytes, fstype: bytes | None, flags: int, data: bytes | None) -> None:
    """mount(2); ``data`` holds one page at most."""
    if _libc.mount(source, target, fstype, flags, data) < 0:
        raise _error(target)


def unshare(flags: int) -> None:
    """unshare(2), for the calling thread alone."""
    if _libc.unshare(flags) < 0:
        raise _error()


def syncfs(fd: int) -> None:
    """Write the whole file system that ``fd`` lies on to its disk."""
    if _libc.syncfs(fd) < 0:
        raise _error()
