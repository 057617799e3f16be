"""How a verb's words are read: as Docker's own command line reads them (spf13/pflag), where click would not.

A flag may be told its value (``--rm=false``), and a short option's value may follow ``=`` (``-e=A=1``).
"""

from __future__ import annotations

__all__ = ["ONE_PLATFORM", "Always", "Option", "Verb", "content_trust", "options_of", "refused", "refused_flag", "verb"]

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from containerlab.errors import UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])

ONE_PLATFORM = "an image here has one platform, its own"

_TRUE = ("1", "t", "T", "TRUE", "true", "True")  # Go's strconv.ParseBool
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


class Option(click.Option):
    """An option that stands under a heading of its own in the help."""

    def __init__(self, *arguments: Any, section: str = "Options", **rest: Any) -> None:
        super().__init__(*arguments, **rest)
        self.section = section


class Verb(click.Command):
    """A command that reads its words as Docker's does, and lists its options by section."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        reader = _Reader(options_of(self), interspersed=ctx.allow_interspersed_args)
        rest = super().parse_args(ctx, list(reader.read(args)))
        for name in reader.off:
            ctx.params[name] = False
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def verb(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """``@verb("stop", help=…)`` in place of ``@click.command``."""
    return click.command(name, cls=Verb, **attributes)


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Each option under all of its names."""
    return {
        name: parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def refused(*names: str, why: str) -> Callable[[_Command], _Command]:
    """An option of Docker's, with a value, that can't be carried out: whoever uses it is told why."""
    return _refused(*names, why=why)


def refused_flag(*names: str, why: str) -> Callable[[_Command], _Command]:
    """The same for a flag; ``--flag=false`` asks nothing."""
    return _refused(*names, why=why, is_flag=True)


def _refused(*names: str, why: str, **rest: Any) -> Callable[[_Command], _Command]:
    def refuse(ctx: click.Context, option: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            raise UsageError(f"{option.opts[0]} isn't carried out: {why}.")

    return click.option(*names, callback=refuse, expose_value=False, hidden=True, **rest)


class Always(click.Option):
    """A flag of Docker's that says what is so here in any case; ``=false`` is refused, with the reason."""

    def __init__(self, *arguments: Any, why: str, **rest: Any) -> None:
        super().__init__(*arguments, **rest)
        self.why = why


def content_trust(command: _Command) -> _Command:
    """``--disable-content-trust``: Docker's default, and all there is here."""
    return click.option(
        "--disable-content-trust", cls=Always, why="there is no content trust here",
        is_flag=True, default=True, expose_value=False, hidden=True,
    )(command)  # fmt: skip


class _Reader:
    """One pass over the words before click's own. ``off`` names the flags whose last word was ``=false``."""

    def __init__(self, options: dict[str, click.Option], *, interspersed: bool) -> None:
        self._options, self._interspersed = options, interspersed
        self.off: set[str] = set()

    def read(self, words: list[str]) -> Iterator[str]:
        rest = iter(words)
        for word in rest:
            if word == "--" or not ((word.startswith("-") and len(word) > 1) or self._interspersed):
                yield word
                yield from rest
            elif word.startswith("--"):
                yield from self._long(word, rest)
            elif word.startswith("-") and len(word) > 1:
                yield from self._short(word, rest)
            else:
                yield word

    def _long(self, word: str, rest: Iterator[str]) -> Iterator[str]:
        name, equals, value = word.partition("=")
        option = self._options.get(name)
        if option is not None and option.is_flag:
            if self._switch(option, name, value if equals else "true"):
                yield name
            return
        yield word
        if option is not None and not equals:
            yield from _next(rest)

    def _short(self, word: str, rest: Iterator[str]) -> Iterator[str]:
        """``-it``, ``-m64m``, ``-m=64m``, ``-d=false``."""
        for at, letter in enumerate(word[1:], 1):
            option = self._options.get(f"-{letter}")
            if option is None:
                break
            tail = word[at + 1 :]
            if not option.is_flag:
                yield word[: at + 1] if not tail else f"{word[: at + 1]}{tail.removeprefix('=')}"
                if tail in ("", "="):
                    yield from _next(rest) if not tail else iter([""])
                return
            if tail.startswith("="):
                on = self._switch(option, f"-{letter}", tail[1:])
                before = word[: at + 1] if on else word[:at]
                if len(before) > 1:
                    yield before
                return
            self._switch(option, f"-{letter}", "true")
        yield word

    def _switch(self, option: click.Option, name: str, value: str) -> bool:
        """Note what was said last. Raises UsageError for a value that is neither true nor false."""
        if value not in (*_TRUE, *_FALSE):
            raise UsageError(f"{name}={value}: true or false is expected.")
        on = value in _TRUE
        if isinstance(option, Always) and not on:
            raise UsageError(f"{name}=false isn't carried out: {option.why}.")
        if option.name and option.expose_value and not on:
            self.off.add(option.name)
        elif option.name:
            self.off.discard(option.name)
        return on


def _next(rest: Iterator[str]) -> Iterator[str]:
    for word in rest:
        yield word
        return
