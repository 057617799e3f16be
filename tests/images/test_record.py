"""A layer's own tar comes back byte for byte, whoever wrote it and however odd it is."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerlab.errors import BadArchive
from containerlab.images import ImageStore
from containerlab.images.layer import Layer
from containerlab.images.record import NAME


def tar_of(store: ImageStore, layer: Layer) -> bytes:
    out = io.BytesIO()
    store.layers.tar(layer.chain_id, out)
    assert store.layers.tar_size(layer.chain_id) == len(out.getvalue())
    return out.getvalue()


def comes_back(store: ImageStore, data: bytes) -> Layer:
    layer = store.layers.unpack(io.BytesIO(data), None)
    assert layer.diff_id == "sha256:" + hashlib.sha256(data).hexdigest()
    assert tar_of(store, layer) == data
    return layer


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_what_another_writer_packed(store: ImageStore, layout: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=layout, pax_headers={"comment": "g"}) as tar:
        for name, size in (("a/b", 3), ("a/" + "l" * 90, 0), ("big", 3 << 20), ("a/c", 512)):
            info = tarfile.TarInfo(name)
            info.size, info.uname, info.mtime = size, "somebody", 1_700_000_000
            tar.addfile(info, io.BytesIO(os.urandom(size)))
    comes_back(store, out.getvalue())
    comes_back(store, out.getvalue() + b"rubbish behind the end" * 99)


def test_compressed_it_is_the_plain_tar_that_comes_back(store: ImageStore, new_archive) -> None:
    data = new_archive().file("f", b"x" * 5000).bytes()
    assert tar_of(store, store.layers.unpack(io.BytesIO(gzip.compress(data)), None)) == data


def test_entries_that_become_no_file(store: ImageStore, new_archive) -> None:
    archive = new_archive().dir("d").file("d/.wh.gone", b"a whiteout with bytes").file("d/.wh..wh..opq", b"")
    archive.file(".wh..wh.plnk", b"aufs").file(".", b"nameless").device("null", 1, 3).device("zero", 0, 0)
    comes_back(store, archive.file("f", b"1").link("f", "g").symlink("f", "s").bytes())


@pytest.mark.parametrize(
    "again",
    [
        lambda a: a.file("d/f", b"second"),
        lambda a: a.file("d/f", b"second").file("d/f", b"third, longer"),
        lambda a: a.file("d", b"now a file"),
        lambda a: a.symlink("elsewhere", "d").dir("elsewhere").file("d/f", b"through the link"),
        lambda a: a.link("d/f", "kept").file("d/f", b"second"),
        lambda a: a.symlink("d", "way").file("way/g", b"by the link").file("way", b"a file now"),
        lambda a: a.symlink("d", "way").file("way/g", b"by the link").dir("way").file("way/g", b"another"),
        lambda a: a.file("d/f", b"").file("d", b"x").dir("d").file("d/f", b"last"),
    ],
)
def test_an_archive_that_replaces_its_own_files(store: ImageStore, new_archive, again) -> None:
    layer = comes_back(store, again(new_archive().dir("d").file("d/f", b"first").file("e", b"other")).bytes())
    assert store.check() == []
    assert store.layers.remove(layer.chain_id)
    assert not list((store.layers.folder.parent / "tmp").iterdir())


NAMES = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/b/a", "b/.wh.a", "a/.wh..wh..opq"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["file", "dir", "symlink", "link"]), NAMES, NAMES, st.binary(max_size=1200)), max_size=12
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(STEPS)
def test_any_order_of_replacements(store: ImageStore, new_archive, steps) -> None:
    archive = new_archive()
    for kind, name, other, data in steps:
        if kind in ("symlink", "link"):
            getattr(archive, kind)(other, name)
        else:
            archive.file(name, data) if kind == "file" else archive.dir(name)
    try:
        layer = store.layers.unpack(io.BytesIO(archive.bytes()), None)
    except BadArchive:
        return
    assert tar_of(store, layer) == archive.bytes()


def test_a_committed_layer_has_a_record_too(store: ImageStore, store_folder: Path) -> None:
    upper = store_folder / "upper"
    (upper / "d").mkdir(parents=True)
    (upper / "d/large").write_bytes(os.urandom(1 << 20))
    (upper / "d/empty").touch()
    os.link(upper / "d/large", upper / "twin")
    layer = store.layers.commit(upper, None)
    assert "sha256:" + hashlib.sha256(tar_of(store, layer)).hexdigest() == layer.diff_id


@pytest.mark.parametrize("harm", ["content", "shorter", "gone", "link", "record"])
def test_a_changed_layer_never_goes_out_as_whole(store: ImageStore, new_archive, harm: str) -> None:
    layer = store.layers.unpack(new_archive().dir("d").file("d/f", b"12345").file("g", b"1").stream(), None)
    file = store.layers.diff(layer.chain_id) / "d/f"
    if harm == "content":
        file.write_bytes(b"54321")
    elif harm == "shorter":
        file.write_bytes(b"1")
    elif harm == "record":
        record = file.parents[2] / NAME
        record.write_bytes(record.read_bytes()[:-12])
    else:
        file.unlink()
        if harm == "link":
            file.symlink_to("../g")
    with pytest.raises(BadArchive):
        store.layers.tar(layer.chain_id, io.BytesIO())
