"""The embedded images in a real store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from containerlab.database import Database
from containerlab.errors import NoSuchImage
from containerlab.images import ImageStore, embedded


def new_store(folder: Path) -> ImageStore:
    folder.mkdir()
    return ImageStore(Database(folder / "db.sqlite"), folder)


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return new_store(tmp_path / "store")


def test_the_first_use_makes_the_image(images: ImageStore) -> None:
    started = time.monotonic()
    image = images.resolve("lab/busybox")
    assert time.monotonic() - started < 2
    assert [str(tag) for tag in image.tags] == ["docker.io/lab/busybox:latest"]
    assert image.config.config.Cmd == ["sh"]
    assert images.resolve("lab/busybox:latest").id == image.id


def test_python_stands_on_busybox(images: ImageStore) -> None:
    busybox, python = images.resolve("lab/busybox"), images.resolve("lab/python")
    assert python.chain_ids[: len(busybox.chain_ids)] == busybox.chain_ids
    assert len(python.chain_ids) == 3
    assert python.config.config.Cmd == ["python3"]
    assert not images.check()


@pytest.mark.parametrize("name", embedded.NAMES)
def test_two_stores_have_the_same_image(tmp_path: Path, name: str) -> None:
    first = new_store(tmp_path / "first").resolve(name)
    second = new_store(tmp_path / "second").resolve(name)
    assert first.id == second.id


def test_the_history_has_an_entry_for_each_layer(images: ImageStore) -> None:
    config = images.resolve("lab/python").config
    assert len([entry for entry in config.history if not entry.empty_layer]) == len(config.rootfs.diff_ids)
    assert all(entry.created and entry.created_by for entry in config.history)


def test_other_names_are_not_embedded(images: ImageStore) -> None:
    with pytest.raises(NoSuchImage):
        embedded.build("lab/other", images)
