"""The few strokes every picture is made of, in the inks of ``theme``."""

from __future__ import annotations

import importlib.util
import logging
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import FancyBboxPatch

from containerlab.lab.theme import HATCHES, INKS

__all__ = [
    "LETTER",
    "bare_axes",
    "box",
    "canvas",
    "cut",
    "extent",
    "families",
    "hangul_fonts",
    "ink",
    "label",
    "megabytes",
    "plot_axes",
    "wash",
]

LETTER = 0.0083
"""Inches that a letter of DejaVu Sans takes on average, for each point of its size."""

_SYLLABLE = 0.0128
"""The same for a syllable of Hangul, which is as wide as it is high."""

_HANGUL = ("NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "UnDotum")


def ink(name: str) -> str:
    """What to hand to matplotlib as the colour ``name``."""
    return INKS[name].sentinel


def wash(name: str) -> str:
    """The pale surface that belongs to the hue ``name``."""
    return INKS[f"{name}-wash"].sentinel


def _weights_pass(record: logging.LogRecord) -> bool:
    """Hangul families call their bold 600; that matplotlib takes it for 700 is no news for a notebook's stderr."""
    return "find font weight" not in record.getMessage()


logging.getLogger("matplotlib.font_manager").addFilter(_weights_pass)


@cache
def hangul_fonts() -> tuple[str, ...]:
    """The families with Hangul: the host's, or the one that the package koreanize-matplotlib carries; maybe none."""
    found = _known_hangul()
    if not found:
        package = importlib.util.find_spec("koreanize_matplotlib")
        for folder in package.submodule_search_locations or () if package else ():
            for weight in ("NanumGothic.ttf", "NanumGothicBold.ttf"):
                font_manager.fontManager.addfont(Path(folder, "fonts", weight))
        found = _known_hangul()
    return found


def _known_hangul() -> tuple[str, ...]:
    known = set(font_manager.get_font_names())
    return tuple(name for name in _HANGUL if name in known)


def families(words: str) -> list[str]:
    """The fonts to write ``words`` in."""
    # Named only where needed: matplotlib looks such a family up for every text.
    return ["DejaVu Sans", *(hangul_fonts() if any(map(_is_hangul, words)) else ())]


def _is_hangul(letter: str) -> bool:
    return "\uac00" <= letter <= "\ud7a3"


def extent(words: str, size: float) -> float:
    """About how many inches ``words`` take in a line, at this many points."""
    return size * sum(_SYLLABLE if _is_hangul(letter) else LETTER for letter in words)


def canvas(width: float, height: float) -> Canvas:
    """An empty picture, in inches; 11 points at 9 inches reads from a lecture hall's back row."""
    return Canvas(figsize=(width, height), facecolor="none")


def bare_axes(figure: Canvas, rectangle: tuple[float, float, float, float]) -> Axes:
    """Axes without frame or ticks, for boxes and arrows; ``rectangle`` is left, bottom, width, height."""
    axes = figure.add_axes(rectangle)
    axes.set_axis_off()
    return axes


def plot_axes(figure: Canvas, rectangle: tuple[float, float, float, float]) -> Axes:
    """Axes of a plot: quiet frame, soft ticks."""
    axes = figure.add_axes(rectangle)
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(ink("line"))
    axes.tick_params(colors=ink("soft"), labelsize=10)
    return axes


def label(axes: Axes, x: float, y: float, words: str, *, size: float = 11, tone: str = "text", **more: object) -> None:
    """Text at a point, centred on it unless ``ha`` and ``va`` say otherwise."""
    place: dict[str, Any] = {"ha": "center", "va": "center", **more}
    font = _font(tuple(families(words)), size, place.pop("weight", "normal"))
    axes.text(x, y, words, fontproperties=font, color=ink(tone), **place)


@cache
def _font(family: tuple[str, ...], size: float, weight: str) -> font_manager.FontProperties:
    """Made once: a picture of many containers has hundreds of labels in few fonts."""
    return font_manager.FontProperties(family=list(family), size=size, weight=weight)


def box(
    axes: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    hue: str,
    *,
    gid: str = "",
    hatch: bool = False,
    dashed: bool = False,
) -> None:
    """A rounded box with a coloured edge and a pale face; ``gid`` ties a tooltip to it.

    ``dashed`` draws the edge alone: a boundary, not a thing.
    """
    patch = FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor="none" if dashed else wash(hue),
        edgecolor=ink(hue),
        linewidth=1.6,
        linestyle=(0, (4, 2)) if dashed else "solid",
    )
    if hatch:
        patch.set_hatch(HATCHES.get(hue, ""))
    if gid:
        patch.set_gid(gid)
    axes.add_artist(patch)  # add_patch would work out limits, which every picture sets itself


def cut(words: str, inches: float, size: float) -> str:
    """As much as has room, and where it was cut; a digest or a path in the middle of a word too."""
    flat = " ".join(words.split())
    most = max(4, int(len(flat) * inches / extent(flat, size))) if flat else 0
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def megabytes(size: float) -> str:
    """A size as Docker writes it: decimal units, three figures (``2.1MB``)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.3g}{unit}"
