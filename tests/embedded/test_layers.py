"""The embedded layers: the same bytes twice, and programs that run in them alone."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from containerlab.errors import HostLacks
from containerlab.images.embedded import busybox, elf, python
from containerlab.images.embedded.tree import EPOCH, Tree

LAYERS = {"busybox": busybox.layer, "interpreter": python.interpreter_layer, "pip": python.pip_layer}


def members(tree: Tree) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tree.stream().read()), mode="r:") as archive:
        return archive.getmembers()


def place(tree: Tree, root: Path) -> None:
    """GNU tar, a program that isn't ours, reads the stream."""
    subprocess.run(["tar", "-C", root, "-xf", "-"], input=tree.stream().read(), check=True)


def inside(root: Path, *command: str) -> str:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    shown = subprocess.run(
        ["/usr/sbin/chroot", str(root), *command], env=environment, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.mark.parametrize("name", LAYERS)
def test_made_twice_a_layer_has_the_same_bytes(name: str) -> None:
    first, second = (hashlib.file_digest(LAYERS[name]().stream(), "sha256").hexdigest() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_sorted_roots_and_of_one_date(name: str) -> None:
    found = members(LAYERS[name]())
    names = [member.name for member in found]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert {(member.uid, member.gid, member.mtime) for member in found} == {(0, 0, EPOCH)}
    assert not [
        name for name in names if "__pycache__" in name or "/test/" in name or "site-packages/containerlab" in name
    ]


def test_nothing_of_this_hosts_accounts_is_in_the_layers() -> None:
    passwd = next(member for member in members(busybox.layer()) if member.name == "etc/passwd")
    assert passwd.size < 1000
    users = busybox_text("etc/passwd")
    for user in ("root:x:0:0:", "daemon:x:1:1:", "www-data:x:33:33:", "nobody:x:65534:65534:"):
        assert user in users


def busybox_text(path: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(busybox.layer().stream().read()), mode="r:") as archive:
        content = archive.extractfile(path)
        assert content is not None
        return content.read().decode()


def test_folders_have_the_modes_that_programs_expect() -> None:
    modes = {member.name: member.mode for member in members(busybox.layer())}
    assert modes["tmp"] == modes["var/tmp"] == 0o1777
    assert modes["root"] == 0o700
    assert modes["etc/shadow"] == 0o640


@pytest.mark.root
@pytest.mark.parametrize("static", [True, False])
def test_the_userland_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, static: bool) -> None:
    if not static:
        monkeypatch.setattr(busybox, "find_static", lambda: None)
    elif busybox.find_static() is None:
        pytest.skip("this host has no static busybox")
    place(busybox.layer(), tmp_path)
    assert inside(tmp_path, "/bin/sh", "-c", "echo $((6 * 7)) | sed s/4/four/") == "four2\n"
    assert (
        inside(tmp_path, "/bin/sh", "-c", "id -un; ls /etc/passwd; /usr/bin/env echo env") == "root\n/etc/passwd\nenv\n"
    )


@pytest.mark.root
def test_python_runs_with_its_library_and_pip(tmp_path: Path) -> None:
    for make in LAYERS.values():
        place(make(), tmp_path)
    program = "import bz2, ctypes, hashlib, lzma, sqlite3, ssl, sys, zlib; print(sys.version.split()[0], sys.prefix)"
    assert inside(tmp_path, "python", "-c", program).split()[0] == python.version()
    assert inside(tmp_path, "pip", "--version").startswith("pip ")
    where = inside(tmp_path, "python3", "-m", "pip", "--version")
    assert str(tmp_path) not in where
    assert "/work" not in where


@pytest.mark.root
def test_every_extension_module_of_the_image_can_be_imported(tmp_path: Path) -> None:
    for make in LAYERS.values():
        place(make(), tmp_path)
    program = """if True:
        import importlib, pathlib, sys
        folder = next(path for path in sys.path if path.endswith('lib-dynload'))
        for path in pathlib.Path(folder).iterdir():
            importlib.import_module(path.name.split('.')[0])
        print('ok')"""
    assert inside(tmp_path, "python", "-c", program) == "ok\n"


def test_a_host_without_any_shell_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busybox, "find_static", lambda: None)
    monkeypatch.setattr(busybox.shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(HostLacks, match="no static busybox"):
        busybox.layer()


def test_the_closure_is_what_the_loader_maps() -> None:
    """ldd is the loader's own answer."""
    program = Path(os.path.realpath("/proc/self/exe"))
    libraries, loaders = elf.closure([program])
    shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    mapped = {line.split(" => ")[0].strip() for line in shown.splitlines() if " => " in line}
    assert mapped <= {library.name for library in libraries}
    assert all(Path(loader).exists() for loader in loaders)


@pytest.mark.parametrize(
    "content",
    [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(14)],
    ids=["empty", "script", "cut off", "no headers"],
)
def test_other_files_are_no_programs(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    try:
        found = elf.dynamic(path)
    except OSError as error:
        assert "damaged" in str(error)
    else:
        assert found is None or found.static


@pytest.mark.parametrize("cut", [64, 200, 1000, 5000])
def test_a_damaged_program_is_an_error_not_a_crash(tmp_path: Path, cut: int) -> None:
    whole = Path(os.path.realpath("/proc/self/exe")).read_bytes()
    path = tmp_path / "file"
    path.write_bytes(whole[:cut])
    with pytest.raises(OSError, match="damaged"):
        elf.dynamic(path)


@pytest.mark.parametrize("path", ["", "/etc", "a//b", "../x", "a/./b", "a/.."])
def test_a_tree_takes_no_path_that_leads_elsewhere(path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        Tree().file(path, b"")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 2_000_000])
def test_a_stream_read_in_small_pieces_is_the_same(tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    tree = Tree()
    tree.file("a/b", source)
    tree.file("a/" + "c" * 150, b"long name")
    whole = tree.stream().read()
    stream = tree.stream()
    pieces: Callable[[], bytes] = lambda: stream.read(777)  # noqa: E731
    assert b"".join(iter(pieces, b"")) == whole
    assert [member.name for member in members(tree)] == ["a", "a/b", "a/" + "c" * 150]
