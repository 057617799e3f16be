"""Reads a container's json-file log: from its end, across rotations, and as it grows.

A line is ``{"log": "text\\n", "stream": "stdout", "time": RFC 3339}``. The newest file is ``ID-json.log``, older ones
``ID-json.log.1``, ``.2`` … (moby daemon/logger/loggerutils). The supervisor writes and rotates; this only reads.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

__all__ = ["Selection", "Tape", "read_log"]

_BLOCK = 64 << 10
# A line that never ends is not a line of ours: the supervisor splits at 16 KiB, six times that when escaped.
_LONGEST_LINE = 1 << 20
_STREAMS = {"stdout": 1, "stderr": 2}


class _Line(msgspec.Struct):
    log: str
    stream: str
    time: str


_decoder = msgspec.json.Decoder(_Line)


@dataclass(frozen=True)
class Selection:
    """Which lines are wanted; times in seconds since 1970, 0 for no bound, ``tail`` None for all."""

    stdout: bool = True
    stderr: bool = True
    since: float = 0.0
    until: float = 0.0
    tail: int | None = None
    timestamps: bool = False

    def pick(self, raw: bytes) -> tuple[int, bytes] | None:
        """The stream and text of one raw line, or None; a line cut off by a crash is none."""
        try:
            line = _decoder.decode(raw)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None
        stream = _STREAMS.get(line.stream, 0)
        if not (self.stdout if stream == 1 else self.stderr and stream == 2):
            return None
        if (self.since or self.until) and not self._in_time(line.time):
            return None
        text = f"{line.time} {line.log}" if self.timestamps else line.log
        return stream, text.encode("utf-8", "surrogatepass")

    def _in_time(self, stamp: str) -> bool:
        written = datetime.fromisoformat(stamp).timestamp()
        return written >= self.since and (not self.until or written <= self.until)


class Tape:
    """A log's files, oldest first, as one stream of raw lines that can be read again when it has grown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[BinaryIO] = [file for file in map(_open, _segments(path)) if file is not None]
        self._rest = b""

    def close(self) -> None:
        """Close every file."""
        for file in self._files:
            file.close()
        self._files.clear()

    def skip_to_tail(self, count: int) -> None:
        """Go to where the last ``count`` lines begin, reading backwards from the end."""
        wanted = count
        for index in range(len(self._files) - 1, -1, -1):
            wanted = _seek_back(self._files[index], wanted)
            if wanted == 0:
                for file in self._files[:index]:
                    file.close()
                del self._files[:index]
                return

    def lines(self) -> Iterator[bytes]:
        """Whole lines up to the present end; an unfinished one waits for the next call."""
        if not self._files:
            self._files = [file for file in map(_open, _segments(self._path)) if file is not None]
        while self._files:
            yield from self._rest_of_file(self._files[0])
            if len(self._files) == 1:
                self._files += self._newer(self._files[0])
            if len(self._files) == 1:
                return
            self._files.pop(0).close()
            self._rest = b""

    def _rest_of_file(self, file: BinaryIO) -> Iterator[bytes]:
        while block := file.read(_BLOCK):
            *whole, self._rest = (self._rest + block).split(b"\n")
            yield from whole
            if len(self._rest) > _LONGEST_LINE:
                self._rest = b""

    def _newer(self, file: BinaryIO) -> list[BinaryIO]:
        """Files begun after this one was rotated away."""
        inode = os.fstat(file.fileno()).st_ino
        found: list[BinaryIO] = []
        for path in _segments(self._path):
            opened = _open(path)
            if opened is None:
                continue
            if os.fstat(opened.fileno()).st_ino == inode:
                opened.close()
                _close_all(found)
                found = []
            else:
                found.append(opened)
        return found


async def read_log(
    path: Path, selection: Selection, grown: Callable[[], Awaitable[bool]] | None = None
) -> AsyncIterator[tuple[int, bytes]]:
    """Selected lines as (stream, text); with ``grown``, goes on until that says False, then reads the last.

    ``grown()`` returns True when there may be more, False once nobody writes any more.
    """
    tape = Tape(path)
    try:
        if selection.tail is not None:
            tape.skip_to_tail(selection.tail)
        last = grown is None
        while True:
            for raw in tape.lines():
                picked = selection.pick(raw)
                if picked is not None:
                    yield picked
            if last or grown is None:
                return
            last = not await grown()
    finally:
        tape.close()


def _segments(path: Path) -> list[Path]:
    """The log's files that exist now, oldest first."""
    prefix = f"{path.name}."
    endings = [name[len(prefix) :] for name in _names(path.parent) if name.startswith(prefix)]
    numbers = sorted((int(ending) for ending in endings if ending.isdigit()), reverse=True)
    return [path.with_name(f"{path.name}.{number}") for number in numbers] + [path]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return []


def _open(path: Path) -> BinaryIO | None:
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        return None


def _close_all(files: list[BinaryIO]) -> None:
    for file in files:
        file.close()


def _seek_back(file: BinaryIO, wanted: int) -> int:
    """Place ``file`` where its last ``wanted`` lines begin; how many more an older file has to give."""
    end = position = file.seek(0, os.SEEK_END)
    if wanted == 0:
        return 0
    while position > 0:
        start = max(0, position - _BLOCK)
        file.seek(start)
        block = file.read(position - start)
        cut = len(block) - 1 if position == end and block.endswith(b"\n") else len(block)
        while (newline := block.rfind(b"\n", 0, cut)) >= 0:
            wanted -= 1
            if wanted == 0:
                file.seek(start + newline + 1)
                return 0
            cut = newline
        position = start
    file.seek(0)
    return wanted - 1 if end else wanted
