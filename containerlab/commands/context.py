"""What a verb is given by the front end that runs it."""

from __future__ import annotations

__all__ = ["Context", "Follow", "Live", "Terminal", "pass_context"]

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import click

from containerlab.commands.names import hint
from containerlab.commands.output import Output, Silent
from containerlab.errors import UsageError


def _connect() -> Any:
    from containerlab.client import connect

    return connect()


Live = Callable[[Callable[[], Any], float], Any]
Follow = Callable[[str, Any], Any]


class Terminal(Protocol):
    """The person's own terminal, for ``-t``: raw while in use, and asked for its size."""

    def size(self) -> tuple[int, int]:
        """Rows and columns."""

    def __enter__(self) -> Terminal: ...

    def __exit__(self, *failure: object) -> None: ...


@dataclass
class Context:
    """The engine, where output goes to, and where input comes from.

    ``body`` is a cell's text and ``stdin_fd`` a descriptor: what ``-i`` reads, the first that is there. ``variables``
    are the Python variables that ``@name`` takes (None: ``@`` has no meaning, as in a terminal). ``notebook`` changes
    what an interrupt does: it stops what the verb started, where a terminal passes the signal on as Docker does.
    ``live`` shows a table that is read again and again, for so many seconds; ``follow`` shows a watch of the lab room
    under a name that is its own, and returns at once (None: there is no page that could change).
    """

    output: Output = field(default_factory=Silent)
    connect: Callable[[], Any] = _connect
    body: bytes | None = None
    stdin_fd: int | None = None
    terminal: Terminal | None = None
    variables: Mapping[str, Any] | None = None
    notebook: bool = False
    live: Live | None = None
    follow: Follow | None = None

    @cached_property
    def client(self) -> Any:
        """The docker-py client; the engine is started when the first verb needs it."""
        return self.connect()

    @property
    def own_engine(self) -> bool:
        """Whether the engine is the user's own, on this host: one that another variable names may be anywhere."""
        named = any(os.environ.get(name) for name in ("DOCKER_HOST", "CONTAINERLAB_HOST"))
        return self.connect is _connect and not named

    def close(self) -> None:
        """Give the client's connections back; a later use makes new ones."""
        client = self.__dict__.get("client")
        if client is not None:
            client.close()

    def variable(self, text: str) -> str:
        """``@name`` as that Python variable's text, ``@@text`` as ``@text``, anything else as it is."""
        if self.variables is None or not text.startswith("@"):
            return text
        name = text[1:]
        if name.startswith("@"):
            return name
        if name not in self.variables:
            raise UsageError(
                f"There is no Python variable {name!r} for {text}.",
                hint=hint(name, [key for key in self.variables if not key.startswith("_")])
                or f"Write @{text} where the text itself is meant.",
            )
        return str(self.variables[name])


pass_context = click.make_pass_decorator(Context)
