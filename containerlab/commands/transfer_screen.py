"""A pull or a push on the person's own screen: a line for each layer, drawn in place."""

from __future__ import annotations

__all__ = ["TransferScreen"]

import sys
from typing import Any

from containerlab.commands.transfer_log import TransferLog


class TransferScreen:
    """Drawn by rich, which is imported with the first layer."""

    def __init__(self) -> None:
        self._live: Any = None
        self._tasks: dict[str, Any] = {}
        self._told = 0

    def show(self, log: TransferLog) -> None:
        """``log`` has moved on; at its end the lines below the layers are printed."""
        if self._live is None and log.parts and not log.ended:
            self._live = _progress(aside=log.aside)
            self._live.start()
        if self._live is not None:
            for part in log.parts.values():
                if part.id not in self._tasks:
                    self._tasks[part.id] = self._live.add_task(part.id, total=None, state="")
                total = part.total or (1 if part.done else None)
                self._live.update(
                    self._tasks[part.id],
                    total=total,
                    completed=total if part.done else part.current,
                    state=part.facts(),
                )
        if log.ended:
            if self._live is not None:
                self._live.stop()
                self._live, self._tasks = None, {}
            for line in log.lines[self._told :]:
                print(line, file=sys.stderr if log.aside else sys.stdout, flush=True)
            self._told = len(log.lines)


def _progress(*, aside: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), console=Console(stderr=aside)
    )
