"""A pull or a push so far, read from the stream of messages that Docker's API gives."""

from __future__ import annotations

__all__ = ["Part", "TransferLog"]

from dataclasses import dataclass, field
from typing import Any

from containerlab.commands import formats

_MOVING = ("Downloading", "Extracting", "Pushing", "Loading layer")
_DONE = ("Pull complete", "Already exists", "Pushed", "Layer already exists")


@dataclass
class Part:
    """One layer: its short id, Docker's word for its state, and how many bytes of how many."""

    id: str
    status: str
    current: int = 0
    total: int = 0

    @property
    def done(self) -> bool:
        return self.status in _DONE or self.status.startswith("Mounted from")

    def facts(self) -> str:
        """``Downloading  1.2MB of 3.4MB``."""
        if self.status not in _MOVING or not self.total:
            return self.status
        return f"{self.status}  {formats.size(self.current)} of {formats.size(self.total)}"


@dataclass
class TransferLog:
    """Fed with messages. ``title`` is what is done, ``error`` a failure's text, ``lines`` what is said of the whole.

    ``aside`` says that it is told beside a program's own output, as ``run`` does: on standard error.
    """

    title: str
    aside: bool = False
    parts: dict[str, Part] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    digest: str = ""
    size: int = 0
    error: str = ""
    ended: bool = False
    _text: list[str] = field(default_factory=list)

    def feed(self, message: dict[str, Any]) -> None:
        """One JSON message."""
        if "error" in message:
            self.error = str((message.get("errorDetail") or {}).get("message") or message["error"])
        aux = message.get("aux")
        if isinstance(aux, dict):
            self.digest, self.size = str(aux.get("Digest", "")), int(aux.get("Size", 0))
        status, name = str(message.get("status", "")), str(message.get("id", ""))
        if status and "progressDetail" in message and name:
            self._part(name, status, message["progressDetail"] or {})
        elif status:
            self._line(f"{name}: {status}" if name else status)

    def text(self) -> str:
        """As lines of plain text, without the states in between; it only ever grows at its end."""
        return "".join(self._text)

    def _part(self, name: str, status: str, detail: dict[str, Any]) -> None:
        part = self.parts.setdefault(name, Part(name, ""))
        part.current, part.total = int(detail.get("current") or 0), int(detail.get("total") or 0)
        if status != part.status:
            part.status = status
            if status not in (*_MOVING, "Preparing", "Waiting", "Verifying Checksum"):
                self._text.append(f"{name}: {status}\n")

    def _line(self, text: str) -> None:
        if text.startswith("Digest: "):
            self.digest = text.removeprefix("Digest: ")
        self.lines.append(text)
        self._text.append(f"{text}\n")
