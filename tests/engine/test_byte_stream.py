"""Bytes from a thread: whole and in order, a bounded stretch ahead, and no thread left however it ends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from containerlab.engine.byte_stream import Sink, byte_stream

PIECE = bytes(1 << 18)


def test_everything_comes_in_order() -> None:
    async def run() -> bytes:
        async with byte_stream(lambda out: [out.write(b"%07d" % n) for n in range(400_000)]) as pieces:
            return b"".join([piece async for piece in pieces])

    assert asyncio.run(run()) == b"".join(b"%07d" % n for n in range(400_000))


def test_nothing_written_is_an_empty_stream() -> None:
    async def run() -> list[bytes]:
        async with byte_stream(lambda out: None) as pieces:
            return [piece async for piece in pieces]

    assert asyncio.run(run()) == []


def test_a_reader_that_stops_holds_up_the_writer() -> None:
    written: list[int] = []

    def work(out: Sink) -> None:
        for number in range(1000):
            out.write(PIECE)
            written.append(number)

    async def run() -> None:
        async with byte_stream(work) as pieces:
            await anext(pieces)
            await asyncio.sleep(0.2)
            assert len(written) * len(PIECE) <= 8 << 20

    asyncio.run(run())
    assert len(written) < 1000


def test_an_error_before_the_first_byte_is_raised_at_the_beginning() -> None:
    def work(out: Sink) -> None:
        raise ValueError("early")

    async def run() -> None:
        async with byte_stream(work):
            raise AssertionError("the block must not begin")

    with pytest.raises(ValueError, match="early"):
        asyncio.run(run())


def test_a_later_error_is_raised_after_what_was_written() -> None:
    def work(out: Sink) -> None:
        out.write(bytes(2 << 20))
        raise ValueError("late")

    async def run() -> None:
        seen = 0
        async with byte_stream(work) as pieces:
            with pytest.raises(ValueError, match="late"):
                async for piece in pieces:
                    seen += len(piece)
        assert seen == 2 << 20

    asyncio.run(run())


@pytest.mark.parametrize("reads", [0, 1, 3])
def test_a_cancelled_reader_ends_the_thread(reads: int) -> None:
    ended = threading.Event()

    def work(out: Sink) -> None:
        try:
            while True:
                out.write(PIECE)
        finally:
            ended.set()

    async def reader() -> None:
        async with byte_stream(work) as pieces:
            for _ in range(reads):
                await anext(pieces)
            await asyncio.sleep(100)

    async def run() -> None:
        task = asyncio.ensure_future(reader())
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set() and time.monotonic() - begun < 50

    asyncio.run(run())
