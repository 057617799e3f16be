"""Which rung gives what: the one table behind ``doctor`` and docs/hosts.md."""

from __future__ import annotations

from dataclasses import dataclass

from containerlab import rung

__all__ = ["TABLE", "Row", "losses"]

_YES = "yes"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that containers have as root, and what becomes of it on each lower rung: ``yes``, or a sentence."""

    what: str
    rootless_ids: str = _YES
    rootless_one_id: str = _YES
    proot: str = _YES

    def on(self, name: str) -> str:
        """``yes``, or what is lost."""
        words = {"rootless-ids": self.rootless_ids, "rootless-one-id": self.rootless_one_id, rung.PROOT: self.proot}
        return words.get(name, _YES)


_ONE_ID = "everything in an image belongs to root"
TABLE = (
    Row("images, layers, registries, build, commit, diff, export, cp"),
    Row("logs, exec, attach, terminals, exit codes, restart policies, health checks"),
    Row("volumes and folders of the host"),
    Row("a root file system", proot="it is a copy of the image's, as large again unless the file system has reflinks"),
    Row("owners of files", rootless_one_id=_ONE_ID, proot=f"{_ONE_ID}, and any user may write there"),
    Row(
        "USER other than root, --group-add",
        rootless_one_id="refused: there is one id alone",
        proot="--user is imitated; --group-add is left out, with a warning",
    ),
    Row("processes kept apart", proot="a program sees those of the host, and may signal its user's"),
    Row("host name of its own", proot="in HOSTNAME and /etc/hostname alone"),
    Row("networks", proot="all share the host's network; names lead to 127.0.0.1"),
    Row(
        "published ports",
        rootless_ids="from 1024 on, unless the host allows less",
        rootless_one_id="from 1024 on, unless the host allows less",
        proot="two programs can't listen on one port; another number outside is passed on",
    ),
    Row("--network none", proot="left out, with a warning"),
    Row("read-only mounts, --read-only", proot="left out, with a warning: they can be written"),
    Row("--tmpfs, --shm-size", proot="a folder on the disk, and the host's /dev/shm"),
    Row("seccomp filter, capabilities", proot="none; without raw sockets there is no ping"),
    Row("stats", proot="what /proc tells of its processes: memory as their share, processor time, their number"),
    Row(
        "limits of memory, processors, processes",
        rootless_ids="where systemd delegates them, else discarded with Docker's warning",
        rootless_one_id="where systemd delegates them, else discarded with Docker's warning",
        proot="discarded, with Docker's warning",
    ),
    Row(
        "pause",
        rootless_ids="where systemd delegates cgroups",
        rootless_one_id="where systemd delegates cgroups",
        proot="refused: there is no freezer",
    ),
    Row("--runtime vm", proot="refused: its disk needs a mount namespace"),
    Row("RUN --mount of secrets, caches, stages", proot="copies; secrets in the host's /dev/shm"),
    Row("speed", proot="each system call is traced: programs that make many are several times slower"),
)


def losses(name: str) -> list[str]:
    """What a container loses on a rung, a sentence each; nothing on the best, or where none runs at all."""
    return [f"{row.what}: {words}" for row in TABLE if (words := row.on(name)) != _YES]
