"""A user's own seccomp profile, in Docker's JSON form, compiled by libseccomp and kept as BPF.

Sources: https://docs.docker.com/engine/security/seccomp/, moby profiles/seccomp/seccomp.go (``includes`` and
``excludes``), the OCI runtime spec's config-linux.md, "Seccomp" (actions and operators), and runc's
libcontainer/seccomp (several conditions on one argument are alternatives).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from containerlab.errors import InvalidParameter
from containerlab.runtime.seccomp import import_pyseccomp, keep, kernel_version, library_version

__all__ = ["custom_profile_path"]

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
_OPERATORS = {"NE": "NE", "LT": "LT", "LE": "LE", "EQ": "EQ", "GE": "GE", "GT": "GT", "MASKED_EQ": "MASKED_EQ"}
_PLAIN_ACTIONS = {
    "SCMP_ACT_KILL": "KILL",
    "SCMP_ACT_KILL_THREAD": "KILL",
    "SCMP_ACT_KILL_PROCESS": "KILL_PROCESS",
    "SCMP_ACT_TRAP": "TRAP",
    "SCMP_ACT_ALLOW": "ALLOW",
    "SCMP_ACT_LOG": "LOG",
}


class _Argument(msgspec.Struct):
    index: int
    value: int
    op: str
    valueTwo: int = 0


class _Filter(msgspec.Struct):
    """When a rule counts (or doesn't): all of the capabilities, any of the machines, a kernel at least so new."""

    caps: list[str] | None = None
    arches: list[str] | None = None
    minKernel: str = ""


class _Rule(msgspec.Struct):
    action: str
    names: list[str] | None = None
    name: str = ""
    errnoRet: int | None = None
    args: list[_Argument] | None = None
    includes: _Filter | None = None
    excludes: _Filter | None = None


class _ArchMap(msgspec.Struct):
    architecture: str
    subArchitectures: list[str] | None = None


class _Profile(msgspec.Struct):
    defaultAction: str = ""
    defaultErrnoRet: int | None = None
    architectures: list[str] | None = None
    archMap: list[_ArchMap] | None = None
    syscalls: list[_Rule] | None = None


def custom_profile_path(cache_folder: Path, text: str, capabilities: frozenset[str]) -> Path | None:
    """The file of the compiled profile ``text`` for a container given ``capabilities``, made when missing.

    None for a profile that says nothing: it filters nothing (moby profiles/seccomp/seccomp_linux.go).
    Raises InvalidParameter for a profile that can't be read or compiled, HostLacks where libseccomp is missing.
    """
    profile = _decode(text)
    if not profile.defaultAction and not profile.syscalls:
        return None
    parts = [text, sorted(capabilities), os.uname().machine, kernel_version(), library_version()]
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    path = cache_folder / f"seccomp-own-{key}.bpf"
    if not path.exists():
        keep(path, _compile(profile, capabilities))
    return path


def _decode(text: str) -> _Profile:
    try:
        profile = msgspec.convert(json.loads(text), _Profile)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from error
    if profile.architectures and profile.archMap:
        raise InvalidParameter("both 'architectures' and 'archMap' are specified in the seccomp profile, use either")
    for rule in profile.syscalls or []:
        if rule.name and rule.names:
            raise InvalidParameter("both 'name' and 'names' are specified in the seccomp profile, use either")
    return profile


def _compile(profile: _Profile, capabilities: frozenset[str]) -> bytes:
    seccomp = import_pyseccomp()
    default = _action(seccomp, profile.defaultAction, profile.defaultErrnoRet)
    program = seccomp.SyscallFilter(default)
    native = seccomp.system_arch()
    for name in _architectures(profile):
        architecture = getattr(seccomp.Arch, name.removeprefix("SCMP_ARCH_"), None)
        if architecture is None:
            raise InvalidParameter(f"seccomp profile: unknown architecture {name!r}")
        if architecture != native and not program.exist_arch(architecture):
            program.add_arch(architecture)
    for rule in profile.syscalls or []:
        if _applies(rule, capabilities):
            _add(seccomp, program, rule, default)
    program.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)
    with os.fdopen(os.memfd_create("seccomp"), "r+b") as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()


def _architectures(profile: _Profile) -> Iterable[str]:
    """Those that the profile names; of its map the entry of this machine."""
    if profile.archMap is None:
        return profile.architectures or []
    native = _NATIVE.get(os.uname().machine)
    return [sub for entry in profile.archMap if entry.architecture == native for sub in entry.subArchitectures or []]


def _applies(rule: _Rule, capabilities: frozenset[str]) -> bool:
    includes, excludes = rule.includes or _Filter(), rule.excludes or _Filter()
    machine = os.uname().machine
    machines = {machine, _MACHINES.get(machine, machine)}
    if includes.arches and not machines & set(includes.arches):
        return False
    if excludes.arches and machines & set(excludes.arches):
        return False
    if any(name not in capabilities for name in includes.caps or []):
        return False
    if any(name in capabilities for name in excludes.caps or []):
        return False
    if includes.minKernel and kernel_version() < _numbers(includes.minKernel):
        return False
    return not (excludes.minKernel and kernel_version() >= _numbers(excludes.minKernel))


def _add(seccomp: Any, program: Any, rule: _Rule, default: int) -> None:
    action = _action(seccomp, rule.action, rule.errnoRet)
    if action == default:
        return  # libseccomp refuses a rule that changes nothing
    conditions = [_condition(seccomp, argument) for argument in rule.args or []]
    indexes = [argument.index for argument in rule.args or []]
    # runc: two conditions on one argument can't both be meant, so each is a rule of its own.
    alternatives = [[condition] for condition in conditions] if len(set(indexes)) < len(indexes) else [conditions]
    for name in rule.names or [rule.name]:
        if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) == -1:
            continue  # a call that this libseccomp doesn't know, nor the kernel: the default action answers it
        for chosen in alternatives:
            try:
                program.add_rule(action, name, *chosen)
            except (OSError, RuntimeError, ValueError) as error:
                raise InvalidParameter(f"seccomp profile: the rule for {name!r} can't be compiled: {error}") from error


def _condition(seccomp: Any, argument: _Argument) -> Any:
    operator = _OPERATORS.get(argument.op.removeprefix("SCMP_CMP_"))
    if operator is None or not 0 <= argument.index <= 5:
        raise InvalidParameter(f"seccomp profile: invalid condition on argument {argument.index}: {argument.op!r}")
    if operator == "MASKED_EQ":
        return seccomp.Arg(argument.index, seccomp.MASKED_EQ, argument.value, argument.valueTwo)
    return seccomp.Arg(argument.index, getattr(seccomp, operator), argument.value)


def _action(seccomp: Any, name: str, number: int | None) -> int:
    if name in _PLAIN_ACTIONS:
        return int(getattr(seccomp, _PLAIN_ACTIONS[name]))
    if name == "SCMP_ACT_ERRNO":
        return int(seccomp.ERRNO(errno.EPERM if number is None else number))
    if name == "SCMP_ACT_TRACE":
        return int(seccomp.TRACE(errno.EPERM if number is None else number))
    raise InvalidParameter(f"seccomp profile: unknown action {name!r}")


def _numbers(version: str) -> tuple[int, int]:
    try:
        major, minor = version.split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        raise InvalidParameter(f"seccomp profile: minKernel {version!r} isn't a version such as 4.8") from None
