"""The parts of the virtual machine backend that need no boot."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from containerlab.runtime.vm import guest, kernel, lz4, probe
from containerlab.runtime.vm.cpio import Archive
from containerlab.runtime.vm.tsc import tsc_khz


def legacy_frame(*blocks: bytes) -> bytes:
    return lz4.MAGIC + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


def test_lz4_literals_and_matches() -> None:
    # "abc", then 9 bytes from 3 back, then the literal "!"
    block = bytes([0x35]) + b"abc" + struct.pack("<H", 3) + bytes([0x10]) + b"!"
    assert lz4.unpack_legacy(legacy_frame(block), 100) == b"abc" * 4 + b"!"


def test_lz4_long_lengths_and_several_blocks() -> None:
    first = bytes([0xF0, 255, 30]) + b"x" * 300
    second = bytes([0x1F]) + b"y" + struct.pack("<H", 1) + bytes([255, 200]) + bytes([0x10]) + b"z"
    expected = b"x" * 300 + b"y" * (1 + 15 + 255 + 200 + 4) + b"z"
    assert lz4.unpack_legacy(legacy_frame(first, second), 1000) == expected


@pytest.mark.parametrize(
    "block",
    [b"", b"\x40ab", b"\x10a\x05\x00\x00", b"\x10a\x00\x00\x00", b"\x10a\x01", b"\xf0\xff\xff"],
    ids=["empty", "short literals", "before the start", "distance 0", "cut distance", "cut length"],
)
def test_lz4_damage_is_an_error(block: bytes) -> None:
    with pytest.raises(ValueError, match="LZ4"):
        lz4.unpack_legacy(legacy_frame(block or b"\xf0"), 1000)


def test_lz4_unpacks_no_more_than_it_may() -> None:
    block = bytes([0x1F]) + b"y" + struct.pack("<H", 1) + bytes([255] * 1000 + [0]) + bytes([0x10]) + b"z"
    with pytest.raises(ValueError, match="more than"):
        lz4.unpack_legacy(legacy_frame(block), 1000)


@pytest.mark.parametrize("level", ["-1", "-9"])
def test_lz4_reads_what_the_lz4_program_writes(level: str, tmp_path: Path) -> None:
    content = Path(sys.executable).read_bytes()[:3_000_000] + bytes(100_000) + os.urandom(50_000)
    try:
        packed = subprocess.run(["lz4", "-l", level, "-c"], input=content, capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("no lz4 program")
    assert lz4.unpack_legacy(packed, 10_000_000) == content


def test_cpio_is_read_by_another_program() -> None:
    archive = Archive()
    archive.directory("d")
    archive.file("d/file", b"12345", 0o755)
    archive.file("d/empty", b"")
    archive.symlink("d/link", "file")
    archive.character_device("console", 5, 1)
    try:
        shown = subprocess.run(["cpio", "-tv"], input=archive.finish(), capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("no cpio program")
    lines = [line.split() for line in shown.stdout.decode().splitlines()]
    assert [line[-1] for line in lines] == ["d", "d/file", "d/empty", "file", "console"]
    assert [line[0] for line in lines] == ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx", "crw-------"]


def fake_kernel(tmp_path: Path, release: str = "6.1-cloud", suffix: str = ".ko") -> kernel.Kernel:
    boot, modules = tmp_path / "boot", tmp_path / "lib/modules"
    boot.mkdir(parents=True, exist_ok=True)
    (boot / f"vmlinuz-{release}").write_bytes(b"image")
    for name in kernel.MODULES:
        path = modules / release / "kernel" / (name + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"module")
    return kernel.Kernel(release, boot / f"vmlinuz-{release}", modules / release)


def test_a_modules_signature_is_left_off(tmp_path: Path) -> None:
    found = fake_kernel(tmp_path)
    path = found.modules / "kernel" / (kernel.MODULES[0] + ".ko")
    path.write_bytes(b"code" + b"S" * 20 + bytes(8) + struct.pack(">I", 20) + b"~Module signature appended~\n")
    assert found.module(kernel.MODULES[0]) == b"code"
    assert found.module(kernel.MODULES[1]) == b"module"
    assert found.module("drivers/none") is None


def test_an_image_of_unknown_packing_is_booted_as_it_is(tmp_path: Path) -> None:
    found = fake_kernel(tmp_path)
    assert found.bootable(tmp_path / "cache") == found.image


@pytest.mark.parametrize(
    "text", ["plain", "two words", "quote ' and \"", "$HOME `id` \\", "@ENV@ @ARGS@", "new\nline", "é"]
)
def test_no_argument_is_read_as_shell(text: str, tmp_path: Path) -> None:
    """The generated script, run by a real shell, hands over exactly the words it was given."""
    script = guest._command_script({"args": ["printf", "%s|", text, text], "env": [f"A={text}"], "cwd": str(tmp_path)})
    (tmp_path / "user").write_text("uid=0 gid=0 home=/\n")
    (tmp_path / "b").write_text('#!/bin/sh\nshift 2\nexec env -i PATH=/bin:/usr/bin "$@"\n')
    (tmp_path / "b").chmod(0o755)
    script = script.replace("/dev/.containerlab/user", f"{tmp_path}/user")
    script = script.replace("b=/dev/.containerlab/busybox", f"b={tmp_path}/b")
    shown = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert shown.stdout.decode() == f"{text}|{text}|"


def test_a_process_without_arguments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no arguments"):
        guest.initramfs(fake_kernel(tmp_path), b"", {"process": {"args": []}}, {})


def test_the_accelerators_proof_is_kept_until_the_next_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(probe.os, "access", lambda *_: True)
    monkeypatch.setattr(probe, "_boots", lambda name, _cache: tried.append(name) or False)
    assert [probe.accel(tmp_path), probe.accel(tmp_path)] == ["tcg", "tcg"]
    assert tried == ["kvm"]
    record = tmp_path / "accel.json"
    record.write_text(json.dumps({"boot_id": "another", "accel": "kvm"}))
    assert probe.accel(tmp_path) == "tcg"
    record.write_text("{")
    assert probe.accel(tmp_path) == "tcg"
    assert tried == ["kvm"] * 3


def test_the_counters_speed_is_measured_the_same_twice() -> None:
    first, second = tsc_khz(), tsc_khz()
    if first is None or second is None:
        pytest.skip("no time stamp counter to read")
    assert abs(first - second) < first * 0.05
    assert 500_000 < first < 10_000_000
