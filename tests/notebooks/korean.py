"""``python -m tests.notebooks.korean NAME…``: give a Korean lesson the code cells of the English one.

The code of both is the same, comments too, so that a reader of one finds every line in the other; a Korean lesson has
one cell more, which chooses the language. Its own are the texts: a file of ``=== md ID`` parts after ``--texts`` brings
new ones, the others stay. Each keeps the digest of the English text that it translates, so that a test can say which
ones an edit of the English has left behind. The outputs are then for ``tests.notebooks.regenerate`` to make.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path

import nbformat

from tests.notebooks import lessons

LANGUAGE = "language"  # the id of the one cell more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="a lesson's file without its ending")
    parser.add_argument("--texts", type=Path, help="a file of Korean texts, for one lesson")
    asked = parser.parse_args()
    for name in asked.names:
        write(name, read_texts(asked.texts) if asked.texts else {})


def read_texts(path: Path) -> dict[str, str]:
    """The texts of a file, by the id of their cell."""
    parts = re.split(r"(?m)^=== md (\S+)\n", path.read_text(encoding="utf-8"))[1:]
    return {cell: text.strip("\n") for cell, text in zip(parts[::2], parts[1::2], strict=True)}


def write(name: str, texts: dict[str, str]) -> None:
    """``notebooks/ko/NAME.ipynb`` from the English one. Raises KeyError for a text that has no Korean at all."""
    target = lessons.ROOT / f"notebooks/ko/{name}.ipynb"
    before = nbformat.read(target, as_version=4).cells if target.exists() else []
    known = {cell.id: cell for cell in before}
    notebook = nbformat.read(lessons.ROOT / f"notebooks/{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if cell.id in texts:
                cell.metadata["translates"] = digest(cell.source)
                cell.source = texts[cell.id]
            else:
                cell.update(known[cell.id])
        else:
            cell.outputs = known[cell.id].outputs if cell.id in known else []
    first = next(at for at, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    language = known.get(LANGUAGE) or nbformat.v4.new_code_cell("%container lang ko", id=LANGUAGE)
    notebook.cells.insert(first + 1, language)
    target.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, target)


def digest(text: str) -> str:
    """What tells one English text from its next version."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


if __name__ == "__main__":
    main()
