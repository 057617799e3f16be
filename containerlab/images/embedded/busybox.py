"""lab/busybox: a small userland in one layer.

From a static busybox, laid out as Docker's image of that name; where the host has none, from the host's own
shell and coreutils with the libraries that they need.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.images.embedded import elf
from containerlab.images.embedded.libraries import add_libraries
from containerlab.images.embedded.tree import Tree

__all__ = ["find_static", "layer"]

_USERS = (
    ("root", 0, "/root", "/bin/sh"),
    ("daemon", 1, "/usr/sbin", "/bin/false"),
    ("bin", 2, "/bin", "/bin/false"),
    ("sys", 3, "/dev", "/bin/false"),
    ("sync", 100, "/bin", "/bin/sync"),
    ("mail", 8, "/var/spool/mail", "/bin/false"),
    ("www-data", 33, "/var/www", "/bin/false"),
    ("operator", 37, "/var", "/bin/false"),
    ("nobody", 65534, "/home", "/bin/false"),
)
_GROUPS = (
    *(("root", 0), ("daemon", 1), ("bin", 2), ("sys", 3), ("adm", 4), ("tty", 5), ("disk", 6), ("wheel", 10)),
    *(("cdrom", 11), ("dialout", 18), ("floppy", 19), ("video", 28), ("audio", 29), ("tape", 32)),
    *(("www-data", 33), ("operator", 37), ("utmp", 43), ("plugdev", 46), ("staff", 50), ("mail", 8)),
    *(("lock", 54), ("netdev", 82), ("users", 100), ("nobody", 65534)),
)
_FOLDERS = ("bin", "dev", "etc", "home", "proc", "sys", "usr/bin", "usr/sbin", "var/log", "var/spool/mail", "var/www")

_HOST_PROGRAMS = """
    sh ls cat cp mv rm mkdir rmdir ln touch chmod chown chgrp echo printf true false test pwd env id whoami date sleep
    head tail wc sort uniq cut tr tee seq basename dirname readlink realpath stat du df sync dd od md5sum sha1sum
    sha256sum expr nproc uname hostname groups mktemp mkfifo mknod yes nohup timeout truncate tty stty kill ps top free
    mount umount dmesg find xargs grep sed awk tar gzip gunzip zcat vi less more diff cmp which ip ping nc wget
    """


def layer() -> Tree:
    """The one layer of lab/busybox. Raises HostLacks where the host has not even a shell to copy."""
    tree = Tree()
    _add_skeleton(tree)
    static = find_static()
    if static is not None:
        _add_busybox(tree, static)
    else:
        _add_host_programs(tree)
    return tree


def find_static() -> Path | None:
    """The host's static busybox, or None."""
    for candidate in ("busybox", "busybox.static", "busybox-static"):
        for found in (shutil.which(candidate), f"/bin/{candidate}", f"/usr/lib/busybox/{candidate}"):
            if found and Path(found).is_file():
                path = Path(found).resolve()
                part = elf.dynamic(path)
                if part is not None and part.static:
                    return path
    return None


def _add_skeleton(tree: Tree) -> None:
    for folder in _FOLDERS:
        tree.directory(folder)
    tree.directory("root", 0o700)
    for folder in ("tmp", "var/tmp"):
        tree.directory(folder, 0o1777)
    tree.symlink("run", "var/run")
    tree.directory("var/run")
    users = [f"{name}:x:{uid}:{_gid(name)}:{name}:{home}:{shell}\n" for name, uid, home, shell in _USERS]
    # A hash of "*" matches no password; 20454 is the embedded files' date in days since 1970.
    shadows = [f"{name}:*:20454:0:99999:7:::\n" for name, *_ in _USERS]
    groups = [f"{name}:x:{gid}:\n" for name, gid in _GROUPS]
    tree.file("etc/passwd", "".join(users).encode())
    tree.file("etc/group", "".join(groups).encode())
    tree.file("etc/shadow", "".join(shadows).encode(), 0o640)
    # Each container has its own of these bound over them; without a place for it, a start makes one in its upper.
    for name in ("hostname", "hosts", "resolv.conf"):
        tree.file(f"etc/{name}", b"")
    tree.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")


def _gid(user: str) -> int:
    return dict(_GROUPS).get(user, 100)


def _add_busybox(tree: Tree, static: Path) -> None:
    listed = subprocess.run([static, "--list"], capture_output=True, text=True, check=True, timeout=10)
    tree.file("bin/busybox", static, 0o755)
    for applet in listed.stdout.split():
        if applet != "busybox" and "/" not in applet:
            tree.symlink(f"bin/{applet}", "busybox")
    # Where "#!/usr/bin/env" looks.
    tree.symlink("usr/bin/env", "../../bin/env")


def _add_host_programs(tree: Tree) -> None:
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    programs: list[Path] = []
    for name in _HOST_PROGRAMS.split():
        found = shutil.which(name, path=path)
        if found is None:
            continue
        real = Path(found).resolve()
        if elf.dynamic(real) is None:
            continue
        if f"bin/{real.name}" not in tree:
            tree.file(f"bin/{real.name}", real, 0o755)
            programs.append(real)
        if real.name != name:
            tree.symlink(f"bin/{name}", real.name)
    if "bin/sh" not in tree:
        raise HostLacks(
            "lab/busybox can't be made: this host has no static busybox, and no shell to take in its place.",
            hint="Install busybox-static.",
        )
    tree.symlink("usr/bin/env", "../../bin/env")
    add_libraries(tree, programs, lambda path: None)
