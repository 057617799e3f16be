"""The bodies of ``%%compose`` cells, kept so that ``%compose ps`` acts on them, also after the kernel was restarted.

They lie in the user's state folder, one folder for each working directory, not beside the notebook: a cell never
overwrites a file of the person's, and what a password in it says stays in a file that nobody else may read.
"""

from __future__ import annotations

__all__ = ["Shelf"]

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from containerlab.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEFAULT = "compose.yaml"
_LAST = ".last"


class Shelf:
    """The kept bodies of one working directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        digest = hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:16]
        self.folder = Path(platformdirs.user_state_dir("containerlab")) / "compose" / digest

    def put(self, name: str | None, body: str, project: str | None = None) -> str:
        """Keep ``body`` under ``name``, and as the last one; gives the name. ``project`` is what ``-p`` said.

        Raises UsageError for a name with a folder in it, and for that of a file that is there.
        """
        chosen = name or _DEFAULT
        if not _NAME.fullmatch(chosen):
            raise UsageError(f"-f {chosen}: a cell's name is letters, digits, dots, dashes and underlines.")
        if (self._directory / chosen).exists():
            raise UsageError(
                f"There is a file {chosen} in this folder, and a cell of that name would hide it.",
                hint="Give the cell another name: %%compose -f NAME up",
            )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write(chosen, body)
        self._write(_LAST, chosen)
        self._write(f".{chosen}.project", project or "")
        return chosen

    def project(self, name: str) -> str | None:
        """The project that a kept cell was brought up as, where that wasn't left to its text: without it a ``down``
        would meet the project of that name in the text, which may be another one."""
        return self._read(f".{name}.project") or None

    def get(self, files: Sequence[str]) -> tuple[str, str] | None:
        """Name and body of the kept cell that ``-f`` names, or without it of the last one; None: it is a file, or
        there is nothing."""
        if len(files) > 1 or (files and (self._directory / files[0]).exists()):
            return None
        name = files[0] if files else self._read(_LAST) or ""
        if not _NAME.fullmatch(name) or (not files and (self._directory / name).exists()):
            return None
        body = self._read(name)
        return None if body is None else (name, body)

    def names(self) -> list[str]:
        """Of all that are kept."""
        try:
            return sorted(entry.name for entry in self.folder.iterdir() if _NAME.fullmatch(entry.name))
        except OSError:
            return []

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text()
        except OSError:
            return None

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all."""
        passing = self.folder / f".{name}.tmp"
        descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w") as file:
            file.write(text)
        passing.replace(self.folder / name)
