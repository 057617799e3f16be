"""Reads a container's json-file log: from its end, across rotations, and as it grows.

A line is ``{"log": "text\\n", "stream": "stdout", "time": RFC 3339}``. The newest file is ``ID-json.log``, older ones
``ID-json.log.1``, ``.2`` … (moby daemon/logger/loggerutils). The supervisor writes and rotates; this only reads.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
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
    """Which lines are wanted; times in seconds since 1970, 0 for no bound, ``tail`` None for all.

    ``details`` puts a driver's extra attributes and a space before each line; there are none here, so the space alone.
    """

    stdout: bool = True
    stderr: bool = True
    since: float = 0.0
    until: float = 0.0
    tail: int | None = None
    timestamps: bool = False
    details: bool = False

    def pick(self, raw: bytes) -> tuple[int, bytes] | None:
        """The stream and text of one raw line, or None; a line cut off by a crash is none."""
        try:
            line = _decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        stream = _STREAMS.get(line.stream, 0)
        if not (self.stdout if stream == 1 else self.stderr and stream == 2):
            return None
        if self.since and _seconds(line.time) < self.since:
            return None
        text = f" {line.log}" if self.details else line.log
        if self.timestamps:
            text = f"{line.time} {text}"
        return stream, text.encode("utf-8", "surrogatepass")

    def is_over(self, raw: bytes) -> bool:
        """Whether a line was written after ``until``: no later one is wanted either."""
        if not self.until:
            return False
        try:
            return _seconds(_decoder.decode(raw).time) > self.until
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False


class Tape:
    """A log's files, oldest first, as one stream of raw lines that can be read again when it has grown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = _open_after(path, None)
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
            self._files = _open_after(self._path, None)
        while self._files:
            yield from self._rest_of_file(self._files[0])
            if len(self._files) == 1:
                self._files += _open_after(self._path, self._files[0])
            if len(self._files) == 1:
                return
            # What was written to it between its end being read and its being rotated away.
            yield from self._rest_of_file(self._files[0])
            self._files.pop(0).close()
            self._rest = b""

    def _rest_of_file(self, file: BinaryIO) -> Iterator[bytes]:
        if os.fstat(file.fileno()).st_size < file.tell():
            # A log of one file is emptied, not renamed, when it is full.
            file.seek(0)
            self._rest = b""
        while block := file.read(_BLOCK):
            *whole, self._rest = (self._rest + block).split(b"\n")
            yield from whole
            if len(self._rest) > _LONGEST_LINE:
                self._rest = b""


async def read_log(
    path: Path, selection: Selection, grown: Callable[[], Awaitable[bool]] | None = None
) -> AsyncGenerator[tuple[int, bytes], None]:
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
                if selection.is_over(raw):
                    return
                picked = selection.pick(raw)
                if picked is not None:
                    yield picked
            if last or grown is None:
                return
            last = not await grown()
    finally:
        tape.close()


def _open_after(path: Path, known: BinaryIO | None) -> list[BinaryIO]:
    """The log's files that were begun after ``known`` (None: all of them), oldest first.

    They are opened from the newest on: one that is rotated meanwhile is then met twice, and not missed.
    """
    found: list[BinaryIO] = []
    seen: set[int] = set()
    last = None if known is None else os.fstat(known.fileno()).st_ino
    for name in _segments(path):
        opened = _open(name)
        if opened is None:
            continue
        inode = os.fstat(opened.fileno()).st_ino
        if inode == last:
            opened.close()
            break
        if inode in seen:
            opened.close()
            continue
        seen.add(inode)
        found.append(opened)
    return found[::-1]


def _segments(path: Path) -> list[Path]:
    """The names that the log's files may have by the time that they are opened, newest first."""
    prefix = f"{path.name}."
    endings = [name[len(prefix) :] for name in _names(path.parent) if name.startswith(prefix)]
    oldest = max((int(ending) for ending in endings if ending.isdecimal()), default=0)
    return [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, oldest + 2))]


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


def _seconds(stamp: str) -> float:
    """RFC 3339 in UTC as seconds since 1970, to the digit what a client's ``SECONDS.NANOSECONDS`` becomes.

    ``datetime`` keeps microseconds, and a line would come before its own time.
    """
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    try:
        seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
        return float(f"{seconds:.0f}.{fraction or 0}")
    except ValueError:
        return 0.0


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
