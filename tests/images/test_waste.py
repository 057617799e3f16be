"""Bytes that a later layer hides: removed, written again, gone with their directory."""

from __future__ import annotations

from typing import Any

from containerlab.images import ImageStore
from containerlab.images.waste import wasted


def of(store: ImageStore, *archives: Any) -> list[int]:
    chain = None
    for archive in archives:
        chain = store.layers.unpack(archive.stream(), chain).chain_id
    return list(wasted(store.layers, chain).values())


def test_what_was_removed_and_what_was_written_again_is_wasted(store: ImageStore, new_archive) -> None:
    below = new_archive().dir("d").file("d/a", b"1" * 10).file("d/b", b"2" * 200).file("c", b"3" * 3000)
    assert of(store, below) == [0]
    assert of(store, below, new_archive().file("e", b"x")) == [0, 0]
    assert of(store, below, new_archive().dir("d").file("d/.wh.a"), new_archive().file("c", b"x")) == [3010, 0, 0]


def test_a_file_of_a_layer_between_is_wasted_there(store: ImageStore, new_archive) -> None:
    one, two = new_archive().file("a", b"1"), new_archive().file("a", b"22")
    assert of(store, one, two, new_archive().file(".wh.a")) == [1, 2, 0]


def test_what_goes_with_its_directory_is_wasted(store: ImageStore, new_archive) -> None:
    below = new_archive().dir("d").dir("d/e").file("d/e/a", b"1" * 10)
    assert of(store, below, new_archive().file(".wh.d")) == [10, 0]
    assert of(store, below, new_archive().dir("d").file("d/.wh..wh..opq").file("d/n", b"x")) == [10, 0]
    assert of(store, below, new_archive().file("d", b"x")) == [10, 0]
    assert of(store, new_archive().file("d", b"123"), new_archive().file(".wh.d"), new_archive().dir("d")) == [3, 0, 0]


def test_a_file_of_two_names_is_wasted_with_the_second(store: ImageStore, new_archive) -> None:
    below = new_archive().file("a", b"1" * 10).link("a", "b")
    assert of(store, below, new_archive().file(".wh.a")) == [0, 0]
    assert of(store, below, new_archive().file(".wh.a").file(".wh.b")) == [10, 0]


def test_an_image_without_layers_wastes_nothing(store: ImageStore) -> None:
    assert wasted(store.layers, None) == {}
