"""The magics: a line is cut into words, one tree of verbs does the rest."""

from __future__ import annotations

__all__ = ["ContainerMagics", "Interrupted"]

import re
import shlex
from typing import TYPE_CHECKING

from click import Command
from IPython.core.magic import Magics, cell_magic, line_cell_magic, line_magic, magics_class, no_var_expand

from containerlab.commands import registry
from containerlab.commands.build import Built
from containerlab.commands.compose.group import compose_group, verb_after
from containerlab.commands.context import Context
from containerlab.commands.result import Finished, Result
from containerlab.errors import UsageError
from containerlab.notebook.dockerfile import dockerfile_command
from containerlab.notebook.live import show_live
from containerlab.notebook.output import CellOutput
from containerlab.notebook.progress import mode
from containerlab.notebook.watching import show_watch

if TYPE_CHECKING:
    from containerlab.lab.note import Note

_TAKES_A_BODY = ("run", "exec", "start", "attach", "build")
_STARTS = ("run", "start", "exec", "build", "compare", "up")
_LAST_SEMICOLON = re.compile(r"(?<!\\);\s*$")


class Interrupted(KeyboardInterrupt):
    """The person has interrupted the cell, and what it had started is stopped; the cells after it don't run."""

    def __init__(self, started: bool) -> None:
        """``started``: the verb is one that starts a program, not one that looks on."""
        super().__init__("Interrupted. What this cell started has been stopped." if started else "Interrupted.")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@magics_class
class ContainerMagics(Magics):  # type: ignore[misc]
    """``%container VERB …``, ``%%container VERB …``, ``%%dockerfile`` and ``%check``."""

    @no_var_expand  # type: ignore[untyped-decorator]
    @line_cell_magic  # type: ignore[untyped-decorator]
    def container(self, line: str, cell: str | None = None) -> Result | None:
        """Run a verb; ``%container --help`` lists them. The body of a cell is the program's standard input."""
        words, quiet = _words(line)
        if cell is not None and registry.verb_of(words) not in _TAKES_A_BODY:
            verb = f"%container {words[0]}" if words else "%container"
            raise UsageError(
                f"{verb} takes no text below its line.",
                hint=f"One % is enough for it. A body is read by {', '.join(_TAKES_A_BODY)}.",
            )
        body = None if cell is None else cell.encode()
        return self._run(words or ["--help"], body, quiet, prog="%container" if cell is None else "%%container")

    @no_var_expand  # type: ignore[untyped-decorator]
    @cell_magic  # type: ignore[untyped-decorator]
    def dockerfile(self, line: str, cell: str) -> Result | None:
        """Build an image: the cell's body is the Dockerfile. ``%%dockerfile --help`` tells the options."""
        words, quiet = _words(line)
        return self._run(words, cell.encode(), quiet, prog="%%dockerfile", command=dockerfile_command)

    @no_var_expand  # type: ignore[untyped-decorator]
    @line_magic  # type: ignore[untyped-decorator]
    def check(self, line: str) -> Result | None:
        """``%check 05.2``: whether that exercise is done, and a hint where it isn't."""
        words, quiet = _words(line)
        return self._run(["check", *words], None, quiet, prog="%container")

    @no_var_expand  # type: ignore[untyped-decorator]
    @line_cell_magic  # type: ignore[untyped-decorator]
    def compose(self, line: str, cell: str | None = None) -> Result | None:
        """``%%compose [-f NAME] up``: the cell's body is the Compose file, and is kept under its name; ``%compose ps``
        and the other verbs act on the last one. Of ``exec`` and ``run`` the body is the program's standard input."""
        words, quiet = _words(line)
        if cell is not None and not words:
            raise UsageError("%%compose needs a verb.", hint="%%compose up brings up what the cell's text says.")
        body = None if cell is None else cell.encode()
        return self._run(words or ["--help"], body, quiet, prog="%compose", command=compose_group)

    @no_var_expand  # type: ignore[untyped-decorator]
    @cell_magic  # type: ignore[untyped-decorator]
    def needs(self, line: str, cell: str) -> Note:
        """``%%needs network``: the cell runs where each container has a network of its own; elsewhere a note says why
        it doesn't. ``%%needs namespaces`` asks for any of a container's own."""
        from containerlab.lab.needs import instead  # late: it is a lesson's word

        return instead(line)

    def _run(
        self, words: list[str], body: bytes | None, quiet: bool, *, prog: str, command: Command = registry.tree
    ) -> Result:
        output = CellOutput()
        follow = show_watch if mode() == "live" else None
        context = Context(
            output=output, body=body, variables=self.shell.user_ns, notebook=True, live=show_live, follow=follow
        )
        try:
            result = registry.invoke(words, context, prog=prog, command=command)
        except KeyboardInterrupt:
            verb = verb_after(words) if prog == "%compose" else registry.verb_of(words)
            raise Interrupted(prog == "%%dockerfile" or verb in _STARTS) from None
        finally:
            output.flush()
        if quiet or _told_already(result, output):
            count = self.shell.execution_count
            result.hush(lambda: self.shell.execution_count == count)
        return result


def _told_already(result: Result, output: CellOutput) -> bool:
    """The program's output, or the build's steps, stand in the cell: its value would only repeat them.

    A picture of the stages is no repetition.
    """
    if isinstance(result, Finished):
        return result.exit_code == 0
    return isinstance(result, Built) and output.progress.shown and not result.drawn


def _words(line: str) -> tuple[list[str], bool]:
    """The words of a line, and whether a ``;`` at its end asks to show nothing. Raises UsageError for an open quote."""
    text, cut = _LAST_SEMICOLON.subn("", line.strip())
    try:
        return shlex.split(text), bool(cut)
    except ValueError as error:
        raise UsageError(
            f"The line can't be cut into words: {str(error).lower()}.", hint=f"  {line.strip()}"
        ) from error
