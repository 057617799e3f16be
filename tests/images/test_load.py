"""``docker load`` of whatever somebody may send: an image of the right digests, or an error and nothing kept."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import platform
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from containerlab.database import Database
from containerlab.errors import BadArchive, ContainerlabError, InvalidReference
from containerlab.images import ImageConfig, ImageStore, Limits
from containerlab.images.config import encode, parse_config
from containerlab.images.load import Loaded, load
from containerlab.images.save import choose, save

Files = dict[str, bytes]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def layer(name: str, content: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


LAYERS = [layer("one"), layer("two", os.urandom(3 << 20))]


def config_of(layers: list[bytes], **more: Any) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha(data)}" for data in layers]}
    return json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": rootfs, "unknown": {"kept": 1}, **more}
    ).encode()


def docker_files(layers: list[bytes] = LAYERS, tags: list[str] | None = None, **more: Any) -> Files:
    """As Docker before 25 writes it: a folder a layer."""
    config = config_of(layers, **more)
    files = {f"{number}/layer.tar": data for number, data in enumerate(layers)}
    files[f"{sha(config)}.json"] = config
    entry = {"Config": f"{sha(config)}.json", "RepoTags": tags, "Layers": list(files)[:-1]}
    return {**files, "manifest.json": json.dumps([entry]).encode()}


def oci_files(layers: list[bytes] = LAYERS, name: str = "", pack: Callable[[bytes], bytes] = bytes) -> Files:
    """An OCI layout, its layers packed."""
    config = config_of(layers)
    blobs = [pack(data) for data in layers]

    def descriptor(data: bytes, kind: str) -> dict[str, Any]:
        media = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{sha(data)}", "size": len(data)}

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": descriptor(config, "config.v1+json"),
            "layers": [descriptor(data, "layer.v1.tar") for data in blobs],
        }
    ).encode()
    entry = descriptor(manifest, "manifest.v1+json")
    if name:
        entry["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = {"schemaVersion": 2, "manifests": [entry]}
    files = {f"blobs/sha256/{sha(data)}": data for data in (config, manifest, *blobs)}
    return {**files, "index.json": json.dumps(index).encode(), "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}


def tar_of(files: Files, links: dict[str, tuple[bytes, str]] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, (kind, target) in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return out.getvalue()


class Loader:
    def __init__(self, store: ImageStore, folder: Path) -> None:
        self.store, self.folder = store, folder

    def __call__(self, data: bytes, limits: Limits | None = None) -> list[Loaded]:
        path = self.folder / "archive.tar"
        path.write_bytes(data)
        with open(path, "rb") as file:
            return load(self.store, file, self.folder / "tmp", lambda *_: None, limits=limits)

    def refuses(self, data: bytes, match: str = ".", error: type[ContainerlabError] = BadArchive) -> None:
        """An error in these words, and nothing is kept."""
        known = {each.id for each in self.store.list()}
        layers = {each.chain_id for each in self.store.layers.all()}
        with pytest.raises(error, match=match):
            self(data)
        assert {each.id for each in self.store.list()} == known
        assert {each.chain_id for each in self.store.layers.all()} == layers
        assert not list((self.folder / "tmp").iterdir())
        assert self.store.check() == []


@pytest.fixture
def loader(store: ImageStore, store_folder: Path) -> Loader:
    return Loader(store, store_folder)


# -- what must work ------------------------------------------------------------------------------------------


def test_dockers_archive_keeps_the_config_byte_for_byte(loader: Loader) -> None:
    [loaded] = loader(tar_of(docker_files(tags=["app:1", "host:5000/app:2"])))
    assert loaded.image.id == f"sha256:{sha(config_of(LAYERS))}"
    assert [ref.familiar() for ref in loaded.refs] == ["app:1", "host:5000/app:2"]
    assert len(loaded.image.tags) == 2
    assert loader.store.check() == []


def test_a_nameless_archive_is_known_by_its_id(loader: Loader) -> None:
    [loaded] = loader(tar_of(docker_files()))
    assert (loaded.refs, loaded.image.tags) == ([], [])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_repeated_layer_may_be_a_link(loader: Loader, kind: bytes) -> None:
    files = docker_files([LAYERS[0], LAYERS[0]])
    del files["1/layer.tar"]
    target = "../0/layer.tar" if kind == tarfile.SYMTYPE else "0/layer.tar"
    [loaded] = loader(tar_of(files, {"1/layer.tar": (kind, target)}))
    assert len(loaded.image.chain_ids) == 2


@pytest.mark.parametrize("name", ["", "app:1", "docker.io/library/app:1", "v1"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_an_oci_layout(loader: Loader, name: str, pack: Callable[[bytes], bytes]) -> None:
    [loaded] = loader(tar_of(oci_files(name=name, pack=pack)))
    assert loaded.image.id == f"sha256:{sha(config_of(LAYERS))}"
    assert [ref.familiar() for ref in loaded.refs] == (["app:1"] if ":" in name else [])


def test_of_several_platforms_this_hosts_is_taken(loader: Loader) -> None:
    mine, other = oci_files([LAYERS[0]]), oci_files([LAYERS[1]])
    entries = [json.loads(files["index.json"])["manifests"][0] for files in (other, mine)]
    own = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    entries[0]["platform"] = {"os": "linux", "architecture": "s390x"}
    entries[1]["platform"] = {"os": "linux", "architecture": own}
    inner = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    kind = "application/vnd.oci.image.index.v1+json"
    outer = {"mediaType": kind, "digest": f"sha256:{sha(inner)}", "size": len(inner)}
    outer["annotations"] = {"io.containerd.image.name": "docker.io/library/app:1"}
    files = {**other, **mine, f"blobs/sha256/{sha(inner)}": inner}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [outer]}).encode()
    [loaded] = loader(tar_of(files))
    assert loaded.image.diff_ids == [f"sha256:{sha(LAYERS[0])}"]
    assert [ref.familiar() for ref in loaded.refs] == ["app:1"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_any_compression_around_it(loader: Loader, pack: Callable[[bytes], bytes]) -> None:
    [loaded] = loader(pack(tar_of(docker_files())))
    assert loaded.image.chain_ids
    assert not list((loader.folder / "tmp").iterdir())


def test_a_name_that_another_image_had_is_told(loader: Loader) -> None:
    [first] = loader(tar_of(docker_files([LAYERS[0]], ["app:1"])))
    [second] = loader(tar_of(docker_files([LAYERS[1]], ["app:1"])))
    assert [(ref.familiar(), before) for ref, before in second.renamed] == [("app:1", first.image.id)]
    assert loader.store.get(first.image.id).tags == []


def test_go_writes_null_for_what_is_empty(loader: Loader) -> None:
    config = {"Env": None, "Cmd": None, "Volumes": {"/v": None}, "Labels": None, "OnBuild": None}
    [loaded] = loader(tar_of(docker_files(config=config, history=None, author=None)))
    assert loaded.image.config.config.Volumes == {"/v": {}}


def test_a_layer_that_is_there_already_is_not_read_again(loader: Loader) -> None:
    told: list[str] = []
    path = loader.folder / "archive.tar"
    path.write_bytes(tar_of(docker_files(tags=["app:1"])))
    for _ in range(2):
        with open(path, "rb") as file:
            load(loader.store, file, loader.folder / "tmp", lambda diff_id, done, total: told.append(diff_id))
    with open(path, "rb") as file:
        before = len(told)
        load(loader.store, file, loader.folder / "tmp", lambda diff_id, done, total: told.append(diff_id))
    assert len(told) == before


def test_save_and_load_are_each_others_opposite(loader: Loader, tmp_path: Path) -> None:
    loader(tar_of(docker_files(tags=["app:1", "app:2"])))
    loader(gzip.compress(tar_of(oci_files([LAYERS[1]], "other:1", gzip.compress))))
    out = io.BytesIO()
    save(loader.store, choose(loader.store, ["app", "other:1"]), out)
    again = io.BytesIO()
    save(loader.store, choose(loader.store, ["app", "other:1"]), again)
    assert out.getvalue() == again.getvalue()
    folder = tmp_path / "second"
    folder.mkdir()
    database = Database(folder / "db.sqlite")
    second = Loader(ImageStore(database, folder), folder)
    second(out.getvalue())
    assert sorted((image.id, *map(str, image.tags)) for image in second.store.list()) == sorted(
        (image.id, *map(str, image.tags)) for image in loader.store.list()
    )
    copied = io.BytesIO()
    save(second.store, choose(second.store, ["app", "other:1"]), copied)
    assert copied.getvalue() == out.getvalue()
    database.close()


# -- what must not -------------------------------------------------------------------------------------------


def edited(files: Files, **fields: Any) -> Files:
    entry = {**json.loads(files["manifest.json"])[0], **fields}
    return {**files, "manifest.json": json.dumps([entry]).encode()}


@pytest.mark.parametrize(
    "name", ["../../etc/shadow", "/etc/shadow", "0/../../etc/shadow", "", ".", "0", "nothing", "a\0b", "x" * 5000]
)
def test_a_name_never_leads_out_of_the_archive(loader: Loader, name: str) -> None:
    files = docker_files()
    loader.refuses(tar_of(edited(files, Layers=[name, "1/layer.tar"])), "archive")
    loader.refuses(tar_of(edited(files, Config=name)), "archive")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../../etc/passwd", "nothing", "0/layer.tar/x", "."])
def test_a_link_never_leads_out_of_the_archive(loader: Loader, kind: bytes, target: str) -> None:
    files = docker_files()
    del files["0/layer.tar"]
    loader.refuses(tar_of(files, {"0/layer.tar": (kind, target)}), "archive")


def test_links_in_a_circle_end(loader: Loader) -> None:
    files = docker_files()
    del files["0/layer.tar"]
    links = {"0/layer.tar": (tarfile.SYMTYPE, "other"), "0/other": (tarfile.SYMTYPE, "layer.tar")}
    loader.refuses(tar_of(files, links), "too many links")


@pytest.mark.parametrize("name", ["/manifest.json", "../x", "a/../../x"])
def test_an_entry_that_is_named_outside_is_refused(loader: Loader, name: str) -> None:
    loader.refuses(tar_of({**docker_files(), name: b"x"}), "archive")


def test_two_files_of_one_name_are_refused(loader: Loader) -> None:
    data = tar_of(docker_files(tags=["good:1"])).rstrip(b"\0")
    data += bytes(-len(data) % 512)
    loader.refuses(data + tar_of(docker_files(tags=["evil:1"])), "two files of the name")
    loader.refuses(data + tar_of({"./manifest.json": b"[]"}), "two files of the name")


def test_devices_are_refused(loader: Loader) -> None:
    loader.refuses(tar_of(docker_files(), {"sda": (tarfile.BLKTYPE, "")}), "device or a pipe")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.995])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_an_archive_that_is_cut_off(loader: Loader, part: float, pack: Callable[[bytes], bytes]) -> None:
    data = pack(tar_of({**docker_files(), "manifest.json": docker_files()["manifest.json"]}))
    data = data[: int((len(data) - 10240 * (pack is bytes)) * part)]
    loader.refuses(data, "cut off|decompressed|manifest|hold")


@pytest.mark.parametrize("wrong", ["first", "second"])
def test_a_layer_of_another_digest(loader: Loader, wrong: str) -> None:
    files = docker_files(tags=["app:1"])
    files["0/layer.tar" if wrong == "first" else "1/layer.tar"] = layer("evil")
    loader.refuses(tar_of(files), "digest")


def test_of_two_images_none_is_kept_when_one_is_wrong(loader: Loader) -> None:
    good, bad = docker_files([LAYERS[0]], ["good:1"]), docker_files([LAYERS[0], LAYERS[1]], ["bad:1"])
    bad = {f"bad-{name}": data for name, data in bad.items()}
    entry = json.loads(bad.pop("bad-manifest.json"))[0]
    entry |= {"Config": f"bad-{entry['Config']}", "Layers": [f"bad-{name}" for name in entry["Layers"]]}
    bad["bad-1/layer.tar"] = layer("evil")
    # A config named by a digest that it hasn't would be refused earlier.
    bad["bad-config"] = bad.pop(entry["Config"])
    entry["Config"] = "bad-config"
    manifest = json.dumps([json.loads(good["manifest.json"])[0], entry]).encode()
    loader.refuses(tar_of({**good, **bad, "manifest.json": manifest}), "digest")


def test_a_config_that_is_not_the_one_its_name_says(loader: Loader) -> None:
    files = docker_files()
    name = next(name for name in files if name.endswith(".json") and name != "manifest.json")
    loader.refuses(tar_of({**files, name: files[name].replace(b"amd64", b"arm64")}), "other bytes")


@pytest.mark.parametrize(
    ("manifest", "match"),
    [
        (b"", "can't be read"),
        (b"[", "can't be read"),
        (b"{}", "can't be read"),
        (b"[]", "no image"),
        (b'[{"Layers": []}]', "can't be read"),
        (b'[{"Config": 5}]', "can't be read"),
        (b"[" * 100_000, "can't be read"),
        (b" " * (5 << 20), "larger than"),
        (b'[{"Config": "c"}' + b',{"Config": "c"}' * 1001 + b"]", "more than"),
    ],
)
def test_a_manifest_that_is_none(loader: Loader, manifest: bytes, match: str) -> None:
    loader.refuses(tar_of({**docker_files(), "manifest.json": manifest, "c": b"{}"}), match)


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"{}",
        b'{"architecture": "amd64", "os": "windows"}',
        b'{"architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ["sha256:../../x"]}}',
        b'{"architecture": "amd64", "rootfs": {"type": "other"}}',
        b'{"architecture": "amd64", "created": "yesterday"}',
        b'{"architecture": "amd64", "created": "2024-13-01T00:00:00Z"}',
        b'{"architecture": "amd64", "created": "2024-01-01"}',
        b'{"architecture": "amd64", "history": [{"created": "x"}]}',
        b" " * (5 << 20),
    ],
)
def test_a_config_that_is_none(loader: Loader, config: bytes) -> None:
    manifest = json.dumps([{"Config": "c", "Layers": ["l"] if b"diff_ids" in config else None}]).encode()
    loader.refuses(tar_of({"c": config, "l": LAYERS[0], "manifest.json": manifest}))


def test_more_or_fewer_layers_than_the_config_has(loader: Loader) -> None:
    loader.refuses(tar_of(edited(docker_files(), Layers=["0/layer.tar"])), "expected 2, got 1")


@pytest.mark.parametrize("tag", ["UPPER:1", "a:b:c", "", "x@sha256:" + "0" * 64, "../x"])
def test_a_name_that_is_none(loader: Loader, tag: str) -> None:
    loader.refuses(tar_of(docker_files(tags=["app:1", tag])), error=InvalidReference)


def test_a_digest_in_an_oci_layout_is_believed_of_nothing(loader: Loader) -> None:
    files = oci_files(pack=gzip.compress)
    for name in [name for name in files if name.startswith("blobs/")]:
        loader.refuses(tar_of({**files, name: files[name] + b" "}), "bytes")
        harmed = bytearray(files[name])
        harmed[len(harmed) // 2] ^= 1
        loader.refuses(tar_of({**files, name: bytes(harmed)}))
    for digest in ("sha256:../../x", "sha512:" + "0" * 128, "sha256:" + "0" * 64, "x"):
        index = json.loads(files["index.json"])
        index["manifests"][0]["digest"] = digest
        loader.refuses(tar_of({**files, "index.json": json.dumps(index).encode()}), "digest|hold")


def test_a_document_that_is_manifest_and_index_at_once(loader: Loader) -> None:
    files = oci_files()
    index = {**json.loads(files["index.json"]), "layers": []}
    loader.refuses(tar_of({**files, "index.json": json.dumps(index).encode()}), "another document")


def test_indexes_within_each_other_end(loader: Loader) -> None:
    files, kind = oci_files(), "application/vnd.oci.image.index.v1+json"
    for _ in range(10):
        inner = files["index.json"]
        files[f"blobs/sha256/{sha(inner)}"] = inner
        entry = {"mediaType": kind, "digest": f"sha256:{sha(inner)}", "size": len(inner)}
        files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    loader.refuses(tar_of(files), "too deep")


def test_a_bomb_around_it_is_stopped(loader: Loader) -> None:
    limits = Limits(ratio=20, ratio_from=1 << 20)
    with pytest.raises(BadArchive, match="times its size"):
        loader(gzip.compress(tar_of({**docker_files(), "zeros": bytes(64 << 20)})), limits)
    assert not list((loader.folder / "tmp").iterdir())


def test_an_archive_of_too_many_entries(loader: Loader) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("d")
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    loader.refuses(out.getvalue()[:512] * 100_001, "more than 100000 entries")


def test_neither_format(loader: Loader) -> None:
    loader.refuses(tar_of({"x": b""}), "does not contain a manifest.json")
    loader.refuses(tar_of({"repositories": b"{}"}), "older than 1.10")
    loader.refuses(b"")
    loader.refuses(bytes(1024))


def test_what_a_killed_load_left_goes_at_the_next_opening(store: ImageStore, store_folder: Path) -> None:
    made = store.layers.unpack(io.BytesIO(LAYERS[0]), None, owner="load-killed")
    kept = store.layers.unpack(io.BytesIO(LAYERS[1]), None, owner="0123456789ab")
    database = Database(store_folder / "db.sqlite")
    again = ImageStore(database, store_folder)
    assert not again.layers.has(made.chain_id) and again.layers.has(kept.chain_id)
    assert again.check() == []
    database.close()


def test_a_config_of_ours_is_read_as_before() -> None:
    config = ImageConfig("amd64", created="2026-01-02T03:04:05.000000006Z")
    assert parse_config(encode(config)) == config
