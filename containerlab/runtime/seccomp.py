"""Docker's default seccomp profile, compiled by libseccomp for one set of capabilities and kept as BPF.

A 64-bit kernel answers more than one system call table: on x86_64 also i386's (``int 0x80``) and x32's.
The filter covers all of them, else the other table would be the way around it. In front of libseccomp's
program stand some instructions of our own, for what an older libseccomp has no words for: the profile's
newest calls are allowed by number, and numbers above the profile's highest are answered ENOSYS, which a libc
knows how to take, where EPERM would look like a refusal.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from containerlab.errors import HostLacks
from containerlab.runtime import seccomp_profile as profile
from containerlab.runtime.seccomp_load import load

__all__ = ["compile_profile", "import_pyseccomp", "keep", "kernel_version", "library_version", "load", "profile_path"]

_REVISION = 1
"""Part of a kept filter's key: raise it when the compiler below changes what it makes."""

_ARCHITECTURES: dict[str, tuple[str, ...]] = {
    "x86_64": ("X86_64", "X86", "X32"),
    "aarch64": ("AARCH64", "ARM"),
}

# linux/audit.h
_AUDIT_ARCH = {"X86_64": 0xC000003E, "X86": 0x40000003, "AARCH64": 0xC00000B7, "ARM": 0x40000028}
_X32_BIT = 0x40000000
_X32_HIGHEST = 547
"""x32 has calls of its own at 512 to 547 (syscall_64.tbl)."""
_ARM_PRIVATE = 0xF0000
"""ARM's own calls (breakpoint, cacheflush, set_tls) stand at the top; libseccomp knows them."""

# linux/bpf_common.h
_LD_ABS, _AND, _JEQ, _JGT, _JGE, _JSET, _RET = 0x20, 0x54, 0x15, 0x25, 0x35, 0x45, 0x06
_OFFSET_NR, _OFFSET_ARCH = 0, 4
_RET_ALLOW = 0x7FFF0000
_RET_ENOSYS = 0x00050000 | errno.ENOSYS

_Code = list[tuple[int, int, int, int]]


def compile_profile(capabilities: frozenset[str], machine: str | None = None) -> bytes:
    """The profile for a container given ``capabilities`` (``CAP_SYS_ADMIN``, …), as struct sock_filter[].

    ``machine`` is uname's word; this host's when not given. Raises HostLacks where libseccomp is missing.
    """
    machine = machine or os.uname().machine
    allowed = _allowed_names(capabilities, machine)
    seccomp = import_pyseccomp()
    unknown = frozenset(name for name in allowed if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) == -1)
    known = _compile_known(seccomp, machine, allowed - unknown, capabilities)
    return _pack(_prologue(machine, unknown)) + known


def profile_path(cache_folder: Path, capabilities: frozenset[str]) -> Path:
    """The file of the compiled profile, made when missing.

    Its name is a digest of all that goes into it, so another profile, capability set, machine or libseccomp
    never meets a stale file. Raises HostLacks where libseccomp is missing.
    """
    path = cache_folder / f"seccomp-{_key(capabilities)}.bpf"
    if path.exists():
        return path
    keep(path, compile_profile(capabilities))
    return path


def keep(path: Path, bpf: bytes) -> None:
    """Write a compiled filter, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".tmp", delete=False) as file:
        try:
            file.write(bpf)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _allowed_names(capabilities: frozenset[str], machine: str) -> frozenset[str]:
    """Every name that is allowed, with or without a condition on its arguments left to `_compile_known`."""
    names = profile.ALLOWED | profile.ALLOWED_ON.get(machine, frozenset())
    if kernel_version() >= (4, 8):
        names |= profile.SINCE_4_8
    for capability in capabilities & profile.ALLOWED_WITH.keys():
        names |= profile.ALLOWED_WITH[capability]
    return names


def _compile_known(seccomp: Any, machine: str, names: Iterable[str], capabilities: frozenset[str]) -> bytes:
    """libseccomp's program: ``names``, and the calls that depend on their arguments."""
    program = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    architectures = [getattr(seccomp.Arch, name) for name in _ARCHITECTURES.get(machine, ())]
    for architecture in architectures:
        if not program.exist_arch(architecture):
            program.add_arch(architecture)
    if architectures and seccomp.system_arch() not in architectures:
        program.remove_arch(seccomp.system_arch())
    for name in sorted(names):
        program.add_rule(seccomp.ALLOW, name)
    for operator, family in ((seccomp.LT, 38), (seccomp.EQ, 39), (seccomp.GT, 40)):
        # AF_ALG (38) and AF_VSOCK (40) reach kernel code and hosts that no container should.
        program.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, operator, family))
    for persona in profile.PERSONALITIES:
        program.add_rule(seccomp.ALLOW, "personality", seccomp.Arg(0, seccomp.EQ, persona))
    if "CAP_SYS_ADMIN" not in capabilities:
        no_namespace = seccomp.Arg(0, seccomp.MASKED_EQ, profile.CLONE_NAMESPACE_FLAGS, 0)
        program.add_rule(seccomp.ALLOW, "clone", no_namespace)
        # Its flags lie in memory, where a filter can't see; glibc falls back to clone on ENOSYS.
        program.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    # A binary tree in place of a list: the kernel walks the program for every number as it loads it.
    program.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)
    with os.fdopen(os.memfd_create("seccomp"), "r+b") as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()


def _prologue(machine: str, unknown: frozenset[str]) -> _Code:
    """What goes first: a part for each architecture, falling through to libseccomp's program behind it."""
    numbers = sorted(profile.NEW_NUMBERS[name] for name in unknown & profile.NEW_NUMBERS.keys())
    own = sorted(profile.NEW_NUMBERS_X86_64[name] for name in unknown & profile.NEW_NUMBERS_X86_64.keys())
    code: _Code = []
    for name in _ARCHITECTURES.get(machine, ()):
        if name == "X86_64":
            code += _part(name, [*own, *numbers], profile.HIGHEST_NUMBER, below=_X32_BIT)
        elif name == "X32":
            code += _part("X86_64", numbers, _X32_HIGHEST, mask=_X32_BIT)
        elif name == "ARM":
            code += _part(name, numbers, profile.HIGHEST_NUMBER, below=_ARM_PRIVATE)
        else:
            code += _part(name, numbers, profile.HIGHEST_NUMBER)
    return code


def _part(
    architecture: str, numbers: list[int], highest: int, *, below: int | None = None, mask: int | None = None
) -> _Code:
    """Allow ``numbers``, answer ENOSYS above ``highest``, on one architecture; anything else goes on behind.

    ``below``: numbers from there on are another part's. ``mask``: the bit that each number of this part has.
    """
    body: _Code = [(_LD_ABS, 0, 0, _OFFSET_NR)]
    if below is not None:
        body.append((_JGE, -1, 0, below))
    if mask is not None:
        body.append((_JSET, 0, -1, mask))
        body.append((_AND, 0, 0, 0xFFFFFFFF ^ mask))
    body.append((_JGT, 0, 1, highest))
    body.append((_RET, 0, 0, _RET_ENOSYS))
    for number in numbers:
        body += [(_JEQ, 0, 1, number), (_RET, 0, 0, _RET_ALLOW)]
    code: _Code = [(_LD_ABS, 0, 0, _OFFSET_ARCH), (_JEQ, 0, -1, _AUDIT_ARCH[architecture]), *body]
    return [
        (op, len(code) - at - 1 if yes < 0 else yes, len(code) - at - 1 if no < 0 else no, value)
        for at, (op, yes, no, value) in enumerate(code)
    ]


def _pack(code: _Code) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


@functools.lru_cache(maxsize=64)
def _key(capabilities: frozenset[str]) -> str:
    relevant = sorted(capabilities & profile.ALLOWED_WITH.keys())
    machine = os.uname().machine
    tables = [sorted(_allowed_names(capabilities, machine)), profile.PERSONALITIES, profile.NEW_NUMBERS]
    parts = [_REVISION, machine, relevant, tables, library_version()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def library_version() -> tuple[int, int, int]:
    """Of libseccomp. Raises HostLacks where there is none."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise _lacks_libseccomp() from error

    class Version(ctypes.Structure):
        _fields_ = (("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint))

    library.seccomp_version.restype = ctypes.POINTER(Version)
    found = library.seccomp_version().contents
    return found.major, found.minor, found.micro


def import_pyseccomp() -> Any:
    """The module, loaded late. Raises HostLacks where there is no libseccomp."""
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as error:
        raise _lacks_libseccomp() from error
    return pyseccomp


def _lacks_libseccomp() -> HostLacks:
    return HostLacks(
        "The default seccomp profile can't be compiled: this host has no libseccomp.",
        hint="Install libseccomp2 (conda: libseccomp), or run with --security-opt seccomp=unconfined.",
    )


def kernel_version() -> tuple[int, int]:
    """Major and minor of the running kernel."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(digit for digit in minor if digit.isdigit()) or 0)
