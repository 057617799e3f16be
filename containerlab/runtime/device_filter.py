"""A cgroup v2 device filter: OCI device rules as a BPF program of type BPF_PROG_TYPE_CGROUP_DEVICE.

The kernel runs it on every open and mknod of a device node by a process of the group; 0 means EPERM. See
bpf(2), include/uapi/linux/bpf.h (``struct bpf_cgroup_dev_ctx``) and cgroup-v2.rst, "Device controller".
"""

from __future__ import annotations

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from containerlab.runtime.cgroups import Rules

__all__ = ["attach", "program"]

_NUMBER = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _PROG_ATTACH = 5, 8
_TYPE_CGROUP_DEVICE, _ATTACH_CGROUP_DEVICE = 15, 6
_ACCESS = {"m": 1, "r": 2, "w": 4}
_KIND = {"b": 1, "c": 2}

# One instruction: opcode, registers (source << 4 | destination), jump offset, immediate.
_LOAD_W, _MOV_IMM, _MOV_REG, _AND_IMM, _RSH_IMM, _EXIT = 0x61, 0xB7, 0xBF, 0x57, 0x77, 0x95
_JNE_IMM, _JEQ_IMM, _JNE_REG = 0x55, 0x15, 0x5D


def _insn(opcode: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    return struct.pack("=BBhi", opcode, src << 4 | dst, offset, imm)


# r1 is the context on entry. After the prologue: r2 kind, r3 access asked for, r4 major, r5 minor.
_PROLOGUE = (
    _insn(_LOAD_W, 2, 1, 0)
    + _insn(_MOV_REG, 3, 2)
    + _insn(_AND_IMM, 2, imm=0xFFFF)
    + _insn(_RSH_IMM, 3, imm=16)
    + _insn(_LOAD_W, 4, 1, 4)
    + _insn(_LOAD_W, 5, 1, 8)
)

_DENY = _insn(_MOV_IMM, 0, imm=0) + _insn(_EXIT)


def program(rules: Rules) -> bytes:
    """The program's instructions. The last rule that speaks of a request decides, as when v1 is written rule by
    rule; a request that no rule speaks of is denied."""
    blocks: list[bytes] = []
    for rule in reversed(rules):
        blocks.append(_block(rule))
        if len(blocks[-1]) == len(_DENY):
            # It decides everything, and the verifier takes no instruction that can't be reached.
            return _PROLOGUE + b"".join(blocks)
    return _PROLOGUE + b"".join(blocks) + _DENY


def _block(rule: Mapping[str, Any]) -> bytes:
    """The test of one rule, then its verdict; a test that fails jumps behind the block."""
    access = sum(_ACCESS[letter] for letter in set(rule.get("access") or "rwm"))
    tests: list[tuple[int, int, int, int]] = []
    kind = rule.get("type") or "a"
    if kind != "a":
        tests.append((_JNE_IMM, 2, 0, _KIND["c" if kind == "u" else kind]))
    for register, number in ((4, rule.get("major")), (5, rule.get("minor"))):
        if number is not None and number >= 0:
            tests.append((_JNE_IMM, register, 0, number))
    compute = b""
    if access != 7:
        compute = _insn(_MOV_REG, 1, 3) + _insn(_AND_IMM, 1, imm=access)
        # Permission must cover all that is asked for; a denial of any part of it is one.
        tests.append((_JNE_REG, 1, 3, 0) if rule["allow"] else (_JEQ_IMM, 1, 0, 0))
    verdict = _insn(_MOV_IMM, 0, imm=int(bool(rule["allow"]))) + _insn(_EXIT)
    length = len(compute) // 8 + len(tests) + len(verdict) // 8
    code, position = b"", 0
    for index, (opcode, dst, src, imm) in enumerate(tests):
        if index == len(tests) - 1:
            code += compute
            position += len(compute) // 8
        code += _insn(opcode, dst, src, length - position - 1, imm)
        position += 1
    return code + verdict


def attach(directory: str, rules: Rules) -> None:
    """Loads the program and attaches it to the group ``directory``; it goes with the group. Raises OSError."""
    code = ctypes.create_string_buffer(program(rules))
    licence = ctypes.create_string_buffer(b"BSD")
    count = (len(code) - 1) // 8
    pointers = ctypes.addressof(code), ctypes.addressof(licence)
    load = struct.pack("=IIQQ", _TYPE_CGROUP_DEVICE, count, *pointers)
    program_fd = _bpf(_PROG_LOAD, load, directory)
    try:
        group_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _bpf(_PROG_ATTACH, struct.pack("=IIII", group_fd, program_fd, _ATTACH_CGROUP_DEVICE, 0), directory)
        finally:
            os.close(group_fd)
    finally:
        os.close(program_fd)


_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes, path: str) -> int:
    number = _NUMBER[os.uname().machine]
    # union bpf_attr grows with the kernel; the tail that we don't name must be zero.
    buffer = ctypes.create_string_buffer(attributes, 128)
    result: int = _libc.syscall(ctypes.c_long(number), ctypes.c_int(command), buffer, ctypes.c_uint(128))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result
