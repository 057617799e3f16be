"""Where a verb that streams writes to."""

from __future__ import annotations

__all__ = ["Output", "Recorder", "Silent", "StandardOutput"]

import sys
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from containerlab.commands.build_steps import BuildLog
    from containerlab.commands.compose.board import Board
    from containerlab.commands.transfer_log import TransferLog
    from containerlab.commands.transfer_screen import TransferScreen

_KEPT = 16 * 2**20


class Output(Protocol):
    """What a front end gives a verb: a terminal, a notebook cell, a test."""

    def stdout(self, data: bytes) -> None:
        """A piece of the program's standard output."""

    def stderr(self, data: bytes) -> None:
        """A piece of its standard error."""

    def notice(self, text: str) -> None:
        """A word to the person in front of it, one line."""

    def step(self, log: BuildLog) -> None:
        """A build has moved on; ``log`` holds every step so far."""

    def transfer(self, log: TransferLog) -> None:
        """A pull or a push has moved on, or ended."""

    def services(self, board: Board) -> None:
        """A Compose project has moved on, or is where it should be."""


class Silent:
    """Shows nothing."""

    def stdout(self, data: bytes) -> None: ...

    def stderr(self, data: bytes) -> None: ...

    def notice(self, text: str) -> None: ...

    def step(self, log: BuildLog) -> None: ...

    def transfer(self, log: TransferLog) -> None: ...

    def services(self, board: Board) -> None: ...


class StandardOutput:
    """The process's own stdout and stderr, as bytes; a build is told as lines of text."""

    def __init__(self) -> None:
        self._told = 0
        self._screen: TransferScreen | None = None
        self._transfer: tuple[TransferLog | None, int] = (None, 0)

    def stdout(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def stderr(self, data: bytes) -> None:
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    def notice(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def step(self, log: BuildLog) -> None:
        text = log.text()
        sys.stdout.write(text[self._told :])
        sys.stdout.flush()
        self._told = len(text)

    def transfer(self, log: TransferLog) -> None:
        stream = sys.stderr if log.aside else sys.stdout
        if stream.isatty():
            from containerlab.commands.transfer_screen import TransferScreen

            self._screen = self._screen or TransferScreen()
            self._screen.show(log)
            return
        told = self._transfer[1] if self._transfer[0] is log else 0
        text = log.text()
        stream.write(text[told:])
        stream.flush()
        self._transfer = (log, len(text))

    def services(self, board: Board) -> None:
        for line in board.untold():
            print(line, file=sys.stderr, flush=True)


class Recorder:
    """Keeps the last 16 MiB of each stream while it passes them on."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.truncated = False
        self._pieces: dict[int, deque[bytes]] = {1: deque(), 2: deque()}
        self._kept = {1: 0, 2: 0}

    def write(self, stream: int, data: bytes) -> None:
        """``stream`` is 1 or 2, as in a frame of Docker's attach protocol."""
        number = 2 if stream == 2 else 1
        self._pieces[number].append(data)
        self._kept[number] += len(data)
        while self._kept[number] > _KEPT and len(self._pieces[number]) > 1:
            self._kept[number] -= len(self._pieces[number].popleft())
            self.truncated = True
        if number == 2:
            self.output.stderr(data)
        else:
            self.output.stdout(data)

    def text(self, stream: int) -> str:
        return b"".join(self._pieces[stream]).decode("utf-8", "replace")
