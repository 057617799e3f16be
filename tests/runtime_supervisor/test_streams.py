"""What goes in and out of a container: attach, stdin, terminal, detach keys, slow readers."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from containerlab.runtime.supervisor.detach import DetachKeys, parse_keys

if TYPE_CHECKING:
    from conftest import Lab

pytestmark = pytest.mark.root
STDIN = {"stdin": True, "stdin_once": True}


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Docker's multiplexed frames."""
    found = []
    while data:
        number, length = struct.unpack(">BxxxI", data[:8])
        found.append((number, data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def test_frames_tell_stdout_from_stderr(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("sh", "-c", "echo out; sleep 0.1; echo err >&2")
            stream = await client.attach(name, multiplexed=True)
            await client.call("start", container=name)
            assert frames(await stream.read_all()) == [(1, b"out\n"), (2, b"err\n")]

    asyncio.run(body())


def test_stdin_sent_before_the_start_arrives_and_half_close_is_the_programs_eof(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("cat", io=STDIN)
            stream = await client.attach(name, "stdin", "stdout")
            data = bytes(range(256)) * 2048
            sending = asyncio.create_task(stream.write(data))
            await asyncio.sleep(0.1)
            await client.call("start", container=name)
            reading = asyncio.create_task(stream.read_all())
            await sending
            stream.half_close()
            assert await reading == data
            assert (await client.exit(name))["exit_code"] == 0

    asyncio.run(body())


def test_without_stdin_once_a_half_close_ends_the_attachment_and_not_the_stdin(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("cat", io={"stdin": True})
            first = await client.attach(name, "stdin", "stdout")
            await client.call("start", container=name)
            first.half_close()
            assert await first.read_all() == b""
            second = await client.attach(name, "stdin", "stdout")
            await second.write(b"still open\n")
            assert await second.read_until(b"\n") == b"still open\n"

    asyncio.run(body())


def test_half_close_of_a_reader_without_stdin_means_nothing(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("sh", "-c", "sleep 0.3; echo late")
            stream = await client.attach(name)
            stream.half_close()
            await client.call("start", container=name)
            assert await stream.read_all() == b"late\n"

    asyncio.run(body())


def test_terminal_has_the_size_it_is_given_before_and_after_the_start(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            script = "stty size; read x; stty size"
            name = await client.create("sh", "-c", script, io={"tty": True, "stdin": True})
            await client.call("resize", container=name, exec=None, height=30, width=101)
            stream = await client.attach(name, "stdin", "stdout")
            await client.call("start", container=name)
            assert b"30 101" in await stream.read_until(b"\n")
            await client.call("resize", container=name, exec=None, height=40, width=132)
            await stream.write(b"\n")
            assert b"40 132" in await stream.read_all()

    asyncio.run(body())


@pytest.mark.parametrize(("keys", "typed"), [("", b"\x10\x11"), ("a,b,ctrl-c", b"ab\x03")])
def test_detach_keys_let_go_of_a_container_that_goes_on(lab: Lab, keys: str, typed: bytes) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("cat", io={"tty": True, "stdin": True})
            stream = await client.attach(name, "stdin", "stdout", detach_keys=keys)
            await client.call("start", container=name)
            for byte in typed:
                await stream.write(bytes([byte]))
                await asyncio.sleep(0.02)
            await stream.read_all()
            assert {"event": "detach", "container": name, "exec": None} in client.events
            assert (await client.record(name))["status"] == "running"

    asyncio.run(body())


def test_a_beginning_of_the_detach_keys_is_held_back_and_then_passed_on() -> None:
    keys = DetachKeys("x,x,y")
    assert keys.feed(b"ax") == (b"a", False)
    assert keys.feed(b"xx") == (b"x", False)
    assert keys.feed(b"z") == (b"xxz", False)
    assert keys.feed(b"xxyrest") == (b"", True)
    assert parse_keys("ctrl-@,ctrl-[,ctrl-_,q") == b"\x00\x1b\x1fq"
    for wrong in ("ctrl-1", "ab", "ctrl-", "a,,b"):
        with pytest.raises(ValueError, match="detach key"):
            parse_keys(wrong)


def test_replay_gives_the_log_first_then_what_comes_without_gap_or_repetition(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            script = "seq 1 2000; printf unfinished; read x; echo $x; seq 2001 4000"
            name = await client.create(
                "sh", "-c", script, io={"stdin": True, "stdin_once": True}, log={"max_size": 50000, "max_file": 9}
            )
            await client.call("start", container=name)
            await asyncio.sleep(0.5)
            stream = await client.attach(name, "stdin", "stdout", replay=True)
            await stream.read_until(b"unfinished")
            await stream.write(b"-line\n")
            rest = await stream.read_all()
            assert rest == b"-line\n" + b"".join(b"%d\n" % number for number in range(2001, 4001))
            late = await client.attach(name, replay=True)
            whole = await late.read_all()
            assert whole == b"".join(b"%d\n" % n for n in range(1, 2001)) + b"unfinished" + rest

    asyncio.run(body())


def test_a_stalled_reader_holds_up_neither_exit_nor_log_nor_kill(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("sh", "-c", "head -c 3000000 /dev/zero; echo end", log=True)
            stalled = await client.attach(name)
            healthy = await client.attach(name)
            await client.call("start", container=name)
            output = await healthy.read_all()
            assert len(output) == 3000004
            assert (await client.exit(name))["exit_code"] == 0
            assert sum(len(record["log"]) for record in lab.records(name)) == 3000004
            stalled.close()
            loud = await client.create("yes")
            await client.attach(loud)
            await client.call("start", container=loud)
            await asyncio.sleep(0.3)
            await client.call("signal", container=loud, exec=None, signal=9, all=False)
            assert (await asyncio.wait_for(client.exit(loud), 3))["exit_code"] == 137

    asyncio.run(body())


def test_a_slow_reader_alone_loses_nothing(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("head", "-c", "4000000", "/dev/zero")
            stream = await client.attach(name)
            await client.call("start", container=name)
            await asyncio.sleep(1)
            assert (await client.record(name))["status"] == "running"
            assert len(await stream.read_all()) == 4000000

    asyncio.run(body())


def test_nothing_is_sent_before_the_client_has_read_the_response_head(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("echo", "hi")
            ours, theirs = socket.socketpair()
            theirs.send(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
            streams = ["stdout"]
            fields = {"exec": None, "multiplexed": False, "replay": False, "detach_keys": ""}
            await client.call("attach", (theirs.fileno(),), container=name, streams=streams, **fields)
            theirs.close()
            await client.call("start", container=name)
            await asyncio.sleep(0.05)
            assert ours.recv(65536) == b"HTTP/1.1 101 UPGRADED\r\n\r\n"
            ours.settimeout(5)
            assert ours.recv(65536) == b"hi\n"
            ours.close()

    asyncio.run(body())


def test_a_reader_that_vanishes_is_forgotten_and_the_program_goes_on(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("sh", "-c", "while :; do echo tick; sleep 0.02; done")
            stream = await client.attach(name)
            await client.call("start", container=name)
            await stream.read_until(b"tick")
            stream.close()
            await asyncio.sleep(0.2)
            again = await client.attach(name)
            assert b"tick" in await again.read_until(b"tick")

    asyncio.run(body())
