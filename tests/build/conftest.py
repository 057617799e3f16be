"""A store with one small image and a supervisor of its own, and a way to build in it."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from containerlab.build import Builder, BuildOptions, Context
from containerlab.database import Database
from containerlab.images import ContainerConfig, History, Image, ImageConfig, ImageStore
from containerlab.runtime import syscalls
from containerlab.runtime.client import SupervisorClient
from tests.supervisor import end_supervisor, start_supervisor

T = TypeVar("T")

_APPLETS = (
    "cat chmod chown cp echo env id ln ls mkdir mv pwd readlink rm seq sh sleep stat tail test touch true tr wc yes"
)
_MNT_DETACH = 2

SMALL_STORE = 32 << 20


@dataclass
class Built:
    """What a build said, and what came of it."""

    image: Image | None = None
    error: Exception | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The stream as ``docker build`` shows it."""
        return "".join(message.get("stream", "") for message in self.messages)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Our own records of the steps that ended."""
        records = [message["containerlab"] for message in self.messages if "step" in message.get("containerlab", {})]
        return [record for record in records if record["status"] != "start"]

    @property
    def cached(self) -> list[bool]:
        """For each step that ended, whether it came from the cache."""
        return [record["cached"] for record in self.steps]

    def ok(self) -> Image:
        if self.error is not None:
            raise self.error
        assert self.image is not None
        return self.image


class Site:
    """One store, its supervisor, and a folder to write contexts in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.run_folder = folder / "run"
        self.context = folder / "context"
        for each in (self.store, self.run_folder, self.context):
            each.mkdir(mode=0o700)
        self.database = Database(self.store / "db.sqlite")
        self.images = ImageStore(self.database, self.store)
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start_supervisor(self) -> None:
        self._supervisor = start_supervisor(self.run_folder)

    def add_base(self) -> None:
        """``base:latest``: a static busybox with its applets, /etc/passwd and little more."""
        chain = base_layer(self.images)
        self.images.create(base_config(self.images, chain), chain, "base:latest")

    def close(self) -> None:
        self.database.close()
        if self._supervisor is not None:
            end_supervisor(self._supervisor)

    def children(self) -> list[str]:
        """The processes that the supervisor is the parent of."""
        assert self._supervisor is not None
        pid = self._supervisor.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def write(self, **files: str | bytes) -> None:
        """Files of the context; ``__`` in a name is a slash, ``_dot_`` a dot."""
        for name, content in files.items():
            path = self.context / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    async def connected(self) -> tuple[Builder, SupervisorClient]:
        client = await SupervisorClient.connect(self.run_folder)
        return Builder(self.images, client, self.database, self.store), client

    async def build_async(self, dockerfile: str, **options: Any) -> Built:
        (self.context / "Dockerfile").write_text(dockerfile)
        built = Built()
        builder, client = await self.connected()
        try:
            with Context.from_directory(self.context) as context:
                built.image = await builder.build(context, BuildOptions(**options), built.messages.append)
        except Exception as error:
            built.error = error
        finally:
            client.close()
        return built

    def build(self, dockerfile: str, **options: Any) -> Built:
        """Build ``dockerfile`` in the context as it is now."""
        return run(self.build_async(dockerfile, **options))

    def read(self, image: Image, path: str) -> str:
        """A file of an image."""
        with (
            self.images.layers.mounted(image.chain_id) as root,
            open(os.open(path.lstrip("/"), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=root)) as file,
        ):
            return file.read()

    def stat(self, image: Image, path: str) -> os.stat_result:
        """The status of a file of an image, links not followed."""
        with self.images.layers.mounted(image.chain_id) as root:
            return os.stat(path.lstrip("/") or ".", dir_fd=root, follow_symlinks=False)

    def tree(self, image: Image, path: str) -> list[str]:
        """The names below a directory of an image, directories with a slash."""
        found: list[str] = []
        with self.images.layers.mounted(image.chain_id) as root:
            top = os.open(path.lstrip("/") or ".", os.O_RDONLY, dir_fd=root)
            for folder, directories, files, fd in os.fwalk(".", dir_fd=top):
                found += [f"{folder}/{name}"[2:] + ("" if _is_link(name, fd) else "/") for name in directories]
                found += [f"{folder}/{name}"[2:] for name in files]
            os.close(top)
        return sorted(found)


def _is_link(name: str, fd: int) -> bool:
    return Path(f"/proc/self/fd/{fd}/{name}").is_symlink()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def base_layer(images: ImageStore) -> str:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("bin", "etc", "tmp", "root", "usr"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(info)
        busybox = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
        _add(archive, "bin/busybox", busybox, 0o755)
        for applet in _APPLETS.split():
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(info)
        _add(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nana:x:1000:1001::/home/ana:/bin/sh\n", 0o644)
        _add(archive, "etc/group", b"root:x:0:\nlab:x:2000:ana\n", 0o644)
    out.seek(0)
    return images.layers.unpack(out, None).chain_id


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


def base_config(images: ImageStore, chain: str) -> ImageConfig:
    config = ImageConfig(architecture="amd64", created="2024-01-01T00:00:00Z")
    config.config = ContainerConfig(Env=["PATH=/bin:/usr/bin"], Cmd=["sh"])
    config.rootfs.diff_ids = [images.layers.get(chain).diff_id]
    config.history = [History(created="2024-01-01T00:00:00Z", created_by="base")]
    return config


@pytest.fixture
def site() -> Iterator[Site]:
    """Made on a short path (a socket's has 108 bytes), and removed whatever a build left."""
    folder = Path(tempfile.mkdtemp(prefix="cl-build-", dir="/tmp"))
    try:
        yield from _opened(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def small_site() -> Iterator[Site]:
    """A site whose store is a tmpfs of ``SMALL_STORE`` bytes; its context lies outside it."""
    folder = Path(tempfile.mkdtemp(prefix="cl-build-", dir="/tmp"))
    try:
        (folder / "site").mkdir()
        syscalls.mount("tmpfs", str(folder / "site"), "tmpfs", 0, f"size={SMALL_STORE}")
        try:
            for opened in _opened(folder / "site"):
                opened.context = folder / "context"
                opened.context.mkdir()
                yield opened
        finally:
            syscalls.umount2(str(folder / "site"), _MNT_DETACH)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _opened(folder: Path) -> Iterator[Site]:
    made = Site(folder)
    try:
        made.start_supervisor()
        made.add_base()
        yield made
    finally:
        made.close()
