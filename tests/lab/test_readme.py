"""What the README claims beside other tools names the test that holds it, and that test is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_HELD = re.compile(r"\[[\w/.]+\]\((tests/[\w/.]+\.py)\)(?: `(test_\w+)`)?$")


def rows() -> list[list[str]]:
    table = README.partition("## Beside other tools")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_claim_beside_other_tools_names_a_test_that_is_there() -> None:
    assert len(rows()) >= 8
    for _, claim, held in rows():
        found = _HELD.fullmatch(held)
        assert claim and found, f"nothing holds {claim!r}"
        text = (ROOT / found[1]).read_text(encoding="utf-8")
        assert re.search(rf"^def {found[2] or 'test_'}", text, re.M), held


def test_the_four_tools_are_all_there() -> None:
    beside = " ".join(left for left, _, _ in rows())
    assert all(tool in beside for tool in ("Docker", "rubber-docker", "dive", "repo2docker"))


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links and not [link for link in links if not (ROOT / link).exists()]
