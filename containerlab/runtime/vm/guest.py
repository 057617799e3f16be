"""What the guest runs: its initial RAM file system, and the scripts that busybox's shell runs there.

The first process mounts the disk, wires the ports to pipes, runs the container's command inside the disk's root, and
reports its exit code. The command's streams are pipes and not the ports themselves: a port opens once, and
programs open /dev/stdout again.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from containerlab.runtime.vm.cpio import Archive
from containerlab.runtime.vm.kernel import MODULES, Kernel

__all__ = ["CONTROL_PORT", "STAMP", "STDERR_PORT", "STDIN_PORT", "STDOUT_PORT", "initramfs"]

STDIN_PORT, STDOUT_PORT, STDERR_PORT, CONTROL_PORT = 1, 2, 3, 4
"""Numbers of the virtio-serial ports; with a terminal, port 0 is the console and 1 to 3 aren't there."""

STAMP = "@containerlab "
"""Begins a line on the serial console that names the stage just reached."""

_APPLETS = (
    *("cat", "cp", "hostname", "ifconfig", "insmod", "kill", "ln", "mkdir", "mkfifo", "mount", "rmdir", "sh", "sleep"),
    *("stty", "usleep"),
)
"""What the first process calls by name: links to busybox."""

_INIT = r"""#!/bin/busybox sh
echo "@containerlab init"
PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for module in @MODULES@; do insmod /modules/$module; done
until [ -e /dev/vda ] && [ -e /dev/vport0p4 ]; do usleep 1000; done
echo "@containerlab modules"
mount -t ext4 -o noatime /dev/vda /root
rmdir /root/lost+found 2>/dev/null
for folder in proc sys dev tmp etc; do [ -d /root/$folder ] || mkdir -p /root/$folder; done
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t devtmpfs dev /root/dev
mkdir -p /dev/pts /dev/shm /dev/.containerlab
mount -t devpts -o ptmxmode=0666,gid=5 pts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount --bind /dev/pts /root/dev/pts
mount --bind /dev/shm /root/dev/shm
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
for pair in 0:stdin 1:stdout 2:stderr; do
    [ -e /dev/${pair#*:} ] || ln -s /proc/self/fd/${pair%:*} /dev/${pair#*:}
done
cp /bin/busybox /command /user /dev/.containerlab/
cp -R /files/. /root/
hostname @HOSTNAME@
ifconfig lo 127.0.0.1 up
echo "@containerlab root"

@STREAMS@
control=/dev/vport0p4
exec 9<>$control
{
    while read -r word first second; do
        case $word in
        signal) kill -$first "$(cat /pid)" 2>/dev/null ;;
        resize) stty -F /dev/hvc0 rows $first cols $second ;;
        esac
    done
} <&9 &

echo "@containerlab exec"
sh /start
code=$?

# A container's other processes end with its first; what runs outside the disk's root are this script's helpers.
for folder in /proc/[0-9]*; do
    [ $folder/root -ef /root ] && kill -9 ${folder#/proc/} 2>/dev/null
done
@FLUSH@
echo "exit $code" >&9
while :; do sleep 60; done
"""

_PIPES = r"""mkfifo /in /out /err
cat /dev/vport0p1 >/in 2>/dev/null &
cat /out >/dev/vport0p2 &
out=$!
cat /err >/dev/vport0p3 &
err=$!
"""

_START_PIPES = r"""echo $$ >/pid
exec </in >/out 2>/err
exec 9>&-
exec /bin/busybox chroot /root /dev/.containerlab/busybox sh /dev/.containerlab/command
"""

# A terminal that nobody has open forgets its size: the script's own descriptor keeps it until the command has it.
_KEEP_TERMINAL = "exec 8<>/dev/hvc0"

_START_TERMINAL = r"""echo $$ >/pid
exec 8>&- 9>&-
exec </dev/hvc0 >/dev/hvc0 2>&1
exec /bin/busybox setsid -c /bin/busybox chroot /root /dev/.containerlab/busybox sh /dev/.containerlab/command
"""

# Inside the disk's root, where nothing but the copied busybox may be relied on.
_COMMAND = r"""b=/dev/.containerlab/busybox
umask 0022
. /dev/.containerlab/user
[ -d @CWD@ ] || $b mkdir -p @CWD@
cd @CWD@ || exit 126
[ -n "$home" ] && set -- "HOME=$home" @ENV@ || set -- @ENV@
if [ "$uid:$gid" = 0:0 ]; then
    exec $b env -i "$@" @ARGS@
fi
exec $b start-stop-daemon -S -q -p /dev/.containerlab/none -c "$uid:$gid" -x $b -- env -i "$@" @ARGS@
"""

# Docker's words for a user: a name or number, then a group after a colon; /etc/passwd of the image knows them.
_USER = r"""uid= gid= home=
user=@USER@
group=
case $user in *:*) group=${user#*:} user=${user%%:*} ;; esac
if [ -f /etc/passwd ]; then
    while IFS=: read -r name _ number primary _ folder _; do
        if [ "$name" = "$user" ] || [ "$number" = "$user" ]; then
            uid=$number gid=$primary home=$folder
            break
        fi
    done </etc/passwd
fi
if [ -z "$uid" ]; then
    case $user in
    *[!0-9]*|'') echo "unable to find user $user: no matching entries in passwd file" >&2; exit 126 ;;
    esac
    uid=$user gid=0 home=/
fi
if [ -n "$group" ]; then
    found=
    if [ -f /etc/group ]; then
        while IFS=: read -r name _ number _; do
            if [ "$name" = "$group" ] || [ "$number" = "$group" ]; then found=$number; break; fi
        done </etc/group
    fi
    [ -n "$found" ] || case $group in
    *[!0-9]*) echo "unable to find group $group: no matching entries in group file" >&2; exit 126 ;;
    *) found=$group ;;
    esac
    gid=$found
fi
"""


def initramfs(kernel: Kernel, busybox: bytes, spec: dict[str, Any], files: dict[str, bytes]) -> bytes:
    """The archive for one run of an OCI ``spec``: ``process``, ``hostname`` and ``containerlab.user`` are honoured.

    ``busybox`` is a static one; ``files`` are put into /etc, by name. Raises ValueError for a process without
    arguments.
    """
    process = spec.get("process", {})
    terminal = bool(process.get("terminal"))
    modules = {name.rpartition("/")[2] + ".ko": kernel.module(name) for name in MODULES}
    archive = Archive()
    for folder in ("bin", "dev", "files", "files/etc", "modules", "proc", "root"):
        archive.directory(folder)
    # The kernel opens /dev/console for the first process before that has mounted anything.
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", busybox, 0o755)
    for applet in _APPLETS:
        archive.symlink(f"bin/{applet}", "busybox")
    for name, content in modules.items():
        if content is not None:
            archive.file(f"modules/{name}", content)
    present = [name for name, content in modules.items() if content is not None]
    for name, text in files.items():
        archive.file(f"files/etc/{name}", text)
    archive.file("init", _init_script(spec, present, terminal).encode(), 0o755)
    archive.file("start", (_START_TERMINAL if terminal else _START_PIPES).encode())
    archive.file("command", _command_script(process).encode("utf-8", "surrogateescape"))
    archive.file("user", _fill(_USER, USER=shlex.quote(_user(spec, process))).encode())
    return archive.finish()


def _init_script(spec: dict[str, Any], modules: list[str], terminal: bool) -> str:
    streams, flush = _PIPES, "wait $out $err"
    if terminal:
        streams, flush = _KEEP_TERMINAL, "stty -F /dev/hvc0 sane"
        size = spec["process"].get("consoleSize")
        if size:
            streams += f"\nstty -F /dev/hvc0 rows {int(size['height'])} cols {int(size['width'])}"
    return _fill(
        _INIT,
        MODULES=" ".join(modules),
        HOSTNAME=shlex.quote(spec.get("hostname") or "localhost"),
        STREAMS=streams,
        FLUSH=flush,
    )


def _command_script(process: dict[str, Any]) -> str:
    arguments = process.get("args") or []
    if not arguments:
        raise ValueError("the process has no arguments")
    return _fill(
        _COMMAND,
        CWD=shlex.quote(process.get("cwd") or "/"),
        ENV=" ".join(shlex.quote(str(variable)) for variable in process.get("env") or []),
        ARGS=" ".join(shlex.quote(str(argument)) for argument in arguments),
    )


def _user(spec: dict[str, Any], process: dict[str, Any]) -> str:
    words = spec.get("annotations", {}).get("containerlab.user")
    if words:
        return str(words)
    user = process.get("user", {})
    return f"{int(user.get('uid', 0))}:{int(user.get('gid', 0))}"


def _fill(script: str, **values: str) -> str:
    """Put ``values`` in their places in one pass, so that no value is read for places again."""
    return re.sub(r"@([A-Z]+)@", lambda place: values.get(place[1], place[0]), script)
