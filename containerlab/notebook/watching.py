"""A picture that goes on below its cell: the output itself is drawn anew, so that a saved notebook keeps the last one.

Only the button is a widget, and goes when the watch ends: a widget in a notebook that is opened again can't be shown.
"""

from __future__ import annotations

__all__ = ["Watching", "show_watch"]

import threading
from typing import TYPE_CHECKING, Any

from IPython.display import DisplayHandle, display

from containerlab.commands.problems import translate
from containerlab.lab.words import say

if TYPE_CHECKING:
    from containerlab.lab.watch import Watch

_LONGEST_S = 600.0
_NOTHING = {"text/plain": ""}
_running: dict[str, Watching] = {}


def show_watch(name: str, watched: Watch) -> Watching:
    """Show it until it ends; a watch of the same ``name`` that still goes on is ended first (a cell was run again).

    Raises what the first look raises.
    """
    before = _running.pop(name, None)
    if before is not None:
        before.stop()
    made = Watching(watched)
    _running[name] = made
    return made


class Watching:
    """``figure`` is the newest picture."""

    def __init__(self, watched: Watch) -> None:
        from containerlab.lab.watch import pictures  # matplotlib, which no other cell is to wait for

        self._stopped = threading.Event()
        self._pictures = pictures(watched, _LONGEST_S, self._stopped)
        self.figure: Any = next(self._pictures)
        self._picture: DisplayHandle = display(self.figure, display_id=True)
        self._button = self._show_button()
        self._thread = threading.Thread(target=self._run, name="containerlab-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; returns when the last picture is there."""
        self._stopped.set()
        self._thread.join(30)

    def _show_button(self) -> Any:
        import ipywidgets

        button = ipywidgets.Button(
            description=say("Stop watching"), icon="stop", tooltip=say("The last picture stays"),
            layout=ipywidgets.Layout(width="auto"),
        )  # fmt: skip
        button.on_click(lambda _: self._stopped.set())
        self._shown_button: DisplayHandle = display(button, display_id=True)
        return button

    def _run(self) -> None:
        ended = ""
        try:
            for picture in self._pictures:
                self.figure = picture
                self._picture.update(picture)
        except Exception as error:
            problem = translate(error)
            ended = str(problem.message if problem else error)
        self._shown_button.update({"text/plain": ended} if ended else _NOTHING, raw=True)
        self._button.close()
