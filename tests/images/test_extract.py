"""What an archive becomes on the disk, ordinary archives and odd ones that real tools make."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard

from containerlab.errors import BadArchive
from containerlab.images import extract
from containerlab.images.attributes import squashed_owner

pytestmark = pytest.mark.usefixtures("canary", "open_files")


def test_modes_times_and_content_are_the_archives(root: Path, root_fd: int, archive) -> None:
    archive.dir("d", 0o751, mtime=1_500_000_000).file("d/f", b"text", 0o640, mtime=1_400_000_000).symlink("f", "d/l")
    done = extract(archive.stream(), root_fd)
    assert (root / "d/f").read_text() == "text"
    assert stat.S_IMODE((root / "d/f").stat().st_mode) == 0o640
    assert (root / "d/f").stat().st_mtime == 1_400_000_000
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o751
    assert (root / "d").stat().st_mtime == 1_500_000_000
    assert (root / "d/l").readlink() == Path("f")
    assert (done.entries, done.size, done.notes) == (3, 4, [])
    assert done.diff_id == "sha256:" + hashlib.sha256(archive.bytes()).hexdigest()


def test_directory_without_write_permission_is_filled(root: Path, root_fd: int, archive) -> None:
    archive.dir("d", 0o555).file("d/f", b"x")
    extract(archive.stream(), root_fd)
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o555
    assert (root / "d/f").read_text() == "x"
    (root / "d").chmod(0o755)


def test_set_user_id_survives_the_change_of_owner(root: Path, root_fd: int, archive) -> None:
    extract(archive.file("su", b"x", 0o4755).stream(), root_fd)
    assert stat.S_IMODE((root / "su").stat().st_mode) == 0o4755


@pytest.mark.root
def test_owners_are_kept_and_can_be_squashed(root: Path, root_fd: int, new_archive) -> None:
    extract(new_archive().file("kept", b"", uid=1234, gid=70000).stream(), root_fd)
    extract(new_archive().file("squashed", b"", uid=1234, gid=70000).stream(), root_fd, owner=(5, 6))
    assert ((root / "kept").stat().st_uid, (root / "kept").stat().st_gid) == (1234, 70000)
    assert ((root / "squashed").stat().st_uid, (root / "squashed").stat().st_gid) == (5, 6)


def test_nanoseconds_come_from_pax(root: Path, root_fd: int, archive) -> None:
    archive.add(tarfile.REGTYPE, "f", pax={"mtime": "1600000000.123456789"})
    extract(archive.stream(), root_fd)
    assert (root / "f").stat().st_mtime_ns == 1_600_000_000_123_456_789


def test_umask_applies_when_asked_for(root: Path, root_fd: int, archive) -> None:
    extract(archive.file("f", b"", 0o777).dir("d", 0o777).stream(), root_fd, umask=0o022)
    assert stat.S_IMODE((root / "f").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o755


def test_into_follows_links_within_the_root(root: Path, root_fd: int, archive, canary: Path) -> None:
    (root / "run").mkdir()
    (root / "var").symlink_to(f"../../../../..{canary}")
    (root / "srv").symlink_to("/run")
    extract(archive.file("f", b"x").link("/f", "g").stream(), root_fd, into=b"srv/deep/er")
    assert (root / "run/deep/er/f").read_text() == "x"
    assert (root / "run/deep/er/g").stat().st_nlink == 2
    extract(archive.stream(), root_fd, into=b"/var")
    assert root.joinpath(*canary.parts[1:], "f").read_text() == "x"


def test_directories_reached_through_a_link_get_their_modes_and_times(root: Path, root_fd: int, archive) -> None:
    (root / "run").mkdir()
    (root / "srv").symlink_to("/run")
    archive.dir("./", 0o711, mtime=7).dir("d", 0o555, mtime=5).file("d/f", b"x")
    extract(archive.stream(), root_fd, into=b"srv")
    assert [stat.S_IMODE((root / name).stat().st_mode) for name in ("run", "run/d")] == [0o711, 0o555]
    assert [(root / name).stat().st_mtime for name in ("run", "run/d")] == [7, 5]
    (root / "run/d").chmod(0o755)


def test_whiteout_names_are_ordinary_where_they_mean_nothing(root: Path, root_fd: int, archive) -> None:
    extract(archive.file(".wh.x", b"1").file(".wh..wh..opq", b"2").stream(), root_fd)
    assert (root / ".wh.x").read_text() == "1"
    assert (root / ".wh..wh..opq").read_text() == "2"


@pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        zstandard.ZstdCompressor().compress,
        lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
        lambda data: lzma.compress(data[:700]) + bytes(4) + lzma.compress(data[700:]),
        lambda data: bz2.compress(data[:700]) + bz2.compress(data[700:]),
        lambda data: zstandard.compress(data[:700]) + zstandard.compress(data[700:]),
    ],
    ids=["none", "gzip", "bzip2", "xz", "zstd", "gzip members", "xz streams", "bzip2 streams", "zstd frames"],
)
def test_any_compression(compress, root: Path, root_fd: int, archive) -> None:
    content = os.urandom(3_000_000)
    archive.file("f", content)
    done = extract(io.BytesIO(compress(archive.bytes())), root_fd)
    assert (root / "f").read_bytes() == content
    assert done.diff_id == "sha256:" + hashlib.sha256(archive.bytes()).hexdigest()


CHECKED_ZSTD = zstandard.ZstdCompressor(write_checksum=True).compress


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, CHECKED_ZSTD])
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_compression_is_an_error(compress, damage: str, root_fd: int, archive) -> None:
    packed = bytearray(compress(archive.file("f", os.urandom(100_000)).bytes()))
    if damage == "cut":
        del packed[-5000:]
    else:
        packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    with pytest.raises(BadArchive):
        extract(io.BytesIO(bytes(packed)), root_fd)


def test_one_byte_at_a_time(root: Path, root_fd: int, archive) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(1)

    extract(Slow(gzip.compress(archive.file("f", b"slow").bytes())), root_fd)
    assert (root / "f").read_text() == "slow"


def test_no_bytes_at_all_is_an_empty_archive(root_fd: int) -> None:
    assert extract(io.BytesIO(b""), root_fd).entries == 0


@pytest.mark.root
def test_devices_and_fifos(root: Path, root_fd: int, archive) -> None:
    archive.device("null", 1, 3).device("sda", 8, 0, tarfile.BLKTYPE).add(tarfile.FIFOTYPE, "pipe", mode=0o622)
    extract(archive.stream(), root_fd)
    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISBLK((root / "sda").stat().st_mode)
    assert stat.S_IMODE((root / "pipe").stat().st_mode) == 0o622


@pytest.mark.root
def test_file_capabilities_are_kept(root: Path, root_fd: int, archive) -> None:
    capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    archive.add(tarfile.REGTYPE, "ping", pax={"SCHILY.xattr.security.capability": capability.decode("latin-1")})
    extract(archive.stream(), root_fd)
    assert os.getxattr(root / "ping", "security.capability") == capability


# -- legitimate, though odd ------------------------------------------------------------------------


def test_file_through_an_absolute_link_whose_target_comes_later(root: Path, root_fd: int, archive) -> None:
    extract(archive.dir("var").symlink("/run", "var/run").file("var/run/x", b"1").dir("run").stream(), root_fd)
    assert (root / "run/x").read_text() == "1"
    assert (root / "var/run").is_symlink()


def test_directory_replaces_a_symlink(root: Path, root_fd: int, archive, canary: Path) -> None:
    archive.symlink(str(canary), "d").dir("d").file("d/f", b"1")
    extract(archive.stream(), root_fd)
    assert not (root / "d").is_symlink()
    assert (root / "d/f").read_text() == "1"


def test_same_path_twice_the_last_wins(root: Path, root_fd: int, archive) -> None:
    archive.file("f", b"first").file("f", b"second").dir("g").file("g/x").file("g", b"now a file")
    extract(archive.stream(), root_fd)
    assert (root / "f").read_text() == "second"
    assert (root / "g").read_text() == "now a file"


def test_second_copy_of_a_hard_linked_file_leaves_the_first_alone(root: Path, root_fd: int, archive) -> None:
    extract(archive.file("a", b"one").link("a", "b").file("b", b"two").stream(), root_fd)
    assert (root / "a").read_text() == "one"
    assert (root / "b").read_text() == "two"


def test_hard_link_onto_itself(root: Path, root_fd: int, archive) -> None:
    extract(archive.file("a", b"one").link("a", "a").link("./a", "b").link("a", "b").stream(), root_fd)
    assert (root / "b").read_text() == "one"


def test_parents_out_of_order_get_their_own_attributes(root: Path, root_fd: int, archive) -> None:
    extract(archive.file("a/b/c", b"x").dir("a/b", 0o700, mtime=5).dir("a", 0o711, mtime=6).stream(), root_fd)
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o711
    assert ((root / "a").stat().st_mtime, (root / "a/b").stat().st_mtime) == (6, 5)


def test_names_with_dots_and_slashes(root: Path, root_fd: int, archive) -> None:
    archive.dir("./").file("./a", b"1").file("/b", b"2").file("x/../c", b"3").file("d//e/./f", b"4").dir("g/")
    extract(archive.stream(), root_fd)
    assert sorted(path.name for path in root.iterdir()) == ["a", "b", "c", "d", "g"]
    assert (root / "d/e/f").read_text() == "4"


def test_top_directorys_mode_is_the_archives(root: Path, root_fd: int, archive) -> None:
    extract(archive.dir("./", 0o711).stream(), root_fd)
    assert stat.S_IMODE(root.stat().st_mode) == 0o711


def test_long_and_non_ascii_names(root: Path, root_fd: int, archive) -> None:
    long = "/".join(["d" * 200] * 5)
    archive.file(f"{long}/ü", b"1").file("h\udcff", b"2").symlink("t" * 300, "l")
    extract(archive.stream(), root_fd)
    assert (root / long / "ü").read_text() == "1"
    assert Path(os.fsencode(root).decode() + "/h\udcff").read_text() == "2"
    assert len(str((root / "l").readlink())) == 300


def test_gnu_long_names(root: Path, root_fd: int) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("n" * 150)
        info.type, info.linkname = tarfile.SYMTYPE, "t" * 150
        tar.addfile(info)
    extract(io.BytesIO(stream.getvalue()), root_fd)
    assert (root / ("n" * 150)).readlink() == Path("t" * 150)


def test_old_style_directory_and_missing_last_padding(root: Path, root_fd: int, archive) -> None:
    archive.add(tarfile.AREGTYPE, "old/").file("f", b"12345")
    extract(io.BytesIO(archive.data[:-507]), root_fd)
    assert (root / "old").is_dir()
    assert (root / "f").read_text() == "12345"


def test_attributes_this_file_system_refuses_are_noted(root: Path, root_fd: int, archive) -> None:
    archive.add(tarfile.REGTYPE, "f", b"x", pax={"SCHILY.xattr.security.selinux": "label"})
    assert "security.selinux" in extract(archive.stream(), root_fd).notes[0]


def test_squashing_depends_on_the_ids_that_are_mapped() -> None:
    if os.geteuid() == 0:
        mapped = sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines())
        assert (squashed_owner() is None) == (mapped >= 65536)
    else:
        assert squashed_owner() == (os.geteuid(), os.getegid())
