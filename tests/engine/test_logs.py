"""A container's log, read from its end, across rotations and while it grows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from containerlab.engine import logs
from containerlab.engine.container import Container
from containerlab.engine.follow import follow_log
from containerlab.engine.logs import Selection, Tape, read_log
from containerlab.engine.state import ContainerState
from tests.engine.conftest import Log, collect


def read(log: Log, **selection: object) -> list[str]:
    lines = asyncio.run(collect(read_log(log.path, Selection(**selection))))  # type: ignore[arg-type]
    return [text.decode() for _, text in lines]


def test_a_missing_log_is_empty(log: Log) -> None:
    assert read(log) == []
    assert read(log, tail=3) == []


def test_a_missing_folder_is_an_empty_log(tmp_path: Path) -> None:
    assert asyncio.run(collect(read_log(tmp_path / "none" / "c-json.log", Selection()))) == []


def test_lines_come_in_order_with_their_stream(log: Log) -> None:
    log.add("one\n")
    log.add("two\n", "stderr")
    assert asyncio.run(collect(read_log(log.path, Selection()))) == [(1, b"one\n"), (2, b"two\n")]


@pytest.mark.parametrize(
    ("stdout", "stderr", "expected"),
    [(True, True, ["o\n", "e\n"]), (True, False, ["o\n"]), (False, True, ["e\n"]), (False, False, [])],
)
def test_only_the_wanted_streams_are_read(log: Log, stdout: bool, stderr: bool, expected: list[str]) -> None:
    log.add("o\n")
    log.add("e\n", "stderr")
    log.add("x\n", "stdin")
    assert read(log, stdout=stdout, stderr=stderr) == expected


def test_a_timestamp_stands_before_its_line(log: Log) -> None:
    log.add("one\n", time="2026-01-02T03:04:05.6Z")
    assert read(log, timestamps=True) == ["2026-01-02T03:04:05.6Z one\n"]


@pytest.mark.parametrize("tail", [0, 1, 2, 3, 5, 6, 7, 100])
def test_a_tail_counts_lines_across_rotated_files(log: Log, tail: int) -> None:
    for number in range(6):
        log.add(f"{number}\n", file=".2" if number < 2 else ".1" if number < 4 else "")
    assert read(log, tail=tail) == [f"{number}\n" for number in range(6)][6 - min(tail, 6) :]


@pytest.mark.parametrize("tail", [1, 2, 999, 1000, 1001])
def test_a_tail_is_found_behind_any_number_of_blocks(log: Log, tail: int) -> None:
    writer = log.writer()
    for number in range(1000):
        writer.write("stdout", f"{number} {'x' * (number % 700)}\n".encode())
    writer.close()
    assert log.path.stat().st_size > 5 * (64 << 10)
    assert [line.split()[0] for line in read(log, tail=tail)] == [str(number) for number in range(1000)][-tail:]


def test_a_tail_begins_right_where_a_block_does(log: Log) -> None:
    block = 64 << 10
    for _ in range(2):
        record = log.add("")
        log.path.write_bytes(log.path.read_bytes()[: -len(record)])
        log.add("x" * (block - len(record)))
    assert log.path.stat().st_size == 2 * block
    assert len(read(log, tail=1)) == 1
    assert len(read(log, tail=2)) == 2


def test_files_beyond_nine_are_read_in_the_order_of_their_numbers(log: Log) -> None:
    for number in range(12, 0, -1):
        log.add(f"{number}\n", file=f".{number}")
    log.add("0\n")
    log.add("no number\n", file=".gz")
    assert read(log) == [f"{number}\n" for number in range(12, -1, -1)]


def test_what_the_supervisor_wrote_and_rotated_is_read_whole(log: Log) -> None:
    writer = log.writer(max_size=2000, max_file=100)
    for number in range(500):
        writer.write("stdout", f"{number}\n".encode())
    writer.close()
    assert writer.generation > 10
    assert read(log) == [f"{number}\n" for number in range(500)]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (0, 0, "abcd"),
        (1_700_000_001, 0, "bcd"),
        (1_700_000_001.5, 0, "cd"),
        (0, 1_700_000_001, "ab"),
        (1_700_000_001, 1_700_000_002, "bc"),
        (1_700_000_009, 0, ""),
        (0, 1, ""),
    ],
)
def test_lines_are_picked_by_their_time_bounds_included(log: Log, since: float, until: float, expected: str) -> None:
    for second, text in enumerate("abcd"):
        log.add(text, time=f"2023-11-14T22:13:{20 + second}Z")
    assert "".join(read(log, since=since, until=until)) == expected


def test_a_line_is_not_before_its_own_time_to_the_nanosecond(log: Log) -> None:
    log.add("a\n", time="2023-11-14T22:13:20.123456789Z")
    assert read(log, since=float("1700000000.123456789")) == ["a\n"]
    assert read(log, until=float("1700000000.123456789")) == ["a\n"]


def test_the_first_line_after_until_ends_a_read(log: Log) -> None:
    log.add("a\n", time="2023-11-14T22:13:20Z")
    log.add("b\n", "stderr", time="2023-11-14T22:13:22Z")
    log.add("c\n", time="2023-11-14T22:13:20Z")
    assert read(log, until=1_700_000_001, stderr=False) == ["a\n"]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\n",
        b"\0" * 4096 + b"\n",
        b'{"log":"cut o\n',
        b'{"log":1,"stream":"stdout","time":""}\n',
        b'{"stream":"stdout"}\n',
        b"[]\n",
        b'{"log":"\xff\xfe","stream":"stdout","time":"2026-01-02T03:04:05Z"}\n',
        b"x" * (3 << 20) + b"\n",
    ],
    ids=["empty", "nulls", "cut", "types", "lacking", "list", "utf-8", "endless"],
)
def test_a_line_that_is_no_record_is_passed_over(log: Log, rubbish: bytes) -> None:
    log.add("one\n")
    log.add_raw(rubbish)
    log.add("two\n")
    assert read(log, since=1.0) == ["one\n", "two\n"]
    assert read(log, tail=1) == ["two\n"]


def test_a_record_with_a_time_that_is_none_is_as_old_as_can_be(log: Log) -> None:
    log.add("one\n", time="yesterday")
    assert read(log) == ["one\n"]
    assert read(log, since=1.0) == []


def test_a_line_cut_off_by_a_crash_is_left_out(log: Log) -> None:
    log.add("one\n")
    log.add_raw(b'{"log":"tw')
    assert read(log) == ["one\n"]


def test_a_line_of_a_megabyte_comes_back_byte_for_byte(log: Log) -> None:
    text = b'"\\<\x1b' * (1 << 18) + b"\n"
    writer = log.writer()
    writer.write("stdout", text)
    writer.close()
    lines = asyncio.run(collect(read_log(log.path, Selection())))
    assert b"".join(part for _, part in lines) == text
    assert len(lines) >= 64


def test_output_that_is_not_utf_8_is_shown_with_replacement_characters(log: Log) -> None:
    writer = log.writer()
    writer.write("stdout", b"a\xffb\xed\xa0\x80c \xf0\x9f\x90\xb3\n")
    writer.close()
    assert read(log) == ["a\ufffdb\ufffd\ufffd\ufffdc \U0001f433\n"]


def test_a_lone_surrogate_in_a_foreign_log_ends_nothing(log: Log) -> None:
    log.add("\ud800\n")
    log.add("two\n")
    assert read(log)[-1] == "two\n"


def test_a_tape_read_again_gives_what_was_added_and_waits_for_the_end_of_a_line(log: Log) -> None:
    first = log.add("one\n")
    tape = Tape(log.path)
    assert [*tape.lines()] == [first.rstrip()]
    assert [*tape.lines()] == []
    log.add_raw(b'{"half')
    assert [*tape.lines()] == []
    log.add_raw(b'":1}\n')
    assert [*tape.lines()] == [b'{"half":1}']
    tape.close()


def test_a_tape_opened_before_its_log_finds_it_later(log: Log) -> None:
    tape = Tape(log.path)
    assert [*tape.lines()] == []
    record = log.add("one\n")
    assert [*tape.lines()] == [record.rstrip()]
    tape.close()


def test_a_tape_follows_several_rotations_at_once(log: Log) -> None:
    records = [log.add("0\n")]
    tape = Tape(log.path)
    seen = [*tape.lines()]
    for number in range(1, 4):
        records.append(log.add(f"{number}a\n"))
        log.rotate()
        records.append(log.add(f"{number}b\n"))
    seen += tape.lines()
    tape.close()
    assert seen == [record.rstrip() for record in records]


def test_a_tape_reads_on_though_its_file_was_removed(log: Log) -> None:
    log.add("0\n")
    tape = Tape(log.path)
    assert len([*tape.lines()]) == 1
    kept = log.add("1\n")
    log.path.unlink()
    record = log.add("2\n")
    assert [*tape.lines()] == [kept.rstrip(), record.rstrip()]
    tape.close()


def test_a_rotation_between_the_rename_and_the_new_file_loses_nothing(log: Log) -> None:
    log.add("0\n")
    tape = Tape(log.path)
    assert len([*tape.lines()]) == 1
    log.rotate()
    assert [*tape.lines()] == []
    record = log.add("1\n")
    assert [*tape.lines()] == [record.rstrip()]
    tape.close()


def test_lines_written_just_before_a_rotation_that_the_reader_ran_into_are_read(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.add("0\n")
    tape = Tape(log.path)
    real, missed = logs._open_after, []

    def rotated_meanwhile(path: Path, known: object) -> object:
        if not missed:
            missed.append(log.add("1\n").rstrip())
            log.rotate()
            missed.append(log.add("2\n").rstrip())
        return real(path, known)  # type: ignore[arg-type]

    monkeypatch.setattr(logs, "_open_after", rotated_meanwhile)
    assert [*tape.lines()][1:] == missed
    tape.close()


def test_a_rotation_while_the_files_are_opened_hides_none_of_them(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [log.add("0\n", file=".1"), log.add("1\n")]
    real, opened = logs._open, []

    def rotated_after_the_first(path: Path) -> object:
        file = real(path)
        if not opened:
            log.rotate()
            log.add("2\n")
        opened.append(path)
        return file

    monkeypatch.setattr(logs, "_open", rotated_after_the_first)
    tape = Tape(log.path)
    monkeypatch.undo()
    lines = [*tape.lines()]
    assert lines[:2] == [record.rstrip() for record in records]
    assert len(lines) == 3
    tape.close()


def test_a_log_of_one_file_is_followed_though_it_is_emptied_when_it_is_full(log: Log) -> None:
    writer = log.writer(max_size=400, max_file=1)
    tape = Tape(log.path)
    seen = []
    for number in range(50):
        writer.write("stdout", f"{number}\n".encode())
        seen += tape.lines()
    tape.close()
    writer.close()
    assert [Selection().pick(raw) for raw in seen] == [(1, f"{number}\n".encode()) for number in range(50)]


def test_a_closed_tape_holds_no_descriptor(log: Log) -> None:
    log.add("0\n", file=".1")
    log.add("1\n")
    before = len([*Path("/proc/self/fd").iterdir()])
    for tail in (None, 1):
        asyncio.run(collect(read_log(log.path, Selection(tail=tail))))
    assert len([*Path("/proc/self/fd").iterdir()]) == before


# Following.


def running(make: Callable[..., Container]) -> tuple[Container, Log]:
    container = make(state=ContainerState(status="running", started_at=1))
    return container, Log(container.log_path)


def test_a_followed_log_gives_what_is_there_what_comes_and_ends_with_its_container(
    make_container: Callable[..., Container],
) -> None:
    async def follow() -> list[tuple[int, bytes]]:
        container, log = running(make_container)
        log.add("0\n")
        lines = follow_log(container, Selection(), follow=True)
        seen = await collect(lines, 1)
        log.add("1\n")
        seen += await collect(lines, 1)
        log.rotate()
        log.add("2\n")
        seen += await collect(lines, 1)
        # The end comes while a line waits to be read.
        log.add("3\n")
        container.ended.set()
        return seen + await collect(lines)

    assert asyncio.run(follow()) == [(1, f"{number}\n".encode()) for number in range(4)]


def test_a_log_that_is_not_followed_ends_at_its_present_end(make_container: Callable[..., Container]) -> None:
    async def read_once() -> list[tuple[int, bytes]]:
        container, log = running(make_container)
        log.add("0\n")
        return await collect(follow_log(container, Selection(), follow=False))

    assert asyncio.run(read_once()) == [(1, b"0\n")]


def test_following_ends_at_the_first_line_after_until(make_container: Callable[..., Container]) -> None:
    async def follow() -> list[tuple[int, bytes]]:
        container, log = running(make_container)
        log.add("0\n", time="2023-11-14T22:13:20Z")
        log.add("1\n", time="2023-11-14T22:13:22Z")
        return await collect(follow_log(container, Selection(until=1_700_000_001), follow=True))

    assert asyncio.run(follow()) == [(1, b"0\n")]


def test_a_follower_that_leaves_gives_back_what_it_held(make_container: Callable[..., Container]) -> None:
    async def leave() -> None:
        container, log = running(make_container)
        log.add("0\n")
        lines = follow_log(container, Selection(), follow=True)
        await collect(lines, 1)
        await lines.aclose()  # type: ignore[attr-defined]
        assert not [link for link in Path("/proc/self/fd").iterdir() if os.path.realpath(link) == str(log.path)]
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(leave())


def test_a_log_of_many_lines_leaves_others_their_turn(make_container: Callable[..., Container]) -> None:
    async def read_beside_a_ticker() -> int:
        container, log = running(make_container)
        writer = log.writer()
        writer.write("stdout", b"x\n" * 5000)
        writer.close()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticker = asyncio.create_task(tick())
        assert len(await collect(follow_log(container, Selection(), follow=False))) == 5000
        ticker.cancel()
        return ticks

    assert asyncio.run(read_beside_a_ticker()) > 10
