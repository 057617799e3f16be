"""One client joined to a container's stdio: a hijacked connection's descriptor, and what waits to be written to it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
import time
from collections import deque

from containerlab.runtime.supervisor.loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from containerlab.runtime.supervisor.detach import DetachKeys
    from containerlab.runtime.supervisor.endpoint import Endpoint
    from containerlab.runtime.supervisor.loop import Loop, Timer
    from containerlab.runtime.supervisor.replay import Replay

__all__ = ["Attachment"]

# The container waits for a reader that is this much behind (bytes).
BUFFER_LIMIT = 1 << 20
_PIECE = 65536
_FRAMES_A_WRITE = 64
_STREAM_NUMBER = {"stdin": 0, "stdout": 1, "stderr": 2}
# How long the client may take to read the response's head, and to close after the end (seconds).
_HEAD_LIMIT, _HEAD_POLL = 0.2, 0.001
_LINGER = 2.0
_SIOCOUTQ = 0x5411


class Attachment:
    """Writes to ``fd`` what the streams in ``streams`` deliver, and passes on what comes if ``stdin`` is among them.

    ``fd`` is owned from here on. ``full``: the buffer is at its limit; ``progress_at``: when a byte was last taken.
    """

    def __init__(
        self,
        loop: Loop,
        endpoint: Endpoint,
        fd: int,
        streams: frozenset[str],
        *,
        multiplexed: bool,
        detach: DetachKeys | None,
        replay: Replay | None,
    ) -> None:
        self._loop, self._endpoint, self._fd = loop, endpoint, fd
        self.streams, self._multiplexed, self._detach, self.replay = streams, multiplexed, detach, replay
        self._queue: deque[memoryview] = deque()
        self.buffered = 0
        self.progress_at = time.monotonic()
        self._may_write = False
        self._finishing = False
        self._input_open = True
        self._input_paused = False
        self._linger: Timer | None = None
        os.set_blocking(fd, False)
        self._head_deadline = time.monotonic() + _HEAD_LIMIT
        self._await_head()

    @property
    def full(self) -> bool:
        return self.buffered >= BUFFER_LIMIT

    @property
    def closed(self) -> bool:
        return self._fd < 0

    def _await_head(self) -> None:
        """docker-py loses what arrives together with the response's head, so nothing is sent until it has read that."""
        if self.closed or self._may_write:
            return
        if time.monotonic() < self._head_deadline and _unread(self._fd):
            self._loop.call_later(_HEAD_POLL, self._await_head)
            self._watch()
            return
        self._may_write = True
        self._pump_replay()
        self._flush()

    def _head_is_read(self) -> bool:
        """Asked again whenever there is something to write: the next look may be most of a millisecond away."""
        if not self._may_write and not _unread(self._fd):
            self._may_write = True
            self._pump_replay()
        return self._may_write

    def send(self, stream: str, data: bytes) -> None:
        """Queues ``data`` and writes what can be written at once. A replay sends it later, out of the log."""
        if self.closed or self._finishing or stream not in self.streams or self.replay is not None:
            return
        self._enqueue(stream, data)
        self._flush()

    def _enqueue(self, stream: str, data: bytes) -> None:
        if not self._queue:
            self.progress_at = time.monotonic()
        if self._multiplexed:
            self._queue.append(memoryview(struct.pack(">BxxxI", _STREAM_NUMBER[stream], len(data))))
            self.buffered += 8
        self._queue.append(memoryview(data))
        self.buffered += len(data)

    def _pump_replay(self) -> None:
        """Moves on in the log while there is room; at its end come the unfinished lines, then the live output."""
        while self.replay is not None and self.buffered < BUFFER_LIMIT // 2:
            entries = self.replay.next()
            if entries is None:
                self.replay.close()
                self.replay = None
                entries = self._endpoint.pending_lines()
            for stream, data in entries:
                if stream in self.streams:
                    self._enqueue(stream, data)

    def _flush(self) -> None:
        if self.closed or not self._head_is_read():
            return
        was_full = self.full
        try:
            while self._queue:
                frames = [self._queue[index] for index in range(min(len(self._queue), _FRAMES_A_WRITE))]
                self._taken(os.writev(self._fd, frames))
                self._pump_replay()
        except BlockingIOError:
            pass
        except OSError:
            self.drop()
            return
        if was_full and not self.full:
            self._endpoint.reconsider()
        if self._finishing and not self._queue and self.replay is None:
            self._half_close()
        self._watch()

    def _taken(self, count: int) -> None:
        self.buffered -= count
        self.progress_at = time.monotonic()
        while count:
            first = self._queue.popleft()
            if count < len(first):
                self._queue.appendleft(first[count:])
                return
            count -= len(first)

    def _watch(self) -> None:
        if self.closed:
            return
        events = WRITE if self._queue and self._may_write else 0
        if self._input_open and not self._input_paused:
            events |= READ
        self._loop.watch(self._fd, events, self._ready)

    def _ready(self, events: int) -> None:
        if events & READ:
            self._read()
        elif events & ~WRITE:
            # Hang-up in both directions, or an error: nobody is left to read.
            self.drop()
        if events & WRITE:
            self._flush()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            self.drop()
            return
        if self._finishing:
            if not data:
                self.drop()
            return
        if not data:
            self._input_ended()
        elif "stdin" in self.streams:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        detached = False
        if self._detach is not None:
            data, detached = self._detach.feed(data)
        if data:
            self._endpoint.write_stdin(data)
        if detached:
            self._endpoint.detached(self)
            self.finish()

    def _input_ended(self) -> None:
        """The client's half-close. As in Docker it closes the program's stdin when that was asked for (stdin_once, no
        terminal), else it ends this attachment. Without stdin it means nothing: docker's CLI does it at once."""
        self._input_open = False
        if "stdin" in self.streams and not self._endpoint.stdin_ended():
            self.finish()
        self._watch()

    def pause_input(self, paused: bool) -> None:
        """Whether to leave what the client sends in the socket; the program isn't reading its stdin."""
        if self._input_paused != paused:
            self._input_paused = paused
            self._watch()

    def finish(self) -> None:
        """End of output: what is queued or left to replay is still delivered, then the end of file."""
        if self.closed or self._finishing:
            return
        self._finishing = True
        self._input_paused = False
        self._flush()

    def _half_close(self) -> None:
        """EOF to the client, but what it still sends is read until it closes: closing with unread input resets a
        connection, and the client may lose the last output to that."""
        if self._linger is not None:
            return
        self._linger = self._loop.call_later(_LINGER, self.drop)
        self._endpoint.gone(self)
        if not self._input_open:
            self.drop()
            return
        try:
            with socket.socket(fileno=os.dup(self._fd)) as connection:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop()

    def drop(self) -> None:
        """Closes the connection, whatever is queued."""
        if self.closed:
            return
        if self._linger is not None:
            self._linger.cancel()
        if self.replay is not None:
            self.replay.close()
            self.replay = None
        fd, self._fd = self._fd, -1
        self._loop.unwatch(fd)
        os.close(fd)
        self._queue.clear()
        self.buffered = 0
        self._endpoint.gone(self)


def _unread(fd: int) -> bool:
    """Whether the peer hasn't yet taken all that was sent (SIOCOUTQ, tcp(7)). False for what isn't a socket."""
    try:
        answer = fcntl.ioctl(fd, _SIOCOUTQ, b"\0\0\0\0")
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL, errno.ENOTSUP):
            raise
        return False
    return int.from_bytes(answer, sys.byteorder) > 0
