"""A build's steps as they begin and end: the ``Step n/m`` lines, and our own records beside them."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from containerlab.build.dockerfile import Instruction
from containerlab.build.messages import Messages
from containerlab.errors import BuildFailed, StorageFull

__all__ = ["Outcome", "Progress"]


@dataclass(slots=True)
class Outcome:
    """What came of a step: ``layer`` is the chain ID of the layer that it made, or None, ``size`` that layer's bytes.

    ``why`` says what it isn't cached for, where an earlier build is known.
    """

    cached: bool = False
    layer: str | None = None
    size: int = 0
    why: list[str] = field(default_factory=list)


class Progress:
    """Counts the steps of one stage, which begin after number ``before`` of the build's ``total``.

    ``epoch`` is the build's beginning, by the monotonic clock.
    """

    def __init__(self, messages: Messages, stage: str, before: int, total: int, epoch: float) -> None:
        self._messages, self._stage, self._total, self._epoch = messages, stage, total, epoch
        self._number = before
        self._missed: Callable[[], None] = lambda: None

    @contextmanager
    def step(
        self, instruction: Instruction | None, text: str, *, counts: bool = True, reads: Sequence[str] = ()
    ) -> Iterator[Outcome]:
        """One step, from its line to its record; ``counts`` is false for a trigger of FROM's.

        ``reads`` are the stages that it starts from or copies from.

        The kernel's own refusals inside become BuildFailed with the instruction's line, a full disk StorageFull.
        """
        self._number += counts
        self._messages.line(f"Step {self._number}/{self._total} : {'' if counts else 'ONBUILD '}{text}")
        started = time.monotonic()
        outcome = Outcome()

        def record(status: str) -> None:
            self._record(instruction, text, started, outcome, status, reads)

        record("start")
        self._missed = lambda: record("start")
        try:
            with _refusals_told(instruction, text):
                yield outcome
        except BaseException:
            record("error")
            raise
        record("done")

    def missed(self) -> None:
        """The step that is under way isn't cached, and its outcome says why: tell it before it is executed."""
        self._missed()

    def _record(
        self,
        instruction: Instruction | None,
        text: str,
        started: float,
        outcome: Outcome,
        status: str,
        reads: Sequence[str],
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
            at=round(started - self._epoch, 6),
            reads=list(reads),
            why=outcome.why,
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
