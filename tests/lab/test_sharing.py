"""Layer sharing, read from an engine that is scripted."""

from __future__ import annotations

import hashlib

import pytest

from containerlab.lab.sharing import ImageLayers, Layer, Sharing, chain_ids, read_sharing
from containerlab.lab.tree_figure import draw_tree
from tests.lab.scripted import CLIENT, ScriptedClient


def test_chain_id_is_the_digest_of_the_chain_below_and_the_own_diff_id() -> None:
    second = "sha256:" + hashlib.sha256(b"sha256:base sha256:one").hexdigest()
    assert chain_ids(["sha256:base", "sha256:one"]) == ["sha256:base", second]


def test_a_layer_under_two_images_counts_once_on_disk() -> None:
    sharing = read_sharing(CLIENT, ["one", "two"])
    assert sharing.bytes_if_copied == 2 * 2_000_000 + 400
    assert sharing.bytes_on_disk == 2_000_000 + 400
    assert sharing.bytes_saved == 2_000_000
    assert sharing.users("sha256:base") == ["one", "two"]


def test_the_same_diff_on_another_base_is_another_layer() -> None:
    client = ScriptedClient(
        a=(["sha256:x", "sha256:same"], [("x", 1), ("same", 5)]),
        b=(["sha256:y", "sha256:same"], [("y", 1), ("same", 5)]),
    )
    assert len(read_sharing(client, ["a", "b"]).layers) == 4


@pytest.mark.parametrize(("image", "words"), [("one", "RUN echo 1 > /a"), ("two", "COPY b /b # buildkit")])
def test_instructions_are_shown_as_the_dockerfile_has_them(image: str, words: str) -> None:
    assert read_sharing(CLIENT, [image]).images[0].layers[-1].created_by == words


def test_a_layer_without_size_is_still_a_layer() -> None:
    layers = read_sharing(CLIENT, ["empty_run"]).images[0].layers
    assert [(layer.created_by, layer.size) for layer in layers] == [("ADD rootfs /", 2_000_000), ("RUN true", 0)]


def test_a_deletion_is_a_layer_of_no_size_among_entries_that_made_none() -> None:
    client = ScriptedClient(
        bloated=(
            ["sha256:base", "sha256:big", "sha256:whiteout"],
            [
                ("ADD rootfs /", 2_000_000),
                ('/bin/sh -c #(nop)  CMD ["sh"]', 0),
                ("/bin/sh -c make /big", 20_000_000),
                ("/bin/sh -c rm /big", 0),
            ],
        )
    )
    layers = read_sharing(client, ["bloated"]).images[0].layers
    assert [(layer.created_by, layer.size) for layer in layers] == [
        ("ADD rootfs /", 2_000_000),
        ("RUN make /big", 20_000_000),
        ("RUN rm /big", 0),
    ]


def test_a_copy_is_shown_without_the_digest_of_its_source() -> None:
    client = ScriptedClient(copied=(["sha256:a"], [(f"/bin/sh -c #(nop) COPY file:{'0f' * 32} in /app.py ", 20)]))
    assert read_sharing(client, ["copied"]).images[0].layers[0].created_by == "COPY /app.py"


def test_an_image_of_no_layers_has_no_size() -> None:
    assert read_sharing(CLIENT, ["scratch"]).images[0].size == 0


def test_a_tree_moves_in_where_images_part_and_shows_what_is_wasted() -> None:
    base, big, gone = Layer("a", 2_000_000, "ADD /"), Layer("b", 20_000_000, "RUN head"), Layer("c", 0, "RUN rm")
    own = Layer("d", 9, "COPY app.py /")
    figure = draw_tree(
        Sharing(
            (
                ImageLayers("base:1", (base,)),
                ImageLayers("bloated:1", (base, big, gone), 20_000_000, {"b": 20_000_000}),
                ImageLayers("app:1", (base, own)),
            )
        )
    )
    assert [(row["layer"], row["depth"], row["wasted"], row["images"]) for row in figure.to_dict()["layers"]] == [
        ("a", 0, 0, ["base:1"]),
        ("b", 1, 20_000_000, []),
        ("c", 1, 0, ["bloated:1"]),
        ("d", 1, 0, ["app:1"]),
    ]
    assert "3 images on 4 layers" in figure.summary and "bloated:1 wastes 20MB" in figure.summary
    assert [row[3] for row in figure.table.rows] == ["", "20MB", "", ""]


def test_a_tree_of_nothing_is_no_error() -> None:
    assert "0 images on 0 layers" in draw_tree(Sharing(())).summary
