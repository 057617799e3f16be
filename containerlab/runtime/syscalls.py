"""System calls that Python's standard library has no word for, under the kernel's names.

Each raises ``OSError`` with errno and, where there is one, the path. Paths are ``str`` or ``bytes``; a
descriptor stands before the path that it is relative to, as in the kernel. Nothing here decides anything.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from ctypes import c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p
from typing import TYPE_CHECKING

from containerlab.runtime import constants as c

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "capget",
    "capset",
    "close_range",
    "fork_with",
    "fstatfs_type",
    "getcwd",
    "has_type",
    "join_session_keyring",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "openat2",
    "pivot_root",
    "prctl",
    "reset_signal",
    "setdomainname",
    "sethostname",
    "setns",
    "umount2",
    "unshare",
]

_Path = str | bytes

# Calls from 424 on have one number on every architecture; the older ones don't (asm/unistd.h).
_NUMBERS = {
    "x86_64": {
        **{"clone": 56, "getcwd": 79, "capget": 125, "capset": 126, "pivot_root": 155, "keyctl": 250},
        **{"rt_sigaction": 13},
    },
    "aarch64": {
        **{"clone": 220, "getcwd": 17, "capget": 90, "capset": 91, "pivot_root": 41, "keyctl": 219},
        **{"rt_sigaction": 134},
    },
}
_machine = os.uname().machine
if _machine not in _NUMBERS:
    raise ImportError(f"containerlab knows the system calls of {' and '.join(_NUMBERS)}, not of {_machine}")
_number = _NUMBERS[_machine]

_libc = ctypes.CDLL(None, use_errno=True)


def _function(name: str, *argtypes: type, result: type = c_int) -> Callable[..., int]:
    function = _libc[name]
    function.argtypes = argtypes
    function.restype = result
    return function


def _syscall(*argtypes: type) -> Callable[..., int]:
    return _function("syscall", c_long, *argtypes, result=c_long)


_mount = _function("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = _function("umount2", c_char_p, c_int)
_unshare = _function("unshare", c_int)
_setns = _function("setns", c_int, c_int)
_prctl = _function("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_sethostname = _function("sethostname", c_char_p, c_ulong)
_setdomainname = _function("setdomainname", c_char_p, c_ulong)
_fstatfs = _function("fstatfs", c_int, c_char_p)
_openat2 = _syscall(c_int, c_char_p, c_char_p, c_ulong)
_open_tree = _syscall(c_int, c_char_p, c_uint)
_move_mount = _syscall(c_int, c_char_p, c_int, c_char_p, c_uint)
_mount_setattr = _syscall(c_int, c_char_p, c_uint, c_char_p, c_ulong)
_close_range = _syscall(c_uint, c_uint, c_uint)
_pivot_root = _syscall(c_char_p, c_char_p)
_getcwd = _syscall(c_char_p, c_ulong)
_cap = _syscall(c_char_p, c_char_p)
_keyctl = _syscall(c_int, c_char_p)
_sigaction = _syscall(c_int, c_char_p, c_void_p, c_ulong)

# PyDLL keeps the GIL: in the child of a raw clone nobody else is left who could give it back.
_clone = ctypes.PyDLL(None, use_errno=True)["syscall"]
_clone.argtypes = (c_long, c_ulong, c_void_p, c_void_p, c_void_p, c_void_p)
_clone.restype = c_long


def _bytes(path: _Path) -> bytes:
    return path if isinstance(path, bytes) else os.fsencode(path)


def _error(path: _Path | None = None) -> OSError:
    number = ctypes.get_errno()
    if path is None:
        return OSError(number, os.strerror(number))
    return OSError(number, os.strerror(number), os.fsdecode(path))


def fork_with(flags: int, cgroup: int | None = None) -> int:
    """clone(2) without a new stack: a fork with namespaces. 0 in the child, its pid in the parent.

    With ``cgroup``, the descriptor of a cgroup v2 directory, clone3(2): the child is born in that group.
    Runs no ``os.register_at_fork`` hook and no pthread_atfork handler, so the caller must have one thread only,
    and the child may do no more than the plain steps up to exec or ``os._exit``.
    """
    pid: int
    if cgroup is None:
        pid = _clone(_number["clone"], flags, None, None, None, None)
    else:
        # struct clone_args: flags, three pointers, exit_signal, stack, its size, tls, set_tid, its size, cgroup.
        words = (flags & ~c.CSIGNAL | c.CLONE_INTO_CGROUP, 0, 0, 0, flags & c.CSIGNAL, 0, 0, 0, 0, 0, cgroup)
        arguments = ctypes.create_string_buffer(struct.pack("=11Q", *words), 88)
        pid = _clone(435, ctypes.addressof(arguments), 88, None, None, None)
    if pid < 0:
        raise _error()
    return pid


def reset_signal(number: int) -> None:
    """rt_sigaction(2) with SIG_DFL, also for the two numbers (32, 33) that libc keeps to itself."""
    # struct sigaction as the kernel has it, all of it zero: handler, flags, restorer, mask.
    if _sigaction(_number["rt_sigaction"], number, bytes(32), None, 8):
        raise _error()


def unshare(flags: int) -> None:
    """unshare(2)."""
    if _unshare(flags):
        raise _error()


def setns(fd: int, nstype: int) -> None:
    """setns(2); with a pidfd, ``nstype`` is several CLONE_NEW* at once."""
    if _setns(fd, nstype):
        raise _error()


def mount(source: _Path, target: _Path, fstype: str = "", flags: int = 0, data: _Path = "") -> None:
    """mount(2); the error's path is the target."""
    done = _mount(_bytes(source), _bytes(target), fstype.encode() or None, flags, _bytes(data) if data else None)
    if done:
        raise _error(target)


def umount2(target: _Path, flags: int = 0) -> None:
    """umount2(2)."""
    if _umount2(_bytes(target), flags):
        raise _error(target)


def pivot_root(new_root: _Path, put_old: _Path) -> None:
    """pivot_root(2)."""
    if _pivot_root(_number["pivot_root"], _bytes(new_root), _bytes(put_old)):
        raise _error(new_root)


def openat2(dir_fd: int, path: _Path, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2); the descriptor is close-on-exec."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve)
    fd = _openat2(437, dir_fd, _bytes(path), how, len(how))
    if fd < 0:
        raise _error(path)
    return fd


def open_tree(dir_fd: int, path: _Path, flags: int) -> int:
    """open_tree(2); an empty path means ``dir_fd`` itself. The descriptor is close-on-exec."""
    if not path:
        flags |= c.AT_EMPTY_PATH
    fd = _open_tree(428, dir_fd, _bytes(path), flags | c.OPEN_TREE_CLOEXEC)
    if fd < 0:
        raise _error(path)
    return fd


def move_mount(from_fd: int, to_fd: int) -> None:
    """move_mount(2) of the tree that ``from_fd`` is, onto the place that ``to_fd`` is; no path is resolved."""
    if _move_mount(429, from_fd, b"", to_fd, b"", c.MOVE_MOUNT_F_EMPTY_PATH | c.MOVE_MOUNT_T_EMPTY_PATH):
        raise _error()


def mount_setattr(fd: int, *, set: int = 0, clear: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    """mount_setattr(2) on the mount that ``fd`` is."""
    attributes = struct.pack("=QQQQ", set, clear, propagation, 0)
    flags = c.AT_EMPTY_PATH | (c.AT_RECURSIVE if recursive else 0)
    if _mount_setattr(442, fd, b"", flags, attributes, len(attributes)):
        raise _error()


def close_range(first: int, last: int = c.MAXIMUM_DESCRIPTOR, flags: int = 0) -> None:
    """close_range(2), both ends included."""
    if _close_range(436, first, last, flags):
        raise _error()


def prctl(option: int, argument: int = 0, third: int = 0) -> int:
    """prctl(2) with the arguments that are not given as 0."""
    result = _prctl(option, argument, third, 0, 0)
    if result < 0:
        raise _error()
    return result


# capset(2): _LINUX_CAPABILITY_VERSION_3, this thread.
_CAP_HEADER = struct.pack("=Ii", 0x20080522, 0)


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) on the calling thread; each argument is a mask with one bit a capability."""
    sets = (effective, permitted, inheritable)
    data = struct.pack("=6I", *(mask & 0xFFFFFFFF for mask in sets), *(mask >> 32 for mask in sets))
    if _cap(_number["capset"], _CAP_HEADER, data):
        raise _error()


def capget() -> tuple[int, int, int]:
    """capget(2) of the calling thread: the effective, permitted and inheritable masks."""
    data = ctypes.create_string_buffer(24)
    if _cap(_number["capget"], _CAP_HEADER, data):
        raise _error()
    words = struct.unpack("=6I", data.raw)
    return words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32


def getcwd() -> str:
    """The kernel's own getcwd(2): a directory outside the root reads ``(unreachable)/…``, which libc hides."""
    buffer = ctypes.create_string_buffer(4096)
    length = _getcwd(_number["getcwd"], buffer, len(buffer))
    if length < 0:
        raise _error()
    return os.fsdecode(buffer.value)


def sethostname(name: str) -> None:
    """sethostname(2)."""
    encoded = name.encode()
    if _sethostname(encoded, len(encoded)):
        raise _error()


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    encoded = name.encode()
    if _setdomainname(encoded, len(encoded)):
        raise _error()


def join_session_keyring() -> None:
    """keyctl(2) KEYCTL_JOIN_SESSION_KEYRING: a session keyring of one's own, without a name."""
    if _keyctl(_number["keyctl"], c.KEYCTL_JOIN_SESSION_KEYRING, None) < 0:
        raise _error()


def fstatfs_type(fd: int) -> int:
    """The file system's magic number (statfs(2) ``f_type``)."""
    buffer = ctypes.create_string_buffer(256)
    if _fstatfs(fd, buffer):
        raise _error()
    return int.from_bytes(buffer.raw[:8], sys.byteorder)


def has_type(path: str, magic: int) -> bool:
    """Whether ``path`` lies on a file system with that magic number; False where there is no such path."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return fstatfs_type(fd) == magic
    finally:
        os.close(fd)
