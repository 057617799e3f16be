"""What the engine says of a Dockerfile beside building it: as text, as a collapsible block, by ``build --check``."""

from __future__ import annotations

__all__ = ["Checked", "LintFinding", "lint_block", "lint_text", "read_findings"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from containerlab.commands import html
from containerlab.commands.result import Result


@dataclass(frozen=True)
class LintFinding:
    """One place in the Dockerfile; ``level`` is warning, advice or hint, ``better`` the lines to write, or empty."""

    rule: str
    level: str
    line: int
    message: str
    why: str
    better: str = ""

    @property
    def head(self) -> str:
        return f"line {self.line}: {self.message} ({self.rule})"


def read_findings(record: dict[str, Any]) -> list[LintFinding]:
    """The findings of a ``lint`` record (docs/interfaces.md)."""
    return [
        LintFinding(
            str(each["rule"]), str(each["level"]), int(each["line"]), str(each["message"]), str(each["why"]),
            str(each.get("better") or ""),
        )
        for each in record.get("findings", ())
    ]  # fmt: skip


def lint_text(findings: Sequence[LintFinding]) -> str:
    """As lines, each finding with its reason and the better line."""
    lines = [_title(findings)]
    for finding in findings:
        lines += [f"  {finding.head}", f"    {finding.why}"]
        lines += [f"    > {line}" for line in finding.better.splitlines()]
    return "\n".join(lines)


def lint_block(findings: Sequence[LintFinding]) -> str:
    """A closed block; whoever wants to know opens it."""
    items = "".join(
        f"<li>line {finding.line}: {html.escape(finding.message)} "
        f'<span class="cl-mark">{html.escape(finding.rule)}</span><br>'
        f'<span class="cl-mute">{html.escape(finding.why)}</span>'
        + (html.preformatted(finding.better) if finding.better else "")
        + "</li>"
        for finding in findings
    )
    return f'<details class="cl-step cl-lint"><summary>{_title(findings)}</summary><ul>{items}</ul></details>'


def _title(findings: Sequence[LintFinding]) -> str:
    count = len(findings)
    return f"The Dockerfile could be better in {count} place{'s' * (count != 1)}:"


@dataclass(repr=False)
class Checked(Result):
    """What ``build --check`` found; the exit code is 1 where more than hints were found."""

    findings: list[LintFinding]

    def __post_init__(self) -> None:
        self.exit_code = int(any(finding.level != "hint" for finding in self.findings))

    def to_dict(self) -> dict[str, Any]:
        return {"findings": [vars(finding) for finding in self.findings]}

    def __str__(self) -> str:
        return lint_text(self.findings) if self.findings else "Nothing to say against this Dockerfile."

    def body(self) -> str:
        if not self.findings:
            return f'<p class="cl-mute">{html.escape(str(self))}</p>'
        return lint_block(self.findings).replace("<details ", "<details open ")
