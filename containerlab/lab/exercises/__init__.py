"""Exercises that check themselves, by lesson.

``check("05.2")`` looks at the engine and gives a :class:`Verdict`; ``exercise("05.2").solve(client)`` does it right.
Each lesson's exercises stand in ``lesson_NN.py``, outside the notebook, where a learner doesn't trip over them.
For a teacher's notebook that somebody else runs there are ``grade("05.2", 10)`` and, before all work, ``begin("05")``.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from typing import Any

from containerlab.errors import UsageError
from containerlab.lab.exercises.model import Exercise, Missing, Step, Verdict
from containerlab.lab.progress import Progress
from containerlab.lab.words import say

__all__ = ["Exercise", "Missing", "Step", "Verdict", "begin", "check", "exercise", "exercises", "grade"]

_LESSON = re.compile(r"lesson_\d\d")


@functools.cache
def exercises() -> dict[str, Exercise]:
    """All of them, by id (``05.2``), in the order of the lessons."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__) if _LESSON.fullmatch(module.name))
    found = [one for name in modules for one in importlib.import_module(f"{__name__}.{name}").EXERCISES]
    return {one.id: one for one in found}


def exercise(id: str) -> Exercise:
    """The exercise of that id; ``5.2`` means ``05.2``. Raises UsageError for one that isn't there."""
    known = exercises()
    found = known.get(id) or known.get(f"0{id}")
    if found is None:
        raise UsageError(say("There is no exercise {id}.", id=id), hint=_near(id, known))
    return found


def check(id: str, client: Any = None, *, progress: Progress | None = None) -> Verdict:
    """Look whether an exercise is done, and note it in the learner's progress.

    Without ``client`` the user's own engine is asked. Raises UsageError for an exercise that isn't there.
    """
    asked = exercise(id)
    right, missing = asked.look(client or _own_engine())
    tries = (progress or Progress()).note(asked.id, right, len(asked.steps), None if missing is None else missing.key)
    return Verdict(asked, right, missing, tries)


def grade(id: str, points: float = 1, client: Any = None) -> float:
    """The part of ``points`` that an exercise's true steps are worth, to hundredths; prints what is missing.

    For a grader: nothing is noted in anybody's progress. nbgrader takes the number, the last thing in a cell, as
    partial credit, and counts a cell that raises, or that writes to stderr, as none.
    """
    asked = exercise(id)
    right, missing = asked.look(client or _own_engine())
    verdict = Verdict(asked, right, missing)
    print(verdict)
    return round(points * verdict.score, 2)


def begin(lesson: str, client: Any = None) -> None:
    """Remove whatever attempts at a lesson's exercises have left, so that only what comes now is graded.

    Raises UsageError for a lesson without exercises.
    """
    number = lesson.zfill(2)
    ours = [one for one in exercises().values() if one.id.startswith(f"{number}.")]
    if not ours:
        raise UsageError(say("There is no exercise {id}.", id=f"{number}.1"), hint=_near(number, exercises()))
    for one in ours:
        one.reset(client or _own_engine())


def _own_engine() -> Any:
    from containerlab.client import connect

    return connect()


def _near(id: str, known: dict[str, Exercise]) -> str:
    lesson = id.partition(".")[0].zfill(2)
    same = [one for one in known if one.startswith(f"{lesson}.")]
    return say("There are {ids}.", ids=", ".join(same or known))
