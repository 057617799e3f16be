"""``--mount``: fields between commas, by Docker's grammar, slips in Docker's words (docker/cli ``opts/mount.go``)."""

from __future__ import annotations

__all__ = ["MOUNT"]

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from containerlab.commands.values import BYTES

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType  # not generic before click 8.4

_SPELLED = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_ALONE = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive")
_TRUE, _FALSE = ("1", "t", "true", "T", "TRUE", "True"), ("0", "f", "false", "F", "FALSE", "False")
_RECURSIVE: dict[str, dict[str, bool]] = {
    "enabled": {},
    "disabled": {"NonRecursive": True},
    "writable": {"ReadOnlyNonRecursive": True},
    "readonly": {"ReadOnlyForceRecursive": True},
}
_TEXT = {
    "type": ("", "Type"), "source": ("", "Source"), "target": ("", "Target"), "consistency": ("", "Consistency"),
    "bind-propagation": ("Bind", "Propagation"), "volume-subpath": ("Volume", "Subpath"),
    "image-subpath": ("Image", "Subpath"),
}  # fmt: skip


class _Slip(Exception):
    """What is wrong with the value."""


class _Mount(_Type):
    name = "type=bind,src=DIR,dst=DIR[,ro]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """A ``Mount`` of the API."""
        if isinstance(value, dict):
            return value
        try:
            return _parse(value)
        except (_Slip, csv.Error) as slip:
            self.fail(str(slip), param, ctx)


def _parse(value: str) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": "volume"}
    for part in next(csv.reader([value], strict=True), []):
        key, equals, text = part.partition("=")
        key = key.lower()
        if not equals and key not in _ALONE:
            raise _Slip(f"invalid field '{part}' must be a key=value pair")
        _set(found, key, text if equals else "true", part)
    for field in ("Type", "Target"):
        if not found.get(field):
            raise _Slip(f"{field.lower()} is required")
    for kind in ("bind", "volume", "image", "tmpfs"):
        if found["Type"] != kind and f"{kind.capitalize()}Options" in found:
            raise _Slip(f"cannot mix '{kind}-*' options with mount type '{found['Type']}'")
    return found


def _set(found: dict[str, Any], key: str, text: str, part: str) -> None:
    name = _SPELLED.get(key, key)
    if name in _TEXT:
        group, field = _TEXT[name]
        _group(found, group)[field] = {"source": _own_folder, "type": str.lower}.get(name, str)(text)
    elif name in ("readonly", "volume-nocopy", "bind-nonrecursive"):
        group, field = {"readonly": ("", "ReadOnly"), "volume-nocopy": ("Volume", "NoCopy")}.get(
            name, ("Bind", "NonRecursive")
        )
        _group(found, group)[field] = _truth(key, text)
    elif name == "bind-recursive":
        if text not in _RECURSIVE:
            raise _Slip(f'invalid value for {key}: {text} (must be "enabled", "disabled", "writable", or "readonly")')
        _group(found, "Bind").update(_RECURSIVE[text])
    elif name == "volume-label":
        label, _, content = text.partition("=")
        _group(found, "Volume").setdefault("Labels", {})[label] = content
    elif name == "volume-driver":
        _group(found, "Volume").setdefault("DriverConfig", {})["Name"] = text
    elif name == "volume-opt":
        option, _, content = text.partition("=")
        _group(found, "Volume").setdefault("DriverConfig", {}).setdefault("Options", {})[option] = content
    elif name == "tmpfs-size":
        try:
            _group(found, "Tmpfs")["SizeBytes"] = BYTES.convert(text, None, None)
        except click.UsageError:
            raise _Slip(f"invalid value for {key}: {text}") from None
    elif name == "tmpfs-mode":
        if not re.fullmatch("[0-7]+", text):
            raise _Slip(f"invalid value for {key}: {text}")
        _group(found, "Tmpfs")["Mode"] = int(text, 8)
    else:
        raise _Slip(f"unexpected key '{key}' in '{part}'")


def _group(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """The options of one kind of mount; those of every kind for an empty name."""
    group: dict[str, Any] = found.setdefault(f"{kind}Options", {}) if kind else found
    return group


def _own_folder(text: str) -> str:
    """``.`` and ``~`` are the caller's folders, which the engine can't know."""
    return str(Path(text).expanduser().resolve()) if text.startswith((".", "~")) else text


def _truth(key: str, text: str) -> bool:
    if text not in (*_TRUE, *_FALSE):
        raise _Slip(f"invalid value for {key}: {text}")
    return text in _TRUE


MOUNT = _Mount()
