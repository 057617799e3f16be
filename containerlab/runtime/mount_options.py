"""The words of a mount's ``options`` (OCI runtime spec, "Linux mount options"; mount(8)) as kernel flags."""

from __future__ import annotations

from containerlab.runtime import constants as c

__all__ = ["MountOptions", "parse_options"]

# word: flags to set for a new file system, or to clear when negative
_FLAGS = {
    "defaults": 0,
    "ro": c.MS_RDONLY,
    "rw": -c.MS_RDONLY,
    "nosuid": c.MS_NOSUID,
    "suid": -c.MS_NOSUID,
    "nodev": c.MS_NODEV,
    "dev": -c.MS_NODEV,
    "noexec": c.MS_NOEXEC,
    "exec": -c.MS_NOEXEC,
    "sync": c.MS_SYNCHRONOUS,
    "async": -c.MS_SYNCHRONOUS,
    "noatime": c.MS_NOATIME,
    "atime": -c.MS_NOATIME,
    "nodiratime": c.MS_NODIRATIME,
    "diratime": -c.MS_NODIRATIME,
    "relatime": c.MS_RELATIME,
    "norelatime": -c.MS_RELATIME,
    "strictatime": c.MS_STRICTATIME,
    "nostrictatime": -c.MS_STRICTATIME,
    "bind": c.MS_BIND,
    "rbind": c.MS_BIND | c.MS_REC,
}

_PROPAGATION = {
    "private": (c.MS_PRIVATE, False),
    "rprivate": (c.MS_PRIVATE, True),
    "slave": (c.MS_SLAVE, False),
    "rslave": (c.MS_SLAVE, True),
    "shared": (c.MS_SHARED, False),
    "rshared": (c.MS_SHARED, True),
    "unbindable": (c.MS_UNBINDABLE, False),
    "runbindable": (c.MS_UNBINDABLE, True),
}

# What mount_setattr(2) calls them; MS_SYNCHRONOUS belongs to the file system, not to a mount of it.
_ATTRIBUTES = {
    c.MS_RDONLY: c.MOUNT_ATTR_RDONLY,
    c.MS_NOSUID: c.MOUNT_ATTR_NOSUID,
    c.MS_NODEV: c.MOUNT_ATTR_NODEV,
    c.MS_NOEXEC: c.MOUNT_ATTR_NOEXEC,
    c.MS_NODIRATIME: c.MOUNT_ATTR_NODIRATIME,
}
_ATIME = {c.MS_NOATIME: c.MOUNT_ATTR_NOATIME, c.MS_STRICTATIME: c.MOUNT_ATTR_STRICTATIME, c.MS_RELATIME: 0}


class MountOptions:
    """``flags`` are MS_*; ``set``, ``clear`` and the recursive pair are MOUNT_ATTR_*; ``data`` is the rest."""

    def __init__(self) -> None:
        self.flags = self.set = self.clear = 0
        self.recursive_set = self.recursive_clear = 0
        self.propagation, self.propagation_recursive = 0, False
        self.data = ""


def parse_options(options: list[str]) -> MountOptions:
    """Sorts the words; one that no table knows is the file system's own and goes to ``data``, in order."""
    result = MountOptions()
    data: list[str] = []
    for option in options:
        if option in _PROPAGATION:
            result.propagation, result.propagation_recursive = _PROPAGATION[option]
        elif option in _FLAGS:
            _apply(result, _FLAGS[option])
        elif option[:1] == "r" and _FLAGS.get(option[1:], 0) and not option.endswith("bind"):
            _apply_recursive(result, _FLAGS[option[1:]])
        else:
            data.append(option)
    result.data = ",".join(data)
    return result


def _apply(result: MountOptions, flag: int) -> None:
    if flag >= 0:
        result.flags |= flag
    else:
        result.flags &= ~-flag
    set_, clear = _attributes(flag)
    result.set = result.set & ~clear | set_
    result.clear = result.clear & ~set_ | clear


def _apply_recursive(result: MountOptions, flag: int) -> None:
    set_, clear = _attributes(flag)
    result.recursive_set = result.recursive_set & ~clear | set_
    result.recursive_clear = result.recursive_clear & ~set_ | clear


def _attributes(flag: int) -> tuple[int, int]:
    """What to set and what to clear; the kinds of atime are one field, cleared as a whole."""
    magnitude = abs(flag)
    if magnitude in _ATIME:
        return (_ATIME[magnitude] if flag > 0 else 0), c.MOUNT_ATTR__ATIME
    attribute = _ATTRIBUTES.get(magnitude, 0)
    return (attribute, 0) if flag > 0 else (0, attribute)
