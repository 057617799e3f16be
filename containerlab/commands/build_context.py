"""What a build sends: a tar of the folder, a Dockerfile alone, or the folder's name where the engine can read it."""

from __future__ import annotations

__all__ = ["CELL_DOCKERFILE", "Sent", "compressed", "ignore_patterns", "is_archive", "send"]

import gzip
import io
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import docker.utils

from containerlab.errors import UsageError

CELL_DOCKERFILE = ".containerlab.Dockerfile"
"""What a Dockerfile that isn't in its context is called there, because the builder wants it in it."""


@dataclass
class Sent:
    """The query parameters that say where the Dockerfile and the context are, and the request's body."""

    params: list[tuple[str, str]]
    archive: IO[bytes] = field(default_factory=io.BytesIO)


def send(folder: Path | None, dockerfile: bytes | None, name: str | None, *, engine_reads_folders: bool) -> Sent:
    """``dockerfile`` is a Dockerfile's text (a cell's), else it is the file ``name``; without ``folder`` it is alone.

    Our own engine reads the folder where it lies; Docker's gets a tar, without what ``.dockerignore`` leaves out.
    Raises UsageError for a folder or a file that isn't there.
    """
    if folder is None:
        inside = name or "Dockerfile"
        return Sent([("dockerfile", inside)], _tar_of_one(inside, dockerfile or b""))
    root = folder.expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"The context {folder} is not a folder.")
    if dockerfile is not None:
        inside = name or CELL_DOCKERFILE
        if engine_reads_folders:
            return _beside(root, inside, dockerfile)
        return _archived(root, inside, dockerfile.decode("utf-8", "replace"))
    path = _find(name, root)
    if not path.is_relative_to(root):
        if engine_reads_folders:
            return _beside(root, path.name, path.read_bytes())
        return _archived(root, CELL_DOCKERFILE, path.read_text(encoding="utf-8", errors="replace"))
    inside = path.relative_to(root).as_posix()
    if engine_reads_folders:
        return Sent([("dockerfile", inside), _directory(root)])
    return _archived(root, inside, None)


def _directory(root: Path) -> tuple[str, str]:
    return "remote", f"containerlab-directory:{root}"


def _beside(root: Path, name: str, dockerfile: bytes) -> Sent:
    """A folder that the engine reads, with a Dockerfile that isn't in it: the request's body."""
    return Sent([("dockerfile", name), _directory(root)], io.BytesIO(dockerfile))


def is_archive(head: bytes) -> bool:
    """Does ``head``, the first 1024 bytes, begin a tar, of any compression?"""
    packed = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
    return head.startswith(packed) or head[257:262] == b"ustar"


def compressed(archive: IO[bytes]) -> IO[bytes]:
    """The same by gzip, for ``--compress``."""
    out = tempfile.TemporaryFile()
    with gzip.GzipFile(fileobj=out, mode="wb") as stream:
        shutil.copyfileobj(archive, stream)
    out.seek(0)
    return out


def ignore_patterns(text: str) -> list[str]:
    """The patterns of a ``.dockerignore``."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _archived(root: Path, name: str, text: str | None) -> Sent:
    """``text`` is put in as the file ``name``, and left out of COPY: docker-py's way with a file from outside."""
    ignored = root / ".dockerignore"
    exclude = ignore_patterns(ignored.read_text(encoding="utf-8", errors="replace")) if ignored.is_file() else []
    archive = docker.utils.tar(str(root), exclude=exclude, dockerfile=(name, text))
    return Sent([("dockerfile", name)], archive)


def _find(name: str | None, root: Path) -> Path:
    """``-f`` is a path of the caller's, or one inside the context. Raises UsageError."""
    path = Path(name).expanduser() if name else root / "Dockerfile"
    if name and not path.is_absolute() and not path.is_file():
        path = root / name
    if not path.is_file():
        raise UsageError(
            f"There is no {path}.", hint="-f names the Dockerfile; without it, it is the context's Dockerfile."
        )
    return path.resolve()


def _tar_of_one(name: str, content: bytes) -> IO[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        entry.mode = 0o644
        archive.addfile(entry, io.BytesIO(content))
    out.seek(0)
    return out
