"""What a learner has done so far: a small file of their own, outside the store, so that a reset store keeps it."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from containerlab.lab.words import LANGUAGES

__all__ = ["Entry", "Progress", "progress_file"]

_LIMIT_BYTES = 1024 * 1024
_LESSON = re.compile(r"[0-9]{2}")


def progress_file() -> Path:
    """``CONTAINERLAB_PROGRESS_FILE``, else ``progress.json`` in the user's state folder."""
    chosen = os.environ.get("CONTAINERLAB_PROGRESS_FILE")
    return Path(chosen) if chosen else platformdirs.user_state_path("containerlab") / "progress.json"


@dataclass(frozen=True)
class Entry:
    """One exercise: ``done_at`` (RFC 3339, UTC) is when it was first right; ``right`` of ``total`` steps at best."""

    id: str
    right: int
    total: int
    checks: int
    done_at: str | None


class Progress:
    """The file; a missing or unreadable one counts as empty."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or progress_file()

    def entries(self) -> list[Entry]:
        """What was checked so far, by exercise."""
        return [
            Entry(id, one["right"], one["total"], one["checks"], one.get("done_at"))
            for id, one in sorted(self._read().items())
            if isinstance(one, dict) and "right" in one
        ]

    def ticked(self) -> set[str]:
        """The lessons (``"05"``) that the learner ticked off, by their own judgement."""
        return {id for id, one in self._read().items() if isinstance(one, dict) and one.get("ticked") is True}

    def tick(self, lesson: str, done: bool) -> None:
        """Tick a lesson off, or take the tick back. Raises ValueError for what isn't a lesson's two digits."""
        if not _LESSON.fullmatch(lesson):
            raise ValueError(f"{lesson!r} is no lesson's number, such as 05")
        with self._held() as known:
            if done:
                known[lesson] = {"ticked": True}
            else:
                known.pop(lesson, None)

    def language(self) -> str | None:
        """What ``speak`` was told last."""
        known = self._read().get("language")
        code = known.get("code") if isinstance(known, dict) else None
        return code if code in LANGUAGES else None

    def speak(self, code: str) -> None:
        """Keep the learner's language, for the panel, which no kernel tells."""
        if self.language() != code:
            with self._held() as known:
                known["language"] = {"code": code}

    def note(self, id: str, right: int, total: int, missing: str | None) -> int:
        """Note a check; gives how often in a row ``missing`` has been missing, this time included."""
        with self._held() as known:
            before = known.get(id, {"right": 0, "checks": 0})
            tries = before.get("tries", 0) + 1 if before.get("missing") == missing else 1
            known[id] = {
                "right": max(right, before["right"]),
                "total": total,
                "checks": before["checks"] + 1,
                "missing": missing,
                "tries": tries,
                "done_at": before.get("done_at") or (None if missing else _now()),
            }
        return tries

    def forget(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            with self.path.open("rb") as file:
                found = json.loads(file.read(_LIMIT_BYTES))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @contextmanager
    def _held(self) -> Iterator[dict[str, dict[str, Any]]]:
        """What is known, to be changed; written whole at the end. Two notebooks at once lose nothing of each other."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self._read()
            yield known
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(known, indent=1))
            new.replace(self.path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
