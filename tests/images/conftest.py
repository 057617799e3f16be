"""What the tests of images share: archives written entry by entry, a root to unpack into, and a canary beside it."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerlab.database import Database
from containerlab.images import ImageStore


class Archive:
    """A tar under construction. Python's own ``tarfile`` writes it, so that our reader meets another's writer."""

    def __init__(self) -> None:
        self.data = b""

    def add(
        self, kind: bytes, name: str, payload: bytes = b"", pax: dict[str, str] | None = None, **fields: object
    ) -> Archive:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mode, info.mtime = kind, len(payload), 0o644, 1_600_000_000
        info.uid, info.gid = os.getuid(), os.getgid()
        for key, value in fields.items():
            setattr(info, key, value)
        info.pax_headers = pax or {}
        header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        return self.raw(header + payload + bytes(-len(payload) % 512))

    def raw(self, data: bytes) -> Archive:
        self.data += data
        return self

    def dir(self, name: str, mode: int = 0o755, **fields: object) -> Archive:
        return self.add(tarfile.DIRTYPE, name, mode=mode, **fields)

    def file(self, name: str, data: bytes = b"", mode: int = 0o644, **fields: object) -> Archive:
        return self.add(tarfile.REGTYPE, name, data, mode=mode, **fields)

    def symlink(self, target: str, name: str) -> Archive:
        return self.add(tarfile.SYMTYPE, name, linkname=target, mode=0o777)

    def link(self, target: str, name: str) -> Archive:
        return self.add(tarfile.LNKTYPE, name, linkname=target)

    def device(self, name: str, major: int, minor: int, kind: bytes = tarfile.CHRTYPE) -> Archive:
        return self.add(kind, name, devmajor=major, devminor=minor)

    def bytes(self) -> bytes:
        return self.data + bytes(1024)

    def stream(self) -> io.BytesIO:
        return io.BytesIO(self.bytes())


def full_state(top: Path) -> str:
    """A digest of everything that can be known of a tree: names, modes, owners, times, links, attributes, content."""
    state = hashlib.sha256()
    for path in sorted([top, *top.rglob("*")]):
        status = path.lstat()
        state.update(f"{path} {status.st_mode} {status.st_uid} {status.st_gid} {status.st_mtime_ns} ".encode())
        state.update(
            f"{status.st_ino} {status.st_nlink} {status.st_size} {os.listxattr(path, follow_symlinks=False)}".encode()
        )
        if path.is_symlink():
            state.update(os.fsencode(path.readlink()))
        elif path.is_file():
            state.update(path.read_bytes())
    return state.hexdigest()


@pytest.fixture
def archive() -> Archive:
    return Archive()


@pytest.fixture
def new_archive() -> type[Archive]:
    return Archive


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The directory to unpack into; ``canary`` lies beside it."""
    path = tmp_path / "root"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def root_fd(root: Path) -> Iterator[int]:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A tree outside of every root; the test fails when anything about it changed, also the number of its links."""
    top = tmp_path / "canary"
    (top / "etc").mkdir(parents=True)
    (top / "etc/passwd").write_text("outside")
    (top / "perm400").write_text("secret")
    (top / "perm400").chmod(0o400)
    (top / "link").symlink_to("etc/passwd")
    os.mkfifo(top / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    here = os.open(top, os.O_PATH)
    listener.bind(f"/proc/self/fd/{here}/socket")  # its own path may be too long for a socket
    os.close(here)
    before = full_state(top)
    yield top
    listener.close()
    assert full_state(top) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"canary", "root"}


@pytest.fixture
def open_files() -> Iterator[None]:
    """The test fails when it leaves a descriptor open."""
    gc.collect()  # what an earlier test left must not close in the middle of this one
    before = list(Path("/proc/self/fd").iterdir())
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def store(store_folder: Path) -> Iterator[ImageStore]:
    database = Database(store_folder / "db.sqlite")
    yield ImageStore(database, store_folder)
    database.close()
