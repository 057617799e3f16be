"""A build in a cell: one element, updated in place, with a collapsible block for each step."""

from __future__ import annotations

__all__ = ["Progress", "bundle", "mode", "readable"]

import os
import re
import time
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

from containerlab.commands import html
from containerlab.commands.build_lint import lint_block, lint_text
from containerlab.commands.build_steps import BuildLog, Step
from containerlab.errors import UsageError

_MODES = ("live", "final", "off")
_PAUSE_SECONDS = 0.15
_SHOWN = 20_000
# ECMA-48: control sequences (colours, cursor), operating system commands (titles), and the two-byte escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")


def mode() -> str:
    """``CONTAINERLAB_PROGRESS``: live, final or off.

    nbval fails on a display that is updated, and a terminal's IPython prints each update anew: both get ``final``.

    Raises UsageError for another word.
    """
    chosen = os.environ.get("CONTAINERLAB_PROGRESS", "live")
    if chosen not in _MODES:
        raise UsageError(f"CONTAINERLAB_PROGRESS is {chosen!r}; it can be {', '.join(_MODES)}.")
    live = "PYTEST_CURRENT_TEST" not in os.environ and getattr(get_ipython(), "kernel", None) is not None
    return "final" if chosen == "live" and not live else chosen


class Progress:
    """Shows a :class:`BuildLog`; ``shown`` is true once it has."""

    def __init__(self) -> None:
        self.shown = False
        self._mode = mode()
        self._handle: DisplayHandle | None = None
        self._last = 0.0
        self._seen: tuple[object, ...] = ()

    def update(self, log: BuildLog) -> None:
        if self._mode == "off" or (self._mode == "final" and not log.ended) or not log.steps:
            return
        state = (log.ended, *((step.status, step.cached, len(step.why)) for step in log.steps))
        if state == self._seen and time.monotonic() - self._last < _PAUSE_SECONDS:
            return
        self._seen, self._last = state, time.monotonic()
        self._show(bundle(log))

    def _show(self, data: dict[str, str]) -> None:
        self.shown = True
        if self._mode == "final":
            display(data, raw=True)
        elif self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def bundle(log: BuildLog) -> dict[str, Any]:
    """The build so far as a mime bundle."""
    lines = [f"Step {step.number}/{step.total}: {step.instruction}{_tail(step)}" for step in log.steps]
    lines[:0] = log.notices
    body = "".join(f'<p class="cl-mute">{html.escape(notice)}</p>' for notice in log.notices)
    body += "".join(_block(step) for step in log.steps)
    if log.ended and log.findings:
        lines.append(lint_text(log.findings))
        body += lint_block(log.findings)
    return {"text/plain": "\n".join(lines), "text/html": html.page(body)}


def readable(output: str) -> str:
    """A program's output as a page can show it: no escape sequences, of a line drawn over and over its last state.

    What is long is cut at its front, because the whole element is sent again at every update.
    """
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in _ESCAPES.sub("", output).rstrip("\n").split("\n")]
    text = "\n".join(lines)
    return (
        text if len(text) <= _SHOWN else f"… (the first {len(text) - _SHOWN} characters are left out)\n{text[-_SHOWN:]}"
    )


def _tail(step: Step) -> str:
    facts = ", ".join(words for words in (step.facts(), step.made()) if words)
    return (f"  [{facts}]" if facts else "") + (f"  {step.reason()}" if step.why else "")


def _block(step: Step) -> str:
    kind = {"done": "cl-done", "error": "cl-failed"}.get(step.status, "cl-running")
    opened = "" if step.status == "done" else " open"
    facts = step.facts() if step.status != "start" else "running"
    mark = "cl-mark" if step.cached else "cl-bad" if step.status == "error" else "cl-mute"
    words = f' <span class="{mark}">{html.escape(facts)}</span>' if facts else ""
    first, more, _ = step.instruction.partition("\n")
    title = html.escape(first + (" …" if more else ""))
    text = readable(step.output)
    output = html.preformatted(text) if text else '<p class="cl-mute">No output.</p>'
    words += f' <span class="cl-mute">{html.escape(step.made())}</span>' if step.layer else ""
    words += f'<br><span class="cl-why">↳ {html.escape(step.reason())}</span>' if step.why else ""
    head = f'<summary>Step {step.number}/{step.total} <code class="cl-mono">{title}</code>{words}</summary>'
    return f'<details class="cl-step {kind}"{opened}>{head}{output}</details>'
