"""The attach protocol, cut anywhere; and the pump over a real socket."""

from __future__ import annotations

import os
import socket
import struct
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerlab.commands.streams import Frames, Hijacked, Input, detach_bytes, pump
from containerlab.errors import UsageError


def framed(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", stream, len(payload)) + payload for stream, payload in parts)


@given(
    parts=st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_frames_come_whole_however_the_stream_is_cut(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = framed(parts)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    frames = Frames()
    found = [frame for a, b in pairwise(edges) for frame in frames.feed(data[a:b])]
    assert found == parts


def test_a_terminals_stream_has_no_frames() -> None:
    assert list(Frames(raw=True).feed(b"\x01\x00abc")) == [(1, b"\x01\x00abc")]


class Wire(Hijacked):
    """A hijacked connection that is one end of a socket pair."""

    def __init__(self, sock: socket.socket, pending: bytes = b"") -> None:
        self.sock = sock
        self.pending = pending


def echo_server(sock: socket.socket) -> None:
    """Reads to end of file, then answers with all of it as stdout, and closes."""
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    sock.sendall(framed([(1, data), (2, b"done")]))
    sock.close()


def exchange(source: Input | None, pending: bytes = b"") -> dict[int, bytes]:
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=echo_server, args=(theirs,))
    server.start()
    got = {1: b"", 2: b""}

    def write(stream: int, data: bytes) -> None:
        got[stream] += data

    if source is None:
        ours.shutdown(socket.SHUT_WR)
    pump(Wire(ours, pending), source, write, Frames())
    server.join(timeout=10)
    ours.close()
    return got


def test_a_body_larger_than_any_buffer_is_sent_and_then_half_closed() -> None:
    body = os.urandom(3_000_000)
    assert exchange(Input(body)) == {1: body, 2: b"done"}


def test_an_empty_body_is_end_of_file_at_once() -> None:
    assert exchange(Input(b"")) == {1: b"", 2: b"done"}


def test_a_descriptor_is_read_to_its_end() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"from a pipe")
    os.close(write_end)
    assert exchange(Input(fd=read_end))[1] == b"from a pipe"
    os.close(read_end)


def test_bytes_that_came_with_the_head_are_not_lost() -> None:
    assert exchange(None, pending=framed([(1, b"early")]))[1] == b"early"


def test_a_program_that_closes_early_ends_the_pump() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    pump(Wire(ours), Input(b"x" * 1_000_000), lambda stream, data: None, Frames())
    ours.close()


def test_the_detach_keys_are_noticed_across_two_reads() -> None:
    read_end, write_end = os.pipe()
    source = Input(fd=read_end)
    for piece in (b"abc\x10", b"\x11"):
        os.write(write_end, piece)
        source.read()
    assert source.detached
    os.close(write_end)
    os.close(read_end)


@pytest.mark.parametrize(
    ("keys", "sent"),
    [("ctrl-p,ctrl-q", b"\x10\x11"), ("ctrl-@,a,Z", b"\x00aZ"), ("ctrl-[", b"\x1b"), ("ctrl-_,ctrl-\\", b"\x1f\x1c")],
)
def test_detach_keys_are_the_bytes_that_a_terminal_sends(keys: str, sent: bytes) -> None:
    assert detach_bytes(keys) == sent


@pytest.mark.parametrize("keys", ["xx", "ctrl-1", "ctrl-", "a,,b", "é"])
def test_what_is_no_key_is_refused(keys: str) -> None:
    with pytest.raises(UsageError, match="invalid detach keys"):
        detach_bytes(keys)


def test_detach_keys_are_found_across_reads() -> None:
    read_end, write_end = os.pipe()
    source = Input(fd=read_end, keys="ctrl-x,a,b")
    for piece, found in ((b"text\x18", False), (b"a", False), (b"b", True)):
        os.write(write_end, piece)
        source.read()
        assert source.detached is found
    os.close(read_end)
    os.close(write_end)
