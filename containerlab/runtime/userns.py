"""User namespaces: whether we are in one, which ids it maps, and how one is made.

As root no user namespace is made. Otherwise the engine makes one for the whole store: with ranges of subordinate ids by
newuidmap(1) and newgidmap(1), else with the caller's own id alone (user_namespaces(7)).
"""

from __future__ import annotations

import functools
import os
import pwd

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls

__all__ = ["Range", "enter_user_namespace", "id_map", "in_user_namespace", "maps_gid", "subordinate_ids"]

# The whole range, as the initial namespace maps it.
_EVERY_ID = 4294967295

Range = tuple[int, int]
"""First id, how many."""


def id_map(kind: str) -> list[tuple[int, int, int]]:
    """``uid`` or ``gid``: (first inside, first outside, how many) of this process's namespace."""
    with open(f"/proc/self/{kind}_map", encoding="ascii") as file:
        lines = [line.split() for line in file]
    return [(int(inside), int(outside), int(count)) for inside, outside, count in lines]


@functools.cache
def in_user_namespace() -> bool:
    """True when not in the initial user namespace."""
    return id_map("uid") != [(0, 0, _EVERY_ID)]


def maps_gid(gid: int) -> bool:
    """Whether ``gid`` exists in this namespace."""
    return any(inside <= gid < inside + count for inside, _, count in id_map("gid"))


def subordinate_ids(path: str) -> list[Range]:
    """The caller's ranges in /etc/subuid or /etc/subgid (subuid(5)), by name or number; empty without any."""
    uid = os.getuid()
    try:
        owners = {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        owners = {str(uid)}
    ranges: list[Range] = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.strip().split(":")
                if len(fields) == 3 and fields[0] in owners and fields[1].isdigit() and fields[2].isdigit():
                    ranges.append((int(fields[1]), int(fields[2])))
    except FileNotFoundError:
        pass
    return ranges


def enter_user_namespace(*, one_id: bool = False) -> bool:
    """Moves the calling process, which must have one thread, into a user namespace of its own, as its root.

    True with subordinate ids, False with the id of the caller alone (``one_id`` asks for that). ``OSError`` when the
    host allows none.
    """
    uid, gid = os.getuid(), os.getgid()
    commands = [] if one_id else _map_commands(uid, gid)
    if commands:
        mapped = _unshare_mapped(commands)
    else:
        syscalls.unshare(c.CLONE_NEWUSER)
        mapped = False
    in_user_namespace.cache_clear()
    if mapped:
        return True
    _write("setgroups", "deny")
    _write("uid_map", f"0 {uid} 1")
    _write("gid_map", f"0 {gid} 1")
    return False


def _map_commands(uid: int, gid: int) -> list[list[str]]:
    """newuidmap's and newgidmap's words, but for the pid; empty where the host has no ranges for us."""
    # Imported late: the supervisor imports this module, and needs neither.
    import shutil

    commands = []
    for program, own, path in (("newuidmap", uid, "/etc/subuid"), ("newgidmap", gid, "/etc/subgid")):
        found, ranges = shutil.which(program), subordinate_ids(path)
        if found is None or not ranges:
            return []
        words, inside = ["0", str(own), "1"], 1
        for first, count in ranges:
            words += [str(inside), str(first), str(count)]
            inside += count
        commands.append([found, *words])
    return commands


def _unshare_mapped(commands: list[list[str]]) -> bool:
    """A helper left outside writes the maps, because it takes the privilege of the parent namespace."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    pid = os.getpid()
    helper = os.fork()
    if helper == 0:
        status = 1
        try:
            os.close(theirs)
            if os.read(ours, 1) == b"u":
                status = max(_run_quietly([words[0], str(pid), *words[1:]]) for words in commands)
        finally:
            os._exit(status)
    os.close(ours)
    try:
        syscalls.unshare(c.CLONE_NEWUSER)
        os.write(theirs, b"u")
    finally:
        os.close(theirs)
        _, status = os.waitpid(helper, 0)
    return status == 0


def _run_quietly(command: list[str]) -> int:
    import subprocess

    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode


def _write(name: str, content: str) -> None:
    with open(f"/proc/self/{name}", "wb", buffering=0) as file:
        file.write(content.encode())
