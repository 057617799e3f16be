"""A cell as the place where a verb's output goes to."""

from __future__ import annotations

__all__ = ["CellOutput"]

import codecs
import sys
from typing import TextIO

from containerlab.commands.build_steps import BuildLog
from containerlab.commands.compose.board import Board
from containerlab.commands.transfer_log import TransferLog
from containerlab.notebook.progress import Progress
from containerlab.notebook.services import ServicesProgress
from containerlab.notebook.transfers import TransferProgress


class CellOutput:
    """Writes to ``sys.stdout`` and ``sys.stderr``, which the kernel (or ``%%capture``) reads, as text.

    A character that arrives in two pieces is put together; what isn't UTF-8 is shown as ``�``.
    """

    def __init__(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {1: decoder("replace"), 2: decoder("replace")}
        self._last: TextIO | None = None
        self.progress = Progress()
        self.transfers = TransferProgress()
        self._boards: dict[int, ServicesProgress] = {}

    def stdout(self, data: bytes) -> None:
        self._write(sys.stdout, self._decoders[1].decode(data))

    def stderr(self, data: bytes) -> None:
        self._write(sys.stderr, self._decoders[2].decode(data))

    def notice(self, text: str) -> None:
        self._write(sys.stdout, f"{text}\n")

    def step(self, log: BuildLog) -> None:
        self.progress.update(log)

    def transfer(self, log: TransferLog) -> None:
        self.transfers.follow(log)

    def services(self, board: Board) -> None:
        self._boards.setdefault(id(board), ServicesProgress()).watch(board)

    def flush(self) -> None:
        """Write what is left of characters that were cut off."""
        self._write(sys.stdout, self._decoders[1].decode(b"", final=True))
        self._write(sys.stderr, self._decoders[2].decode(b"", final=True))

    def _write(self, stream: TextIO, text: str) -> None:
        """The two streams are sent separately: what came first must leave before the other is written to."""
        if not text:
            return
        if self._last is not None and self._last is not stream:
            self._last.flush()
        self._last = stream
        stream.write(text)
