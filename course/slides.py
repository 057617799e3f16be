"""``python -m course.slides FOLDER``: slides of each lesson for whoever stands in front of a class.

A slide shows what a class looks at together: a question to predict, a cell, its output one key later, a table, a
picture, what is to be remembered. The lesson's prose is in the notes, which the speaker alone sees (key S). reveal.js
lies in the folder too, so a hall without internet will do.
"""

from __future__ import annotations

import copy
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import nbformat
from jinja2 import Environment, FileSystemLoader
from nbformat import NotebookNode

from course import lessons
from course.render import colours, render
from course.words import WORDS

__all__ = ["Slide", "build", "main", "serves", "slides"]

_PAGES = Path(__file__).parent / "pages"
_REVEAL = Path(sys.prefix) / "apart/sphinx_revealjs/_static/revealjs"
_KEPT = ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js")
_PREDICT = re.compile(r"\*\*(Predict|예측해 보세요)")
_EXERCISE = re.compile(r"\*\*\d\.")
_SHOWN = re.compile(r"[|>]|[-*] |\d\. |```|\*Ab|\*약 |    ")  # tables, quotes, lists, code, the time a lesson takes
_ASIDE = re.compile(r"\*\*(Read on|더 읽을거리)|<details>")
_BLOCK = re.compile(r"(?ms)<details>.*?</details>|```.*?^```$|^ *\S.*?(?=\n\s*\n|\Z)")
_SERVES = re.compile(r"%load_ext|%container (lesson|reset|lang)")
_FEW = 9  # lines of code and output that go together on a slide
_HIGHEST = 13  # lines of words and code
_LONG = 12  # lines of code; more are set smaller


@dataclass
class Slide:
    """``column`` counts the sections of a lesson: → goes to the next one, ↓ on in the same."""

    column: int
    heading: str
    shown: list[NotebookNode] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def asks(self) -> bool:
        """Whether it asks for a prediction: the output then waits for another key."""
        return any(cell.cell_type == "markdown" and bool(_PREDICT.search(cell.source)) for cell in self.shown)

    @property
    def has_code(self) -> bool:
        return any(cell.cell_type == "code" for cell in self.shown)


def main() -> None:
    """The command line."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/slides")
    build(target)
    print(target / "index.html")


def build(target: Path) -> None:
    """Write the slides of every lesson in both languages; what stood in the folder goes."""
    if not _REVEAL.is_dir():
        raise SystemExit("reveal.js isn't here: `make slides` fetches it (course/apart.txt).")
    shutil.rmtree(target, ignore_errors=True)
    for file in _KEPT:
        (target / "reveal" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_REVEAL / file, target / "reveal" / file)
    (target / "slides.css").write_text(f"{(_PAGES / 'slides.css').read_text()}\n{colours()}\n")
    for file in ("course.js", "slides.js"):
        shutil.copy(_PAGES / file, target)
    templates = Environment(loader=FileSystemLoader(_PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    titles: dict[str, dict[str, str]] = {}
    for language in lessons.LANGUAGES:
        folder, root = (target, "") if language == "en" else (target / language, "../")
        folder.mkdir(exist_ok=True)
        for name in lessons.names():
            notebook = lessons.read(name, language)
            titles.setdefault(language, {})[name] = lessons.title(notebook)
            page = templates.get_template("slides.html.j2").render(
                words=WORDS[language], language=language, root=root, title=lessons.title(notebook),
                columns=_columns(slides(notebook)),
            )  # fmt: skip
            (folder / f"{name}.html").write_text(page, encoding="utf-8")
    index = templates.get_template("slides_index.html.j2").render(words=WORDS, titles=titles)
    (target / "index.html").write_text(index, encoding="utf-8")


def slides(notebook: NotebookNode) -> list[Slide]:
    """A lesson cut into slides, in order."""
    made = [Slide(0, "")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _take_code(made, cell)
        else:
            for block in _BLOCK.findall(cell.source):
                _take_words(made, block)
    for before, slide in pairwise(made):
        if not slide.shown:
            before.notes += [f"**{slide.heading}**", *slide.notes]
    return [slide for slide in made if slide.shown]


def serves(cell: NotebookNode) -> bool:
    """Whether a code cell only gets the lesson going, or tidies up: nothing to look at together."""
    return _SERVES.match(cell.source) is not None


def _take_code(made: list[Slide], cell: NotebookNode) -> None:
    if serves(cell):
        made[-1].notes.append(f"`{cell.source.splitlines()[0]}`")
        return
    if cell.source.startswith("%check"):
        cell.outputs = []
    is_title = made[-1].column == 0 and made[-1].shown and not made[-1].has_code
    is_full = made[-1].shown and _height([*made[-1].shown, cell]) > _HIGHEST
    if is_title or is_full or (made[-1].has_code and not _fit(made[-1], cell)):
        _turn(made)
    made[-1].shown.append(cell)
    if _lines([cell]) > _FEW and any("text/html" in output.get("data", {}) for output in cell.outputs):
        outcome = copy.deepcopy(cell)
        outcome.metadata["transient"] = {"remove_source": True}  # nbconvert's word for a cell of outputs alone
        cell.outputs = []
        _turn(made)
        made[-1].shown.append(outcome)


def _height(cells: list[NotebookNode]) -> int:
    """About how many lines they take on a slide, their outputs aside."""
    width = {"markdown": 70, "code": 85}  # letters
    return sum(1 + len(line) // width[cell.cell_type] for cell in cells for line in cell.source.splitlines())


def _lines(cells: list[NotebookNode]) -> int:
    """Of code."""
    return sum(cell.source.count("\n") + 1 for cell in cells if cell.cell_type == "code")


def _fit(slide: Slide, cell: NotebookNode) -> bool:
    """Whether the cell goes on the slide too: short ones without a picture do."""
    cells = [*(one for one in slide.shown if one.cell_type == "code"), cell]
    outputs = [output for one in cells for output in one.outputs]
    if any("text/html" in output.get("data", {}) or output.output_type == "error" for output in outputs):
        return False
    said: int = sum(str(output.get("text", "")).count("\n") for output in outputs)
    return said + _lines(cells) <= _FEW


def _take_words(made: list[Slide], block: str) -> None:
    heading = re.match(r"(#+) (.+)", block)
    if heading:
        first = heading[1] == "#"
        made.append(Slide(made[-1].column + (not first), heading[2]))
        return
    if _ASIDE.match(block):
        made[-1].notes.append(block)
    elif _PREDICT.search(block) or _EXERCISE.match(block):
        if made[-1].shown:
            _turn(made)
        made[-1].shown.append(nbformat.v4.new_markdown_cell(block))
    elif _SHOWN.match(block) or (made[-1].column == 0 and not any(slide.has_code for slide in made)):
        if made[-1].has_code:
            _turn(made)
        made[-1].shown.append(nbformat.v4.new_markdown_cell(block))
    else:
        made[-1].notes.append(block)


def _turn(made: list[Slide]) -> None:
    made.append(Slide(made[-1].column, made[-1].heading))


def _columns(made: list[Slide]) -> Iterator[list[dict[str, object]]]:
    """For the template: the slides of each section, rendered."""
    for column in sorted({slide.column for slide in made}):
        yield [
            {
                "title": slide is made[0],
                "heading": slide.heading,
                "body": _body(slide),
                "notes": _notes(slide),
            }
            for slide in made
            if slide.column == column
        ]


def _body(slide: Slide) -> str:
    body = render(slide.shown)
    return (
        f'<div class="{"long" if _lines(slide.shown) > _LONG else "short"}{" asks" if slide.asks else ""}">{body}</div>'
    )


def _notes(slide: Slide) -> str:
    return render([nbformat.v4.new_markdown_cell("\n\n".join(slide.notes))]) if slide.notes else ""


if __name__ == "__main__":
    main()
