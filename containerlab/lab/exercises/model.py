"""An exercise: what has to be true of the engine, step by step, and a hint for each thing that isn't yet.

A check looks at the engine's state through its API, never at what a cell printed: there are many ways to the right
state, and each of them counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from containerlab.lab.words import say

__all__ = ["Exercise", "Missing", "Step", "Verdict"]


@dataclass(frozen=True)
class Missing:
    """A step that isn't true: ``key`` names the mistake, ``hints`` lead out of it, the vaguest first.

    The hints are ``Words`` with ``{name}`` for each of ``values``.
    """

    key: str
    hints: Sequence[str]
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One thing that has to be true. ``look(client)`` gives None when it is, else what is missing.

    ``what`` is ``Words`` with ``{name}`` for each of ``values``.
    """

    what: str
    look: Callable[[Any], Missing | None]
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Exercise:
    """``solve(client)`` brings about the right state, ``reset(client)`` removes whatever an attempt may have made."""

    id: str
    title: str
    steps: Sequence[Step]
    solve: Callable[[Any], None]
    reset: Callable[[Any], None]

    def look(self, client: Any) -> tuple[int, Missing | None]:
        """How many steps are true, counted up to the first that isn't, and what that one misses."""
        for count, step in enumerate(self.steps):
            missing = step.look(client)
            if missing is not None:
                return count, missing
        return len(self.steps), None


@dataclass(frozen=True)
class Verdict:
    """What a check found: ``right`` of ``total`` steps are true; ``missing`` names the first that isn't.

    ``tries`` counts how often in a row the same thing was missing, this time included: the hints go by it.
    """

    exercise: Exercise
    right: int
    missing: Missing | None
    tries: int = 1

    @property
    def passed(self) -> bool:
        return self.missing is None

    @property
    def total(self) -> int:
        return len(self.exercise.steps)

    @property
    def score(self) -> float:
        """From 0 to 1: the part of the steps that are true."""
        return self.right / self.total

    @property
    def hint(self) -> str:
        """The hint for this try; the last one stays. Empty when all is right."""
        if self.missing is None:
            return ""
        text = self.missing.hints[min(self.tries, len(self.missing.hints)) - 1]
        return say(text, **self.missing.values)

    @property
    def steps(self) -> list[tuple[str, bool | None]]:
        """Each step's words and whether it is true; None for what wasn't looked at, behind the first that isn't."""
        states: list[bool | None] = [True] * self.right
        states += [False] * (self.right < self.total)
        states += [None] * (self.total - len(states))
        return [(say(step.what, **step.values), state) for step, state in zip(self.exercise.steps, states, strict=True)]

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        title = say(self.exercise.title)
        if self.passed:
            return say("Exercise {id} is done: {title}", id=self.exercise.id, title=title)
        where = say(
            "Exercise {id}, {title}: {right} of {total} are there.",
            id=self.exercise.id,
            title=title,
            right=self.right,
            total=self.total,
        )
        return f"{where}\n{say('Hint')}: {self.hint}"

    def to_dict(self) -> dict[str, Any]:
        """For a grader."""
        return {
            "exercise": self.exercise.id,
            "passed": self.passed,
            "score": self.score,
            "missing": None if self.missing is None else self.missing.key,
            "hint": self.hint,
        }
