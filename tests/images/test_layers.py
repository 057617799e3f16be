"""Layers on the disk: what they become, who keeps them, and what a crash leaves of them."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from containerlab.database import Database
from containerlab.errors import BadArchive, NotFound
from containerlab.images import ImageConfig, ImageStore, Provenance, Rootfs, trees
from containerlab.images.layer import chain_id

OVERLAY = pytest.mark.root  # the namespaces of a plain user are tried in test_rootless.py


def names(fd: int, path: str = ".") -> list[str]:
    below = os.open(path, os.O_RDONLY, dir_fd=fd)
    try:
        return sorted(os.listdir(below))  # noqa: PTH208 (a descriptor, no path)
    finally:
        os.close(below)


def text(fd: int, path: str) -> str:
    file = os.open(path, os.O_RDONLY, dir_fd=fd)
    with open(file) as opened:
        return opened.read()


@pytest.fixture
def base(store: ImageStore, new_archive):
    archive = new_archive().dir("etc", 0o755).file("etc/passwd", b"root").file("etc/group", b"wheel").dir("tmp", 0o1777)
    archive.dir("opt").file("opt/one", b"1").file("opt/two", b"2").symlink("opt", "o")
    return store.layers.unpack(archive.stream(), None, Provenance("ADD base.tar /"))


def test_chain_id_is_the_specifications() -> None:
    """OCI image spec, config.md: ChainID(A|B) = Digest(ChainID(A) + " " + DiffID(B))."""
    assert chain_id(None, "sha256:a") == "sha256:a"
    assert chain_id("sha256:a", "sha256:b") == "sha256:" + hashlib.sha256(b"sha256:a sha256:b").hexdigest()


def test_unpacked_layer_is_described(store: ImageStore, base, new_archive) -> None:
    top = store.layers.unpack(new_archive().file("f", b"12345").stream(), base.chain_id)
    assert store.layers.get(base.chain_id) == base
    assert (base.size, base.parent, base.provenance.created_by) == (11, None, "ADD base.tar /")
    assert store.layers.chain(top.chain_id) == [base, top]
    assert top.chain_id == chain_id(base.diff_id, top.diff_id)
    assert len(store.layers.lower(top.chain_id)) == 2
    for name in store.layers.lower(top.chain_id):
        assert (store.layers.folder / name).is_dir()
        assert len(name) <= 18
    assert store.check() == []


def test_same_layer_twice_is_one(store: ImageStore, base, new_archive) -> None:
    archive = new_archive().file("f", b"x")
    first = store.layers.unpack(archive.stream(), base.chain_id)
    assert store.layers.unpack(archive.stream(), base.chain_id) == first
    assert len(store.layers.all()) == 2


def test_layer_of_another_digest_is_not_kept(store: ImageStore, store_folder: Path, new_archive) -> None:
    archive = new_archive().file("f", b"x")
    with pytest.raises(BadArchive, match="digest"):
        store.layers.unpack(archive.stream(), None, diff_id="sha256:" + "0" * 64)
    assert store.layers.all() == []
    assert not list((store_folder / "tmp").iterdir())
    right = "sha256:" + hashlib.sha256(archive.bytes()).hexdigest()
    assert store.layers.unpack(archive.stream(), None, diff_id=right).diff_id == right


def test_unknown_parent(store: ImageStore, new_archive) -> None:
    for call in (store.layers.get, store.layers.lower, store.layers.chain, store.layers.diff):
        with pytest.raises(NotFound):
            call("sha256:" + "0" * 64)
    with pytest.raises(NotFound):
        store.layers.unpack(new_archive().stream(), "sha256:" + "0" * 64)
    with pytest.raises(NotFound):
        store.layers.pin("sha256:" + "0" * 64, "owner")


def test_unlisted_directory_looks_as_below(store: ImageStore, base, new_archive) -> None:
    top = store.layers.unpack(new_archive().file("tmp/f", b"x").stream(), base.chain_id)
    assert stat.S_IMODE((store.layers.diff(top.chain_id) / "tmp").stat().st_mode) == 0o1777


@OVERLAY
def test_view_shows_whiteouts_and_opaque_directories(store: ImageStore, base, new_archive) -> None:
    archive = (
        new_archive()
        .dir("etc")
        .file("etc/.wh.group", b"")
        .dir("opt")
        .file("opt/three", b"3")
        .file("opt/.wh..wh..opq", b"")
    )
    top = store.layers.unpack(archive.file("o/four", b"4").stream(), base.chain_id)
    with store.layers.mounted(top.chain_id) as fd:
        assert names(fd, "etc") == ["passwd"]
        assert names(fd, "opt") == ["three"]
        with pytest.raises(OSError, match="Read-only"):
            os.mkdir("x", dir_fd=fd)


@OVERLAY
def test_whiteout_followed_by_the_same_name(store: ImageStore, base, new_archive) -> None:
    archive = (
        new_archive()
        .file(".wh.opt", b"")
        .dir("opt")
        .file("opt/three", b"3")
        .file("etc/passwd", b"new")
        .file("etc/.wh.passwd", b"")
    )
    top = store.layers.unpack(archive.stream(), base.chain_id)
    with store.layers.mounted(top.chain_id) as fd:
        assert names(fd, "opt") == ["three"]
        assert text(fd, "etc/passwd") == "new"


@OVERLAY
def test_smuggled_marks_neither_hide_nor_reveal(store: ImageStore, base, new_archive) -> None:
    archive = new_archive().device("opt", 0, 0)
    for number, name in enumerate(["trusted.overlay.opaque", "user.overlay.opaque"]):
        archive.add(tarfile.DIRTYPE, "etc", mode=0o755, mtime=number, pax={f"SCHILY.xattr.{name}": "y"})
    archive.add(tarfile.DIRTYPE, "new", mode=0o755, pax={"SCHILY.xattr.trusted.overlay.redirect": "/etc"})
    archive.add(tarfile.REGTYPE, "meta", pax={"SCHILY.xattr.trusted.overlay.metacopy": ""})
    top = store.layers.unpack(archive.stream(), base.chain_id)
    with store.layers.mounted(top.chain_id) as fd:
        assert names(fd) == ["etc", "meta", "new", "o", "opt", "tmp"]
        assert names(fd, "etc") == ["group", "passwd"]
        assert names(fd, "opt") == ["one", "two"]
        assert names(fd, "new") == []


@OVERLAY
def test_commit_gives_what_was_written(store: ImageStore, store_folder: Path, base) -> None:
    upper = store_folder / "builds/b/upper"
    upper.mkdir(parents=True)
    with store.layers.mounted(base.chain_id, upper, volatile=True) as fd:
        os.unlink("etc/group", dir_fd=fd)
        for name in ("one", "two"):
            os.unlink(f"opt/{name}", dir_fd=fd)
        os.rmdir("opt", dir_fd=fd)
        os.mkdir("opt", dir_fd=fd)
        os.close(os.open("opt/new", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
        os.chmod("tmp", 0o700, dir_fd=fd)
    layer = store.layers.commit(upper, base.chain_id, Provenance("RUN change", "Dockerfile", 7))
    assert not upper.exists()
    with store.layers.mounted(layer.chain_id) as fd:
        assert names(fd, "etc") == ["passwd"]
        assert names(fd, "opt") == ["new"]
        assert stat.S_IMODE(os.stat("tmp", dir_fd=fd).st_mode) == 0o700
    out = io.BytesIO()
    store.layers.tar(layer.chain_id, out)
    assert "sha256:" + hashlib.sha256(out.getvalue()).hexdigest() == layer.diff_id
    assert (layer.provenance.line, layer.provenance.dockerfile) == (7, "Dockerfile")
    assert store.layers.unpack(io.BytesIO(out.getvalue()), base.chain_id) == layer
    assert store.check() == []


@OVERLAY
def test_view_of_nothing_is_empty_and_can_be_filled(store: ImageStore, store_folder: Path) -> None:
    with store.layers.mounted(None) as fd:
        assert names(fd) == []
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o755
    upper = store_folder / "upper"
    upper.mkdir()
    with store.layers.mounted(None, upper) as fd:
        os.mkdir("etc", dir_fd=fd)
    assert store.layers.commit(upper, None).parent is None


@OVERLAY
def test_128_layers_fit_into_one_page(store: ImageStore, new_archive) -> None:
    chain = None
    for number in range(128):
        chain = store.layers.unpack(new_archive().file(f"f{number}", b"").stream(), chain).chain_id
    with store.layers.mounted(chain) as fd:
        assert len(names(fd)) == 128


@OVERLAY
def test_view_leaves_no_mount_descriptor_or_folder(store: ImageStore, store_folder: Path, base, open_files) -> None:
    here, threads = Path.cwd(), threading.active_count()
    for _ in range(20):
        with store.layers.mounted(base.chain_id) as fd:
            assert str(store_folder) not in Path("/proc/self/mountinfo").read_text()
            assert names(fd)
    assert not list((store_folder / "tmp").iterdir())
    assert Path.cwd() == here
    assert threading.active_count() == threads


def test_pins_children_and_images_keep_a_layer(store: ImageStore, base, new_archive) -> None:
    top = store.layers.unpack(new_archive().file("f", b"x").stream(), base.chain_id)
    assert store.layers.remove(base.chain_id) == []
    store.layers.pin(top.chain_id, "container")
    assert store.layers.prune() == []
    store.layers.unpin("container")
    image = store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=[base.diff_id])), base.chain_id)
    assert store.layers.prune() == [top.chain_id]
    assert store.layers.remove(base.chain_id) == []
    assert store.remove(image.id) == [base.chain_id]
    assert store.layers.all() == []
    assert [path.name for path in (store.layers.folder / "l").iterdir()] == ["empty"]


def test_folder_is_the_owners_alone(store: ImageStore, base) -> None:
    assert stat.S_IMODE((store.layers.folder / base.chain_id[7:]).stat().st_mode) == 0o700


def test_umask_of_the_engine_doesnt_show(store: ImageStore, new_archive) -> None:
    before = os.umask(0o077)
    try:
        layer = store.layers.unpack(new_archive().file("a/f", b"x", 0o666).stream(), None)
    finally:
        os.umask(before)
    diff = store.layers.diff(layer.chain_id)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (diff, diff / "a", diff / "a/f")] == [0o755, 0o755, 0o666]


# -- crashes -------------------------------------------------------------------------------------


def reopened(store_folder: Path) -> ImageStore:
    return ImageStore(Database(store_folder / "db.sqlite"), store_folder)


def test_half_made_things_are_swept_at_open(store: ImageStore, store_folder: Path, base) -> None:
    (store_folder / "tmp/layer-x/diff/deep").mkdir(parents=True)
    (store_folder / "layers" / ("f" * 64) / "diff").mkdir(parents=True)
    (store_folder / "layers/l/ffffffffffffffff").symlink_to(f"../{'f' * 64}/diff")
    store.content.put(b"orphan")
    assert len(store.check()) == 3
    next((store_folder / "layers/l").glob(base.chain_id[7:15] + "*")).unlink()
    again = reopened(store_folder)
    assert again.check() == []
    assert again.layers.all() == [base]
    assert not list((store_folder / "tmp").iterdir())


def test_check_names_what_is_missing(store: ImageStore, store_folder: Path, base) -> None:
    image = store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=[base.diff_id])), base.chain_id, "x")
    (store_folder / "content/blobs/sha256" / image.id[7:]).write_bytes(b"damaged")
    (store_folder / "layers" / base.chain_id[7:] / "layer.json").write_text("{}")
    assert len(store.check()) == 2
    subprocess.run(["rm", "-rf", store_folder / "layers" / base.chain_id[7:]], check=True)
    assert any("files are missing" in problem for problem in store.check())


def test_layer_no_image_used_isnt_trusted_after_a_power_cut(
    store: ImageStore, store_folder: Path, base, new_archive
) -> None:
    store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=[base.diff_id])), base.chain_id, "kept")
    top = store.layers.unpack(new_archive().file("f", b"x").stream(), base.chain_id)
    store.layers.pin(top.chain_id, "build")
    assert reopened(store_folder).layers.has(top.chain_id)
    database = Database(store_folder / "db.sqlite")
    with database.transaction(durable=False) as transaction:
        transaction.execute("UPDATE layers SET boot_id = 'another' WHERE boot_id IS NOT NULL")
    again = reopened(store_folder)
    assert again.layers.all() == [base]
    assert again.check() == []
    assert again.resolve("kept").chain_ids == [base.chain_id]


def test_killed_at_any_moment_the_store_is_whole(store_folder: Path) -> None:
    code = textwrap.dedent(
        """
        import io, sys
        from pathlib import Path
        from containerlab.database import Database
        from containerlab.images import ImageConfig, ImageStore, Rootfs
        from containerlab.images.ustar import header
        folder = Path(sys.argv[1])
        store = ImageStore(Database(folder / "db.sqlite"), folder)
        print("ready", flush=True)
        number = 0
        while True:
            data = b"".join(header(b"f%d-%d" % (number, n), b"0") for n in range(30)) + bytes(1024)
            layer = store.layers.unpack(io.BytesIO(data), None)
            config = ImageConfig("amd64", rootfs=Rootfs(diff_ids=[layer.diff_id]))
            image = store.create(config, layer.chain_id, f"image:{number % 3}")
            if number % 2:
                store.remove(image.id)
            number += 1
        """
    )
    for moment in range(12):
        child = subprocess.Popen([sys.executable, "-c", code, store_folder], stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.013 * moment)
        finally:
            child.send_signal(signal.SIGKILL)
            child.communicate()
        store = reopened(store_folder)
        assert store.check() == []
        for image in store.list():
            for layer in store.layers.chain(image.chain_id):
                assert len(list(store.layers.diff(layer.chain_id).iterdir())) == 30


def test_threads_that_make_and_remove_the_same_layers(store: ImageStore, new_archive) -> None:
    archives = [new_archive().file(f"f{number}", b"x" * 1000) for number in range(4)]
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for step in range(25):
                archive = archives[(seed + step) % 4]
                layer = store.layers.unpack(archive.stream(), None)
                try:
                    image = store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=[layer.diff_id])), layer.chain_id)
                    store.remove(image.id)
                except NotFound:
                    pass  # another thread removed it first
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.check() == []


@OVERLAY
def test_store_folder_with_the_signs_overlayfs_splits_at(tmp_path: Path, new_archive) -> None:
    folder = tmp_path / "a,b:c\\d e"
    folder.mkdir()
    store = reopened(folder)
    base = store.layers.unpack(new_archive().file("f", b"x").stream(), None)
    upper = folder / "upper"
    upper.mkdir()
    with store.layers.mounted(base.chain_id, upper) as fd:
        os.unlink("f", dir_fd=fd)
    assert (upper / "f").lstat().st_rdev == 0


def test_sockets_in_an_upper_directory_are_no_part_of_the_layer(store: ImageStore, store_folder: Path) -> None:
    upper = store_folder / "upper"
    (upper / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(upper / "run", os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/s")
        os.close(here)
    layer = store.layers.commit(upper, None)
    assert list((store.layers.diff(layer.chain_id) / "run").iterdir()) == []


def test_removal_changes_nothing_outside(store_folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "f").write_text("x")
    tree = tmp_path / "tree"
    (tree / "d/e").mkdir(parents=True)
    (tree / "d/e/l").symlink_to(outside)
    (tree / "d/l").symlink_to(outside / "f")
    (tree / "d/e").chmod(0)
    with trees.directory(tmp_path) as fd:
        trees.remove_at(fd, b"tree")
        trees.remove_at(fd, b"tree")
    assert not tree.exists()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    assert (outside / "f").read_text() == "x"
