"""A pull or a push in a cell: one element, updated in place, with a line for each layer."""

from __future__ import annotations

__all__ = ["TransferProgress", "bundle"]

import time

from containerlab.commands import html
from containerlab.commands.transfer_log import Part, TransferLog
from containerlab.notebook.progress import Progress

_PAUSE_SECONDS = 0.15


class TransferProgress(Progress):
    """Shows a :class:`TransferLog`."""

    def follow(self, log: TransferLog) -> None:
        """``log`` has moved on."""
        if self._mode == "off" or (self._mode == "final" and not log.ended) or not log.parts:
            return
        if not log.ended and time.monotonic() - self._last < _PAUSE_SECONDS:
            return
        self._last = time.monotonic()
        self._show(bundle(log))


def bundle(log: TransferLog) -> dict[str, str]:
    """The transfer so far as a mime bundle."""
    body = html.table(("layer", "state"), [(part.id, part.facts()) for part in log.parts.values()], caption=log.title)
    body += "".join(_bar(part) for part in log.parts.values() if part.total and not part.done)
    count = len(log.parts)
    done = sum(part.done for part in log.parts.values())
    return {
        "text/plain": f"{log.title}: {done} of {count} layer{'s' * (count != 1)} done.",
        "text/html": html.page(body),
    }


def _bar(part: Part) -> str:
    label = html.escape(f"{part.id}: {part.facts()}")
    return f'<progress max="{part.total}" value="{part.current}" aria-label="{label}" title="{label}"></progress> '
