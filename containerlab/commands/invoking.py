"""Running one verb of a tree of verbs."""

from __future__ import annotations

__all__ = ["invoke"]

from collections.abc import Sequence

import click

from containerlab.commands.context import Context
from containerlab.commands.problems import translate
from containerlab.commands.result import Lines, Result


def invoke(arguments: Sequence[str], context: Context, *, prog: str, command: click.Command) -> Result:
    """Run one verb.

    ``--help`` is a result like any other. Raises ContainerlabError, whatever docker-py or click raised below.
    """
    try:
        with command.make_context(prog, list(arguments), obj=context, max_content_width=100) as click_context:
            result = command.invoke(click_context)
    except click.exceptions.Exit:
        return Lines([])
    except KeyboardInterrupt:
        raise
    except Exception as error:
        problem = translate(error, _client_of(context))
        if problem is None:
            raise
        raise problem from None
    finally:
        context.close()
    if not isinstance(result, Result):
        raise TypeError(f"a verb gave {type(result).__name__}, not a Result")
    return result


def _client_of(context: Context) -> object | None:
    """The client if the verb has used one; asking for near names must not start an engine."""
    return context.__dict__.get("client")
