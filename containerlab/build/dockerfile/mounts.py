"""``RUN --mount=type=…,key=value``: one flag's text as a typed mount.

See https://docs.docker.com/reference/dockerfile/#run---mount. ``target``, ``source`` and ``id`` may hold variables;
they are expanded when the command runs.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from containerlab.build.dockerfile.nodes import Flag, Node
from containerlab.build.dockerfile.source import did_you_mean
from containerlab.errors import DockerfileError

__all__ = ["Mount", "parse_mounts"]

_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_COMMON = ("type", "target")
_KEYS = {
    "bind": (*_COMMON, "source", "from", "readonly", "readwrite"),
    "cache": (*_COMMON, "id", "source", "from", "readonly", "readwrite", "sharing", "mode", "uid", "gid"),
    "tmpfs": (*_COMMON, "size"),
    "secret": (*_COMMON, "id", "required", "mode", "uid", "gid"),
    "ssh": (*_COMMON, "id", "required", "mode", "uid", "gid"),
}
_FLAGS = ("readonly", "readwrite", "required")
_SHARING = ("shared", "private", "locked")
_SIZE = re.compile(r"([0-9]{1,12})([kmgt]?)i?b?\Z", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECRET_FOLDER = "/run/secrets"
_MOST_ID = 2**31 - 1
_MOST_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Mount:
    """``kind`` is bind, cache, tmpfs or secret. ``size`` is bytes, 0 the kernel's default; ``mode`` None the kind's."""

    kind: str
    target: str
    source: str = ""
    from_: str = ""
    id: str = ""
    sharing: str = "shared"
    readonly: bool = False
    required: bool = False
    size: int = 0
    mode: int | None = None
    uid: int = 0
    gid: int = 0


def parse_mounts(node: Node) -> tuple[Mount, ...]:
    """Every ``--mount`` of a RUN. Raises DockerfileError at the flag."""
    return tuple(_Fields(node, flag).mount() for flag in node.flags if flag.name == "mount")


class _Fields:
    """The ``key=value`` pairs of one flag."""

    def __init__(self, node: Node, flag: Flag) -> None:
        self._node, self._flag = node, flag
        self._given: dict[str, str] = {}
        self._kind = "bind"
        try:
            fields = next(csv.reader([flag.value or ""], strict=True), [])
        except csv.Error as error:
            raise self._error(f"--mount can't be read: {error}") from None
        for field in fields:
            self._add(field)
        self._check_keys()

    def mount(self) -> Mount:
        kind, given = self._kind, self._given
        if kind == "ssh":
            raise self._error("--mount=type=ssh isn't supported: no agent is forwarded", "pass a key with type=secret")
        target = given.get("target", "")
        if kind == "secret":
            target, identity = self._secret(target)
        elif not target:
            raise self._error(f"--mount=type={kind} has no target", "expected target=/path/in/the/container")
        else:
            identity = given.get("id", target) if kind == "cache" else ""
        if "$" in given.get("from", ""):
            raise self._error("variables aren't replaced in --mount=from", "name the stage or the image")
        sharing = given.get("sharing", "shared")
        if sharing not in _SHARING:
            raise self._error(f"unsupported sharing value {sharing!r}", f"expected {', '.join(_SHARING)}")
        writable = "readwrite" in given and given["readwrite"] == "true"
        return Mount(
            kind=kind,
            target=target,
            source=given.get("source", ""),
            from_=given.get("from", ""),
            id=identity,
            sharing=sharing,
            readonly=given.get("readonly") == "true" or (kind == "bind" and not writable),
            required=given.get("required") == "true",
            size=self._size(given.get("size", "")),
            mode=self._mode(given.get("mode", "")),
            uid=self._number("uid"),
            gid=self._number("gid"),
        )

    def _add(self, field: str) -> None:
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        key = _ALIASES.get(key, key)
        if not equals:
            if key not in _FLAGS:
                raise self._error(f"invalid field {field!r} must be a key=value pair", "expected key=value")
            value = "true"
        if key in _FLAGS:
            value = value.lower()
            value = {"1": "true", "0": "false"}.get(value, value)
            if value not in ("true", "false"):
                raise self._error(f"invalid value for {key}: {value}", "it is true or false")
        if key in self._given:
            raise self._error(f"--mount has {key} twice")
        self._given[key] = value

    def _check_keys(self) -> None:
        self._kind = self._given.get("type", "bind").lower()
        known = _KEYS.get(self._kind)
        if known is None:
            hint = did_you_mean(self._kind, _KEYS) or f"expected {', '.join(_KEYS)}"
            raise self._error(f"unsupported mount type {self._kind!r}", hint)
        for key in self._given:
            if key not in known:
                hint = did_you_mean(key, known) or f"type={self._kind} knows {', '.join(known)}"
                raise self._error(f"unexpected key {key!r} in --mount=type={self._kind}", hint)

    def _secret(self, target: str) -> tuple[str, str]:
        identity = self._given.get("id", "") or target.rpartition("/")[2]
        if not identity:
            raise self._error("--mount=type=secret has neither id nor target", "expected id=NAME")
        if not target:
            if "/" in identity or identity in (".", ".."):
                raise self._error(f"the secret's id {identity!r} is no file name", "give the file with target=")
            target = f"{_SECRET_FOLDER}/{identity}"
        return target, identity

    def _size(self, text: str) -> int:
        match = _SIZE.match(text)
        if text and match is None:
            raise self._error(f"invalid size {text!r}", "expected bytes, or a number with k, m or g")
        return int(match[1]) * _UNITS[match[2].lower()] if match else 0

    def _mode(self, text: str) -> int | None:
        if text and re.fullmatch(r"0?o?[0-7]{3,4}", text) is None:
            raise self._error(f"invalid mode {text!r}", "expected an octal mode, as 0755")
        return int(text.lower().replace("o", ""), 8) if text else None

    def _number(self, key: str) -> int:
        text = self._given.get(key, "0")
        if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS or int(text) > _MOST_ID:
            raise self._error(f"invalid {key} {text[:40]!r}", f"expected a number from 0 to {_MOST_ID}")
        return int(text)

    def _error(self, message: str, hint: str = "") -> DockerfileError:
        return self._node.source.error(message, self._flag.place, hint=hint)
