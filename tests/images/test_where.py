"""Which layer made a path: replaced, removed and hidden ones, links in the way, and what isn't there."""

from __future__ import annotations

from typing import Any

import pytest

from containerlab.errors import InvalidParameter, NotFound
from containerlab.images import Image, ImageConfig, ImageStore, Provenance, Rootfs
from containerlab.images.where import where


def made(store: ImageStore, *archives: Any) -> Image:
    """An image of these layers; the instruction of the first is in line 1."""
    chain, diff_ids = None, []
    for number, archive in enumerate(archives, 1):
        layer = store.layers.unpack(archive.stream(), chain, Provenance(f"RUN {number}", "Dockerfile", number))
        chain = layer.chain_id
        diff_ids.append(layer.diff_id)
    return store.create(ImageConfig("amd64", rootfs=Rootfs(diff_ids=diff_ids)), chain, "app:1")


def events(answer: dict[str, Any]) -> list[tuple[int, str, str, int]]:
    return [(each["line"], each["action"], each["kind"], each["size"]) for each in answer["history"]]


def test_the_top_layer_that_has_a_file_made_it(store: ImageStore, new_archive) -> None:
    image = made(
        store,
        new_archive().dir("etc").file("etc/a", b"12").file("etc/b", b"1"),
        new_archive().dir("etc").file("etc/a", b"345"),
        new_archive().file("c", b""),
    )
    answer = where(store, image, "/etc/a")
    assert events(answer) == [(1, "added", "file", 2), (2, "replaced", "file", 3)]
    assert answer["exists"] and answer["made_by"]["line"] == 2 and answer["removed_by"] is None
    assert answer["made_by"]["layer"] == image.chain_ids[1] and answer["made_by"]["created_by"] == "RUN 2"
    assert events(where(store, image, "etc/../etc/./b")) == [(1, "added", "file", 1)]


def test_a_directory_is_its_makers_whoever_writes_into_it(store: ImageStore, new_archive) -> None:
    image = made(
        store,
        new_archive().dir("d", mode=0o755),
        new_archive().dir("d", mode=0o755).file("d/x"),
        new_archive().dir("d", mode=0o700),
    )
    answer = where(store, image, "/d/")
    assert events(answer) == [(1, "added", "directory", 0), (3, "changed", "directory", 0)]
    assert answer["made_by"]["line"] == 1


def test_a_removed_file_is_told_with_who_removed_it(store: ImageStore, new_archive) -> None:
    image = made(store, new_archive().file("a", b"1"), new_archive().file(".wh.a"), new_archive().file("b"))
    answer = where(store, image, "/a")
    assert events(answer) == [(1, "added", "file", 1), (2, "removed", "", 0)]
    assert not answer["exists"] and answer["made_by"] is None and answer["removed_by"]["line"] == 2


def test_what_goes_with_its_directory_is_removed_too(store: ImageStore, new_archive) -> None:
    below = new_archive().dir("d").dir("d/e").file("d/e/a", b"1")
    gone = made(store, below, new_archive().file(".wh.d"))
    assert where(store, gone, "/d/e/a")["removed_by"]["line"] == 2
    hidden = made(store, below, new_archive().dir("d").file("d/.wh..wh..opq").file("d/new"))
    assert where(store, hidden, "/d/e/a")["removed_by"]["line"] == 2
    assert events(where(store, hidden, "/d")) == [(1, "added", "directory", 0), (2, "changed", "directory", 0)]
    covered = made(store, below, new_archive().file("d", b"now a file"))
    assert where(store, covered, "/d/e/a")["removed_by"]["line"] == 2
    assert events(where(store, covered, "/d"))[-1] == (2, "replaced", "file", 10)


def test_a_file_that_came_again_is_added_again(store: ImageStore, new_archive) -> None:
    image = made(store, new_archive().file("a", b"1"), new_archive().file(".wh.a"), new_archive().file("a", b"22"))
    answer = where(store, image, "/a")
    assert [each["action"] for each in answer["history"]] == ["added", "removed", "added"]
    assert answer["exists"] and answer["made_by"]["line"] == 3


def test_links_among_the_folders_are_followed_inside_of_the_image(store: ImageStore, new_archive) -> None:
    image = made(
        store,
        new_archive().dir("usr").dir("usr/bin").symlink("usr/bin", "bin").symlink("/../../usr", "up"),
        new_archive().dir("usr").dir("usr/bin").file("usr/bin/sh", b"#").symlink("sh", "usr/bin/ash"),
    )
    answer = where(store, image, "/bin/sh")
    assert answer["resolved"] == "/usr/bin/sh" and answer["made_by"]["line"] == 2
    assert where(store, image, "/up/bin/sh")["resolved"] == "/usr/bin/sh"
    assert events(where(store, image, "/bin/ash"))[0][2] == "link"
    assert events(where(store, image, "/bin")) == [(1, "added", "link", 0)]


@pytest.mark.parametrize("path", ["/nothing", "/a/b", "/etc/passwd", "/../../etc/hostname"])
def test_what_no_layer_has_is_not_found(path: str, store: ImageStore, new_archive) -> None:
    with pytest.raises(NotFound, match="no layer of app:1 has"):
        where(store, made(store, new_archive().file("a", b"1")), path)


def test_links_in_a_circle_are_an_error(store: ImageStore, new_archive) -> None:
    image = made(store, new_archive().symlink("a", "b").symlink("b", "a"))
    with pytest.raises(InvalidParameter, match="too many links"):
        where(store, image, "/a/x")
    with pytest.raises(InvalidParameter):
        where(store, image, "a\0b")
