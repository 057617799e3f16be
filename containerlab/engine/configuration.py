"""The engine's configuration file, with daemon.json's words: ``STORE/config.json``, or that of ``serve --config``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from containerlab.errors import InvalidParameter

__all__ = ["read_configuration"]

_BYTES = 1 << 20


def read_configuration(path: Path, *, needed: bool) -> dict[str, Any]:
    """The fields of ``Settings`` that the file sets; none when there is no file, unless it is ``needed``.

    Raises InvalidParameter for a word that isn't known, so that none is taken for granted and ignored.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(_BYTES + 1)
    except FileNotFoundError:
        if needed:
            raise InvalidParameter(f"the configuration file {path} doesn't exist") from None
        return {}
    if len(text) > _BYTES:
        raise InvalidParameter(f"the configuration file {path} is larger than {_BYTES} bytes")
    try:
        given = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"the configuration file {path} can't be read: {error}") from None
    if not isinstance(given, dict):
        raise InvalidParameter(f"the configuration file {path} is not a JSON object")
    from containerlab.images.registry.hosts import check_insecure, check_mirror

    checks = {"registry-mirrors": check_mirror, "insecure-registries": check_insecure}
    unknown = sorted(set(given) - set(checks))
    if unknown:
        raise InvalidParameter(
            f"{path}: the following directives don't match any configuration option: {', '.join(unknown)}",
            hint=f"Known are {' and '.join(checks)}.",
        )
    found: dict[str, Any] = {}
    for name, values in given.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidParameter(f"{path}: {name} is not a list of strings")
        found[name.replace("-", "_")] = tuple(checks[name](value) for value in values)
    return found
