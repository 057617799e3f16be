"""``--secret id=NAME,src=FILE`` and ``id=NAME,env=VARIABLE``: read here, and handed to our own engine alone."""

from __future__ import annotations

__all__ = ["hand_over"]

import base64
import csv
import os
from pathlib import Path

import docker.errors

from containerlab.commands.context import Context
from containerlab.commands.streams import post
from containerlab.errors import UsageError

_KEYS = {"id": "id", "src": "src", "source": "src", "env": "env", "type": "type"}
_MOST_BYTES = 500 << 10


def hand_over(context: Context, words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Leave the secrets with the engine; gives the query that names them. Raises UsageError."""
    if not words:
        return []
    found = {name: base64.b64encode(data).decode() for name, data in (_secret(word) for word in words)}
    try:
        response = post(context.client, "/containerlab/build-secrets", json=found)
    except docker.errors.NotFound:
        raise UsageError(
            "--secret needs containerlab's own engine.", hint="Docker's classic builder has none."
        ) from None
    with response:
        return [("secrets", response.json()["token"])]


def _secret(word: str) -> tuple[str, bytes]:
    fields: dict[str, str] = {}
    for field in next(csv.reader([word]), []):
        key, equals, value = field.partition("=")
        known = _KEYS.get(key.strip().lower())
        if known is None or not equals:
            raise UsageError(
                f"--secret: {key!r} isn't understood.", hint="Expected id=NAME,src=FILE or id=NAME,env=VAR."
            )
        fields[known] = value
    kind, name = fields.get("type", "file"), fields.get("id", "")
    if not name or kind not in ("file", "env"):
        raise UsageError("--secret needs an id, and its type is file or env.", hint="Expected id=NAME,src=FILE.")
    if "env" in fields or kind == "env" or ("src" not in fields and name in os.environ):
        return name, _of_variable(fields.get("env") or fields.get("src") or name)
    return name, _of_file(Path(fields.get("src") or name).expanduser())


def _of_variable(name: str) -> bytes:
    try:
        return os.environ[name].encode("utf-8", "surrogateescape")
    except KeyError:
        raise UsageError(f"--secret: the environment has no {name}.") from None


def _of_file(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--secret: {path} can't be read: {error.strerror}.") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"--secret: {path} is larger than {_MOST_BYTES} bytes.")
    return data
