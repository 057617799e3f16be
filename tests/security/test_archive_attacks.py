"""``docker cp`` against a container that fights back, on an engine of the tests' own.

Each attack is a CVE of another engine or client (moby's advisories of 2018 to 2026). A canary tree lies outside of
every container, and its full state must be the same at the end; so must the engine's descriptors and the host's mounts.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import lzma
import os
import shutil
import signal
import socketserver
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import docker
import pytest
import requests

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import ContainerlabError
from tests.store import Store
from tests.waiting import eventually

pytestmark = pytest.mark.root

IMAGE = "lab/busybox"
RENAME_EXCHANGE = 2
SECRET = "secret of the host"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("attacks") / "store")
    try:
        made.start()
        # The first container on a bridge brings the lab network, a mount and a descriptor that stay.
        warm = docker.DockerClient(base_url=made.host, version="1.43")
        warm.containers.run("lab/busybox", "true", remove=True)
        warm.close()
        yield made
    finally:
        made.end()


@pytest.fixture
def client(store: Store) -> Iterator[docker.DockerClient]:
    """docker-py; the test fails when the engine keeps a descriptor or a visitor, or the host a mount."""
    made = docker.DockerClient(base_url=store.host, version="1.43")
    made.containers.list()
    [engine] = store.pids()
    before = _kept(engine)
    yield made
    for container in made.containers.list(all=True):
        container.remove(force=True)
    assert made.ping()
    made.close()
    # The client's own connections are closed by the engine in its time.
    assert eventually(lambda: _kept(engine) <= before), (_kept(engine), before)
    assert not store.pids("containerlab.engine.visitor")


def _kept(engine: int) -> tuple[int, int, int]:
    """Descriptors that a copy could leave, mounts the engine sees, and mounts the host sees."""
    links = []
    for path in Path(f"/proc/{engine}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            links.append(str(path.readlink()))
    mounts = [len(Path(f"/proc/{who}/mountinfo").read_text().splitlines()) for who in (engine, "self")]
    # Each of the engine's threads opens the database once, and the first log that is followed a watch: they stay.
    lasting = ("socket:", "anon_inode:inotify")
    left = [link for link in links if not link.startswith(lasting) and "/db.sqlite" not in link]
    return len(left), *mounts


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    top = tmp_path / "canary"
    (top / "c").mkdir(parents=True)
    (top / "file").write_text(SECRET)
    (top / "file").chmod(0o640)
    (top / "link").symlink_to("file")
    os.mkfifo(top / "fifo")
    before = _state(top)
    yield top
    assert _state(top) == before


def _state(top: Path) -> str:
    state = hashlib.sha256()
    for path in sorted([top, *top.rglob("*")]):
        status = path.lstat()
        state.update(f"{path} {status.st_mode} {status.st_uid}:{status.st_gid} {status.st_mtime_ns}".encode())
        state.update(
            f"{status.st_ino} {status.st_nlink} {status.st_size} {os.listxattr(path, follow_symlinks=False)}".encode()
        )
        if path.is_file() and not path.is_symlink():
            state.update(path.read_bytes())
    return state.hexdigest()


@contextlib.contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Exchange two names without a pause, as a program in the container can (renameat2(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    over = threading.Event()
    names = os.fsencode(one), os.fsencode(other)

    def swap() -> None:
        while not over.is_set():
            libc.renameat2(-100, names[0], -100, names[1], RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def tar(*entries: tuple[str, bytes, object]) -> bytes:
    """``(name, kind, content or target)``, everything open to everybody."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind, what in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime = kind, 0o777, 1
            if isinstance(what, str):
                entry.linkname = what
            data = what if isinstance(what, bytes) else b""
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def get(container: docker.models.containers.Container, path: str) -> bytes:
    return b"".join(container.get_archive(path)[0])


# The last: what was there when it was looked at has gone while it is sent.
REFUSED = (docker.errors.APIError, docker.errors.NotFound, requests.exceptions.ChunkedEncodingError)


@pytest.mark.parametrize("way", ["absolute", "upwards"])
def test_a_running_container_swaps_a_folder_for_a_link_while_it_is_copied(client, canary, way):
    """CVE-2018-15664."""
    container = client.containers.run(IMAGE, "sleep 1000", detach=True)
    container.exec_run(["mkdir", "-p", "/swap/place"])
    container.exec_run(["sh", "-c", "echo inside > /swap/place/file"])
    container.reload()
    top = Path(f"/proc/{container.attrs['State']['Pid']}/root/swap")
    (top / "evil").symlink_to(canary if way == "absolute" else "../" * 40 + str(canary).lstrip("/"))
    written = tar(("./", tarfile.DIRTYPE, None), ("file", tarfile.REGTYPE, b"written"), ("new", tarfile.REGTYPE, b""))
    read = 0
    with swapping(top / "place", top / "evil"):
        for _ in range(25):
            for path in ("/swap/place/file", "/swap/place/"):
                with contextlib.suppress(*REFUSED):
                    assert SECRET.encode() not in get(container, path)
                    read += 1
            with contextlib.suppress(*REFUSED):
                container.put_archive("/swap/place", written)
    assert read


def test_a_volume_s_place_is_swapped_for_a_link_while_it_is_mounted_for_a_copy(client, canary, tmp_path):
    """CVE-2026-41568 and CVE-2026-42306: two containers share a folder, one of them is looked into."""
    shared = tmp_path / "shared"
    (shared / "b/c").mkdir(parents=True)
    (shared / "evil").symlink_to(canary)
    volumes = [f"{shared}:/a", "/a/b/c", "/a/b/new/file"]
    container = client.containers.create(IMAGE, "true", volumes=volumes)
    mounts = Path("/proc/self/mountinfo").read_text()
    with swapping(shared / "b", shared / "evil"):
        for number in range(25):
            with contextlib.suppress(*REFUSED):
                assert SECRET.encode() not in get(container, "/a/b/c/.")
            with contextlib.suppress(*REFUSED):
                container.put_archive("/a/b/c", tar((f"f{number}", tarfile.REGTYPE, b"x")))
    assert Path("/proc/self/mountinfo").read_text() == mounts


HOSTILE = """
#include <fcntl.h>
__attribute__((constructor)) static void mark(void) { open("%s", O_CREAT | O_WRONLY, 0666); }
"""


def test_nothing_of_the_image_is_loaded_or_run(client, canary, tmp_path):
    """CVE-2019-14271 (libnss), CVE-2026-41567 (xz), and what Python would load in their place."""
    marker = tmp_path / "marker"
    library = tmp_path / "hostile.so"
    source = tmp_path / "hostile.c"
    source.write_text(HOSTILE % marker)
    compiler = shutil.which("gcc") or pytest.skip("needs a C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    program = f"#!/bin/sh\necho ran > {marker}\necho ran > /marker\ncat\n".encode()
    code = f"open({str(marker)!r}, 'w')\n".encode()
    names = ["libnss_files.so.2", "libnss_compat.so.2", "libnss_dns.so.2", "libc.so.6", "gconv/UTF-7.so"]
    libraries = [
        f"{folder}/{name}" for folder in ("lib", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu") for name in names
    ]
    tools = [
        f"{folder}/{name}"
        for folder in ("bin", "usr/bin", "usr/local/bin")
        for name in ("xz", "unxz", "unpigz", "gzip", "zstd", "tar")
    ]
    modules = [f"usr/lib/python3.11/{name}.py" for name in ("encodings/idna", "lzma", "pwd", "sitecustomize")]
    hostile = tar(
        *((name, tarfile.REGTYPE, library.read_bytes()) for name in libraries),
        *((name, tarfile.REGTYPE, program) for name in tools),
        *((name, tarfile.REGTYPE, code) for name in modules),
        ("etc/nsswitch.conf", tarfile.REGTYPE, b"passwd: files compat\ngroup: files\n"),
        ("etc/ld.so.preload", tarfile.REGTYPE, b"/lib/libnss_files.so.2\n"),
    )
    packed = lzma.compress(tar(("unpacked", tarfile.REGTYPE, b"by the engine itself")))
    container = client.containers.create(IMAGE, "sleep 1000", user="nobody")
    container.put_archive("/", hostile)
    for state in ("created", "running"):
        if state == "running":
            container.put_archive("/etc", tar(("ld.so.preload", tarfile.REGTYPE, b"")))
            container.start()
        container.put_archive("/tmp", packed)
        assert b"by the engine itself" in get(container, "/tmp/unpacked")
        api = client.api
        url = api._url("/containers/{0}/archive", container.id)
        api._raise_for_status(api._put(url, params={"path": "/tmp", "copyUIDGID": "true"}, data=packed))
        with pytest.raises(docker.errors.NotFound):
            container.get_archive("/marker")
    assert not marker.exists()


def test_the_process_that_copies_stays_outside_of_the_container(client, store):
    container = client.containers.run(IMAGE, "sleep 1000", detach=True)
    container.put_archive("/tmp", tar(("large", tarfile.REGTYPE, bytes(8 << 20))))
    pieces, _ = container.get_archive("/tmp/large", chunk_size=1024)
    next(pieces)
    visitors = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _is_visitor(path, store)]
    assert visitors
    for pid in visitors:
        assert os.path.samestat(Path(f"/proc/{pid}/root").stat(), Path("/").stat())
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert str(store.folder) not in mapped
    pieces.close()
    assert eventually(lambda: not [pid for pid in visitors if Path(f"/proc/{pid}").exists()])


@pytest.mark.parametrize("state", ["running", "created"])
def test_a_copy_that_hangs_is_killed_when_its_client_leaves_and_holds_up_nothing(client, store, state):
    """As it is with a FUSE file system that never answers; here the kernel's part is played by SIGSTOP."""
    container = client.containers.create(IMAGE, "sleep 1000")
    container.put_archive("/tmp", tar(("large", tarfile.REGTYPE, bytes(8 << 20))))
    if state == "running":
        container.start()
    pieces, _ = container.get_archive("/tmp/large", chunk_size=1024)
    next(pieces)
    [visitor] = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_visitor(path, store)]
    os.kill(visitor, signal.SIGSTOP)
    pieces.close()
    assert eventually(lambda: not Path(f"/proc/{visitor}").exists())
    container.restart(timeout=0)
    assert container.exec_run(["true"]).exit_code == 0


def _is_visitor(path: Path, store: Store) -> bool:
    with contextlib.suppress(OSError):
        words = (path / "cmdline").read_bytes()
        return b"containerlab.engine.visitor" in words and os.fsencode(store.folder) in words
    return False


@pytest.mark.parametrize("state", ["running", "created"])
def test_modes_and_times_are_not_set_through_links(client, canary, state):
    """CVE-2021-41089."""
    container = client.containers.create(IMAGE, "sleep 1000", volumes=["/data"])
    if state == "running":
        container.start()
    for target in (str(canary), f"{canary}/file", f"{'../' * 40}{str(canary / 'file').lstrip('/')}"):
        link = ("m", tarfile.SYMTYPE, target)
        for after in (
            ("m", tarfile.REGTYPE, b""),
            ("m/", tarfile.DIRTYPE, None),
            ("m/file", tarfile.REGTYPE, b"x"),
            ("h", tarfile.LNKTYPE, "m"),
            ("h", tarfile.LNKTYPE, target),
        ):
            for place in ("/tmp", "/data"):
                with contextlib.suppress(*REFUSED):
                    container.put_archive(place, tar(link, after, after))


def test_a_volume_below_a_folder_that_is_a_link_is_reached(client):
    """moby's first fix of the races refused it: /var/run -> /run, and a volume below."""
    container = client.containers.create(IMAGE, "sleep 1000", volumes=["/run/of/app"])
    container.put_archive("/run/of/app", tar(("file", tarfile.REGTYPE, b"in the volume")))
    assert b"in the volume" in get(container, "/var/run/of/app/file")
    container.start()
    assert container.exec_run(["cat", "/run/of/app/file"]).output == b"in the volume"
    assert b"in the volume" in get(container, "/var/run/of/app/file")


def test_devices_of_the_kernel_and_what_it_tells_are_no_files(client):
    container = client.containers.run(IMAGE, "sleep 1000", detach=True)
    for path in ("/proc/1/environ", "/proc/sys/kernel/hostname", "/proc/self/exe", "/proc/1/fd/0"):
        with pytest.raises(docker.errors.APIError):
            container.get_archive(path)
    # A magic link is the text that it shows, and that counts from the container's root.
    with contextlib.suppress(*REFUSED):
        assert get(container, "/proc/1/root/etc/passwd") == get(container, "/etc/passwd")
    with pytest.raises(docker.errors.APIError):
        container.put_archive("/proc/sys/kernel", tar(("hostname", tarfile.REGTYPE, b"x")))
    with tarfile.open(fileobj=io.BytesIO(get(container, "/"))) as archive:
        assert not [name for name in archive.getnames() if name.lstrip("/").startswith(("proc/", "sys/"))]


class _HostileEngine(BaseHTTPRequestHandler):
    """Says that ``/x`` is a folder, and sends whatever archive its server holds."""

    def do_GET(self) -> None:
        self.send_response(200)
        stat = "eyJuYW1lIjoieCIsInNpemUiOjAsIm1vZGUiOjIxNDc0ODQxNTksIm10aW1lIjoiIiwibGlua1RhcmdldCI6IiJ9"
        self.send_header("X-Docker-Container-Path-Stat", stat)
        self.send_header("Content-Length", str(len(self.server.archive)))
        self.end_headers()
        self.wfile.write(self.server.archive)

    def log_message(self, *words: object) -> None: ...


@pytest.mark.parametrize("destination", ["here", "here/", "here/new", "."])
@pytest.mark.parametrize("escape", range(9))
def test_a_hostile_engine_writes_nothing_outside_of_the_client_s_destination(
    canary, tmp_path, monkeypatch, escape, destination
):
    """CVE-2026-17106, the client's half ("CopyEscape")."""
    up = "../" * 40 + str(canary).lstrip("/")
    attacks = [
        [("x", tarfile.SYMTYPE, str(canary)), ("x/file", tarfile.REGTYPE, b"evil")],
        [("x", tarfile.SYMTYPE, up), ("x/new", tarfile.REGTYPE, b"evil")],
        [("x/", tarfile.DIRTYPE, None), ("x/l", tarfile.SYMTYPE, str(canary)), ("x/l/file", tarfile.REGTYPE, b"evil")],
        [("x/../../canary/file", tarfile.REGTYPE, b"evil")],
        [(f"{canary}/file", tarfile.REGTYPE, b"evil")],
        [("x", tarfile.LNKTYPE, f"{canary}/file"), ("x", tarfile.REGTYPE, b"evil")],
        [("x", tarfile.LNKTYPE, up + "/file"), ("x", tarfile.REGTYPE, b"evil")],
        [("x", tarfile.SYMTYPE, f"{canary}/file"), ("x", tarfile.REGTYPE, b"evil")],
        [("x", tarfile.SYMTYPE, str(canary)), ("x/", tarfile.DIRTYPE, None), ("x/c/", tarfile.DIRTYPE, None)],
    ]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here" if destination == "." else tmp_path)
    with socketserver.TCPServer(("127.0.0.1", 0), _HostileEngine) as server:
        server.archive = tar(*attacks[escape])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = docker.DockerClient(base_url=f"tcp://127.0.0.1:{server.server_address[1]}", version="1.41")
        try:
            with contextlib.suppress(ContainerlabError):
                invoke(["cp", "box:/x", destination], Context(connect=lambda: client))
        finally:
            client.close()
            server.shutdown()
            thread.join()
    assert {path.name for path in tmp_path.iterdir()} == {"canary", "here"}
