"""How well a program is packed: size, and what an intruder would find. Looked up in the engine, nothing is changed."""

from __future__ import annotations

import json
from typing import Any

from containerlab.lab.sharing import read_sharing
from containerlab.lab.words import Words, say

__all__ = ["Audit", "audit", "gives_away", "is_root"]

_ROOTS = ("", "0", "root")


class Audit:
    """Rows of (what, what was found, whether that is well). ``print`` it, or look at ``.rows``."""

    def __init__(self, rows: list[tuple[str, str, bool]]) -> None:
        self.rows = rows

    @property
    def passed(self) -> int:
        """How many of the rows are well."""
        return sum(well for _, _, well in self.rows)

    def to_dict(self) -> dict[str, dict[str, object]]:
        """For a program."""
        return {what: {"found": found, "well": well} for what, found, well in self.rows}

    def __str__(self) -> str:
        """A line for each row, in columns."""
        what, found = max(len(row[0]) for row in self.rows), max(len(row[1]) for row in self.rows)
        marks = {True: say("well"), False: say("not yet")}
        return "\n".join(f"{row[0]:{what}}  {row[1]:{found}}  {marks[row[2]]}" for row in self.rows)


def audit(client: Any, name: str, secret: str) -> Audit:
    """What there is to say of a container that runs, and of its image; ``secret`` is a text that nobody may find.

    Raises docker.errors.NotFound for a container that isn't there.
    """
    found = client.api.inspect_container(name)
    config, host = found["Config"], found["HostConfig"]
    health = found["State"].get("Health", {}).get("Status")
    dropped = [each.upper() for each in host.get("CapDrop") or []]
    kept = sorted(each.removeprefix("CAP_") for each in host.get("CapAdd") or [])
    hidden = not gives_away(client, found["Image"], secret) and secret not in json.dumps(config)
    wasted = read_sharing(client, [found["Image"]]).images[0].wasted
    return Audit(
        [
            (say(_WASTE), f"{wasted:,} B", wasted == 0),
            (say(_USER), config.get("User") or "root", not is_root(config.get("User") or "")),
            (say(_SECRET), say(_NOWHERE) if hidden else say(_FOUND), hidden),
            (say(_ROOT), say(_READ_ONLY) if host["ReadonlyRootfs"] else say(_WRITABLE), bool(host["ReadonlyRootfs"])),
            (say(_CAPABILITIES), " ".join(kept) or say(_NONE) if "ALL" in dropped else say(_USUAL), "ALL" in dropped),
            (say(_HEALTH), health or say(_NONE), health == "healthy"),
        ]
    )


_WASTE = Words("bytes that the image wastes")
_USER = Words("user")
_SECRET = Words("the secret, in image or settings")
_ROOT = Words("root file system")
_CAPABILITIES = Words("capabilities")
_HEALTH = Words("health check")
_NOWHERE, _FOUND = Words("nowhere"), Words("found")
_READ_ONLY, _WRITABLE = Words("read-only"), Words("writable")
_NONE, _USUAL = Words("none"), Words("the usual ones")


def is_root(user: str) -> bool:
    """Is this ``USER`` the all-powerful one?"""
    return user.partition(":")[0] in _ROOTS


def gives_away(client: Any, image: str, secret: str) -> bool:
    """Whether a text stands in an image's settings, history or layers, as they are sent to whoever gets it."""
    wanted, last = secret.encode(), b""
    if secret in json.dumps([client.api.inspect_image(image), client.api.history(image)]):
        return True
    for piece in client.api.get_image(image):
        if wanted in last + piece:
            return True
        last = (last + piece)[-len(wanted) :]
    return False
