"""``[SOURCE:]TARGET[:MODE]`` to the long form: a volume by name, an anonymous one, or a folder of the host.

A source that starts with ``.``, ``/`` or ``~`` is a path, any other a volume's name. ``MODE`` is a list of ``ro``,
``rw``, ``nocopy``, ``z``, ``Z`` and propagations; the short form makes a missing folder of the host, as ``docker run
-v`` does.
"""

from __future__ import annotations

__all__ = ["PROPAGATIONS", "parse"]

from typing import Any

PROPAGATIONS = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
_CONSISTENCY = ("consistent", "cached", "delegated")


def parse(text: str) -> dict[str, Any]:
    """The fields of the long form. Raises ``ValueError``."""
    parts = text.split(":")
    if not text:
        raise ValueError("invalid empty volume spec")
    if not all(parts):
        raise ValueError(f"invalid spec: {text}: empty section between colons")
    if len(parts) > 3:
        raise ValueError(f"invalid spec: {text}: too many colons")
    if len(parts) == 1:
        return {"type": "volume", "target": text}
    if parts[0][0] in "./~":
        mount: dict[str, Any] = {"type": "bind", "source": parts[0], "target": parts[1]}
        mount["bind"] = {"create_host_path": "true"}
    else:
        mount = {"type": "volume", "source": parts[0], "target": parts[1]}
    for option in parts[2].split(",") if len(parts) == 3 else ():
        _apply(mount, option, text)
    return mount


def _apply(mount: dict[str, Any], option: str, text: str) -> None:
    if option in ("ro", "rw"):
        mount["read_only"] = "true" if option == "ro" else "false"
    elif option == "nocopy":
        mount["volume"] = {"nocopy": "true"}
    elif option in PROPAGATIONS:
        mount.setdefault("bind", {})["propagation"] = option
    elif option in ("z", "Z"):
        mount.setdefault("bind", {})["selinux"] = option
    elif option in _CONSISTENCY:
        mount["consistency"] = option
    else:
        raise ValueError(f"invalid spec: {text}: unknown option {option}")
