"""One bundle for both runtimes: Docker's default spec of a static busybox's ``true``, as ours and as crun read it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from containerlab.runtime import capabilities, seccomp, seccomp_profile
from containerlab.runtime.spec import default_spec

__all__ = ["make_bundles"]

_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}


def make_bundles(folder: Path, busybox: str) -> None:
    """Makes ``ours``, ``crun`` and ``crun-unfiltered`` in ``folder``, each with its own writable layer on one lower.

    The three have the same config.json but for the words that each runtime has for overlay and seccomp: ours takes
    the overlay to mount and a compiled filter; crun a mounted root and the filter's rules; the last one no filter.
    """
    binaries = folder / "layers/base/diff/bin"
    binaries.mkdir(parents=True)
    shutil.copy(busybox, binaries / "busybox")
    (binaries / "true").symlink_to("busybox")
    (folder / "layers/l").mkdir()
    (folder / "layers/l/B").symlink_to("../base/diff")
    for name in ("ours", "crun", "crun-unfiltered"):
        for part in ("upper", "work", "rootfs"):
            (folder / name / part).mkdir(parents=True)

    ours = _spec()
    overlay = {
        "layers": str(folder / "layers"),
        "lower": ["l/B"],
        "upper": str(folder / "ours/upper"),
        "work": str(folder / "ours/work"),
        "volatile": False,
    }
    ours["annotations"]["containerlab.overlay"] = json.dumps(overlay)
    compiled = seccomp.profile_path(folder, frozenset(capabilities.DEFAULT))
    ours["annotations"]["containerlab.seccomp"] = str(compiled)
    theirs, unfiltered = _spec(), _spec()
    theirs["linux"]["seccomp"] = _rules()
    for name, spec in (("ours", ours), ("crun", theirs), ("crun-unfiltered", unfiltered)):
        (folder / name / "config.json").write_text(json.dumps(spec))


def _spec() -> dict[str, Any]:
    return default_spec(["true"], env=["PATH=/bin"], hostname="bench")


def _rules() -> dict[str, Any]:
    """The profile that ours has compiled, in OCI's words (runtime spec, "Seccomp")."""
    machine = os.uname().machine
    names = seccomp_profile.ALLOWED | seccomp_profile.SINCE_4_8
    names |= seccomp_profile.ALLOWED_ON.get(machine, frozenset())
    for capability in capabilities.DEFAULT:
        names |= seccomp_profile.ALLOWED_WITH.get(capability, frozenset())
    rules: list[dict[str, Any]] = [{"names": sorted(names), "action": "SCMP_ACT_ALLOW"}]
    for operator, family in (("SCMP_CMP_LT", 38), ("SCMP_CMP_EQ", 39), ("SCMP_CMP_GT", 40)):
        rules.append(_conditional("socket", value=family, op=operator))
    for persona in seccomp_profile.PERSONALITIES:
        rules.append(_conditional("personality", value=persona, op="SCMP_CMP_EQ"))
    flags = seccomp_profile.CLONE_NAMESPACE_FLAGS
    rules.append(_conditional("clone", value=flags, valueTwo=0, op="SCMP_CMP_MASKED_EQ"))
    rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38})
    return {"defaultAction": "SCMP_ACT_ERRNO", "architectures": _ARCHITECTURES[machine], "syscalls": rules}


def _conditional(name: str, **argument: Any) -> dict[str, Any]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, **argument}]}
