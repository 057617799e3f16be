"""The steps of a build, read from its stream: from the engine's own step messages, else from Docker's text."""

from __future__ import annotations

__all__ = ["BuildLog", "Step"]

import re
import time
from dataclasses import dataclass, field
from typing import Any

from containerlab.commands import formats
from containerlab.commands.build_lint import LintFinding, lint_text, read_findings

_STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)$", re.DOTALL)
_CACHED = re.compile(r"^ ---> Using cache\s*$")
_PLUMBING = re.compile(r"^( ---> |Removing intermediate container |Successfully (built|tagged) )")
_WARNING = "[Warning] "
_KEPT = 256 * 1024


@dataclass
class Step:
    """One instruction: ``status`` is start, done or error; ``seconds`` and ``size`` (bytes) None until known.

    ``layer`` is the chain ID of the layer that it made, ``why`` what it isn't cached for; ``at`` is when it began, in
    seconds since the build did, ``reads`` the stages that it starts from or copies from.
    """

    number: int
    total: int
    instruction: str
    line: int = 0
    cached: bool = False
    status: str = "start"
    seconds: float | None = None
    size: int | None = None
    output: str = ""
    stage: str = ""
    layer: str = ""
    why: list[str] = field(default_factory=list)
    at: float = 0.0
    reads: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def facts(self) -> str:
        """``CACHED``, or how long it took and what it added."""
        if self.status == "error":
            return "FAILED"
        if self.cached:
            return "CACHED"
        words = [formats.seconds(self.seconds)] if self.seconds is not None else []
        return ", ".join([*words, *([formats.size(self.size)] if self.size else [])])

    def made(self) -> str:
        """The layer that it made, by the id that ``layers`` shows."""
        return f"layer {formats.short_id(self.layer)}" if self.layer else ""

    def reason(self) -> str:
        """What it isn't cached for, where the engine knows the build before."""
        return f"not cached: {'; '.join(self.why)}" if self.why else ""


@dataclass
class BuildLog:
    """A build so far, fed with the stream's messages.

    ``error`` is a failure's text, ``image`` the id at the end; ``own`` says that the engine tells its steps itself;
    ``findings`` are what it says of the Dockerfile, ``stages`` its stages as a graph (docs/interfaces.md),
    ``notices`` what it warns of before the first step.
    """

    steps: list[Step] = field(default_factory=list)
    image: str = ""
    error: str = ""
    error_code: int | None = None
    ended: bool = False
    own: bool = False
    findings: list[LintFinding] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)

    def feed(self, message: dict[str, Any]) -> None:
        """One JSON message of ``POST /build``'s answer."""
        if isinstance(message.get("containerlab"), dict):
            self._own_message(message["containerlab"])
        if isinstance(message.get("stream"), str):
            self._stream(message["stream"])
        if isinstance(message.get("aux"), dict):
            self.image = str(message["aux"].get("ID") or self.image)
        if "error" in message:
            detail = message.get("errorDetail") or {}
            self.error = str(detail.get("message") or message["error"])
            self.error_code = detail.get("code")
            if self.steps and self.steps[-1].status != "error":
                self._end(self.steps[-1], "error")

    def finish(self) -> None:
        """The stream has ended: so has its last step."""
        self._end_last()
        if self.findings and not self.ended:
            self._text.append(f"{lint_text(self.findings)}\n")
        self.ended = True

    def _end_last(self) -> None:
        if self.steps and self.steps[-1].status == "start":
            self._end(self.steps[-1], "done")

    def text(self) -> str:
        """The build as lines of text; it only ever grows at its end."""
        return "".join(self._text)

    def _own_message(self, facts: dict[str, Any]) -> None:
        if "lint" in facts:
            self.findings = read_findings(facts["lint"])
        elif "stages" in facts:
            self.stages = list(facts["stages"])
        elif "step" in facts:
            self._own_step(facts)

    def _own_step(self, facts: dict[str, Any]) -> None:
        self.own = True
        number = int(facts["step"])
        if not self.steps or self.steps[-1].number != number:
            self._begin(Step(number, int(facts["total"]), str(facts["instruction"])))
        step = self.steps[-1]
        step.line = int(facts.get("line") or 0)
        step.cached = bool(facts.get("cached")) or step.cached
        step.stage, step.layer = str(facts.get("stage") or ""), str(facts.get("layer") or "")
        step.at, step.reads = float(facts.get("at") or 0.0), [str(each) for each in facts.get("reads") or ()]
        if facts.get("why") and not step.why:
            step.why = [str(each) for each in facts["why"]]
            self._text.append(f"  {step.reason()}\n")
        if facts.get("status") in ("done", "error") and step.status == "start":
            step.seconds = None if facts.get("seconds") is None else float(facts["seconds"])
            step.size = None if facts.get("size") is None else int(facts["size"])
            self._end(step, str(facts["status"]))

    def _stream(self, text: str) -> None:
        head = _STEP.match(text.rstrip("\n"))
        if head and self._is_head(int(head.group(1)), int(head.group(2))):
            if not self.own:
                self._begin(Step(int(head.group(1)), int(head.group(2)), head.group(3)))
        elif not self.steps and text.startswith(_WARNING):
            self.notices.append(text.strip())
            self._text.append(text)
        elif self.steps and _CACHED.match(text):
            self.steps[-1].cached = True
        elif self.steps and not _PLUMBING.match(text) and text.strip("\n"):
            step = self.steps[-1]
            step.output = (step.output + text)[-_KEPT:]
            self._text.append(text)

    def _is_head(self, number: int, total: int) -> bool:
        """A program may print such a line too: a head is the step that is due, of as many as the others were of.

        Where the engine tells its steps itself, a step that still runs has no other's head in its text.
        """
        if self.own and self.steps[-1].status == "start":
            return False
        return number == len(self.steps) + 1 and all(step.total == total for step in self.steps)

    def _begin(self, step: Step) -> None:
        self._end_last()
        self.steps.append(step)
        self._text.append(f"Step {step.number}/{step.total}: {step.instruction}\n")

    def _end(self, step: Step, status: str) -> None:
        step.status = status
        if step.seconds is None:
            step.seconds = time.monotonic() - step.began
        facts = ", ".join(words for words in (step.facts(), step.made()) if words)
        if facts:
            self._text.append(f"  {facts}\n")
