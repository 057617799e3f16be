"""``containerlab VERB …`` in a terminal."""

from __future__ import annotations

__all__ = ["main"]

import os
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from types import FrameType
from typing import Any

from containerlab.commands.attached import Signalled
from containerlab.commands.context import Context
from containerlab.commands.output import StandardOutput
from containerlab.commands.problems import exit_code_of
from containerlab.commands.result import Result, Table
from containerlab.errors import ContainerlabError

_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and give the exit code: the program's own, else 125, 126 and 127 as ``docker run``, else 1."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    signal.signal(signal.SIGTERM, _pass_on)
    context = Context(output=StandardOutput(), stdin_fd=_input(), terminal=_terminal())
    try:
        result = _invoke(arguments, context)
        _show(result)
        sys.stdout.flush()
        return result.exit_code
    except ContainerlabError as error:
        print(f"containerlab: {error}", file=sys.stderr)
        return _exit_code(error, arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone (`| head`); the interpreter must not try to flush to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED


def _invoke(arguments: list[str], context: Context) -> Result:
    """``compose`` needs none of the other verbs, whose import is a good part of the time that it takes."""
    if arguments[0] == "compose":
        from containerlab.commands.compose.group import compose_group
        from containerlab.commands.invoking import invoke

        return invoke(arguments[1:], context, prog="containerlab compose", command=compose_group)
    from containerlab.commands import registry

    return registry.invoke(arguments, context)


def _exit_code(error: ContainerlabError, arguments: list[str]) -> int:
    if arguments[0] == "compose":
        return exit_code_of(error, "compose")
    from containerlab.commands.registry import tree, verb_of

    return exit_code_of(error, verb_of(arguments)) if arguments[0] in tree.commands else 1


def _pass_on(number: int, frame: FrameType | None) -> None:
    """``docker run`` gives its container the signals it is sent; a verb that looks on just ends."""
    raise Signalled(signal.Signals(number).name)


def _show(result: Result) -> None:
    if isinstance(result, Table) and not result.lines and sys.stdout.isatty():
        _show_table(result)
        return
    text = str(result)
    if text:
        print(text)


def _show_table(result: Table) -> None:
    """In colour, on the person's screen alone: what is piped or saved stays plain."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in result.shown:
        grid.add_column(column.title, justify="right" if column.number else "left", no_wrap=True)
    for row in result.cells():
        grid.add_row(*(Text(cell) for cell in row))
    Console().print(grid)


def _input() -> int | None:
    """The descriptor of standard input; None when it was closed."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _terminal() -> _RawTerminal | None:
    descriptor = _input()
    return _RawTerminal(descriptor) if descriptor is not None and os.isatty(descriptor) else None


class _RawTerminal:
    """The terminal on standard input: raw inside ``with``, so that every key reaches the program; then as it was."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None

    def size(self) -> tuple[int, int]:
        columns, rows = shutil.get_terminal_size()
        try:
            columns, rows = os.get_terminal_size(self._descriptor)
        except OSError:
            pass  # a terminal that can't say has the size that the environment says
        return rows, columns

    def __enter__(self) -> _RawTerminal:
        self._before = termios.tcgetattr(self._descriptor)
        tty.setraw(self._descriptor, termios.TCSADRAIN)  # what was typed ahead is kept
        return self

    def __exit__(self, *failure: object) -> None:
        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
