"""The same store in a user namespace with one id: owners squashed, ``userxattr``, devices left out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import io, json, os, stat, sys, tarfile
from pathlib import Path
from containerlab.database import Database
from containerlab.images import ImageConfig, ImageStore, Rootfs
from containerlab.images.ustar import header

folder = Path(sys.argv[1])
store = ImageStore(Database(folder / "db.sqlite"), folder)
base = b"".join([
    header(b"etc/", b"5", mode=0o755, uid=7, gid=8),
    header(b"etc/passwd", b"0", uid=1000, gid=1000),
    header(b"su", b"0", mode=0o4755, uid=1000),
    header(b"null", b"3", device=(1, 3)),
    header(b"opt/", b"5", mode=0o755), header(b"opt/one", b"0"), header(b"opt/two", b"0"),
])
first = store.layers.unpack(io.BytesIO(base), None)
hiding = header(b"opt/.wh..wh..opq", b"0") + header(b"etc/.wh.passwd", b"0")
second = store.layers.unpack(io.BytesIO(hiding), first.chain_id)
original = io.BytesIO()
store.layers.tar(first.chain_id, original)
upper = folder / "upper"
upper.mkdir()
with store.layers.mounted(second.chain_id, upper, volatile=True) as fd:
    seen = {name: os.listdir(os.open(name, os.O_RDONLY, dir_fd=fd)) for name in ("opt", "etc")}
    status = os.stat("su", dir_fd=fd)
    seen["owner"] = [status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)]
    seen["top"] = sorted(os.listdir(fd))
    os.rmdir("opt", dir_fd=fd)
    os.mkdir("opt", dir_fd=fd)
    os.unlink("su", dir_fd=fd)
third = store.layers.commit(upper, second.chain_id)
out = io.BytesIO()
store.layers.tar(third.chain_id, out)
seen["same"] = original.getvalue() == base
upper.mkdir()
(upper / "more").write_text("of a container")
with store.layers.mounted(third.chain_id, top=upper) as fd:
    seen["above"] = sorted(os.listdir(fd))
seen["committed"] = tarfile.open(fileobj=io.BytesIO(out.getvalue())).getnames()
seen["squashed"] = [layer.squashed for layer in store.layers.chain(third.chain_id)]
seen["problems"] = store.check()
rootfs = Rootfs(diff_ids=[first.diff_id, second.diff_id, third.diff_id])
image = store.create(ImageConfig("amd64", rootfs=rootfs), third.chain_id)
seen["removed"] = len(store.remove(image.id))
print(json.dumps(seen))
"""


@pytest.fixture
def unshare() -> list[str]:
    command = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this host makes no user namespaces")
    return command


def test_store_in_a_user_namespace_with_one_id(unshare: list[str], store_folder: Path) -> None:
    command = [*unshare, sys.executable, "-c", CODE, store_folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["opt"] == seen["etc"] == []
    assert seen["owner"] == [0, 0, 0o4755]
    assert seen["top"] == ["etc", "opt", "su"]  # and no device
    assert seen["committed"] == ["opt", ".wh.su", "opt/.wh..wh..opq"]
    assert seen["same"]  # owners, devices and all, though nothing of them is on the disk
    assert seen["above"] == ["etc", "more", "opt"]
    assert seen["squashed"] == [True, True, True]
    assert seen["problems"] == []
    assert seen["removed"] == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root needs no namespace for this")
def test_plain_user_can_unpack(store_folder: Path, archive) -> None:
    from containerlab.database import Database
    from containerlab.images import ImageStore

    store = ImageStore(Database(store_folder / "db.sqlite"), store_folder)
    layer = store.layers.unpack(archive.file("f", b"x", uid=5).file(".wh.gone", b"").stream(), None)
    assert layer.squashed
    assert (store.layers.diff(layer.chain_id) / "f").stat().st_uid == os.geteuid()
