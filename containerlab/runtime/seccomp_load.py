"""Install a compiled seccomp filter in the calling process; standard library alone.

Apart from `seccomp.py`, because the supervisor and its children run with ``-S -E`` and see no third-party
package.
"""

from __future__ import annotations

import ctypes
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["load", "prepared"]

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_INSTRUCTION = 8
_MAX_INSTRUCTIONS = 4096


class _SockFprog(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


def load(bpf: bytes) -> None:
    """Put the calling thread, and all it starts from now on, under ``bpf`` (seccomp(2)); it can't be undone.

    ``bpf`` is an array of struct sock_filter. Raises OSError: EACCES without CAP_SYS_ADMIN in the caller's
    user namespace and without no_new_privs, EINVAL for a program the kernel doesn't take.
    """
    prepared(bpf)()


def prepared(bpf: bytes) -> Callable[[], None]:
    """``load`` in two steps: what is made here, before a clone, the child needn't make on copied pages."""
    count, rest = divmod(len(bpf), _INSTRUCTION)
    if rest or not 0 < count <= _MAX_INSTRUCTIONS:
        raise OSError(errno.EINVAL, f"a seccomp filter of {len(bpf)} bytes isn't a BPF program")
    instructions = ctypes.create_string_buffer(bpf, len(bpf))
    program = _SockFprog(count, ctypes.addressof(instructions))
    address = ctypes.addressof(program)

    def install(_kept: object = (instructions, program)) -> None:
        if _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address, 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), "seccomp")

    return install
