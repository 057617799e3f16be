"""Archives that are small to send and huge to unpack: refused in bounded memory, with nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROLOGUE = """
import gzip, io, os, resource, sys, tarfile
from pathlib import Path
from containerlab.database import Database
from containerlab.errors import ContainerlabError
from containerlab.images import ImageStore, Limits
from containerlab.images.ustar import header

folder = Path(sys.argv[1])
store = ImageStore(Database(folder / "db.sqlite"), folder, limits=Limits(**LIMITS))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

class Parts:
    '''A stream made while it is read.'''
    def __init__(self, parts):
        self.parts, self.left = parts, b""
    def read(self, size=-1):
        while not self.left:
            part = next(self.parts, None)
            if part is None:
                return b""
            self.left = part
        data, self.left = self.left[:size], self.left[size:]
        return data
"""
EPILOGUE = """
try:
    store.layers.unpack(Parts(parts()), None)
    print("unpacked")
except ContainerlabError as error:
    print(type(error).__name__, error.message)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 100 * 1024, f"{grown} KiB of memory more"
assert not list((folder / "tmp").iterdir()) and not store.layers.all() and not store.check()
"""


def unpack(folder: Path, body: str, limits: dict[str, int]) -> str:
    """Run a child that unpacks what ``parts()`` yields; gives what it printed."""
    code = f"LIMITS = {limits!r}\n" + PROLOGUE + textwrap.dedent(body) + EPILOGUE
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ZEROS = """
    def parts():
        import zlib
        packer = zlib.compressobj(9, wbits=31)
        yield packer.compress(header(b"zeros", b"0", size=20 << 30))
        for _ in range(20 << 10):
            yield packer.compress(bytes(1 << 20))
    """


def test_gzip_of_zeros_is_stopped_by_its_ratio(store_folder: Path) -> None:
    said = unpack(store_folder, ZEROS, {"ratio": 200, "ratio_from": 64 << 20})
    assert said == "BadArchive the archive unpacks to more than 200 times its size"


def test_total_size_is_bounded(store_folder: Path) -> None:
    body = """
        def parts():
            for number in range(100):
                yield header(b"f%d" % number, b"0", size=1 << 20) + bytes(1 << 20)
        """
    assert "larger than" in unpack(store_folder, body, {"total": 20 << 20})


def test_size_that_is_only_claimed_asks_the_disk_first(store_folder: Path) -> None:
    body = "def parts(): yield header(b'f', b'0', size=1 << 50)"
    assert unpack(store_folder, body, {"total": 1 << 60}).startswith("StorageFull")


@pytest.mark.parametrize("kind", ["zstd", "xz"])
def test_other_bombs_stay_small_in_memory(kind: str, store_folder: Path) -> None:
    body = f"""
        def parts():
            import lzma, zstandard
            zstd = zstandard.ZstdCompressor(level=1).compressobj()
            packer = zstd if {kind == "zstd"} else lzma.LZMACompressor(preset=0)
            yield packer.compress(header(b"zeros", b"0", size=8 << 30))
            for _ in range(300):
                yield packer.compress(bytes(1 << 20))
            yield packer.flush()
        """
    assert "times its size" in unpack(store_folder, body, {"ratio": 200, "ratio_from": 64 << 20})


def test_zstd_window_beyond_memory_is_refused(store_folder: Path) -> None:
    body = """
        def parts():
            yield bytes.fromhex("28b52ffd00f8") + bytes(64)
        """
    assert unpack(store_folder, body, {}).startswith("BadArchive the archive can't be decompressed")


def test_million_pax_headers_without_an_entry(store_folder: Path) -> None:
    body = """
        def parts():
            record = b"9 path=x\\n"
            block = header(b"p", b"x", size=len(record)) + record.ljust(512, b"\\0")
            for _ in range(100):
                yield block * 1000
        """
    assert unpack(store_folder, body, {}).startswith("BadArchive")


def test_pax_header_of_a_gigabyte(store_folder: Path) -> None:
    body = "def parts(): yield header(b'p', b'x', size=1 << 30); yield from (bytes(1 << 20) for _ in range(1024))"
    assert "extended header" in unpack(store_folder, body, {})


def test_names_deeper_than_any_path(store_folder: Path) -> None:
    body = """
        def parts():
            name = b"d/" * 100_000
            body = b" path=" + name + b"\\n"
            record = b"%d" % (len(body) + 6) + body
            yield header(b"p", b"x", size=len(record)) + record + bytes(-len(record) % 512) + header(b"x", b"5")
        """
    assert "longer than 4096" in unpack(store_folder, body, {})


def test_tree_made_deeper_through_links_can_be_removed(store_folder: Path) -> None:
    body = """
        def parts():
            start = b""
            for letter in b"abcdef":
                for depth in range(0, 1000):
                    yield header(start + b"d/" * depth, b"5")
                yield header(bytes([letter]), b"2", link=start + b"d/" * depth)
                start = bytes([letter]) + b"/"
            yield header(b"../end", b"0")
        """
    assert "outside its root" in unpack(store_folder, body, {})


def test_many_empty_entries_are_counted(store_folder: Path) -> None:
    body = """
        def parts():
            for number in range(100):
                yield b"".join(header(b"d/%d" % (number * 1000 + one), b"0") for one in range(1000))
        """
    assert "more than 20000 entries" in unpack(store_folder, body, {"entries": 20_000})


def test_garbage_behind_the_end_is_bounded(tmp_path: Path) -> None:
    from containerlab.errors import BadArchive
    from containerlab.images import Limits
    from containerlab.images.compression import decompressed
    from containerlab.images.headers import TarReader

    class Endless:
        def read(self, size: int = -1, /) -> bytes:
            return bytes(size)

    with pytest.raises(BadArchive, match="follow the end"):
        TarReader(decompressed(Endless(), Limits()), Limits()).drain(8 << 20)


@pytest.mark.root
def test_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A file system of 8 MB, mounted in a namespace that ends with the child."""
    code = textwrap.dedent(
        """
        import io, os, sys, tempfile
        from pathlib import Path
        from containerlab.images import _syscalls
        _syscalls.unshare(_syscalls.CLONE_NEWNS)
        _syscalls.mount(None, b"/", None, _syscalls.MS_REC | _syscalls.MS_PRIVATE, None)
        _syscalls.mount(b"tmpfs", os.fsencode(sys.argv[1]), b"tmpfs", 0, b"size=8m")
        from containerlab.database import Database
        from containerlab.errors import StorageFull
        from containerlab.images import ImageConfig, ImageStore, Limits, Rootfs
        from containerlab.images.ustar import header
        folder = Path(sys.argv[1])
        store = ImageStore(Database(folder / "db.sqlite"), folder, limits=Limits(free=0))
        small = header(b"small", b"0", size=1 << 20) + os.urandom(1 << 20)
        base = store.layers.unpack(io.BytesIO(small), None)
        image = store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=[base.diff_id])), base.chain_id, "small")
        large = b"".join(header(b"f%d" % n, b"0", size=4096) + os.urandom(4096) for n in range(2000))
        for upto in (len(large) // 2, len(large)):
            try:
                store.layers.unpack(io.BytesIO(large), base.chain_id)
            except StorageFull as error:
                print(error.message)
            assert not list((folder / "tmp").iterdir())
            assert not store.check() and len(store.layers.all()) == 1
        room = os.statvfs(folder)
        filler = open(folder / "filler", "wb", buffering=0)
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
        assert store.remove(image.id) == [base.chain_id]
        assert not (folder / "layers" / base.chain_id[7:]).exists() and not store.check()
        print("removed")
        """
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["no space left on device while unpacking an archive"] * 2 + ["removed"]
    assert not os.path.ismount(tmp_path)
