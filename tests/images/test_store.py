"""Images by their names and ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from containerlab.errors import InvalidParameter, InvalidReference, NoSuchImage
from containerlab.images import ContainerConfig, Image, ImageConfig, ImageStore, Provenance, Rootfs
from containerlab.images.sharing import sharing


@pytest.fixture
def image(store: ImageStore) -> Image:
    return store.create(ImageConfig("amd64", config=ContainerConfig(Cmd=["sh"])), None, "app:1")


def test_image_is_found_by_each_of_its_names(store: ImageStore, image: Image) -> None:
    store.tag(image.id, "ghcr.io/me/app")
    for name in (
        "app:1",
        "docker.io/library/app:1",
        "ghcr.io/me/app:latest",
        image.id,
        image.id[7:],
        image.id[7:19],
        image.id[:19],
    ):
        assert store.resolve(name).id == image.id
    assert [tag.familiar() for tag in store.get(image.id).tags] == ["app:1", "ghcr.io/me/app:latest"]
    assert store.resolve(f"app@{image.id}").id == image.id
    assert [found.id for found in store.list()] == [image.id]


def test_image_survives_a_new_start(store: ImageStore, store_folder: Path, image: Image) -> None:
    from containerlab.database import Database

    again = ImageStore(Database(store_folder / "db.sqlite"), store_folder)
    assert again.resolve("app:1") == image
    assert again.resolve("app:1").config.config.Cmd == ["sh"]


@pytest.mark.parametrize(
    "name", ["app", "other:1", "sha256:" + "0" * 64, "0" * 64, "other@sha256:" + "0" * 64, "fffffffffffff"]
)
def test_unknown_image(name: str, store: ImageStore, image: Image) -> None:
    with pytest.raises(NoSuchImage) as caught:
        store.resolve(name)
    assert caught.value.message.startswith("No such image: ")


def test_near_names_are_the_hint(store: ImageStore, image: Image) -> None:
    with pytest.raises(NoSuchImage) as caught:
        store.resolve("ap:1")
    assert caught.value.hint == "Did you mean app:1?"
    store.tag(image.id, "base")
    with pytest.raises(NoSuchImage) as caught:
        store.resolve("bsae")
    assert caught.value.hint == "Did you mean base?"
    with pytest.raises(NoSuchImage) as caught:
        store.resolve("lab/busibox")
    assert "lab/busybox" in caught.value.hint


def test_broken_name(store: ImageStore) -> None:
    with pytest.raises(InvalidReference, match="must be lowercase"):
        store.resolve("App")


def test_short_id_of_two_images_is_ambiguous(store: ImageStore) -> None:
    by_digit: dict[str, Image] = {}
    for number in range(40):
        made = store.create(ImageConfig("amd64", author=str(number)), None)
        first = by_digit.setdefault(made.id[7], made)
        if first is not made:
            with pytest.raises(InvalidParameter, match="ambiguous"):
                store.resolve(made.id[:8])
            assert store.resolve(made.id[:20]).id == made.id
            return
    raise AssertionError("forty digests, and no two begin alike")


def test_name_moves_to_the_newer_image(store: ImageStore, image: Image) -> None:
    newer = store.create(ImageConfig("arm64"), None, "app:1")
    assert store.resolve("app:1").id == newer.id
    assert store.get(image.id).tags == []


def test_untag_leaves_the_image(store: ImageStore, image: Image) -> None:
    store.untag("app:1")
    assert store.get(image.id).tags == []
    with pytest.raises(NoSuchImage):
        store.untag("app:1")


def test_removed_image_is_gone_with_its_names(store: ImageStore, image: Image) -> None:
    assert store.remove(image.id) == []
    for name in ("app:1", image.id):
        with pytest.raises(NoSuchImage):
            store.resolve(name)
    with pytest.raises(NoSuchImage):
        store.remove(image.id)
    assert store.check() == []


def test_digest_cant_be_a_tag(store: ImageStore, image: Image) -> None:
    with pytest.raises(InvalidReference, match="digest reference"):
        store.tag(image.id, f"app@{image.id}")


def test_config_must_list_the_layers(store: ImageStore, new_archive) -> None:
    layer = store.layers.unpack(new_archive().file("f").stream(), None)
    with pytest.raises(InvalidParameter, match="other layers"):
        store.create(ImageConfig("amd64"), layer.chain_id)
    with pytest.raises(InvalidParameter, match="other layers"):
        store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=["sha256:" + "0" * 64])), layer.chain_id)


def test_same_config_twice_is_one_image(store: ImageStore, image: Image) -> None:
    assert store.create(ImageConfig("amd64", config=ContainerConfig(Cmd=["sh"])), None, "app:2").id == image.id
    assert len(store.list()) == 1


def test_shared_layers_are_counted_once(store: ImageStore, new_archive) -> None:
    base = store.layers.unpack(new_archive().file("base", b"b" * 1000).stream(), None, Provenance("FROM"))
    images, diff_ids = [], [base.diff_id]
    for name in ("one", "two"):
        top = store.layers.unpack(
            new_archive().file(name, b"t" * 10).stream(), base.chain_id, Provenance(f"COPY {name}", "D", 2)
        )
        images.append(
            store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=[*diff_ids, top.diff_id])), top.chain_id, name)
        )
    shown = sharing(store, [*images, images[0]])
    assert (shown["bytes_if_copied"], shown["bytes_on_disk"]) == (2020, 1020)
    assert shown["layers"][base.chain_id]["images"] == [image.id for image in images]
    assert [entry["tags"] for entry in shown["images"]] == [["one:latest"], ["two:latest"]]
    assert shown["layers"][images[1].chain_id]["created_by"] == "COPY two"
    assert store.remove(images[0].id) == [images[0].chain_id]
    assert store.layers.has(base.chain_id)
