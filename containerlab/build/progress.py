"""A build's steps as they begin and end: the ``Step n/m`` lines, and our own records beside them."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from containerlab.build.dockerfile import Instruction
from containerlab.build.messages import Messages
from containerlab.errors import BuildFailed, StorageFull

__all__ = ["Outcome", "Progress"]


@dataclass(slots=True)
class Outcome:
    """What came of a step; ``layer`` is the chain ID that the stage has afterwards, ``size`` the new layer's bytes."""

    cached: bool = False
    layer: str | None = None
    size: int = 0


class Progress:
    """Counts the steps of one stage, which begin after number ``before`` of the build's ``total``."""

    def __init__(self, messages: Messages, stage: str, before: int, total: int) -> None:
        self._messages, self._stage, self._total = messages, stage, total
        self._number = before

    @contextmanager
    def step(self, instruction: Instruction | None, text: str, *, counts: bool = True) -> Iterator[Outcome]:
        """One step, from its line to its record; ``counts`` is false for a trigger of FROM's.

        The kernel's own refusals inside become BuildFailed with the instruction's line, a full disk StorageFull.
        """
        self._number += counts
        self._messages.line(f"Step {self._number}/{self._total} : {'' if counts else 'ONBUILD '}{text}")
        started = time.monotonic()
        outcome = Outcome()
        self._record(instruction, text, started, outcome, "start")
        try:
            with _refusals_told(instruction, text):
                yield outcome
        except BaseException:
            self._record(instruction, text, started, outcome, "error")
            raise
        self._record(instruction, text, started, outcome, "done")

    def _record(
        self, instruction: Instruction | None, text: str, started: float, outcome: Outcome, status: str
    ) -> None:
        self._messages.step(
            step=self._number,
            total=self._total,
            stage=self._stage,
            line=instruction.line if instruction is not None else 0,
            instruction=text,
            cached=outcome.cached,
            status=status,
            seconds=round(time.monotonic() - started, 6),
            layer=outcome.layer,
            size=outcome.size,
        )


@contextmanager
def _refusals_told(instruction: Instruction | None, text: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left on device for the build: {text}") from error
        reason = f"{error.strerror or error}" + (f": {error.filename!s}" if error.filename else "")
        line = instruction.line if instruction is not None else 0
        raise BuildFailed(f"{text} failed: {reason}", line=line, source=text) from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StorageFull("no space left on device for the store's database") from error
        raise
