"""``python -m course.site FOLDER``: the course as web pages, English and Korean, outputs and pictures included.

The folder can be opened from the disk or put on any web server: nothing on the pages is fetched from elsewhere.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from nbformat import NotebookNode

from course import lessons
from course.render import colours, render
from course.words import WORDS

__all__ = ["build", "main"]

_PAGES = Path(__file__).parent / "pages"
_GALLERY = lessons.ROOT / "docs/gallery"
_PICTURE = re.compile(r"!\[([^\]]+)\]\(docs/gallery/([\w-]+\.png)\)")
_FIRST = re.compile(r"(?s)^# .+?\n+\*(.+?)\*\n+(.+)$")


def main() -> None:
    """The command line."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/site")
    build(target)
    print(target / "index.html")


def build(target: Path) -> None:
    """Write the site; what stood in the folder goes."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "pictures").mkdir(parents=True)
    pictures = _pictures()
    for _, file in pictures:
        shutil.copy(_GALLERY / file, target / "pictures")
    (target / "course.css").write_text(f"{(_PAGES / 'course.css').read_text()}\n{colours()}\n")
    shutil.copy(_PAGES / "course.js", target)
    templates = Environment(loader=FileSystemLoader(_PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    for language in lessons.LANGUAGES:
        _write(target, language, templates, pictures)


def _write(target: Path, language: str, templates: Environment, pictures: list[tuple[str, str]]) -> None:
    folder, root = (target, "") if language == "en" else (target / language, "../")
    folder.mkdir(exist_ok=True)
    other = "ko" if language == "en" else "en"
    around = "ko/" if language == "en" else "../"
    notebooks = {name: lessons.read(name, language) for name in lessons.names()}
    entries = [_entry(name, notebook) for name, notebook in notebooks.items()]
    common: dict[str, Any] = {"words": WORDS[language], "language": language, "other": other, "root": root}
    page = templates.get_template("lesson.html.j2")
    for at, (name, notebook) in enumerate(notebooks.items()):
        text = page.render(
            **common,
            entries=entries,
            this=entries[at],
            before=entries[at - 1] if at else None,
            after=entries[at + 1] if at + 1 < len(entries) else None,
            body=render(notebook.cells),
            elsewhere=f"{around}{name}.html",
        )
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    index = templates.get_template("index.html.j2")
    text = index.render(**common, entries=entries, pictures=pictures, elsewhere=f"{around}index.html")
    (folder / "index.html").write_text(text, encoding="utf-8")


def _entry(name: str, notebook: NotebookNode) -> dict[str, str]:
    """What the index says of a lesson: title, what it takes, and what it is about."""
    found = _FIRST.match(notebook.cells[0].source)
    if found is None:
        raise ValueError(f"{name} doesn't begin with title, time and purpose")
    purpose = re.sub(r"[*`]|\[|\]\([^)]*\)", "", found[2].split("\n\n")[0])
    time = re.split(r"(?<=[.])\s", found[1])[0]
    return {"name": name, "title": lessons.title(notebook), "time": time, "purpose": purpose}


def _pictures() -> list[tuple[str, str]]:
    """The gallery's pictures as the README shows them: words, file."""
    return _PICTURE.findall((lessons.ROOT / "README.md").read_text())


if __name__ == "__main__":
    main()
