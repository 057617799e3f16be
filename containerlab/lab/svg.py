"""From a matplotlib figure to SVG that lives well inside a page.

matplotlib's own SVG is a stand-alone file: fixed colours, ids that meet those of the next picture on the
same page (two pictures with equal ids lose each other's hatching), and no words for a screen reader.
"""

from __future__ import annotations

import base64
import html
import io
import re
import threading
import uuid
from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from containerlab.lab.theme import INKS

__all__ = ["data_url", "draw", "inline", "png", "standalone"]

_ID = re.compile(r'\b(id="|xlink:href="#|href="#|url\(#)([^")]+)')
_PROLOGUE = re.compile(r"(?s)^.*?(?=<svg\b)")
_METADATA = re.compile(r"(?s)<metadata>.*?</metadata>\s*")
# Packed harder a picture gets a tenth smaller, and takes three times as long.
_PNG = {"compress_level": 2}
_LARGEST = 1.15  # times the size that it was drawn for
_TALLEST = 2400  # dots; what is taller than a screen is read as SVG
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "containerlab"}
_SETTINGS_LOCK = threading.Lock()  # matplotlib has one set for all threads, and a live picture is drawn in its own


def draw(canvas: Canvas, tips: Mapping[str, str]) -> str:
    """What ``inline`` and ``standalone`` are made of: drawing takes longer than both.

    ``tips`` maps the gid of an artist to the words of its tooltip.
    """
    text = io.StringIO()
    with _SETTINGS_LOCK, mpl.rc_context(_SETTINGS):
        FigureCanvasSVG(canvas).print_svg(text, metadata={"Date": None})
    return _tooltips(_METADATA.sub("", _PROLOGUE.sub("", text.getvalue())), tips)


def _tooltips(svg: str, tips: Mapping[str, str]) -> str:
    for gid, words in tips.items():
        svg = svg.replace(f'<g id="{gid}">', f'<g id="{gid}"><title>{html.escape(words)}</title>', 1)
    return svg


def inline(svg: str, title: str, description: str) -> str:
    """SVG for a page: colours are CSS variables, ids are this display's alone, the words are inside."""
    for ink in INKS.values():
        svg = svg.replace(ink.sentinel, ink.variable)
    prefix = f"cl{uuid.uuid4().hex[:8]}-"
    svg = _ID.sub(rf"\g<1>{prefix}\g<2>", svg)
    width = re.search(r'<svg\b[^>]*? width="([0-9.]+)pt"', svg)
    svg = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    words = (
        f'<title id="{prefix}title">{html.escape(title)}</title>'
        f'<desc id="{prefix}desc">{html.escape(description)}</desc>'
    )
    # A small picture isn't blown up to the width of the page: its letters would shout beside those of the others.
    widest = f' style="max-width:{float(width[1]) * _LARGEST:.0f}pt"' if width else ""
    opening = f'<svg role="img" aria-labelledby="{prefix}title {prefix}desc"{widest} '
    svg = svg.replace("<svg ", opening, 1)
    head, body = svg.split(">", 1)
    return f"{head}>{words}{body}".strip()


def standalone(svg: str) -> str:
    """SVG for a file or an ``<img>``: the light colours, on paper of its own."""
    for ink in INKS.values():
        svg = svg.replace(ink.sentinel, ink.light)
    head, body = svg.split(">", 1)
    return f'{head} style="background:{INKS["paper"].light}">{body}'


def data_url(svg: str) -> str:
    """The picture as the ``src`` of an ``<img>``."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def png(canvas: Canvas, dots_per_inch: int = 110) -> bytes:
    """The picture for PDF and for readers without SVG: the light colours. A very tall one has fewer dots an inch."""
    dots = min(dots_per_inch, _TALLEST / canvas.get_figheight())
    swaps = {ink.sentinel: ink.light for ink in INKS.values()}
    with _light(canvas, swaps):
        target = io.BytesIO()
        FigureCanvasAgg(canvas).print_figure(target, dpi=dots, facecolor=INKS["paper"].light, pil_kwargs=_PNG)
    return target.getvalue()


class _light:
    """Recolour every artist of a figure from its ink to the light value, for as long as it is entered."""

    _PROPERTIES = ("color", "facecolor", "edgecolor")

    def __init__(self, canvas: Canvas, swaps: Mapping[str, str]) -> None:
        self._canvas = canvas
        self._swaps = {mpl.colors.to_hex(mpl.colors.to_rgba(key)): value for key, value in swaps.items()}
        self._undo: list[tuple[object, str, object]] = []

    def __enter__(self) -> None:
        artists = self._canvas.findobj()
        # An annotation doesn't count its arrow among its children.
        arrows = [getattr(artist, "arrow_patch", None) for artist in artists]
        artists += [arrow for arrow in arrows if arrow is not None]
        for artist in artists:
            for name in self._PROPERTIES:
                getter = getattr(artist, f"get_{name}", None)
                if getter is None or getattr(artist, f"set_{name}", None) is None:
                    continue
                value = getter()
                swapped = self._swapped(value)
                if swapped is not None:
                    self._undo.append((artist, name, value))
                    getattr(artist, f"set_{name}")(swapped)

    def _swapped(self, value: object) -> str | None:
        try:
            rgba = mpl.colors.to_rgba(value)
        except (ValueError, TypeError):
            return None
        return self._swaps.get(mpl.colors.to_hex(rgba)) if rgba[3] else None

    def __exit__(self, *_: object) -> None:
        for artist, name, value in reversed(self._undo):
            getattr(artist, f"set_{name}")(value)
