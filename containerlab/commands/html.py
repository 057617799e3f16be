"""The HTML that results are made of: one style sheet, carried by every output, themed by CSS variables.

JupyterLab's variables come first, then fallbacks for a page without them, in its light and in its dark theme. Every
class starts with ``cl-``: styles leak between the outputs of a page.
"""

from __future__ import annotations

__all__ = ["STYLE", "escape", "page", "preformatted", "table"]

from collections.abc import Sequence
from html import escape

_LIGHT = "--cl-fg:#1f2328;--cl-mute:#57606a;--cl-line:#d0d7de;--cl-fill:#f6f8fa;--cl-good:#1a7f37;--cl-bad:#cf222e"
_DARK = "--cl-fg:#e6edf3;--cl-mute:#9da7b3;--cl-line:#3d444d;--cl-fill:#161b22;--cl-good:#56d364;--cl-bad:#ff7b72"
_DARK_PAGES = ",".join(
    f"{page} .cl-out"
    for page in (
        "html[theme=dark]",
        "html[data-theme=dark]",
        "body[data-theme=dark]",
        "body[data-jp-theme-light=false]",
        "body.vscode-dark",
    )
)

STYLE = f"""<style>
.cl-out{{{_LIGHT};color:var(--jp-content-font-color1,var(--cl-fg));font-size:var(--jp-code-font-size,13px);\
max-width:100%;overflow-x:auto}}
@media (prefers-color-scheme:dark){{body:not([data-jp-theme-light]):not([data-theme]) .cl-out{{{_DARK}}}}}
{_DARK_PAGES}{{{_DARK}}}
.cl-out table.cl-table{{border-collapse:collapse;margin:.3em 0;color:inherit;font-size:inherit}}
.cl-out .cl-table th,.cl-out .cl-table td{{text-align:left;padding:.25em .9em .25em .3em;vertical-align:top;\
border-bottom:1px solid var(--jp-border-color2,var(--cl-line));white-space:nowrap}}
.cl-out .cl-table th{{font-weight:600}}
.cl-out .cl-table .cl-number{{text-align:right;font-variant-numeric:tabular-nums}}
.cl-out .cl-table caption{{text-align:left;color:var(--cl-mute);padding:.2em .3em}}
.cl-out .cl-mono,.cl-out pre.cl-plain{{font-family:var(--jp-code-font-family,ui-monospace,monospace)}}
.cl-out pre.cl-plain{{margin:.2em 0;padding:.3em .5em;white-space:pre-wrap;color:inherit;background:none}}
.cl-out details.cl-step{{border-left:3px solid var(--jp-border-color1,var(--cl-line));margin:.15em 0;padding:.1em .6em}}
.cl-out details.cl-step summary{{cursor:pointer}}
.cl-out details.cl-done{{border-left-color:var(--cl-good)}}
.cl-out details.cl-failed{{border-left-color:var(--cl-bad)}}
.cl-out .cl-mark{{border:1px solid currentColor;border-radius:.3em;padding:0 .35em;font-size:85%}}
.cl-out .cl-mute{{color:var(--cl-mute)}}
.cl-out .cl-bad{{color:var(--cl-bad);font-weight:600}}
</style>"""


def page(body: str) -> str:
    """``body`` in the one element that the style applies to, with the style itself."""
    return f'{STYLE}<div class="cl-out">{body}</div>'


def preformatted(text: str) -> str:
    """Text as it is, in the code font."""
    return f'<pre class="cl-plain">{escape(text)}</pre>'


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[bool] = (), caption: str = ""
) -> str:
    """A table with ``<th scope>``; ``numbers`` marks the columns that stand to the right."""
    marks = [' class="cl-number"' if index < len(numbers) and numbers[index] else "" for index in range(len(titles))]
    head = "".join(f'<th scope="col"{mark}>{escape(title)}</th>' for title, mark in zip(titles, marks, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{escape(cell)}</td>" for cell, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in rows
    )
    words = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table class="cl-table">{words}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
