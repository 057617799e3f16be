"""Verbs that do one thing to each name they are given, and go on after a name that fails."""

from __future__ import annotations

__all__ = ["each"]

from collections.abc import Callable, Iterable

import docker.errors

from containerlab.commands.context import Context
from containerlab.commands.problems import translate
from containerlab.commands.result import Lines
from containerlab.errors import ContainerlabError


def each(context: Context, names: Iterable[str], act: Callable[[str], object]) -> Lines:
    """``act`` on every name; the result lists those done (where ``act`` didn't say False), as Docker prints them.

    Raises the only failure as it is; several as one ContainerlabError that lists them, after the others were done.
    """
    done: list[str] = []
    failures: list[ContainerlabError] = []
    for name in names:
        try:
            said = act(name)
        except docker.errors.APIError as error:
            problem = translate(error, context.client)
            if problem is None:
                raise
            failures.append(problem)
        else:
            done += [] if said is False else [name]
    if not failures:
        return Lines(done)
    for name in done:
        context.output.stdout(f"{name}\n".encode())
    if len(failures) == 1:
        raise failures[0]
    raise ContainerlabError("\n".join(str(failure) for failure in failures))
