"""A table that is read again and again, with a button that stops it."""

from __future__ import annotations

__all__ = ["show_live"]

import threading
import time
from collections.abc import Callable
from typing import Any

from containerlab.commands.problems import translate
from containerlab.commands.result import Table

_EVERY_SECONDS = 1.0


def show_live(read: Callable[[], Table], seconds: float) -> Any:
    """A widget that shows ``read()`` until it is stopped, ``read`` fails (its container has gone), or time is up.

    It returns at once: a thread of its own does the reading, and the next cell can run meanwhile.
    """
    import ipywidgets

    class LiveTable(ipywidgets.VBox):  # type: ignore[misc]
        """Without its own repr a saved notebook would hold the widgets' inner state as text."""

        def __repr__(self) -> str:
            return "A live table. It is gone once the kernel has ended."

    picture = ipywidgets.HTML("Reading …")
    button = ipywidgets.Button(description="Stop", icon="stop", tooltip="Stop reading")
    stopped = threading.Event()
    button.on_click(lambda _: stopped.set())

    def run() -> None:
        picture.value = _follow(read, seconds, stopped, lambda shown: setattr(picture, "value", shown))
        button.disabled = True

    threading.Thread(target=run, name="containerlab-live", daemon=True).start()
    return LiveTable([picture, button])


def _follow(read: Callable[[], Table], seconds: float, stopped: threading.Event, show: Callable[[str], None]) -> str:
    """Show until the end; gives what stays on the page."""
    deadline = time.monotonic() + seconds
    shown = ""
    while time.monotonic() < deadline:
        asked = time.monotonic()
        try:
            table = read()
        except Exception as error:
            problem = translate(error)
            if problem is None:
                raise
            return f"{shown}<p>Ended: {problem.message}</p>"
        shown = table._repr_mimebundle_()["text/html"]
        show(shown)
        if stopped.wait(max(0.0, _EVERY_SECONDS - (time.monotonic() - asked))):
            break
    return f"{shown}<p>Stopped.</p>"
