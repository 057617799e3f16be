"""Layers that a real Docker made, unpacked here, show what a container of that Docker shows."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerlab.images import ImageStore, pack
from containerlab.images.config import parse_config
from tests.dockerd import running_dockerd

pytestmark = [pytest.mark.docker, pytest.mark.root]

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY tree /
RUN ["/bin/busybox", "sh", "-c", "\\
 cd /; b=/bin/busybox; \\
 $b rm -r gone opt/old; $b mkdir -p opt/old; echo new > opt/old/new; \\
 $b ln a hard; $b ln -s opt link; $b chmod 1777 tmp; $b chown 7:8 a; $b mkdir -m 0500 closed; echo x > closed/f; \\
 $b mknod dev-null c 1 3; $b mkfifo pipe; $b mv moved elsewhere; $b dd if=/dev/zero of=big bs=1024 count=2000"]
RUN ["/bin/busybox", "sh", "-c", "b=/bin/busybox; $b rm link pipe; echo again > a; $b mkdir link; echo y > link/y"]
"""


@pytest.fixture(scope="module")
def docker() -> Iterator[list[str]]:
    """The command line of a Docker of our own; it ends with the tests."""
    if shutil.which("busybox") is None:
        pytest.skip("needs busybox-static")
    with running_dockerd() as address:
        yield ["docker", "-H", address]


@pytest.fixture
def built(docker: list[str], tmp_path: Path) -> Path:
    """A ``docker save`` of the image, and beside it a ``docker export`` of a container of it."""
    context = tmp_path / "context"
    for name in ("gone/deep", "opt/old/deep", "tmp", "moved/deep"):
        (context / "tree" / name).mkdir(parents=True)
        (context / "tree" / name / "f").write_text(name)
    (context / "tree/a").write_text("alpha")
    shutil.copy(shutil.which("busybox") or "", context / "busybox")
    (context / "Dockerfile").write_text(DOCKERFILE)
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    build = [*docker, "build", "-q", "--network=none", "-t", "made", str(context)]
    done = subprocess.run(build, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    subprocess.run([*docker, "save", "-o", tmp_path / "saved.tar", "made"], check=True)
    created = subprocess.run([*docker, "create", "made", "x"], check=True, capture_output=True, text=True)
    subprocess.run([*docker, "export", "-o", tmp_path / "exported.tar", created.stdout.strip()], check=True)
    return tmp_path


def listing(data: bytes) -> dict[str, tuple[object, ...]]:
    """What matters of each entry; Docker adds mount points of its own to an export, which are left out."""
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        inodes = {member.name: member.linkname if member.islnk() else member.name for member in tar}
        for member in tar:
            if member.name.split("/")[0] in ("dev", "proc", "sys", "etc", ".dockerenv"):
                continue
            source = tar.getmember(inodes[member.name])
            content = tar.extractfile(source).read() if source.isreg() else b""  # type: ignore[union-attr]
            link = source.linkname if source.issym() else ""
            device = (source.devmajor, source.devminor)
            owner = (source.uid, source.gid)
            digest = hashlib.sha256(content).digest()
            mode = source.mode & 0o7777  # Docker adds the bits of the file's type
            found[member.name] = (source.type, mode, owner, link, device, digest, int(source.mtime))
    return found


def test_view_is_dockers_export(built: Path, store: ImageStore) -> None:
    with tarfile.open(built / "saved.tar") as saved:

        def read(name: str) -> bytes:
            member = saved.getmember(name)
            while member.issym():
                member = saved.getmember(os.path.normpath(Path(member.name).parent / member.linkname))
            file = saved.extractfile(member)
            assert file is not None
            return file.read()

        manifest = json.loads(read("manifest.json"))[0]
        config = parse_config(read(manifest["Config"]))
        chain = None
        for name, diff_id in zip(manifest["Layers"], config.rootfs.diff_ids, strict=True):
            layer = store.layers.unpack(io.BytesIO(read(name)), chain, diff_id=diff_id)
            chain = layer.chain_id
    image = store.create(config, chain, "made")
    assert image.config.history[-1].created_by
    out = io.BytesIO()
    with store.layers.mounted(chain) as fd:
        pack(fd, out)
    assert listing(out.getvalue()) == listing((built / "exported.tar").read_bytes())
    assert store.check() == []


def test_docker_loads_what_we_pack(built: Path, docker: list[str]) -> None:
    """Our deterministic tar of a tree, given to ``docker import``, comes back from ``docker export`` the same."""
    tree = built / "context/tree"
    out = io.BytesIO()
    fd = os.open(tree, os.O_RDONLY)
    pack(fd, out)
    os.close(fd)
    imported = subprocess.run([*docker, "import", "-", "ours"], input=out.getvalue(), capture_output=True)
    assert imported.returncode == 0, imported.stderr
    created = subprocess.run([*docker, "create", "ours", "x"], check=True, capture_output=True, text=True)
    exported = subprocess.run([*docker, "export", created.stdout.strip()], check=True, capture_output=True)
    assert listing(exported.stdout) == listing(out.getvalue())
