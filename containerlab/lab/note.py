"""What stands in the place of a picture that this host can't give: a sentence or two, and no failure."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

__all__ = ["Note"]


@dataclass(frozen=True, slots=True)
class Note:
    """Shown as text in a notebook, a terminal and under nbconvert."""

    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        shown = f'<p class="containerlab-note" role="note">{html.escape(self.text)}</p>'
        return {"text/plain": self.text, "text/html": shown}
