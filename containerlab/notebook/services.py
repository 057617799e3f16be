"""``%compose up`` and ``down`` in a cell: one element, updated in place, with a line for each resource."""

from __future__ import annotations

__all__ = ["ServicesProgress"]

import time

from containerlab.commands.compose.board import Board
from containerlab.notebook.progress import Progress

_PAUSE_SECONDS = 0.15


class ServicesProgress(Progress):
    """Shows a :class:`Board`."""

    def watch(self, board: Board) -> None:
        """``board`` has moved on."""
        if self._mode == "off" or (self._mode == "final" and not board.ended) or not board.rows:
            return
        if not board.ended and time.monotonic() - self._last < _PAUSE_SECONDS:
            return
        self._last = time.monotonic()
        self._show(board.bundle())
