"""Blobs on their way: each a file that grows, is read while it grows, and is whole once its digest is right.

``STORE/downloads/HEX`` outlives the pull that was cut off, and the engine that was killed: the next one goes on where
it ended, by a range request. Two pulls that need one blob share it. What is whole goes into the content store by
rename; what nobody came back for goes with ``image prune``, or after a day.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from containerlab.errors import RegistryError
from containerlab.images.files import no_room
from containerlab.images.registry.client import Repository, patiently
from containerlab.images.registry.stop import Stop
from containerlab.images.registry.transport import Response, Unreachable

__all__ = ["Download", "Downloads"]

_CHUNK = 1 << 18
_DAY = 86400.0
_CUTS = 5
_PROGRESS = 1 << 20  # bytes between two cuts that make the second one count as the first
_WAIT_SECONDS = 0.5


class Download:
    """One blob: ``size`` bytes of it have been written to ``path``; ``whole`` once they are verified."""

    def __init__(self, path: Path, digest: str, total: int) -> None:
        self.path, self.digest, self.total = path, digest, total
        self.size = 0
        self.whole = False
        self.users = 0
        self._turn = threading.Lock()
        self._grown = threading.Condition()
        self._file = open(path, "a+b", buffering=0)
        self._hash = hashlib.sha256()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def fetch(self, repository: Repository, told: Callable[[int], None]) -> None:
        """Download what is missing, after whoever does so already; ``told`` hears the bytes so far.

        Raises ``RegistryError`` for a blob that is larger than it should be, or another one, and for a connection
        that breaks again and again.
        """
        stop = repository.stop
        while not self._turn.acquire(timeout=_WAIT_SECONDS):
            stop.check()
            told(self.size)
        try:
            if not self.whole:
                self._take_up(stop)
                self._complete(repository, told)
                self._verify()
            told(self.size)
        finally:
            self._turn.release()
            with self._grown:
                self._grown.notify_all()  # a reader asks its own pull then whether more will come

    def _take_up(self, stop: Stop) -> None:
        """Hash what an earlier pull left; more than there should be is of no use."""
        found = os.fstat(self._file.fileno()).st_size
        if found > self.total:
            os.ftruncate(self._file.fileno(), 0)
            found = 0
        if self.size == found:
            return
        self._hash, size = hashlib.sha256(), 0
        while data := os.pread(self._file.fileno(), _CHUNK, size):
            stop.check()
            self._hash.update(data)
            size += len(data)
        self._grow(size)

    def _complete(self, repository: Repository, told: Callable[[int], None]) -> None:
        cuts = 0
        while self.size < self.total:
            before = self.size
            response, begins = patiently(repository.stop, lambda: repository.blob(self.digest, self.size))
            try:
                with response:
                    self._append(response, begins, repository.stop, told)
                    if self.size < self.total:
                        raise Unreachable("the registry ended its answer early", transient=True)
            except Unreachable as error:
                repository.stop.check()
                cuts = 1 if self.size - before >= _PROGRESS else cuts + 1
                if cuts > _CUTS:
                    raise RegistryError(f"{self.digest} can't be downloaded: {error.message}") from error
                repository.stop.wait(0.1 * cuts)

    def _append(self, response: Response, begins: int, stop: Stop, told: Callable[[int], None]) -> None:
        buffer = memoryview(bytearray(_CHUNK))
        skip = self.size - begins
        while count := response.readinto(buffer):
            stop.check()
            data = buffer[:count]
            if skip:  # a server that knows no ranges began from the front
                data, skip = data[skip:], max(0, skip - count)
                if not data:
                    continue
            if self.size + len(data) > self.total:
                raise RegistryError(f"{self.digest} is larger than the {self.total} bytes that its manifest says")
            with no_room("a download"):
                self._file.write(data)
            self._hash.update(data)
            self._grow(self.size + len(data))
            told(self.size)

    def _verify(self) -> None:
        found = "sha256:" + self._hash.hexdigest()
        if found != self.digest:
            # Nothing of it can be trusted; a reader that waits for the end learns it from its own pull.
            os.ftruncate(self._file.fileno(), 0)
            self._hash, self.size = hashlib.sha256(), 0
            raise RegistryError(f"filesystem layer verification failed for digest {self.digest}: it holds {found}")
        with self._grown:
            self.whole = True
            self._grown.notify_all()

    def _grow(self, size: int) -> None:
        with self._grown:
            self.size = size
            self._grown.notify_all()

    def pread(self, count: int, position: int) -> bytes:
        """Bytes that ``wait_for`` said are there, wherever the file was renamed to meanwhile."""
        return os.pread(self._file.fileno(), count, position)

    def reader(self, failed: Callable[[], None]) -> Reader:
        """Reads from the front, waiting for what is still to come; ``failed`` raises when it won't come."""
        return Reader(self, failed)

    def wait_for(self, position: int, failed: Callable[[], None]) -> int:
        """Bytes that can be read from ``position`` on; 0 at the end of the whole, verified blob."""
        with self._grown:
            # The last byte is given out with the whole blob only: no reader sees the end of one that is wrong.
            while not self.whole and self.size - position <= 1:
                failed()
                self._grown.wait(_WAIT_SECONDS)
            return self.size - position - (0 if self.whole else 1)


class Reader:
    """A ``ByteSource`` of a download; ``position`` is what was read of it."""

    def __init__(self, download: Download, failed: Callable[[], None]) -> None:
        self._download, self._failed = download, failed
        self.position = 0

    def read(self, size: int = -1, /) -> bytes:
        there = self._download.wait_for(self.position, self._failed)
        data = self._download.pread(min(size, there) if size >= 0 else there, self.position)
        self.position += len(data)
        return data


class Downloads:
    """The folder, and the downloads that are under way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._live: dict[str, Download] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sweep(_DAY)

    @contextlib.contextmanager
    def using(self, digest: str, total: int) -> Iterator[Download]:
        """The blob ``digest`` of ``total`` bytes, shared with every other pull that uses it."""
        with self._lock:
            download = self._live.get(digest)
            if download is not None and download.total != total:
                raise RegistryError(f"two manifests give {digest} sizes of {total} and {download.total} bytes")
            if download is None:
                download = self._live[digest] = Download(self._folder / digest.removeprefix("sha256:"), digest, total)
            download.users += 1
        try:
            yield download
        finally:
            with self._lock:
                download.users -= 1
                if not download.users:
                    del self._live[digest]
                    download.close()

    def sweep(self, seconds: float = 0.0) -> int:
        """Remove what no pull uses and was last written to so long ago; gives its bytes."""
        freed = 0
        with self._lock:
            for path in self._folder.iterdir():
                status = path.lstat()
                if "sha256:" + path.name not in self._live and time.time() - status.st_mtime >= seconds:
                    path.unlink()
                    freed += status.st_size
        return freed
