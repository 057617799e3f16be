"""Results: what a terminal, a notebook and a program each see of them."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from containerlab.commands.build import Built
from containerlab.commands.build_steps import BuildLog, Step
from containerlab.commands.result import Column, Document, Finished, Lines, Result, Started, Table

COLUMNS = [
    Column("name", "NAME", "Name"),
    Column("seconds", "AGE", "Age", text=lambda count: f"{count} seconds", calm=lambda count: "seconds", number=True),
    Column("secret", "SECRET", "Secret", hidden=True),
]
ROWS = [{"name": "web", "seconds": 3, "secret": "x"}, {"name": "a<b", "seconds": 40, "secret": "y"}]
RESULTS = [
    Table(COLUMNS, ROWS),
    Table(COLUMNS, [], empty="Nothing runs."),
    Lines(["web"]),
    Document([{"Id": "x"}], summary="One thing"),
    Started("f" * 64, "web", "lab/busybox"),
    Finished("lab/busybox true", "out", "err", 0.1),
    Built("sha256:" + "0" * 64, ["app:1"], BuildLog(steps=[Step(1, 1, "FROM x", cached=True)])),
]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_every_result_has_words_html_and_data_and_shows_no_address(result: Result) -> None:
    bundle = result._repr_mimebundle_()
    assert bundle["text/plain"].strip()
    tags = Tags(bundle["text/html"])
    assert not tags.open
    classes = [word for _, attributes in tags.seen for word in (attributes.get("class") or "").split()]
    assert classes and all(word.startswith("cl-") for word in classes)
    assert isinstance(result.to_dict(), dict)
    assert " at 0x" not in f"{result!r}{result}{bundle}"


def test_a_table_is_aligned_for_a_terminal() -> None:
    assert str(Table(COLUMNS, ROWS)) == "NAME   AGE\nweb    3 seconds\na<b    40 seconds"


def test_a_table_in_a_notebook_keeps_words_that_do_not_change() -> None:
    bundle = Table(COLUMNS, ROWS)._repr_mimebundle_()
    assert "3 seconds" not in bundle["text/plain"] + bundle["text/html"]
    assert bundle["text/plain"] == "NAME   AGE\nweb    seconds\na<b    seconds"


def test_a_table_in_html_has_scopes_and_escapes_its_cells() -> None:
    tags = Tags(Table(COLUMNS, ROWS).body())
    heads = [attributes for tag, attributes in tags.seen if tag == "th"]
    assert [head["scope"] for head in heads] == ["col", "col"]
    assert "a&lt;b" in Table(COLUMNS, ROWS).body()


def test_a_table_gives_its_rows_unrounded() -> None:
    table = Table(COLUMNS, ROWS)
    assert [row["seconds"] for row in table] == [3, 40]
    assert len(table) == 2 and table[1]["name"] == "a<b"


def test_format_replaces_the_table() -> None:
    assert str(Table(COLUMNS, ROWS, lines="{{.Name}}={{.Secret}}")) == "web=x\na<b=y"
    assert str(Table(COLUMNS, ROWS[:1], lines="json")) == '{"Name": "web", "Age": "3 seconds", "Secret": "x"}'
    assert str(Table(COLUMNS, ROWS[:1], lines="table {{.Secret}}\t{{.Name}}")) == "SECRET   NAME\nx        web"


def test_no_rows_is_a_sentence_in_a_notebook_and_a_head_in_a_terminal() -> None:
    table = Table(COLUMNS, [], empty="Nothing runs.")
    assert table.calm() == "Nothing runs."
    assert str(table) == "NAME   AGE"


def test_a_hushed_result_shows_again_later() -> None:
    result = Table(COLUMNS, ROWS)
    hushed = [True]
    result.hush(lambda: hushed[0])
    result._ipython_display_()
    hushed[0] = False
    with pytest.raises(NotImplementedError):
        result._ipython_display_()


def test_a_drawn_table_shows_its_figure() -> None:
    table = Table(COLUMNS, ROWS)
    table.draw(Lines(["a picture"]))
    assert table._repr_mimebundle_()["text/plain"] == "a picture"
    assert str(table).startswith("NAME")


def test_colours_of_the_style_are_readable_in_both_themes() -> None:
    """4.5:1 for text, as WCAG 2.1 counts contrast."""
    from containerlab.commands import html

    for palette, ground in ((html._LIGHT, "#ffffff"), (html._DARK, "#111111")):
        colours = dict(part.split(":") for part in palette.split(";"))
        for name in ("--cl-fg", "--cl-mute", "--cl-good", "--cl-bad"):
            assert _contrast(colours[name], ground) >= 4.5, (name, ground)


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
