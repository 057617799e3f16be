"""What a volume may be called and which options its driver, ``local``, carries out.

Source: moby volume/local/local_linux.go (``type``, ``o`` and ``device`` as mount(8) takes them) and volume/service.
"""

from __future__ import annotations

import os
import re

from containerlab.errors import InvalidParameter

__all__ = ["bound_folder", "check_driver", "check_name", "check_options"]

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_LONGEST = 255
_OPTIONS = frozenset({"type", "o", "device"})


def check_name(name: str) -> str:
    """``name`` itself. Raises InvalidParameter in Docker's words."""
    if len(name) == 1:
        raise InvalidParameter("volume name is too short, names should be at least two alphanumeric characters")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise InvalidParameter(
            f'create {name[:40]}: "{name[:40]}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    return name


def check_driver(driver: str) -> None:
    """Raise InvalidParameter for any driver but ``local``."""
    if driver not in ("", "local"):
        raise InvalidParameter(f'error looking up volume plugin {driver}: plugin "{driver}" not found')


def check_options(options: dict[str, str]) -> None:
    """Raise InvalidParameter for what the driver doesn't carry out: it binds a folder of the host, or keeps its own."""
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise InvalidParameter(f'invalid option: "{unknown[0]}"')
    if not options:
        return
    words = set(options.get("o", "").split(","))
    if options.get("type") not in (None, "none", "bind") or not words & {"bind", "rbind"}:
        kind = options.get("type", "none")
        raise InvalidParameter(
            f"volume option type={kind} isn't carried out by this engine yet.",
            hint="It binds a folder of the host: type=none, o=bind, device=/FOLDER.",
        )
    if words - {"bind", "rbind", "ro", "rw"}:
        raise InvalidParameter(f"volume option o={options['o']} isn't carried out by this engine yet.")
    device = options.get("device", "")
    if not device.startswith("/") or "\0" in device:
        raise InvalidParameter(f"missing device in volume options: '{device}' is no absolute path")


def bound_folder(options: dict[str, str]) -> str | None:
    """The host's folder that stands for the volume; None for one that keeps its own. Raises InvalidParameter."""
    if not options:
        return None
    device = options["device"]
    if not os.path.isdir(device):  # noqa: PTH112
        raise InvalidParameter(f"failed to mount local volume: mount {device}: no such file or directory")
    return device
