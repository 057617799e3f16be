"""A process's stdio: pipes or a terminal on one side, the log and any number of attachments on the other.

It exists from ``create`` on, before any process, so that a client can attach first and start then.

A reader who is 1 MiB behind makes the process wait, as in Docker, so that a slow one loses nothing. But where others
depend on the stream (the log, a second reader), they wait for at most 10 seconds in which not a byte is taken, then
that one reader is cut off; in Docker it would hold up everybody for ever. At the process's end nobody waits.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
import time
from typing import Any

from containerlab.runtime.supervisor.attachment import Attachment
from containerlab.runtime.supervisor.loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from containerlab.runtime.supervisor.jsonlog import JsonLog
    from containerlab.runtime.supervisor.loop import Loop, Timer

__all__ = ["Endpoint"]

STALL_LIMIT = 10.0
STDIN_LIMIT = 65536
_PIECE = 65536
# After the process's end somebody else may hold its pipes: so much silence is waited for, so long at most (seconds).
_QUIET, _GRACE = 0.1, 2.0


class Endpoint:
    """The stdio of one process. ``on_detach`` is called when a reader typed the detach keys."""

    def __init__(
        self,
        loop: Loop,
        *,
        tty: bool,
        stdin: bool,
        stdin_once: bool,
        log: JsonLog | None,
        on_detach: Callable[[], None],
    ) -> None:
        self._loop, self.tty, self._stdin, self._stdin_once = loop, tty, stdin, stdin_once
        self.log = log
        self._on_detach = on_detach
        self.attachments: list[Attachment] = []
        self._sources: dict[int, str] = {}
        self._sink = -1
        self._stdin_buffer = b""
        self._stdin_closing = False
        self._window: tuple[int, int] | None = None
        self._paused = False
        self._stall_timer: Timer | None = None
        self._on_finished: Callable[[], None] | None = None
        self._received_at = 0.0
        self._grace_end = 0.0

    # The process's side

    def open(self) -> tuple[int, int, int] | None:
        """Makes the pipes; returns the process's ends for stdin, stdout, stderr (the caller closes them), None for a
        terminal, which comes by ``set_console``. Raises OSError."""
        if self.tty:
            return None
        opened: list[int] = []
        try:
            for _ in range(2):
                opened += os.pipe2(os.O_CLOEXEC)
            if self._stdin:
                opened += os.pipe2(os.O_CLOEXEC)
            else:
                opened.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            for fd in opened:
                os.close(fd)
            raise
        out, their_out, err, their_err, their_in = opened[:5]
        self._add_source(out, "stdout")
        self._add_source(err, "stderr")
        if self._stdin:
            self._set_sink(opened[5])
        return their_in, their_out, their_err

    def set_console(self, master: int) -> None:
        """The terminal's master, owned from here on."""
        if self._window is not None:
            self._set_window(master, *self._window)
        self._add_source(master, "stdout")
        if self._stdin:
            self._set_sink(os.dup(master))

    def _add_source(self, fd: int, stream: str) -> None:
        os.set_blocking(fd, False)
        self._sources[fd] = stream
        if not self._paused:
            self._loop.watch(fd, READ, lambda _events: self._readable(fd))

    def _set_sink(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._sink = fd
        self._flush_stdin()

    def resize(self, height: int, width: int) -> None:
        """TIOCSWINSZ; before the terminal exists the size is kept for it. Raises OSError(ENOTTY)."""
        if not self.tty:
            raise OSError(errno.ENOTTY, "the process has no terminal")
        self._window = height, width
        for master in self._sources:
            self._set_window(master, height, width)

    def sized(self, process: dict[str, Any]) -> dict[str, Any]:
        """``process`` with the size that was asked for before its start: the program may look before we have its
        terminal's master."""
        if self._window is None:
            return process
        height, width = self._window
        return {**process, "consoleSize": {"height": height, "width": width}}

    def _set_window(self, master: int, height: int, width: int) -> None:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    # From the process

    def _readable(self, fd: int) -> None:
        self._read(fd)

    def _read(self, fd: int) -> bool:
        """Reads one piece; whether there may be more."""
        try:
            data = os.read(fd, _PIECE)
        except BlockingIOError:
            return False
        except OSError as error:
            # A terminal's master: no process has the other side open.
            if error.errno != errno.EIO:
                raise
            data = b""
        if not data:
            self._close_source(fd)
            return False
        self._received_at = time.monotonic()
        stream = self._sources[fd]
        if self.log is not None:
            self.log.write(stream, data)
        for attachment in list(self.attachments):
            attachment.send(stream, data)
        if any(attachment.full for attachment in self.attachments):
            self._pause()
        return True

    def _close_source(self, fd: int) -> None:
        self._loop.unwatch(fd)
        del self._sources[fd]
        os.close(fd)
        if not self._sources and self._on_finished is not None:
            self._finish_now()

    def _pause(self) -> None:
        if self._paused or self._on_finished is not None:
            return
        self._paused = True
        for fd in self._sources:
            self._loop.unwatch(fd)
        self._stall_timer = self._loop.call_later(STALL_LIMIT, self._stalled)

    def reconsider(self) -> None:
        """Goes on reading when no reader is behind any more."""
        if not self._paused or any(attachment.full for attachment in self.attachments):
            return
        self._paused = False
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        for fd, stream in list(self._sources.items()):
            self._add_source(fd, stream)

    def _stalled(self) -> None:
        """Cuts off who has taken nothing for the whole limit, if anybody else is waiting for the stream."""
        now = time.monotonic()
        for attachment in list(self.attachments):
            others = self.log is not None or len(self.attachments) > 1
            if others and attachment.full and now - attachment.progress_at >= STALL_LIMIT:
                attachment.drop()
        self.reconsider()
        if self._paused:
            waits = [now - attachment.progress_at for attachment in self.attachments if attachment.full]
            left = STALL_LIMIT - max((wait for wait in waits if wait < STALL_LIMIT), default=0.0)
            self._stall_timer = self._loop.call_later(left, self._stalled)

    # To the process

    def write_stdin(self, data: bytes) -> None:
        """Queues ``data`` for the process; clients are paused while it doesn't read. Dropped when stdin isn't open."""
        if not self._stdin or self._stdin_closing:
            return
        self._stdin_buffer += data
        self._flush_stdin()

    def _flush_stdin(self) -> None:
        if self._sink >= 0:
            try:
                while self._stdin_buffer:
                    self._stdin_buffer = self._stdin_buffer[os.write(self._sink, self._stdin_buffer) :]
            except BlockingIOError:
                self._loop.watch(self._sink, WRITE, lambda _events: self._flush_stdin())
            except OSError:
                self._stdin_closing = True
                self._stdin_buffer = b""
            if not self._stdin_buffer:
                self._loop.unwatch(self._sink)
                if self._stdin_closing:
                    self._close_sink()
        for attachment in self.attachments:
            attachment.pause_input(len(self._stdin_buffer) >= STDIN_LIMIT)

    def stdin_ended(self) -> bool:
        """A client half-closed: closes the process's stdin behind what is queued if it was made so, else says False."""
        if not self._stdin_once or self.tty:
            return False
        self._stdin_closing = True
        self._flush_stdin()
        return True

    def _close_sink(self) -> None:
        if self._sink >= 0:
            self._loop.unwatch(self._sink)
            os.close(self._sink)
            self._sink = -1

    # The attachments' side

    def attach(self, attachment: Attachment) -> None:
        self.attachments.append(attachment)
        attachment.pause_input(len(self._stdin_buffer) >= STDIN_LIMIT)

    def gone(self, attachment: Attachment) -> None:
        """``attachment`` reads no more."""
        if attachment in self.attachments:
            self.attachments.remove(attachment)
            self.reconsider()

    def detached(self, attachment: Attachment) -> None:
        """Its user typed the detach keys."""
        self._on_detach()

    def pending_lines(self) -> list[tuple[str, bytes]]:
        """The unfinished lines, which a reader of the log can't find there yet."""
        return [] if self.log is None else [(stream, line) for stream, line in self.log.pending.items() if line]

    # The end

    def finish(self, on_finished: Callable[[], None]) -> None:
        """The process has ended: takes what it left in the pipes, flushes the log, gives every reader its EOF, calls
        ``on_finished``. Another process that holds a pipe is given a moment of grace (``_QUIET``, ``_GRACE``)."""
        self._on_finished = on_finished
        self._grace_end = time.monotonic() + _GRACE
        if self._paused:
            self._paused = False
            for fd, stream in list(self._sources.items()):
                self._add_source(fd, stream)
        for fd in list(self._sources):
            # A pipe or a terminal holds 64 KiB; whoever still writes may not keep the loop here.
            for _ in range(4):
                if fd not in self._sources or not self._read(fd):
                    break
        if self._on_finished is not None:
            if self._sources:
                self._loop.call_later(_QUIET, self._end_grace)
            else:
                self._finish_now()

    def _end_grace(self) -> None:
        if self._on_finished is None:
            return
        now = time.monotonic()
        if now < self._grace_end and now - self._received_at < _QUIET:
            self._loop.call_later(_QUIET, self._end_grace)
        else:
            self._finish_now()

    def _finish_now(self) -> None:
        on_finished, self._on_finished = self._on_finished, None
        self._release()
        if self.log is not None:
            self.log.flush()
        for attachment in list(self.attachments):
            attachment.finish()
        if on_finished is not None:
            on_finished()

    def _release(self) -> None:
        for fd in self._sources:
            self._loop.unwatch(fd)
            os.close(fd)
        self._sources.clear()
        self._close_sink()
        if self._stall_timer is not None:
            self._stall_timer.cancel()

    def abort(self) -> None:
        """The process couldn't be started: readers get their EOF; ``open`` may be tried again."""
        self._release()
        self._stdin_buffer, self._stdin_closing, self._paused = b"", False, False
        for attachment in list(self.attachments):
            attachment.finish()

    def close(self) -> None:
        """The record is gone: the log is closed, readers get what is queued and their EOF."""
        self._release()
        for attachment in list(self.attachments):
            attachment.finish()
        if self.log is not None:
            self.log.close()
            self.log = None
