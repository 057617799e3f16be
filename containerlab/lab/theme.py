"""One look for every picture: colours that work on light and dark, and for colour-blind readers.

A picture is drawn in *inks*, which are names, not colours. On the page an ink is a CSS variable, so the
picture follows the reader's theme; in a PNG or a file of its own it is the light value. The hues are
Okabe and Ito's (https://jfly.uni-koeln.de/color/), each with a hatch of its own beside it, so
that no difference rests on colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HATCHES", "INKS", "SERIES", "Ink", "css"]


@dataclass(frozen=True)
class Ink:
    """``sentinel`` is what matplotlib draws with; the SVG's writer swaps it for the CSS variable."""

    name: str
    sentinel: str
    light: str
    dark: str

    @property
    def variable(self) -> str:
        """``var(--cl-NAME, LIGHT)``: right even where the style sheet was stripped."""
        return f"var(--cl-{self.name}, {self.light})"


_INKS = (
    Ink("text", "#010203", "#1c2430", "#e8edf4"),
    Ink("soft", "#020304", "#566173", "#a9b4c4"),
    Ink("line", "#030405", "#c3cad5", "#4a5566"),
    Ink("paper", "#fdfcfb", "#ffffff", "#161b22"),
    Ink("panel", "#f2f1f0", "#f3f5f8", "#232a34"),
    Ink("blue", "#0172b1", "#0072b2", "#56b4e9"),
    Ink("orange", "#d45e01", "#c45500", "#ee9b4a"),
    Ink("green", "#019e72", "#00805c", "#3ecba0"),
    Ink("purple", "#cc78a6", "#a8568a", "#dd9fc6"),
    Ink("gold", "#e69e01", "#9a6a00", "#f0c24d"),
    Ink("blue-wash", "#d0e4f1", "#d5e8f5", "#173a52"),
    Ink("orange-wash", "#f6dfcf", "#f8e1d0", "#553318"),
    Ink("green-wash", "#cfeee4", "#d2efe5", "#124a3a"),
    Ink("purple-wash", "#f1dfe9", "#f3e1ec", "#4b2c40"),
    Ink("gold-wash", "#f8ecd0", "#f9edcf", "#4d3a0d"),
)

INKS = {ink.name: ink for ink in _INKS}
SERIES = ("blue", "orange", "green", "purple", "gold")
HATCHES = {"blue": "", "orange": "///", "green": "...", "purple": "\\\\\\", "gold": "xx"}


def _values(dark: bool) -> str:
    return "".join(f"--cl-{ink.name}:{ink.dark if dark else ink.light};" for ink in _INKS)


def css(scope: str) -> str:
    """The style sheet that a picture carries with it, every rule below the class ``scope``.

    No theme marker is standard, so each front end's own is named: JupyterLab's ``data-jp-theme-light``,
    VS Code's class, and Sphinx's and Jupyter Book's ``data-theme``; else the system's preference decides.
    """
    on = f".{scope}"
    darks = (
        f'body[data-jp-theme-light="false"] {on},html[theme=dark] {on},html[data-theme=dark] {on},'
        f"body[data-theme=dark] {on},body.vscode-dark {on}"
    )
    system = f"body:not([data-jp-theme-light]):not(.vscode-light) {on}"
    return (
        f"{on}{{{_values(False)}margin:0;color:var(--cl-text);max-width:60em}}"
        f"@media (prefers-color-scheme:dark){{{system}{{{_values(True)}}}}}"
        f"{darks}{{{_values(True)}}}"
        f"{on} img.cl-fallback{{display:none}}"
        f"{on} .cl-drawing{{display:block!important}}"
        f"{on} svg{{width:100%;height:auto;background:var(--cl-paper);border-radius:6px}}"
        f"{on} figcaption{{font-size:.95em;padding:.3em 0}}"
        f"{on} summary{{cursor:pointer;color:var(--cl-soft)}}"
        f"{on} .cl-table{{border-collapse:collapse;margin:.4em 0;color:inherit}}"
        # JupyterLab's own rule for cells is as strong as two classes and one element.
        f"{on} .cl-table th,{on} .cl-table td{{text-align:left;vertical-align:top;padding:.2em .8em;"
        "border-bottom:1px solid var(--cl-line)}"
    )
