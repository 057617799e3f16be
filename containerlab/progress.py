"""What a learner has done: a small JSON file of their own, outside any store, so that a removed store leaves it alone.

    {"version": 1, "lessons": {"05": {"done": true, "exercises": {"05.2": true}}}}

``done`` is the learner's own tick; an exercise is there once it was tried, and ``true`` once it was solved.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platformdirs

__all__ = ["EXERCISE", "LESSON", "mark", "path", "read", "record"]

LESSON = re.compile(r"[0-9]{2}")
EXERCISE = re.compile(r"[0-9]{2}\.[0-9]{1,2}")
_MAX_BYTES = 1024 * 1024

Lessons = dict[str, dict[str, Any]]


def path() -> Path:
    """``progress.json`` in the user's state folder (XDG_STATE_HOME)."""
    return platformdirs.user_state_path("containerlab") / "progress.json"


def read() -> Lessons:
    """Lessons by number, ``{"done": bool, "exercises": {number: solved}}`` each; a file that can't be read is none."""
    try:
        with path().open("rb") as file:
            found = json.loads(file.read(_MAX_BYTES))["lessons"]
        return {number: _lesson(value) for number, value in found.items() if LESSON.fullmatch(number)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def record(exercise: str, *, solved: bool) -> None:
    """Note that ``exercise`` (``"05.2"``) was tried; once solved it stays so."""
    if not EXERCISE.fullmatch(exercise):
        raise ValueError(f"{exercise!r} is no exercise's number, such as 05.2")

    def change(lesson: dict[str, Any]) -> None:
        lesson["exercises"][exercise] = solved or lesson["exercises"].get(exercise, False)

    _change(exercise.partition(".")[0], change)


def mark(lesson: str, *, done: bool) -> None:
    """Tick a lesson (``"05"``) off, or take the tick back."""
    if not LESSON.fullmatch(lesson):
        raise ValueError(f"{lesson!r} is no lesson's number, such as 05")
    _change(lesson, lambda found: found.update(done=done))


def _lesson(found: Any) -> dict[str, Any]:
    exercises = {key: bool(value) for key, value in found.get("exercises", {}).items() if EXERCISE.fullmatch(key)}
    return {"done": bool(found.get("done")), "exercises": exercises}


def _change(number: str, change: Callable[[dict[str, Any]], object]) -> None:
    with _locked(path()):
        lessons = read()
        change(lessons.setdefault(number, {"done": False, "exercises": {}}))
        fresh = path().with_suffix(".tmp")
        fresh.write_text(json.dumps({"version": 1, "lessons": lessons}, indent=1))
        fresh.replace(path())


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Two kernels may note something at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
