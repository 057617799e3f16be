"""User namespaces: whether we are in one, which ids it maps, and how one is made.

As root no user namespace is made. Otherwise the engine makes one for the whole store: with ranges of subordinate ids by
newuidmap(1) and newgidmap(1), else with the caller's own id alone (user_namespaces(7)).
"""

from __future__ import annotations

import functools

__all__ = ["id_map", "in_user_namespace", "maps_gid"]

# The whole range, as the initial namespace maps it.
_EVERY_ID = 4294967295


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
