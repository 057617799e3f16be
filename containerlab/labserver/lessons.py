"""The course as it lies in the notebook folder, and how far the learner has come."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from containerlab.lab.progress import Progress
from containerlab.labserver.waiting import Stamp, stamp

__all__ = ["Lessons"]

_FILE = re.compile(r"([0-9]{2})-[\w.-]+\.ipynb")
_FOLDERS = ("", "notebooks")
_LANGUAGES = ("", "ko")
_MAX_BYTES = 20 * 1024 * 1024
_HEADING = re.compile(r"#\s+(?:\d+\s*[·.:]\s*)?(.+)")
_CHECK = re.compile(r"^\s*%check\s+([0-9]{2}\.[0-9]{1,2})\b", re.MULTILINE)


class Lessons:
    """The lessons below ``root``, which the Jupyter server shows; a notebook is read again once it changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[Path, tuple[Stamp, dict[str, Any] | None]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """``number title path language exercises solved done`` each, in order; ``exercises`` is how many it has."""
        progress = Progress()
        solved = {entry.id for entry in progress.entries() if entry.done_at}
        ticked = progress.ticked()
        rows = []
        for path, number, language in self._files():
            lesson = self._lesson(path)
            if lesson is None:
                continue
            rows.append(
                {
                    "number": number,
                    "title": lesson["title"],
                    "path": path.relative_to(self._root).as_posix(),
                    "language": language,
                    "exercises": len(lesson["checks"]),
                    "solved": len(lesson["checks"] & solved),
                    "done": number in ticked,
                }
            )
        return rows

    def _files(self) -> Iterator[tuple[Path, str, str]]:
        for folder in _FOLDERS:
            for language in _LANGUAGES:
                for path in sorted((self._root / folder / language).glob("[0-9][0-9]-*.ipynb")):
                    if named := _FILE.fullmatch(path.name):
                        yield path, named[1], language

    def _lesson(self, path: Path) -> dict[str, Any] | None:
        """Title and exercises of a notebook; None where it isn't one of the course's."""
        now = stamp(path)
        known = self._read.get(path)
        if known is None or known[0] != now:
            known = self._read[path] = (now, _parse(path))
        return known[1]


def _parse(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        cells = json.loads(path.read_bytes())["cells"]
        sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    code = "\n".join(source for kind, source in sources if kind == "code")
    if "%load_ext containerlab" not in code:
        return None
    headings = (_HEADING.match(source) for kind, source in sources if kind == "markdown")
    title = next((heading[1].strip() for heading in headings if heading), path.stem)
    return {"title": title, "checks": set(_CHECK.findall(code))}
