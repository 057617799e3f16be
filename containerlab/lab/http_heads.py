"""Where one HTTP/1.1 message ends and the next begins (RFC 9112, sections 2 and 6), in bytes that pass by.

Enough of the protocol to read what a client and an engine say to each other without changing a byte of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Heads"]

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
_HEAD_LIMIT = 256 * 1024
_LINE_LIMIT = 64 * 1024


class Heads:
    """Feed it one direction's bytes; it gives the head of each message, as text, when that is complete.

    Answers to HEAD, 204 and 304 end with their head whatever it promises. After a switch of protocols, and in a body
    that only the connection's end delimits, nothing more is found.
    """

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self._buffer = b""
        self._left = 0
        self._chunked = False
        self._raw = False
        self.expects_no_body = False
        """Set by the caller before the answer to a HEAD comes."""

    def leave(self) -> None:
        """From here on the connection speaks something else."""
        self._raw = True

    def feed(self, data: bytes) -> Iterator[str]:
        """Give the heads that end within ``data``."""
        self._buffer += data
        while self._buffer and not self._raw:
            if self._left:
                taken = min(self._left, len(self._buffer))
                self._buffer, self._left = self._buffer[taken:], self._left - taken
            elif self._chunked:
                if not self._chunk():
                    return
            else:
                head, found, rest = self._buffer.partition(_END_OF_HEAD)
                if not found:
                    self._raw = len(self._buffer) > _HEAD_LIMIT
                    return
                self._buffer = rest
                text = head.decode("latin-1")
                self._begin_body(text)
                yield text
        if self._raw:
            self._buffer = b""

    def _begin_body(self, head: str) -> None:
        start, *lines = head.split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = start.split(" ")[1] if self._answers and " " in start else ""
        if status.startswith("1"):
            self._raw = status == "101"
            return
        if status in ("204", "304") or (self._answers and self.expects_no_body):
            self.expects_no_body = False
            return
        if "chunked" in fields.get("transfer-encoding", "").lower():
            self._chunked = True
        elif _LENGTH.fullmatch(fields.get("content-length", "")):
            self._left = int(fields["content-length"])
        elif self._answers:
            self._raw = True

    def _chunk(self) -> bool:
        """Take a chunk's size line; false when it isn't all there yet (RFC 9112, section 7.1)."""
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            self._raw = len(self._buffer) > _LINE_LIMIT
            return False
        said = _CHUNK_SIZE.match(line)
        if not said:
            self._raw = True
            return False
        size = int(said[0], 16)
        if size == 0:
            if len(rest) < 2:
                return False
            self._buffer, self._chunked = rest[2:], False  # no trailers in what the Engine API says
            return True
        self._buffer, self._left = rest, size + 2
        return True
