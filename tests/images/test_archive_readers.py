"""What we save, others read; what others save, we read: skopeo, umoci and a real Docker of version 20.10."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerlab.images import ContainerConfig, ImageConfig, ImageStore, Rootfs
from containerlab.images.config import encode
from containerlab.images.load import load
from containerlab.images.save import choose, save
from tests.dockerd import running_dockerd


@pytest.fixture
def image(store: ImageStore, new_archive) -> str:
    """Two layers: files, a hard link, a whiteout, an opaque directory, attributes of many kinds; its id."""
    lower = new_archive().dir("etc").file("etc/gone", b"1").dir("opt").file("opt/old", b"2").file("f", b"3" * 70000)
    base = store.layers.unpack(lower.link("f", "twin").dir("tmp", 0o1777).symlink("/f", "s").stream(), None)
    upper = new_archive().dir("etc").file("etc/.wh.gone").dir("opt").file("opt/.wh..wh..opq").file("opt/new", b"4")
    top = store.layers.unpack(upper.file("n" * 120, b"long", uid=7, gid=8).stream(), base.chain_id)
    config = ImageConfig(
        "amd64",
        config=ContainerConfig(Cmd=["x"], Env=["A=1"]),
        rootfs=Rootfs(diff_ids=[base.diff_id, top.diff_id]),
        created="2026-01-02T03:04:05Z",
    )
    made = store.create(config, top.chain_id, "made:1")
    store.tag(made.id, "made:2")
    return made.id


@pytest.fixture
def saved(store: ImageStore, image: str, tmp_path: Path) -> Path:
    path = tmp_path / "saved.tar"
    with open(path, "wb") as file:
        save(store, choose(store, ["made"]), file)
    return path


def taken(store: ImageStore, path: Path, scratch: Path) -> tuple[str, list[str]]:
    with open(path, "rb") as file:
        [loaded] = load(store, file, scratch, lambda *_: None)
    return loaded.image.id, [ref.familiar() for ref in loaded.refs]


def run(*words: object, **more: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture
def skopeo() -> str:
    found = shutil.which("skopeo")
    if found is None:
        pytest.skip("needs skopeo")
    return found


def config_of(skopeo: str, source: str) -> dict[str, object]:
    return dict(json.loads(run(skopeo, "inspect", "--config", source)))


def test_skopeo_reads_both_formats_of_one_archive(store: ImageStore, image: str, saved: Path, skopeo: str) -> None:
    ours = json.loads(encode(store.get(image).config))
    for source in (f"docker-archive:{saved}:made:2", f"docker-archive:{saved}:made:1"):
        assert config_of(skopeo, source)["rootfs"] == ours["rootfs"]
        assert json.loads(run(skopeo, "inspect", source))["Layers"] == store.get(image).diff_ids
    assert json.loads(run(skopeo, "inspect", f"oci-archive:{saved}:1"))["Layers"] == store.get(image).diff_ids


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_what_skopeo_writes_is_the_same_image(
    store: ImageStore, store_folder: Path, image: str, saved: Path, skopeo: str, kind: str, tmp_path: Path
) -> None:
    target = tmp_path / "copied.tar"
    run(skopeo, "copy", "--insecure-policy", f"oci-archive:{saved}:1", f"{kind}:{target}:docker.io/library/copy:3")
    store.remove(image)
    found, names = taken(store, target, store_folder / "tmp")
    assert (found, names) == (image, ["copy:3"])


def test_umoci_unpacks_the_layout(saved: Path, tmp_path: Path) -> None:
    if shutil.which("umoci") is None:
        pytest.skip("needs umoci")
    layout = tmp_path / "layout"
    run("tar", "-xf", saved, "--one-top-level=" + str(layout))
    rootless = () if os.geteuid() == 0 else ("--rootless",)
    run("umoci", "raw", "unpack", *rootless, "--image", f"{layout}:1", tmp_path / "root")
    root = tmp_path / "root"
    assert sorted(path.name for path in root.iterdir()) == ["etc", "f", "n" * 120, "opt", "s", "tmp", "twin"]
    assert not list((root / "etc").iterdir()) and [path.name for path in (root / "opt").iterdir()] == ["new"]


@pytest.fixture(scope="module")
def docker() -> Iterator[list[str]]:
    """The command line of a Docker of our own; it ends with the tests."""
    with running_dockerd() as address:
        yield ["/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker", "-H", address]


@pytest.mark.docker
@pytest.mark.root
def test_docker_loads_what_we_save_and_saves_it_back(
    store: ImageStore, store_folder: Path, image: str, saved: Path, docker: list[str], tmp_path: Path
) -> None:
    told = run(*docker, "load", "-i", saved)
    assert "Loaded image: made:1" in told and "Loaded image: made:2" in told
    assert run(*docker, "inspect", "-f", "{{.Id}}", "made:2").strip() == image
    layers = json.loads(run(*docker, "inspect", "-f", "{{json .RootFS.Layers}}", image))
    assert layers == store.get(image).diff_ids
    back = tmp_path / "back.tar"
    run(*docker, "save", "-o", back, "made:1", "made:2")
    store.remove(image)
    found, names = taken(store, back, store_folder / "tmp")
    assert (found, sorted(names)) == (image, ["made:1", "made:2"])
    out = io.BytesIO()
    save(store, choose(store, ["made"]), out)
    assert out.getvalue() == saved.read_bytes()


@pytest.mark.docker
@pytest.mark.root
def test_a_layer_that_docker_made_goes_out_as_it_came(
    store: ImageStore, store_folder: Path, docker: list[str], tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY tree /\nCOPY tree/a /twice\n")
    for name in ("a", "b/c", "b/" + "l" * 110, "ä"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(name.encode() * 5000)
    run(*docker, "build", "-q", "-t", "theirs", tmp_path, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    path = tmp_path / "theirs.tar"
    run(*docker, "save", "-o", path, "theirs")
    image, _ = taken(store, path, store_folder / "tmp")
    theirs, ours = set(), set()
    with tarfile.open(path) as tar:
        theirs = {tar.extractfile(m).read() for m in tar if m.isreg() and m.name.endswith("layer.tar")}  # type: ignore[union-attr]
    for chain in store.get(image).chain_ids:
        out = io.BytesIO()
        store.layers.tar(chain, out)
        ours.add(out.getvalue())
    assert ours == theirs
