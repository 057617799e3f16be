"""How far an ``up`` or a ``down`` is: every resource with its last word."""

from __future__ import annotations

__all__ = ["Board"]

from collections.abc import Sequence
from dataclasses import dataclass, field

from containerlab.commands import html
from containerlab.compose.deeds import Told


@dataclass
class Board:
    """``lines`` are what was told, in order; ``rows`` the last word about each resource."""

    lines: list[str] = field(default_factory=list)
    rows: dict[tuple[str, str], Told] = field(default_factory=dict)
    ended: bool = False
    _told: int = 0

    def untold(self) -> list[str]:
        """The lines since it was last asked."""
        new, self._told = self.lines[self._told :], len(self.lines)
        return new

    def hear(self, told: Told, aloud: bool = True) -> None:
        self.rows[told.kind, told.name] = told
        if aloud:
            self.lines.append(str(told))

    def bundle(self) -> dict[str, str]:
        """As a mime bundle: a table of resources, by kind and name."""
        return {"text/plain": "\n".join(map(str, self._sorted())), "text/html": html.page(self._table())}

    def _sorted(self) -> Sequence[Told]:
        order = ("Network", "Volume", "Image", "Container")
        return sorted(self.rows.values(), key=lambda told: (order.index(told.kind), told.name))

    def _table(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{html.escape(told.kind.lower())}</th><td>{html.escape(told.name)}</td>'
            f'<td><span class="{_MARKS[told.state]}">{_SIGNS[told.state]} {html.escape(told.word)}</span></td></tr>'
            for told in self._sorted()
        )
        return f'<table class="cl-table"><tbody>{rows}</tbody></table>'


_MARKS = {"working": "cl-mute", "done": "", "warning": "cl-mark", "error": "cl-bad"}
_SIGNS = {"working": "…", "done": "✔", "warning": "!", "error": "✘"}
