"""The content store trusts no digest it hasn't computed, and no path it hasn't made."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from containerlab.errors import BadArchive, NotFound
from containerlab.images.config import (
    ContainerConfig,
    HealthConfig,
    History,
    ImageConfig,
    Rootfs,
    encode,
    parse_config,
    parse_index,
    parse_manifest,
)
from containerlab.images.content import ContentStore


@pytest.fixture
def content(tmp_path: Path) -> ContentStore:
    (tmp_path / "tmp").mkdir()
    return ContentStore(tmp_path / "content", tmp_path / "tmp")


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_blob_comes_back(content: ContentStore, tmp_path: Path) -> None:
    assert content.put(b"text") == digest(b"text")
    assert content.read(digest(b"text"), most=4) == b"text"
    assert content.has(digest(b"text"))
    assert list(content.digests()) == [digest(b"text")]
    assert (tmp_path / "content/blobs/sha256" / digest(b"text")[7:]).read_bytes() == b"text"
    assert json.loads((tmp_path / "content/oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    content.remove(digest(b"text"))
    with pytest.raises(NotFound):
        content.read(digest(b"text"), most=4)


def test_stream_with_other_bytes_is_not_kept(content: ContentStore, tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match="other bytes"):
        content.ingest(io.BytesIO(b"evil"), digest(b"good"), most=100)
    with pytest.raises(BadArchive, match="larger"):
        content.ingest(io.BytesIO(b"x" * 101), digest(b"x" * 101), most=100)
    assert not list(content.digests())
    assert not list((tmp_path / "tmp").iterdir())
    assert content.ingest(io.BytesIO(b"good"), digest(b"good"), most=100) == 4


@pytest.mark.parametrize(
    "name",
    [
        "sha256:../../x",
        "../../etc/shadow",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 64 + "\n",
        "md5:x",
        "",
    ],
)
def test_digest_is_checked_before_it_is_a_path(name: str, content: ContentStore) -> None:
    for call in (content.has, content.remove, lambda name: content.read(name, most=1)):
        with pytest.raises(BadArchive, match="not a digest"):
            call(name)


def test_blob_that_changed_on_the_disk_is_noticed(content: ContentStore, tmp_path: Path) -> None:
    content.put(b"text")
    (tmp_path / "content/blobs/sha256" / digest(b"text")[7:]).write_bytes(b"tex!")
    with pytest.raises(BadArchive, match="changed"):
        content.read(digest(b"text"), most=100)
    with pytest.raises(BadArchive, match="larger"):
        content.read(digest(b"text"), most=3)


def test_config_is_the_same_bytes_whatever_the_order() -> None:
    one = ContainerConfig(
        Env=["A=1"], Labels={"b": "2", "a": "1"}, Healthcheck=HealthConfig(Test=["CMD", "x"], Interval=5)
    )
    two = ContainerConfig(
        Env=["A=1"], Labels={"a": "1", "b": "2"}, Healthcheck=HealthConfig(Test=["CMD", "x"], Interval=5)
    )
    history = [History("2026-01-02T03:04:05Z")]
    first, second = (encode(ImageConfig("amd64", config=config, history=history)) for config in (one, two))
    assert first == second
    assert parse_config(first).config == one


def test_foreign_fields_are_ignored_and_rootfs_is_checked() -> None:
    text = {
        "architecture": "arm64",
        "os": "linux",
        "container": "x",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]},
    }
    assert parse_config(json.dumps(text).encode()).rootfs == Rootfs(diff_ids=["sha256:1"])
    text["rootfs"] = {"type": "other", "diff_ids": []}
    with pytest.raises(BadArchive, match="type 'other'"):
        parse_config(json.dumps(text).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"architecture": 5}', b"[" * 100_000, b"{}" + b" " * (5 << 20)])
def test_documents_that_are_none(text: bytes) -> None:
    for parse in (parse_config, parse_manifest, parse_index):
        with pytest.raises(BadArchive):
            parse(text)


def test_manifest_that_is_also_an_index_is_refused() -> None:
    """CVE-2021-41190."""
    layer = {"mediaType": "m", "digest": "sha256:1", "size": 1}
    manifest = {"schemaVersion": 2, "config": layer, "layers": [layer]}
    index = {"schemaVersion": 2, "manifests": [layer]}
    assert parse_manifest(json.dumps(manifest).encode()).layers[0].size == 1
    assert parse_index(json.dumps(index).encode()).manifests[0].digest == "sha256:1"
    for parse in (parse_manifest, parse_index):
        with pytest.raises(BadArchive, match="taken for another"):
            parse(json.dumps(manifest | index).encode())


def test_blobs_are_the_owners_alone(content: ContentStore, tmp_path: Path) -> None:
    content.put(b"text")
    assert (tmp_path / "content/blobs/sha256").stat().st_mode & 0o077 == 0
