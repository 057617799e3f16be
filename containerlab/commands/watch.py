"""``watch``: a container, or the talk with the engine, as a picture that goes on."""

from __future__ import annotations

__all__ = ["Followed", "watch_command"]

import threading
from typing import Any

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result
from containerlab.commands.watching import Drawn
from containerlab.errors import UsageError

_LONGEST_S = 600.0
_STATIC_S = 10.0
_SHOWS = ("files", "usage", "life", "namespaces", "requests")
_CLEAR = "\x1b[H\x1b[2J"


class Followed(Result):
    """A watch that goes on beside the notebook. It is shown already; ``.stop()`` ends it, ``.figure`` is its last."""

    def __init__(self, what: str, handle: Any) -> None:
        self.what = what
        self._handle = handle

    @property
    def figure(self) -> Any:
        return self._handle.figure

    def stop(self) -> None:
        """End it, and wait until its last picture is there."""
        self._handle.stop()

    def to_dict(self) -> dict[str, Any]:
        return dict(self.figure.to_dict())

    def __str__(self) -> str:
        return f"Watching {self.what}."

    def _ipython_display_(self) -> None:
        pass


@verb(
    "watch",
    help="Watch a container while it works: which files come up from which layer, what it takes, how it lives. "
    "In a notebook the picture goes on below the cell: until the container ends, for ten minutes, or until its button.",
)
@click.option(
    "--show", type=click.Choice(_SHOWS), default="files",
    help="files (which one comes up from which layer), usage, life, namespaces, or requests: all that is asked of "
    "the engine, without a container.",
)  # fmt: skip
@click.option(
    "--for", "seconds", type=click.FloatRange(0.1, _LONGEST_S), metavar="SECONDS",
    help="Wait in the cell for so long at most, and keep the last picture.",
)  # fmt: skip
@click.argument("container", required=False)
@pass_context
def watch_command(context: Context, show: str, seconds: float | None, container: str | None) -> Result:
    watched = _watch(context, show, container)
    what = container or "the engine"
    if seconds is None and context.follow is not None:
        return Followed(what, context.follow(f"{show} {container}", watched))
    return Drawn(_wait(context, watched, seconds or (_STATIC_S if context.notebook else _LONGEST_S)))


def _watch(context: Context, show: str, container: str | None) -> Any:
    from containerlab.lab.watch import watch, watch_requests

    if show == "requests":
        if container is not None:
            raise UsageError("The requests are the engine's, not a container's.", hint="watch --show requests")
        return watch_requests()
    if container is None:
        raise UsageError("watch needs a container.", hint=f"watch --show {show} NAME")
    return watch(context.client, container, show)


def _wait(context: Context, watched: Any, seconds: float) -> Any:
    """The last picture. An interrupt ends the watch and keeps what was seen."""
    from containerlab.lab.watch import pictures

    figure: Any = None
    try:
        for figure in pictures(watched, seconds, threading.Event()):
            if context.terminal is not None:
                context.output.stdout(f"{_CLEAR}{figure}\n".encode())
    except KeyboardInterrupt:
        if figure is None:
            raise
    return figure
