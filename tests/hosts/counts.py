"""How the tests of other hosts went: pytest's words counted by module, and the part of docs/hosts.md of one host."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

__all__ = ["count", "table"]

_LINE = re.compile(r"^(tests/[\w/]+\.py)::(\S.*?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b", re.MULTILINE)
_HEAD = """
| module | passed | failed | skipped |
|---|---|---|---|
"""


def count(said: str) -> dict[str, Any]:
    """``{"modules": {path: {"passed", "failed", "skipped"}}, "failed": [test]}`` of what ``pytest -v`` printed."""
    counts: dict[str, Counter[str]] = {}
    failed = set()
    for module, name, outcome in _LINE.findall(said):
        kind = {"PASSED": "passed", "SKIPPED": "skipped"}.get(outcome, "failed")
        counts.setdefault(module, Counter())[kind] += 1
        if kind == "failed":
            failed.add(name.partition("[")[0])
    modules = {
        module: {kind: found[kind] for kind in ("passed", "failed", "skipped")} for module, found in counts.items()
    }
    return {"modules": modules, "failed": sorted(failed)}


def table(results: dict[str, Any]) -> str:
    """The same in Markdown."""
    lines = [
        f"| `{module}` | {counts['passed']} | {counts['failed']} | {counts['skipped']} |\n"
        for module, counts in sorted(results["modules"].items())
    ]
    failed = ", ".join(f"`{name}`" for name in results["failed"]) or "none"
    return _HEAD + "".join(lines) + f"\nFailed: {failed}.\n"
