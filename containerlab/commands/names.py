"""Near names: what somebody may have meant."""

from __future__ import annotations

__all__ = ["container_names", "hint", "image_names", "near"]

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any


def near(name: str, names: Iterable[str]) -> list[str]:
    """At most three of ``names`` that resemble ``name``: by spelling, or because one holds the other."""
    known = sorted(set(names))
    found = get_close_matches(name, known, n=3, cutoff=0.6)
    part = [other for other in known if len(name) > 2 and (name in other or other in name) and other not in found]
    return [*found, *part][:3]


def hint(name: str, names: Iterable[str]) -> str:
    """``Did you mean a, b or c?``, or nothing."""
    found = near(name, names)
    if not found:
        return ""
    words = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"
    return f"Did you mean {words}?"


def container_names(client: Any, *, states: Collection[str] = ()) -> list[str]:
    """The names of all containers, or of those in one of ``states``."""
    return sorted(
        name.lstrip("/")
        for entry in client.api.containers(all=True)
        if not states or entry["State"] in states
        for name in entry["Names"]
        if name.count("/") < 2
    )


def image_names(client: Any) -> list[str]:
    """All tags; ``lab/busybox`` beside ``lab/busybox:latest``."""
    tags = [tag for entry in client.api.images() for tag in entry.get("RepoTags") or [] if not tag.startswith("<none>")]
    return sorted({*tags, *(tag.removesuffix(":latest") for tag in tags)})
