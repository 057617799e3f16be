"""Pictures: what is drawn, what a screen reader hears, and what is left where SVG is stripped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.cells import cell_len as cells

from containerlab.lab import diagrams, draw, plots, svg, words
from containerlab.lab.copies import Touch
from containerlab.lab.copies_figure import draw_copies
from containerlab.lab.figure import Figure
from containerlab.lab.life import Turn
from containerlab.lab.life_figure import draw_life
from containerlab.lab.measure import Memory, Missing, Sample
from containerlab.lab.reach import gather
from containerlab.lab.reach_figure import draw_reach
from containerlab.lab.sharing import Layer, read_sharing
from containerlab.lab.stages import draw_stages
from containerlab.lab.theme import INKS
from containerlab.lab.timeline import draw_timeline
from containerlab.lab.tree_figure import draw_tree
from containerlab.lab.usage import Limits, draw_usage
from containerlab.lab.usage import Sample as Usage
from tests.lab.networks_scripted import NETWORKS, TEA
from tests.lab.scripted import CLIENT

LAYERS = (Layer("sha256:a", 2_000_000, "ADD rootfs /"), Layer("sha256:b", 5, "RUN echo milk > /shopping"))
TOUCHES = [
    Touch("/shopping", "copied", 2, 5, 0.5),
    Touch("/etc/passwd", "removed", 1, 40, 0.5),
    Touch("/memo", "new", None, None, 1.0),
]
SAMPLES = [Usage(0.1 * number, 4_000_000 + number, 0.05 * number, 3) for number in range(20)]
STAMPS = [("request", 0.0), ("clone", 800.0), ("overlay", 1300.0), ("pivot_root", 1350.0), ("exec", 1900.0)]
STAGES = [
    {
        "name": name, "line": 1, "base": base, "starts_from": starts_from, "copies_from": copies,
        "target": name == "end", "state": state, "words": words, "on_longest_path": longest,
    }
    for name, base, starts_from, copies, state, words, longest in (
        ("deps", "lab/python", "", [], "cached", "cached, 0.01 s", True),
        ("test", "", "deps", [], "skipped", "skipped: the target doesn't need it", False),
        ("end", "lab/busybox", "", ["deps"], "built", "built in 1.2 s", True),
    )
]  # fmt: skip
STARTUP = {
    "process": Sample((0.8, 0.9, 1.1)),
    "container": Sample((2.0, 2.2, 2.9)),
    "container_api": Sample((8.0, 8.5, 12.0)),
    "vm": Sample((1400.0, 1500.0, 1700.0)),
}


def figures() -> dict[str, Figure]:
    return {
        "layers": diagrams.layer_sharing(CLIENT, "one", "two"),
        "stacks": diagrams.stacks(),
        "timeline": draw_timeline("web", STAMPS),
        "tree": draw_tree(read_sharing(CLIENT, ["one", "two"])),
        "copies": draw_copies("web", LAYERS, TOUCHES),
        "usage": draw_usage("web", SAMPLES, Limits(memory=8_000_000, cpus=0.5, pids=7)),
        "life": draw_life("web", [Turn("create", "created"), Turn("start", "running"), Turn("die", "exited")]),
        "networks": draw_reach(gather(NETWORKS, TEA)),
        "stages": draw_stages(STAGES, "3 stages: 1 built, 1 cached, 1 left out (test)."),
        "startup": plots.startup_plot(STARTUP, "tcg"),
        "memory": plots.memory_plot(
            {"container": Memory(None, 700_000, "its cgroup's charge"), "vm": Memory(256_000_000, 90_000_000, "PSS")},
            "tcg",
        ),
    }


def korean_figures() -> dict[str, Figure]:
    words.speak("ko")
    try:
        return figures()
    finally:
        words.speak("en")


FIGURES = figures()
KOREAN = korean_figures()
each_figure = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES.keys())


@pytest.mark.parametrize("stages", [STAGES[:1], STAGES], ids=["one", "all"])
def test_the_legend_of_stages_is_not_cut_off(stages: list[dict[str, object]]) -> None:
    canvas = draw_stages(stages, "").canvas
    canvas.canvas.draw()
    (last,) = [text for axes in canvas.axes for text in axes.texts if text.get_text() == "◆ longest path"]
    assert last.get_window_extent().x1 <= canvas.bbox.x1


def drawing(figure: Figure) -> str:
    found = re.search(r"(?s)<svg.*?</svg>", figure.to_html())
    assert found
    return found[0]


@each_figure
def test_svg_is_well_formed_and_names_itself(figure: Figure) -> None:
    root = ET.fromstring(drawing(figure))
    title, description = root[0], root[1]
    assert (title.text, description.text) == (figure.title, figure.summary)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


@each_figure
def test_two_displays_of_one_figure_share_no_id(figure: Figure) -> None:
    first, second = (set(re.findall(r'\bid="([^"]+)"', drawing(figure))) for _ in range(2))
    assert first
    assert not first & second


@each_figure
def test_every_reference_in_the_svg_points_to_an_id_of_its_own(figure: Figure) -> None:
    page = drawing(figure)
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= ids


@each_figure
def test_colours_follow_the_theme(figure: Figure) -> None:
    page = drawing(figure)
    assert not [ink.name for ink in INKS.values() if ink.sentinel in page]
    assert "var(--cl-text" in page


@each_figure
def test_where_svg_is_stripped_the_words_and_an_image_remain(figure: Figure) -> None:
    stripped = re.sub(r"(?s)<(style|svg)\b.*?</\1>", "", figure.to_html())
    assert 'src="data:image/svg+xml;base64,' in stripped
    assert figure.title in stripped
    assert '<th scope="col">' in stripped


@each_figure
def test_plain_text_is_a_sentence_and_a_table(figure: Figure) -> None:
    words = str(figure)
    assert words.startswith(f"{figure.title}: {figure.summary}")
    assert str(figure.table) in words


@each_figure
def test_png_is_drawn_in_colours_that_are_seen_on_paper(figure: Figure) -> None:
    assert svg.png(figure.canvas).startswith(b"\x89PNG")
    assert figure.canvas.findobj()[0] is not None


@pytest.mark.parametrize("figure", KOREAN.values(), ids=KOREAN.keys())
@pytest.mark.filterwarnings("error:Glyph")
def test_a_korean_picture_is_drawn_in_letters_not_in_boxes(figure: Figure) -> None:
    assert re.search("[가-힣]", drawing(figure))
    svg.png(figure.canvas)


@pytest.mark.parametrize("figure", KOREAN.values(), ids=KOREAN.keys())
def test_a_terminal_lines_up_a_table_in_korean(figure: Figure) -> None:
    head, *rows = str(figure.table).splitlines()
    second = figure.table.head[1]
    start = cells(head[: head.index(second)])
    for line, row in zip(rows, figure.table.rows, strict=True):
        place = line.index(row[1], len(row[0]))
        assert cells(line[:place]) == start


def test_a_host_without_a_hangul_font_takes_the_package_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def packaged() -> set[str]:
        return {font.name for font in draw.font_manager.fontManager.ttflist if "koreanize_matplotlib" in font.fname}

    monkeypatch.setattr(draw.font_manager, "get_font_names", packaged)
    draw.hangul_fonts.cache_clear()
    try:
        assert draw.hangul_fonts() == ("NanumGothic",)
    finally:
        draw.hangul_fonts.cache_clear()


def test_png_leaves_the_inks_as_they_were() -> None:
    figure = diagrams.stacks()
    before = svg.inline(svg.draw(figure.canvas, {}), "t", "d")
    svg.png(figure.canvas)
    after = svg.inline(svg.draw(figure.canvas, {}), "t", "d")
    strip = re.compile(r"cl[0-9a-f]{8}-")
    assert strip.sub("", before) == strip.sub("", after)


def test_a_shared_layer_is_drawn_once() -> None:
    page = drawing(FIGURES["layers"])
    assert len(re.findall(r'id="cl[0-9a-f]{8}-layer-\d+"', page)) == 3
    assert "used by 2 of 2 images" in page


def test_the_sentence_says_what_sharing_saves() -> None:
    assert "sharing saves 2MB" in FIGURES["layers"].summary


def test_under_tcg_no_ratio_is_claimed() -> None:
    words = FIGURES["startup"].summary
    assert "TCG" in words
    assert not re.search(r"times (as )?(fast|slow)", words)


def test_what_was_not_measured_has_a_reason_and_no_bar() -> None:
    figure = plots.startup_plot({**STARTUP, "vm": Missing("QEMU is not installed.")}, None)
    assert "Not measured here: virtual machine. QEMU is not installed." in figure.summary
    assert len(figure.tips) == 3
    assert "vm" not in figure.to_dict()


def test_the_timeline_names_the_longest_step() -> None:
    assert "the longest is clone, 0.80 ms" in FIGURES["timeline"].summary


def test_a_figure_is_saved_as_svg_or_png(tmp_path: Path) -> None:
    assert ET.parse(FIGURES["stacks"].save(tmp_path / "a.svg")).getroot().tag.endswith("svg")
    assert FIGURES["stacks"].save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_percentiles_of_a_sample() -> None:
    sample = Sample(tuple(float(value) for value in range(1, 12)))
    assert (sample.median, sample.p10, sample.p90, sample.n) == (6.0, 2.0, 10.0, 11)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0.713, "0.71 ms"), (3.21, "3.2 ms"), (36.4, "36 ms"), (132.0, "132 ms"), (1512.0, "1.5 s"), (123_456.0, "123 s")],
)
def test_a_duration_never_needs_an_exponent(milliseconds: float, words: str) -> None:
    assert plots.duration(milliseconds) == words


@each_figure
def test_where_the_style_sheet_is_stripped_the_words_of_the_drawing_are_hidden_and_the_image_is_not(
    figure: Figure,
) -> None:
    page = figure.to_html()
    untrusted = re.sub(
        r"(?s)<style>.*?</style>", "", re.sub(r"</?(svg|g|defs|path|use|text|title|desc)\b[^>]*>", "", page)
    )
    words = re.search(r'(?s)<div class="cl-drawing" style="display:none">(.*?)</div>', untrusted)
    assert words and figure.title in words[1]
    assert '<img class="cl-fallback" alt="' in untrusted and "<figcaption>" in untrusted


@each_figure
def test_a_small_picture_is_not_blown_up_to_the_width_of_a_page(figure: Figure) -> None:
    widest = re.search(r'<svg role="img"[^>]*? style="max-width:([0-9]+)pt"', drawing(figure))
    assert widest
    assert figure.canvas.get_figwidth() * 72 < int(widest[1]) < figure.canvas.get_figwidth() * 90
