"""Docker's ``User`` words turned into numbers, with the image's own /etc/passwd and /etc/group.

The rules are those of moby's user package (github.com/moby/sys/user, ``GetExecUser``), the messages too, because
clients and people know them. Both files are an image's: read inside its root, only when regular, and bounded.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containerlab.runtime.inroot import Root

__all__ = ["ResolvedUser", "home_of", "resolve_groups", "resolve_user"]

_MAX_ID = 2**31 - 1
# A passwd file of 16 MiB has 200,000 users.
_LIMIT = 16 << 20


class ResolvedUser(NamedTuple):
    """``groups`` begins with the primary group (CVE-2022-36109); ``home`` is "/" where passwd knows none."""

    uid: int
    gid: int
    groups: list[int]
    home: str


def resolve_user(root: Root, words: str) -> ResolvedUser:
    """``words`` is ``""``, ``name``, ``name:group``, ``1000`` or ``1000:0``. ``OSError`` with Docker's message."""
    user_word, _, rest = words.partition(":")
    group_word = rest.partition(":")[0]
    number = _number(user_word) if user_word else 0
    name, uid, gid, home = _find_user(root, user_word, number)
    groups = [gid]
    if group_word:
        gid = _find_group(root, group_word)
        groups = [gid]
    elif name:
        groups += [entry_gid for _, entry_gid, members in _group_entries(root) if name in members and entry_gid != gid]
    return ResolvedUser(uid, gid, groups, home)


def resolve_groups(root: Root, words: list[str]) -> list[int]:
    """The ids of ``--group-add`` words."""
    return [_find_group(root, word) for word in words]


def home_of(root: Root, uid: int) -> str:
    """The home that passwd gives ``uid``, else "/"."""
    return next((home for _, entry_uid, _, home in _passwd_entries(root) if entry_uid == uid), "/")


def _find_user(root: Root, word: str, number: int | None) -> tuple[str, int, int, str]:
    for name, uid, gid, home in _passwd_entries(root):
        if (word and name == word) or (number is not None and uid == number):
            return name, uid, gid, home or "/"
    if number is None:
        raise OSError(errno.ENOENT, f"unable to find user {word}: no matching entries in passwd file")
    return "", _checked(number), 0, "/"


def _find_group(root: Root, word: str) -> int:
    number = _number(word)
    for name, gid, _ in _group_entries(root):
        if name == word or gid == number:
            return gid
    if number is None:
        raise OSError(errno.ENOENT, f"unable to find group {word}: no matching entries in group file")
    return _checked(number)


def _checked(number: int) -> int:
    if not 0 <= number <= _MAX_ID:
        raise OSError(errno.EINVAL, f"uids and gids must be in range 0-{_MAX_ID}")
    return number


def _number(word: str) -> int | None:
    """As Go's strconv.Atoi: an optional sign and ASCII digits, within 64 bits."""
    digits = word[1:] if word[:1] in {"+", "-"} else word
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        return None
    value = int(word)
    return value if -(2**63) <= value < 2**63 else None


def _passwd_entries(root: Root) -> Iterator[tuple[str, int, int, str]]:
    for fields in _lines(root, "/etc/passwd"):
        fields += [""] * (7 - len(fields))
        yield fields[0], _number(fields[2]) or 0, _number(fields[3]) or 0, fields[5]


def _group_entries(root: Root) -> Iterator[tuple[str, int, list[str]]]:
    for fields in _lines(root, "/etc/group"):
        fields += [""] * (4 - len(fields))
        yield fields[0], _number(fields[2]) or 0, fields[3].split(",")


def _lines(root: Root, path: str) -> Iterator[list[str]]:
    content = root.read(path, _LIMIT)
    for line in (content or b"").decode("utf-8", "surrogateescape").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip().split(":")
