"""Asking before something is removed for good."""

from __future__ import annotations

__all__ = ["confirmed"]

import os

from containerlab.commands.context import Context
from containerlab.errors import UsageError

_QUESTION = "Are you sure you want to continue? [y/N] "


def confirmed(context: Context, warning: str, *, verb: str, force: bool) -> bool:
    """Whether ``-f`` was said, or the person says yes. Raises UsageError in a notebook, whose cells can't be asked."""
    if force:
        return True
    if context.notebook:
        raise UsageError(
            f"{warning.rstrip()}\nA cell can't be asked whether you are sure.", hint=f"To go on: %container {verb} -f"
        )
    context.output.stdout(f"{warning}{_QUESTION}".encode())
    return _answer(context.stdin_fd).strip().lower() in ("y", "yes")


def _answer(descriptor: int | None) -> str:
    """One line, read byte by byte: what follows it is somebody else's."""
    line = b""
    while descriptor is not None and not line.endswith(b"\n") and len(line) < 1024:
        letter = os.read(descriptor, 1)
        if not letter:
            break
        line += letter
    return line.decode(errors="replace")
