"""What the tests of a Binder-like host have in common."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.models.containers import Container

__all__ = ["IMAGE", "archive", "build", "entries_of", "exit_code", "get", "processes", "sh"]

IMAGE = "lab/busybox"


def sh(client: docker.DockerClient, script: str, **options: object) -> str:
    """What a shell in a new container says."""
    return client.containers.run(IMAGE, ["sh", "-c", script], remove=True, **options).decode()


def processes(words: str) -> list[int]:
    """The processes of this host, which is ours alone, whose command line has ``words``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words in line:
                found.append(int(entry.name))
    return found


def exit_code(container: Container) -> int:
    """Once it has ended."""
    return int(container.wait(timeout=30)["StatusCode"])


def build(client: docker.DockerClient, dockerfile: str, **options: object) -> docker.models.images.Image:
    """The image that a Dockerfile without a context makes."""
    return client.images.build(fileobj=archive({"Dockerfile": dockerfile.encode()}), custom_context=True, **options)[0]


def archive(files: dict[str, bytes]) -> io.BytesIO:
    """A tar of those files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    out.seek(0)
    return out


def entries_of(pieces: Iterator[bytes]) -> list[tarfile.TarInfo]:
    """What is in a tar."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        return archive.getmembers()


def get(port: int) -> bytes:
    """The beginning of what a web server on this port answers; nothing where none listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100)
    except OSError:
        return b""
