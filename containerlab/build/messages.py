"""What a build says while it works: the classic builder's lines, and beside them our own step records."""

from __future__ import annotations

import asyncio
import codecs
import threading
from collections.abc import Callable
from typing import Any

from containerlab.errors import BuildFailed, ContainerlabError

__all__ = ["Emit", "Messages", "Output", "short_id"]

Emit = Callable[[dict[str, Any]], None]
_TAIL_BYTES = 4096
_TAIL_LINES = 20


class Messages:
    """Docker's wording, from any thread. With ``quiet`` only the result is said, as ``docker build -q`` does."""

    def __init__(self, emit: Emit, *, quiet: bool) -> None:
        self._told, self._quiet = emit, quiet
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    def _emit(self, message: dict[str, Any]) -> None:
        if threading.get_ident() == self._thread:
            self._told(message)
        else:
            self._loop.call_soon_threadsafe(self._told, message)

    def line(self, text: str) -> None:
        """One line of the stream."""
        self.raw(text + "\n")

    def raw(self, text: str) -> None:
        """Text of the stream as it is."""
        if text and not self._quiet:
            self._emit({"stream": text})

    def pulling(self, message: dict[str, Any]) -> None:
        """What the registry client says while it brings the base image; may be called from any thread."""
        if not self._quiet:
            self._emit(message)

    def step(self, **record: object) -> None:
        """Our own record of a step's state (docs/interfaces.md)."""
        self._emit({"containerlab": record})

    def lint(self, record: dict[str, object]) -> None:
        """What the lint found, for our own front ends alone."""
        self._emit({"containerlab": {"lint": record}})

    def stages(self, record: list[dict[str, object]]) -> None:
        """The stages as a graph, for our own front ends alone."""
        self._emit({"containerlab": {"stages": record}})

    def built(self, image_id: str, tags: list[str], unused_args: list[str]) -> None:
        """The end of a build that went well."""
        if unused_args:
            self.line(f"[Warning] One or more build-args [{' '.join(unused_args)}] were not consumed")
        self._emit({"aux": {"ID": image_id}})
        if self._quiet:
            self._emit({"stream": image_id + "\n"})
        self.line(f"Successfully built {short_id(image_id)}")
        for tag in tags:
            self.line(f"Successfully tagged {tag}")

    def failed(self, error: ContainerlabError) -> None:
        """The end of one that didn't."""
        detail: dict[str, object] = {"message": _sendable(str(error))}
        if isinstance(error, BuildFailed):
            detail["message"] = _sendable(error.message)
            if error.exit_code is not None:
                detail["code"] = error.exit_code
        self._emit({"errorDetail": detail, "error": detail["message"]})


def _sendable(text: str) -> str:
    """A file's name may be no UTF-8, which JSON can't say."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def short_id(digest: str) -> str:
    """Docker's twelve digits."""
    return digest.removeprefix("sha256:")[:12]


class Output:
    """A running step's output: passed on as text at once, its end kept for the error message."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = b""

    def write(self, data: bytes) -> None:
        """Pass on a piece; a character cut in two waits for its rest."""
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        self._messages.raw(self._decoder.decode(data))

    def end(self) -> None:
        """Nothing more will come."""
        self._messages.raw(self._decoder.decode(b"", final=True))

    def tail(self) -> str:
        """The last lines, at most 20."""
        return "\n".join(self._tail.decode("utf-8", "replace").rstrip().splitlines()[-_TAIL_LINES:])
