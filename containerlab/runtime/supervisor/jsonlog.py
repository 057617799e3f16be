"""Docker's json-file log: ``{"log":"line\\n","stream":"stdout","time":"2024-01-02T03:04:05.6Z"}``, a record a line.

A chunk of output becomes its records in a handful of bytes operations, whatever the number of its lines. A line longer
than 16 KiB is cut into records of 16 KiB, of which only the last ends in ``\\n``; a character is never cut. What isn't
UTF-8 becomes U+FFFD a byte, as Go's encoder does.
"""

# The supervisor does without pathlib, which alone is 1.5 MB of its memory.
# ruff: noqa: PTH105
from __future__ import annotations

import codecs
import os
import sys
import time

__all__ = ["LINE_LIMIT", "JsonLog", "records"]

LINE_LIMIT = 16384
_PLAIN = bytes(code for code in range(0x20, 0x7F) if code not in b'\\"<>&') + b"\n"
_ESCAPES = {
    code: rb"\u00%02x" % code for code in (*range(0x20), *b"<>&") if code not in b"\n\r"
} | {ord("\r"): rb"\r", ord('"'): rb"\"", ord("\\"): rb"\\"}  # fmt: skip
_LINE_SEPARATORS = (("\u2028".encode(), rb"\u2028"), ("\u2029".encode(), rb"\u2029"))


def _replace_one_byte(error: UnicodeError) -> tuple[str, int]:
    """One U+FFFD a wrong byte; Python's own ``replace`` gives one to a cut-off sequence of several."""
    if isinstance(error, UnicodeDecodeError):
        return "\ufffd", error.start + 1
    raise error


codecs.register_error("containerlab.go", _replace_one_byte)


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with as many digits of the second as are needed (Go's RFC3339Nano)."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    digits = f"{fraction:09d}".rstrip("0")
    return f"{whole}.{digits}Z" if digits else f"{whole}Z"


def records(stream: str, data: bytes, when: str) -> tuple[bytes, bytes]:
    """The records of every complete piece of ``data``, and the unfinished line that is left."""
    tail = f'","stream":"{stream}","time":"{when}"}}\n'.encode()
    head = b'{"log":"'
    between = rb"\n" + tail + head
    pieces: list[bytes] = []
    start, size = 0, len(data)
    while start < size:
        # The window's last newline: every line up to it is short enough, and all are escaped at once.
        end = data.rfind(b"\n", start, start + LINE_LIMIT + 1) + 1
        if end:
            end = _whole_lines(data, end)
            body = _escape(data[start : end - 1]).replace(b"\n", between)
            pieces += (head, body, rb"\n", tail)
        elif size - start >= LINE_LIMIT:
            end = _character_start(data, start + LINE_LIMIT)
            pieces += (head, _escape(data[start:end]), tail)
        else:
            break
        start = end
    return b"".join(pieces), data[start:]


def _whole_lines(data: bytes, end: int) -> int:
    """Where a run of lines, none longer than the limit, that goes on at ``end``, ends."""
    while True:
        further = data.rfind(b"\n", end, end + LINE_LIMIT + 1) + 1
        if not further:
            return end
        end = further


def _character_start(data: bytes, end: int) -> int:
    """``end``, or a little before it when a UTF-8 character would be cut there."""
    for back in range(1, 4):
        byte = data[end - back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end - back if length > back else end
    return end


def _escape(data: bytes) -> bytes:
    """JSON's escapes for all but newlines, which stay as they are."""
    special = data.translate(None, _PLAIN)
    if not special:
        return data
    codes = set(special)
    foreign = max(codes) >= 0x80
    if foreign:
        data = data.decode("utf-8", "containerlab.go").encode()
    if 0x5C in codes:
        data = data.replace(b"\\", rb"\\")
    for code in codes - {0x5C}:
        if code in _ESCAPES:
            data = data.replace(bytes((code,)), _ESCAPES[code])
    if foreign:
        for separator, escaped in _LINE_SEPARATORS:
            data = data.replace(separator, escaped)
    return data


class JsonLog:
    """One container's log file and its rotated predecessors (``PATH.1`` the youngest).

    ``max_size`` bytes a file (0: never rotated), ``max_file`` files. A full disk loses records, never a container: the
    file is cut back to its last whole record, ``lost`` counts, and writing goes on as soon as there is room.
    """

    def __init__(self, path: str, max_size: int, max_file: int) -> None:
        self.path = path
        self.max_size = max_size
        self.max_file = max(1, max_file)
        self.generation = 0
        self.lost = 0
        self.pending: dict[str, bytes] = {}
        self._fd = -1
        """Opened by the first record: a program that prints nothing costs no file, whose removal takes milliseconds."""
        self.size = 0

    def _open(self, flags: int) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | flags, 0o640)

    def write(self, stream: str, data: bytes) -> None:
        """Appends ``data``; an unfinished line waits in ``pending``."""
        if self.pending.get(stream):
            data = self.pending[stream] + data
        out, self.pending[stream] = records(stream, data, timestamp(time.time_ns()))
        self._append(out)

    def flush(self) -> None:
        """Writes the unfinished lines as they are; at the end of a stream."""
        when = timestamp(time.time_ns())
        for stream, line in self.pending.items():
            if line:
                tail = f'","stream":"{stream}","time":"{when}"}}\n'.encode()
                self._append(b'{"log":"' + _escape(line) + tail)
        self.pending.clear()

    def _append(self, out: bytes) -> None:
        while out:
            room = self.max_size - self.size
            if not self.max_size or len(out) <= room:
                self._put(out)
                return
            # No record holds a raw newline, so a newline is a record's end.
            cut = out.rfind(b"\n", 0, max(room, 0)) + 1
            if not cut and not self.size:
                cut = out.find(b"\n") + 1
            self._put(out[:cut])
            out = out[cut:]
            if out:
                self._rotate()

    def _put(self, out: bytes) -> None:
        written = 0
        try:
            if self._fd < 0:
                self._fd = self._open(0)
                self.size = os.fstat(self._fd).st_size
            while written < len(out):
                written += os.write(self._fd, memoryview(out)[written:] if written else out)
        except OSError as error:
            self._cut_back(out.rfind(b"\n", 0, written) + 1, error)
            return
        self.size += len(out)

    def _cut_back(self, kept: int, error: OSError) -> None:
        """Leaves the ``kept`` bytes of whole records that were written last."""
        if not self.lost:
            print(f"log {self.path}: {error.strerror}; records are lost", file=sys.stderr, flush=True)
        self.lost += 1
        self.size += kept
        if self._fd < 0:
            return
        try:
            os.ftruncate(self._fd, self.size)
        except OSError:
            self.size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        """Renames PATH.1 to PATH.2 and so on, PATH to PATH.1; with one file only, empties it."""
        try:
            if self.max_file == 1:
                os.ftruncate(self._fd, 0)
            else:
                for number in range(self.max_file - 1, 0, -1):
                    older = self.path if number == 1 else f"{self.path}.{number - 1}"
                    if os.access(older, os.F_OK):
                        os.replace(older, f"{self.path}.{number}")
                fd = self._open(os.O_TRUNC)
                os.close(self._fd)
                self._fd = fd
        except OSError as error:
            # Better a log that is too long than none.
            print(f"log {self.path}: can't rotate: {error.strerror}", file=sys.stderr, flush=True)
            return
        self.generation += 1
        self.size = 0

    def files(self) -> list[str]:
        """The paths that may exist, oldest first."""
        return [f"{self.path}.{number}" for number in range(self.max_file - 1, 0, -1)] + [self.path]

    def close(self) -> None:
        self.flush()
        if self._fd >= 0:
            os.close(self._fd)
