"""YAML to nodes: places, Go's scalars, merge keys, and bounds that hold whatever is in the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerlab.compose import document
from containerlab.compose.nodes import Fields, Items, Node, Scalar, kind, text_of
from containerlab.errors import ComposeError


def parsed(text: str) -> Fields:
    return document.parse(text, "compose.yaml")[0]


def plain(node: Node) -> object:
    if isinstance(node, Fields):
        return {name: plain(entry) for name, entry in node.entries.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return kind(node)


def test_every_node_knows_its_line_column_and_path() -> None:
    tree = parsed("services:\n  web:\n    ports:\n      - 80\n      - '81'\n")
    web = tree.entries["services"].entries["web"]  # type: ignore[union-attr]
    assert isinstance(web, Fields)
    second = web.entries["ports"].items[1]  # type: ignore[union-attr]
    assert (second.place.line, second.place.column, second.place.path) == (5, 9, "services.web.ports[1]")
    assert str(web.key("ports")) == "compose.yaml:3:5"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("22:22", "22:22"), ("true", True), ("False", False), ("null", None), ("~", None),
        ("", None), ("12", 12), ("0x1f", 31), ("0o17", 15), ("0440", 288), ("1_000", 1000), ("-3", -3), ("1.5", 1.5),
        ("1e3", 1000.0), ("'12'", "12"), ('"true"', "true"), ("2001-12-14", "2001-12-14"), ("!!str 12", "12"),
        ("089", 89.0), ("1.2.3", "1.2.3"), ("0b101", 5),
    ],
)  # fmt: skip
def test_scalars_are_what_go_reads(text: str, value: object) -> None:
    node = parsed(f"a: {text}\n").entries["a"]
    assert isinstance(node, Scalar)
    assert kind(node) == value and type(kind(node)) is type(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1.10", "1.1"), ("0x10", "16"), ("1e6", "1000000"), ("true", "true"), ("1.0", "1"), ("1e-7", "1e-07")],
)
def test_a_number_is_written_as_go_writes_it(text: str, shown: str) -> None:
    node = parsed(f"a: {text}\n").entries["a"]
    assert isinstance(node, Scalar) and text_of(node) == shown


def test_merge_keys_give_what_the_mapping_itself_does_not_say() -> None:
    tree = parsed("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 3\n")
    assert plain(tree.entries["z"]) == {"a": 3, "b": 1, "c": 2}


def test_an_alias_is_a_copy_under_its_own_path_at_the_anchor_s_line() -> None:
    tree = parsed("x: &x {a: 1}\nz: *x\n")
    place = tree.entries["z"].entries["a"].place  # type: ignore[union-attr]
    assert (place.line, place.path) == (1, "z.a")


def test_documents_of_one_file_are_told_apart_and_empty_ones_left_out() -> None:
    assert len(document.parse("a: 1\n---\n---\nb: 2\n", "x")) == 2
    assert document.parse("# nothing\n", "x") == []


def test_nested_aliases_end_in_an_error_and_not_in_all_of_the_memory() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join(['*' + before] * 10)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    with pytest.raises(ComposeError, match="more than 100000 values"):
        document.parse("\n".join(lines), "bomb.yaml")


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 2000, "- " * 3000, "a: &a {b: " * 70])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(ComposeError):
        document.parse(text, "deep.yaml")


def test_a_file_may_not_be_longer_than_the_bound(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_bytes(b"#" * (document.MAX_BYTES + 1))
    with pytest.raises(ComposeError, match="longer than"):
        document.read(tmp_path / "long.yaml")


def test_a_file_that_is_no_text_a_folder_or_not_there_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(ComposeError, match="not UTF-8") as raised:
        document.read(tmp_path / "latin.yaml")
    assert raised.value.line == 2
    with pytest.raises(ComposeError, match="is a directory"):
        document.read(tmp_path)
    with pytest.raises(ComposeError, match="no such file or directory"):
        document.read(tmp_path / "none.yaml")


def test_a_device_or_a_pipe_is_read_no_further_than_the_bound(tmp_path: Path) -> None:
    with pytest.raises(ComposeError, match="longer than"):
        document.read(Path("/dev/zero"))
    os.mkfifo(tmp_path / "pipe")
    assert document.read(tmp_path / "pipe") == ""


def test_a_byte_order_mark_and_dos_line_ends_are_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "dos.yaml").write_bytes(b"\xef\xbb\xbfa: b\r\nc: d\r\n")
    assert plain(parsed(document.read(tmp_path / "dos.yaml"))) == {"a": "b", "c": "d"}


_YAML = st.lists(
    st.sampled_from(
        [
            "a",
            "b: ",
            "- ",
            "\n",
            "  ",
            "&x ",
            "*x",
            "<<: ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "!reset ",
            "'",
            '"',
            "# ",
            "|\n",
            "? ",
            "---\n",
            "\t",
            "%",
            "é",
            "\x07",
            "!!int ",
            "~",
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=100, deadline=None)
@given(_YAML)
def test_any_text_is_parsed_or_refused_with_its_place(text: str) -> None:
    try:
        document.parse(text, "any.yaml")
    except ComposeError as error:
        assert error.line >= 1 and error.file == "any.yaml"
