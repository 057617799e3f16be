"""What the rung proot can't give a container: said in ``create``'s warnings, each by its option.

What is always so is one sentence; what was asked for and can't be had has one of its own. What can't be carried out at
all is refused.
"""

from __future__ import annotations

from containerlab.engine.models import ContainerConfig, HostConfig
from containerlab.engine.mounts import MountPlan
from containerlab.errors import HostLacks
from containerlab.rung import copies_roots

__all__ = ["NOTHING_ISOLATED", "check_rung", "shortfalls"]

NOTHING_ISOLATED = (
    "This host gives no namespaces: under proot a container has a root file system of its own, but shares processes, "
    "network, hostname and limits with the host. It is no protection against a program that means harm."
)


def check_rung(host: HostConfig) -> None:
    """Raises HostLacks for what can't be had at all where nothing can be mounted."""
    if not copies_roots():
        return
    if host.runtime == "vm":
        raise HostLacks(
            "--runtime vm needs a mount namespace for the machine's disk, which this host doesn't give",
            hint="containerlab doctor tells what it would need.",
        )
    for option, given in (("--device-cgroup-rule", host.device_cgroup_rules), ("--sysctl", host.sysctls)):
        if given:
            raise HostLacks(f"{option} can't be had: under proot the host's kernel settings are shared.")


def shortfalls(config: ContainerConfig, host: HostConfig, plan: MountPlan) -> list[str]:
    """The warnings; none on every other rung."""
    if not copies_roots():
        return []
    readonly = [place for place, point in plan.points.items() if point.type != "tmpfs" and not point.rw]
    folders = [place for place, point in plan.points.items() if point.type == "tmpfs"]
    moving = [place for place, point in plan.points.items() if point.propagation.lstrip("r") in ("shared", "slave")]
    options = [option.partition("=")[0].partition(":")[0] for option in host.security_opt]
    asked = (
        ("--read-only", host.readonly_rootfs, "the root file system can be written"),
        (f"read-only at {', '.join(readonly)}", readonly, "a program can write there all the same"),
        (f"propagation at {', '.join(moving)}", moving, "no mount comes in or goes out"),
        (f"--tmpfs {', '.join(folders)}", folders, "it is a folder on the disk, without a limit"),
        ("--shm-size", host.shm_size, "/dev/shm is the host's"),
        ("--cap-add and --cap-drop", host.cap_add or host.cap_drop, "no capability is given or taken"),
        ("--privileged", host.privileged, "nothing more can be given"),
        (f"--security-opt {', '.join(options)}", options, "no filter is installed"),
        ("--group-add", host.group_add, "the groups are the engine's own"),
        ("--hostname", config.hostname, "programs see the host's name; HOSTNAME and /etc/hostname have this one"),
    )
    lost = [f"{option} can't be had under proot: {what}." for option, given, what in asked if given]
    return [NOTHING_ISOLATED, *lost]
