"""From cells to HTML, as a part of a page: by nbconvert, without the style sheets and scripts it would fetch."""

from __future__ import annotations

import functools
import re

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters.html import HtmlFormatter
from traitlets.config import Config

__all__ = ["colours", "render"]

# Cells of these magics are another language's.
_MAGICS = {"%%dockerfile": "docker", "%%compose": "yaml", "%%container": "bash"}
_LINK = re.compile(r'href="((?:\.\./)?[\w./-]+)\.ipynb"')
_LIGHT, _DARK = "xcode", "github-dark"  # contrast is 4.5 at the least in both


def render(cells: list[NotebookNode]) -> str:
    """The cells with their outputs; links to notebooks lead to the pages made of them."""
    notebook = nbformat.v4.new_notebook(
        cells=cells, metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    )
    body, _ = _exporter().from_notebook_node(notebook)
    # What scrolls must be in reach of a keyboard.
    return _LINK.sub(r'href="\1.html"', body).replace("<pre>", '<pre tabindex="0">')


@functools.cache
def _exporter() -> HTMLExporter:
    settings = Config()
    settings.HTMLExporter.exclude_input_prompt = True
    settings.HTMLExporter.exclude_output_prompt = True
    settings.HTMLExporter.sanitize_html = False  # the pictures are ours, style sheets and all
    settings.HighlightMagicsPreprocessor.enabled = True
    settings.HighlightMagicsPreprocessor.languages = _MAGICS
    exporter: HTMLExporter = HTMLExporter(config=settings, template_name="basic")
    return exporter


def colours() -> str:
    """The style sheet of highlighted code, light, and dark where ``html`` says ``data-theme=dark``."""
    light = HtmlFormatter(style=_LIGHT).get_style_defs(".highlight")
    dark = HtmlFormatter(style=_DARK).get_style_defs("html[data-theme=dark] .highlight")
    return f"{light}\n{dark}"
