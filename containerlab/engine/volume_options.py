"""What a volume may be called and which options its driver, ``local``, takes.

Source: moby volume/local/local_unix.go (``type``, ``o`` and ``device`` as mount(8) takes them) and volume/service.
"""

from __future__ import annotations

import json
import re

from containerlab.errors import ContainerlabError, HostLacks, InvalidParameter

__all__ = ["check_driver", "check_name", "check_options"]

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_LONGEST = 255
# Option: those that it can't be without.
_NEEDS = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
_OVER_A_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "glusterfs"})


def check_name(name: str) -> str:
    """``name`` itself. Raises InvalidParameter in Docker's words."""
    if len(name) == 1:
        raise _refused(name, "volume name is too short, names should be at least two alphanumeric characters")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise _refused(
            name[:40],
            f"{json.dumps(name[:40], ensure_ascii=False)} includes invalid characters for a local volume name, only "
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
        )
    return name


def check_driver(name: str, driver: str) -> None:
    """Raise InvalidParameter for any driver but ``local``."""
    if driver not in ("", "local"):
        raise _refused(name, f'error looking up volume plugin {driver}: plugin "{driver}" not found')


def check_options(name: str, options: dict[str, str]) -> None:
    """Raise InvalidParameter for options that make no file system; HostLacks for one that lies on another machine."""
    for option, value in options.items():
        if option == "size":
            if value.strip("0"):
                raise _refused(name, "quota size requested but no quota support")
        elif option not in _NEEDS:
            raise _refused(name, f'invalid option: "{option}"')
    for option in options:
        for needed in _NEEDS.get(option, ()):
            if needed not in options:
                raise _refused(name, f'missing required option: "{needed}"')
    if options.get("type") in _OVER_A_NETWORK:
        raise HostLacks(
            f"create {name}: a volume of type {options['type']} isn't carried out by this engine.",
            hint="It mounts what this host has: type=tmpfs, or type=none with o=bind and device=/FOLDER.",
        )
    if any("\0" in value for value in options.values()):
        raise _refused(name, "a volume's options hold no NUL")


def _refused(name: str, why: str) -> ContainerlabError:
    return InvalidParameter(f"create {name}: {why}")
