"""The options of a tmpfs: Docker's own ones, then what ``--tmpfs`` or ``--mount`` says, the last word on each winning.

Source: moby/sys mount (``MergeTmpfsOptions``, ``validFlags``) and moby daemon/oci_linux.go (``withMounts``).
"""

from __future__ import annotations

from containerlab.engine.models import TmpfsOptions
from containerlab.errors import InvalidParameter

__all__ = ["merged", "of_mount"]

_DEFAULTS = ("noexec", "nosuid", "nodev")
_PAIRS = (
    *(("ro", "rw"), ("suid", "nosuid"), ("dev", "nodev"), ("exec", "noexec"), ("sync", "async")),
    *(("atime", "noatime"), ("diratime", "nodiratime"), ("relatime", "norelatime"), ("strictatime", "nostrictatime")),
)
_OPPOSITE = {word: pair for pair in _PAIRS for word in pair}
_ALONE = frozenset({"defaults", "bind", "rbind", "remount", "mand", "nomand", "dirsync"})
_VALUES = frozenset({"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"})
_PROPAGATION = frozenset(prefix + word for prefix in ("", "r") for word in ("private", "shared", "slave", "unbindable"))


def merged(words: list[str]) -> list[str]:
    """Docker's defaults with ``words``, each setting once. Raises InvalidParameter, in Docker's words."""
    kept: dict[object, str] = {}
    for word in (*_DEFAULTS, *(word for word in words if word)):
        name, equals, value = word.partition("=")
        if equals and name in _VALUES and value:
            subject: object = name
        elif not equals and (name in _OPPOSITE or name in _ALONE):
            subject = _OPPOSITE.get(name, name)
        elif not equals and name in _PROPAGATION:
            subject = "propagation"
        else:
            shown = " ".join(f'"{part}"' for part in (name, *([value] if equals else [])))
            raise InvalidParameter(f"invalid tmpfs option [{shown}]")
        kept.pop(subject, None)
        kept[subject] = word
    return list(kept.values())


def of_mount(options: TmpfsOptions | None, *, read_only: bool) -> list[str]:
    """The words of ``--mount type=tmpfs``. Raises InvalidParameter."""
    words = ["ro" if read_only else "rw"]
    if options and options.size_bytes:
        words.append(f"size={options.size_bytes}")
    if options and options.mode:
        words.append(f"mode={options.mode:o}")
    for option in options.options if options else []:
        if option[0:1] not in (["exec"], ["noexec"]):
            raise InvalidParameter(f"invalid option: {option[0] if option else ''}")
        words.append(option[0])
    return merged(words)
