"""The json-file log: Docker's records, their cutting, rotation, and what a full disk does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from containerlab.runtime.supervisor.jsonlog import LINE_LIMIT, JsonLog, records, timestamp

if TYPE_CHECKING:
    from conftest import Lab


def _parsed(data: bytes) -> list[str]:
    return [json.loads(line)["log"] for line in data.splitlines()]


def test_records_are_dockers_byte_for_byte() -> None:
    data = b'a "quoted" \\ <b>&\t\r\x00\x7f\n\xc3\xa9\xe2\x80\xa8\n'
    done, rest = records("stderr", data, "2024-01-02T03:04:05.6Z")
    tail = b'","stream":"stderr","time":"2024-01-02T03:04:05.6Z"}\n'
    first = rb'{"log":"a \"quoted\" \\ \u003cb\u003e\u0026\u0009\r\u0000' + b"\x7f" + rb"\n" + tail
    second = b'{"log":"\xc3\xa9' + rb"\u2028\n" + tail
    assert (done, rest) == (first + second, b"")


def test_time_has_no_needless_digits() -> None:
    assert timestamp(1_700_000_000_000_000_000) == "2023-11-14T22:13:20Z"
    assert timestamp(1_700_000_000_120_000_000) == "2023-11-14T22:13:20.12Z"
    assert timestamp(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"


@pytest.mark.parametrize("pieces", [1, 7, 4096, 1 << 20])
def test_any_cutting_of_the_stream_gives_the_same_lines(tmp_path: Path, pieces: int) -> None:
    lines = [b"short\n", b"\n", b"x" * (LINE_LIMIT - 1) + b"\n", b"y" * (3 * LINE_LIMIT) + b"\n", b'\\n"\n', b"last"]
    data = b"".join(lines)
    if pieces == 1:
        data = data[-200:]
    log = JsonLog(str(tmp_path / "log"), 0, 1)
    for start in range(0, len(data), pieces):
        log.write("stdout", data[start : start + pieces])
    log.close()
    found = _parsed((tmp_path / "log").read_bytes())
    assert "".join(found).encode() == data
    assert all(len(line) <= LINE_LIMIT + 1 for line in found)
    assert all(line.endswith("\n") or len(line) == LINE_LIMIT for line in found[:-1])


def test_wrong_utf8_becomes_a_replacement_character_a_byte_and_a_long_line_is_not_cut_in_a_character() -> None:
    done, _ = records("stdout", b"a\xff\xe4\xb8z\n", "T")
    assert _parsed(done) == ["a\ufffd\ufffd\ufffdz\n"]
    line = b"x" * (LINE_LIMIT - 1) + "é".encode() * 20
    done, rest = records("stdout", line + b"\n", "T")
    assert "\ufffd" not in "".join(_parsed(done))
    assert rest == b""


def test_rotation_keeps_every_file_below_its_size_and_no_record_is_cut_or_lost(tmp_path: Path) -> None:
    log = JsonLog(str(tmp_path / "log"), 10000, 4)
    data = b"".join(b"line %d\n" % number for number in range(5000))
    for start in range(0, len(data), 3000):
        log.write("stdout", data[start : start + 3000])
    log.close()
    files = [Path(path) for path in log.files()]
    assert [path.name for path in files] == ["log.3", "log.2", "log.1", "log"]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files}
    assert all(path.stat().st_size <= 10000 for path in files)
    found = [line for path in files for line in _parsed(path.read_bytes())]
    numbers = [int(line.split()[1]) for line in found]
    assert numbers == list(range(5000 - len(numbers), 5000))


def test_with_one_file_rotation_empties_it(tmp_path: Path) -> None:
    log = JsonLog(str(tmp_path / "log"), 1000, 1)
    log.write("stdout", b"0123456789\n" * 500)
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert 0 < (tmp_path / "log").stat().st_size <= 1000


@pytest.mark.root
def test_a_full_disk_loses_records_but_never_cuts_one_and_the_container_goes_on(lab: Lab, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    # The supervisor shares this mount namespace, so it sees the small disk too.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:

        async def body() -> None:
            async with lab.client() as client:
                name, bundle = lab.bundle("sh", "-c", "seq 1 20000; echo end")
                log = {"driver": "json-file", "path": str(disk / "log"), "max_size": 0, "max_file": 1}
                io = {"tty": False, "stdin": False, "stdin_once": False, "log": log}
                await client.call("create", container=name, bundle=bundle, io=io)
                stream = await client.attach(name)
                await client.call("start", container=name)
                assert (await stream.read_all()).endswith(b"20000\nend\n")
                assert (await client.exit(name))["exit_code"] == 0
                await client.call("forget", container=name)

        asyncio.run(body())
        assert _parsed((disk / "log").read_bytes())[0] == "1\n"
        assert "records are lost" in lab.errors.read_text()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_short_write_is_cut_back_to_the_last_whole_record(tmp_path: Path) -> None:
    log = JsonLog(str(tmp_path / "log"), 0, 1)
    log.write("stdout", b"first\n")
    size = log.size
    os.write(log._fd, b'{"log":"hal')
    log._cut_back(0, OSError(28, "No space left on device"))
    log.write("stdout", b"second\n")
    log.close()
    assert (log.lost, size) == (1, len((tmp_path / "log").read_bytes().splitlines(keepends=True)[0]))
    assert _parsed((tmp_path / "log").read_bytes()) == ["first\n", "second\n"]
