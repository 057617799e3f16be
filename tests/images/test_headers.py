"""Tar headers that lie, and bytes that are no tar at all: a clear refusal, soon, and nothing else."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerlab.errors import BadArchive
from containerlab.images import Limits, extract
from containerlab.images.compression import decompressed
from containerlab.images.headers import Entry, TarReader

SMALL = Limits(entries=100, total=1 << 20, path=200, pax=4096, xattr=1000)


def read(data: bytes, limits: Limits = SMALL) -> list[Entry]:
    reader = TarReader(decompressed(io.BytesIO(data), limits), limits)
    entries = []
    for entry in reader:
        for _ in reader.payload():
            pass
        entries.append(entry)
    return entries


def header(**fields: object) -> bytearray:
    info = tarfile.TarInfo("f")
    for name, value in fields.items():
        setattr(info, name, value)
    return bytearray(info.tobuf(tarfile.GNU_FORMAT))


def resealed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records: bytes, size: int | None = None) -> bytes:
    block = header(type=b"x", size=len(records) if size is None else size)
    return resealed(block) + records + bytes(-len(records) % 512) + resealed(header())


@pytest.mark.parametrize(
    "records",
    [
        b"0 path=x\n",  # CVE-2019-20907: a length of zero never moved on
        b"00000000000000000000 path=x\n",
        b"4 =x\n",
        b"5 a=\n1",
        b"-5 a=b\n",
        b"99 path=x\n",
        b"9 path=xy",
        b"path=x\n",
        b"1" * 400,
        b"9 path:xy\n",
        b"10 size=-1\n",
        b"12 size=9.5\n",
        b"11 mtime=x\n",
        b"19 uid=99999999999\n",
        b"30 mtime=9999999999999999999\n",
    ],
)
def test_damaged_pax_header(records: bytes) -> None:
    with pytest.raises(BadArchive):
        read(pax(records))


@pytest.mark.parametrize(
    "value", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-0000000001\0", b"99999999999\0", b"0x000000010\0"]
)
def test_size_that_is_negative_or_no_number(value: bytes) -> None:
    """CVE-2025-8194: a negative size led the parser back to where it had been."""
    block = header()
    block[124:136] = value
    with pytest.raises(BadArchive):
        read(resealed(block))


def test_size_that_isnt_there() -> None:
    with pytest.raises(BadArchive, match="cut off"):
        read(resealed(header(size=2000)) + bytes(512) + b"x")


def test_size_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadArchive, match="claims"):
        read(resealed(header(size=1 << 40)))


@pytest.mark.parametrize("cut", [1, 100, 511, 513, 700])
def test_cut_off_anywhere(cut: int) -> None:
    whole = resealed(header(size=600)) + bytes(600)
    with pytest.raises(BadArchive):
        read(whole[:cut])


def test_wrong_checksum() -> None:
    block = header()
    block[0:1] = b"g"
    with pytest.raises(BadArchive, match="checksum"):
        read(bytes(block))


def test_signed_checksum_of_early_writers() -> None:
    block = header(name="ü")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in block)
    assert read(bytes(block))[0].name == "ü".encode()


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_extended_header_beyond_the_limit(kind: bytes) -> None:
    with pytest.raises(BadArchive, match="extended header"):
        read(resealed(header(type=kind, size=1 << 30)))


def test_global_pax_header_is_passed_over() -> None:
    records = b"14 path=other\n"
    data = resealed(header(type=b"g", size=len(records))) + records.ljust(512, b"\0") + resealed(header())
    assert [entry.name for entry in read(data)] == [b"f"]


@pytest.mark.parametrize("kind", [b"S", b"V", b"M", b"D", b"s", b"Z"])
def test_types_that_cant_be_unpacked(kind: bytes) -> None:
    block = header()
    block[156:157] = kind
    with pytest.raises(BadArchive, match="type"):
        read(resealed(block))


def test_sparse_file_of_pax_is_refused_not_garbled() -> None:
    with pytest.raises(BadArchive, match="sparse"):
        read(pax(b"22 GNU.sparse.major=1\n"))


def test_too_many_entries() -> None:
    with pytest.raises(BadArchive, match="entries"):
        read(resealed(header()) * 101)


def test_attributes_beyond_the_limit() -> None:
    body = b" SCHILY.xattr.user.x=" + b"v" * 1500 + b"\n"
    with pytest.raises(BadArchive, match="attributes"):
        read(pax(b"%d" % (len(body) + 4) + body))


def test_large_numbers_in_base_256() -> None:
    entry = read(resealed(header(uid=3_000_000_000, mtime=-5)))[0]
    assert (entry.uid, entry.mtime_ns) == (3_000_000_000, -5 * 10**9)


def test_payload_that_nobody_read_is_skipped() -> None:
    data = resealed(header(size=5)) + b"12345".ljust(512, b"\0") + resealed(header(name="g"))
    reader = TarReader(decompressed(io.BytesIO(data), SMALL), SMALL)
    assert [entry.name for entry in reader] == [b"f", b"g"]


@settings(max_examples=300, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=3000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except BadArchive:
        pass


@settings(max_examples=300, deadline=1000)
@given(st.lists(st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=12)), max_size=6), st.booleans())
def test_any_damage_to_a_header_is_read_or_refused(damage: list[tuple[int, bytes]], seal: bool) -> None:
    block = header(size=10)
    for position, value in damage:
        block[position : position + len(value)] = value
    block = block[:512]
    try:
        read((resealed(block) if seal else bytes(block)) + bytes(1024))
    except BadArchive:
        pass


KINDS = st.sampled_from(["file", "dir", "symlink", "link"])
NAMES = st.sampled_from(
    [
        "a",
        "a/b",
        "../x",
        "/",
        ".",
        "",
        "a/../b",
        "l",
        "l/etc/passwd",
        ".wh.a",
        ".wh..wh..opq",
        "l/.wh.perm400",
        "CANARY",
        "CLIMB",
    ]
)


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(st.tuples(KINDS, NAMES, NAMES), max_size=8), whiteouts=st.booleans())
def test_any_mix_of_entries_leaves_the_canary_alone(entries, whiteouts: bool, canary: Path, new_archive) -> None:
    outside = {"CANARY": str(canary), "CLIMB": "../" * 20 + str(canary)[1:]}
    archive = new_archive()
    for kind, name, target in entries:
        target = outside.get(target, target)
        if kind in ("file", "dir"):
            getattr(archive, kind)(name)
        else:
            getattr(archive, kind)(target, name)
    with tempfile.TemporaryDirectory() as root:
        fd = os.open(root, os.O_RDONLY)
        try:
            extract(archive.stream(), fd, whiteouts=whiteouts)
        except BadArchive:
            pass
        finally:
            os.close(fd)
