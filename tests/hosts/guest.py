"""A machine with cgroup v2 alone to run tests in: ``python -m tests.hosts.guest PYTEST-WORDS…``, as root.

QEMU boots Debian's cloud kernel (``containerlab/runtime/vm``) on a disk that holds this host's Python, what pytest
needs, and the sources. Its first process mounts the unified hierarchy as systemd does and runs pytest as root in a
group of its own, with the controllers delegated to it. What pytest prints comes by the serial console.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from containerlab.runtime.vm import kernel
from containerlab.runtime.vm.busybox import read_busybox
from containerlab.runtime.vm.cpio import Archive
from containerlab.runtime.vm.qemu import Machine

__all__ = ["MODULES", "run"]

MODULES = ("tests/cgroups", "tests/runtime", "tests/runtime_supervisor", "tests/seccomp")
"""What runs there, of the runtime's own tests."""

_SOURCE = Path(__file__).resolve().parents[2]
_DISTRIBUTIONS = ("pytest", "containerlab", "docker")
_MODULES = ("fs/overlayfs/overlay",)
_EXIT = re.compile(rb"@guest exit (\d+)")
_MEMORY_MB = 1024
_SPARE_MB = 3072
_LIMIT_S = 1500.0

_INITIAL = r"""#!/bin/busybox sh
PATH=/bin
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
until [ -e /dev/vda ]; do usleep 1000; done
mount -t ext4 /dev/vda /root
umount /dev
exec switch_root /root /first
"""

# Controllers go down from group to group, and only from one that has no process of its own, but for the topmost.
_FIRST = r"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
export PYTHONPATH=/src:/site
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devpts -o ptmxmode=0666,gid=5 pts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for pair in fd: stdin:/0 stdout:/1 stderr:/2; do ln -s /proc/self/fd${pair#*:} /dev/${pair%%:*}; done
ifconfig lo 127.0.0.1 up
hostname guest
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo +$controller >/sys/fs/cgroup/cgroup.subtree_control
done
# As systemd makes a unit with Delegate=yes and DelegateSubgroup=tests: a supervisor shares its group with pytest.
mkdir /sys/fs/cgroup/lab /sys/fs/cgroup/lab/tests
python3 -S -E -c 'import os; os.setxattr("/sys/fs/cgroup/lab", "user.delegate", b"1")'
echo "@guest mounts $(sed -n 's/.* - \(cgroup2*\) .*/\1/p' /proc/self/mountinfo)"
cd /src
exec </dev/null
( echo 0 >/sys/fs/cgroup/lab/tests/cgroup.procs; exec python3 -m pytest --color=no @WORDS@ )
echo "@guest exit $?"
sync
reboot -f
"""


def run(words: Sequence[str], *, limit_s: float = _LIMIT_S, show: bool = False) -> tuple[int | None, str]:
    """pytest's exit code in the guest, None where it didn't end in time or the guest broke, and all that was printed.

    With ``show`` it is printed here too, as it comes. Raises HostLacks where no virtual machine can be made, OSError
    where the disk can't.
    """
    # On a disk, not in memory: it is as large as what is copied.
    with tempfile.TemporaryDirectory(prefix="cl-guest-", dir="/var/tmp") as name:
        folder = Path(name)
        found = kernel.find(folder / "cache")
        (folder / "initrd").write_bytes(_initial(found))
        (folder / "root").mkdir()
        _fill(folder / "root", words)
        _make_disk(folder / "root", folder / "disk")
        machine = Machine("tcg", _MEMORY_MB, found.bootable(folder / "cache"), folder / "initrd", folder / "disk")
        machine.start()
        try:
            said = _listen(machine, time.monotonic() + limit_s, show)
        finally:
            machine.stop()
    ended = _EXIT.search(said)
    return int(ended[1]) if ended else None, said.replace(b"\r\n", b"\n").decode(errors="replace")


def _listen(machine: Machine, deadline: float, show: bool) -> bytes:
    said = b""
    while (left := deadline - time.monotonic()) > 0 and not _EXIT.search(said[-200:]):
        if not select.select([machine.serial], [], [], left)[0]:
            break
        part = machine.serial.recv(65536)
        if not part:
            break
        said += part
        if show:
            os.write(1, part)
    return said


def _initial(found: kernel.Kernel) -> bytes:
    archive = Archive()
    for folder in ("bin", "dev", "modules", "root"):
        archive.directory(folder)
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", read_busybox(), 0o755)
    for applet in ("insmod", "mount", "sh", "switch_root", "umount", "usleep"):
        archive.symlink(f"bin/{applet}", "busybox")
    for number, name in enumerate((*kernel.MODULES, *_MODULES)):
        content = found.module(name)
        if content is not None:
            archive.file(f"modules/{number:02}-{name.rpartition('/')[2]}.ko", content)
    archive.file("init", _INITIAL.encode(), 0o755)
    return archive.finish()


def _fill(root: Path, words: Sequence[str]) -> None:
    """What the guest's disk holds; times are kept, so that compiled modules needn't be made anew."""
    for name in ("dev", "proc", "sys", "tmp", "root", "etc", "var/tmp", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("passwd", "group"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    _programs(root)
    for name in ("containerlab", "tests"):
        shutil.copytree(_SOURCE / name, root / "src" / name)
    shutil.copy(_SOURCE / "pyproject.toml", root / "src/pyproject.toml")
    for path in _site_files():
        _copy(path.locate(), root / "site" / path)
    first = root / "first"
    first.write_text(_FIRST.replace("@WORDS@", shlex.join(words)))
    first.chmod(0o755)


def _programs(root: Path) -> None:
    """Python, its library and the shared libraries that these load; everything else is busybox."""
    binary = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    _copy(binary, root / "usr/bin/python3")
    skip = shutil.ignore_patterns("test", "idlelib", "lib2to3", "ensurepip", "dist-packages")
    shutil.copytree(library, root / library.relative_to("/"), ignore=skip, symlinks=True)
    loads = [binary, *(library / "lib-dynload").glob("*.so")]
    shown = subprocess.run(["ldd", *loads], capture_output=True, text=True, check=True).stdout
    for path in sorted(set(re.findall(r"(/\S+) \(0x", shown))):
        _copy(Path(path), root / Path(path).resolve().parent.relative_to("/") / Path(path).name)
        if path.startswith("/lib64/"):
            _copy(Path(path), root / "usr/lib64" / Path(path).name)
    # What is loaded by its name alone; ctypes asks ldconfig for it.
    for found in Path("/usr/lib").glob("*/libseccomp.so.2"):
        _copy(found, root / found.relative_to("/"))
    _copy(Path("/sbin/ldconfig"), root / "usr/sbin/ldconfig")
    _copy(Path("/etc/ld.so.cache"), root / "etc/ld.so.cache")
    (root / "usr/bin/busybox").write_bytes(read_busybox())
    (root / "usr/bin/busybox").chmod(0o755)
    for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if not (root / "usr/bin" / applet).exists():
            (root / "usr/bin" / applet).symlink_to("busybox")


def _site_files() -> list[metadata.PackagePath]:
    """The files of the distributions that the tests import, and of all that these require."""
    files: list[metadata.PackagePath] = []
    seen: set[str] = set()
    waiting = list(_DISTRIBUTIONS)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        distribution = metadata.distribution(name)
        needs = [Requirement(text) for text in distribution.requires or []]
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
        if name != "containerlab":  # its sources are there, and are newer than what was installed from them
            files += [path for path in distribution.files or [] if ".." not in path.parts and path.locate().exists()]
    return files


def _copy(source: os.PathLike[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(source, target)


def _make_disk(root: Path, disk: Path) -> None:
    kilobytes = int(subprocess.run(["du", "-sk", root], capture_output=True, text=True, check=True).stdout.split()[0])
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    program = shutil.which("mke2fs", path=path) or "mke2fs"
    size = f"{kilobytes // 1024 * 3 // 2 + _SPARE_MB}M"
    words = [program, "-q", "-t", "ext4", "-m", "0", "-O", "^has_journal", "-d", str(root), str(disk), size]
    subprocess.run(words, check=True, capture_output=True)


if __name__ == "__main__":
    code, _ = run(sys.argv[1:], show=True)
    sys.exit(2 if code is None else code)
