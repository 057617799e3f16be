"""What keeps this host, or this user, from a better rung: recognised, named, and what to do about it.

Each reads what the kernel or the distribution says of itself; none guesses from a version. ``System`` is where it is
read from, so that a host that isn't at hand can be told by its files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from containerlab.runtime.cgroups import Driver
from containerlab.runtime.storage import look_at
from containerlab.runtime.userns import subordinate_ids

__all__ = ["Hindrance", "System", "recognise"]


@dataclass(frozen=True, slots=True)
class Hindrance:
    """``name`` for programs, ``what`` stands in the way, ``remedy`` is what to do, and who can."""

    name: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class System:
    """A host as its files and programs tell of it."""

    root: Path = Path("/")
    uid: int = -1
    find: Callable[[str], str | None] = shutil.which

    def number(self, path: str) -> int | None:
        """The number in a file of /proc/sys; None where there is none."""
        try:
            return int((self.root / path).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def text(self, path: str) -> str:
        """A file's text, empty where it can't be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def recognise(rungs: Mapping[str, str], driver: Driver, store: Path | None, *, mounts: bool) -> list[Hindrance]:
    """Everything that is recognised here; ``rungs`` as in ``hosts.Host``, ``mounts`` where roots are overlays."""
    system = System(uid=os.getuid())
    found = []
    if rungs.get("root"):
        if rungs.get("rootless-one-id"):
            found += user_namespaces(system)
        elif rungs.get("rootless-ids"):
            found += subordinate(system, has_ranges=bool(subordinate_ids("/etc/subuid")))
        found += delegation(system, driver.kind, driver.controllers)
    if rungs.get("root") and rungs.get("rootless-one-id") and rungs.get("proot"):
        found.append(Hindrance("proot", rungs["proot"], "apt install proot tini (Debian), or ask for it to be there."))
    return found + storage(store, mounts=mounts)


def user_namespaces(system: System) -> list[Hindrance]:
    """Why an ordinary user can make no user namespace."""
    if system.number("proc/sys/user/max_user_namespaces") == 0:
        return [
            Hindrance(
                "max_user_namespaces",
                "user.max_user_namespaces is 0: nobody can make a user namespace",
                "The administrator: sysctl -w user.max_user_namespaces=15000, and the same in /etc/sysctl.d.",
            )
        ]
    if system.number("proc/sys/kernel/unprivileged_userns_clone") == 0:
        return [
            Hindrance(
                "unprivileged_userns_clone",
                "kernel.unprivileged_userns_clone is 0: only root can make a user namespace",
                "The administrator: sysctl -w kernel.unprivileged_userns_clone=1, and the same in /etc/sysctl.d.",
            )
        ]
    if system.number("proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1:
        return [
            Hindrance(
                "apparmor",
                "AppArmor lets no program without a profile use a user namespace (Ubuntu 23.10 and later)",
                "The administrator: a profile with `userns,` for this Python in /etc/apparmor.d, or "
                "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0.",
            )
        ]
    if "Seccomp:\t2" in system.text("proc/self/status"):
        return [
            Hindrance(
                "seccomp",
                "a seccomp filter around this process refuses user namespaces, as in a container of Docker's",
                "Whoever starts that container: --security-opt seccomp=PROFILE with unshare, clone, mount and setns.",
            )
        ]
    return []


def subordinate(system: System, *, has_ranges: bool) -> list[Hindrance]:
    """Why a user namespace has one id alone."""
    missing = [program for program in ("newuidmap", "newgidmap") if system.find(program) is None]
    if missing:
        return [
            Hindrance(
                "newuidmap",
                f"{' and '.join(missing)} can't be found: a container has one id alone",
                "The administrator: install uidmap (Debian, Ubuntu) or shadow-utils (Fedora).",
            )
        ]
    if not has_ranges:
        return [
            Hindrance(
                "subuid",
                "/etc/subuid and /etc/subgid give this user no ids: a container has one id alone",
                "The administrator: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER.",
            )
        ]
    return []


def delegation(system: System, kind: str, controllers: frozenset[str]) -> list[Hindrance]:
    """Why there are no limits; on cgroup v2 systemd has to hand them on."""
    own = next((line[3:] for line in system.text("proc/self/cgroup").splitlines() if line.startswith("0::")), "")
    if kind != "v2":
        what = "no cgroup can be written to: limits are discarded, and pause can't be had"
        return (
            [] if controllers else [Hindrance("cgroup", what, "The administrator: a host with cgroup v2 and systemd.")]
        )
    manager = f"/user@{system.uid}.service"
    if not controllers and manager not in f"{own}/":
        return [
            Hindrance(
                "user_slice",
                f"this session's cgroup ({own}) isn't the user's own: limits are discarded",
                "Start the engine by systemd-run --user --scope -p Delegate=yes containerlab serve.",
            )
        ]
    lacking = {"memory", "pids", "cpu"} - controllers
    if lacking:
        return [
            Hindrance(
                "delegation",
                f"systemd hands no {', '.join(sorted(lacking))} controller on to this user",
                "The administrator: [Service] Delegate=cpu cpuset io memory pids in "
                "/etc/systemd/system/user@.service.d/delegate.conf, then systemctl daemon-reload.",
            )
        ]
    return []


def storage(store: Path | None, *, mounts: bool) -> list[Hindrance]:
    """Why the store can't lie where it is to lie."""
    if store is None:
        what = "this user has no home, in which the store would lie"
        return [Hindrance("store", what, "Set CONTAINERLAB_STORE to a folder of the user's, or HOME.")]
    try:
        problem = look_at(store).problem(mounts=mounts, is_new=not (store / "db.sqlite").exists())
    except OSError as error:
        return [Hindrance("store", f"the store {store}: {error.strerror}", "Set CONTAINERLAB_STORE to another folder.")]
    return [] if problem is None else [Hindrance("store", f"the store {store}: {problem.message}", problem.hint)]
