"""What the panel says, in the language that the learner chose: the page holds the English, this its translations."""

from __future__ import annotations

from typing import Any

from containerlab.lab.progress import Progress
from containerlab.lab.words import Words, language, translations

__all__ = ["PANEL", "spoken"]

PANEL = (
    Words("Containers, images and lessons"),
    Words("Containers"),
    Words("Images"),
    Words("Lessons"),
    Words("No lesson lies in this folder or in its notebooks folder."),
    Words("There are no containers."),
    Words("There are no images."),
    Words("Not known while the engine doesn’t run."),
    Words("The Jupyter server doesn’t answer. The panel goes on trying."),
    Words("Asking the engine …"),
    Words("The engine runs"),
    Words("The engine doesn’t run. It starts by itself with your first command."),
    Words("Start the engine"),
    Words("Start"),
    Words("Try again"),
    Words("Start {name}"),
    Words("Stop {name}"),
    Words("Remove {name}"),
    Words("Port {inside} of {name}, published as {port}"),
    Words("Lesson {number} is done"),
    Words("Open lesson {number}, {title}"),
    Words("{solved} of {all} exercises"),
    Words("Remove {name}?"),
    Words("Remove"),
    Words("Cancel"),
    Words("It runs: it will be killed. What it wrote to its own layer is lost."),
    Words("What it wrote to its own layer is lost."),
    Words("That did not work"),
    Words("exited ({code})"),
    Words("created"),
    Words("running"),
    Words("paused"),
    Words("restarting"),
    Words("removing"),
    Words("exited"),
    Words("dead"),
    Words("healthy"),
    Words("unhealthy"),
    Words("starting"),
)
"""Every text of ``labextension/static/panel.js``."""


def spoken() -> dict[str, Any]:
    """``{"language": code, "words": {English: its translation}}``; the words are empty for English.

    The language is what ``%container lang`` said last, in whichever notebook; else the Jupyter server's own.
    """
    code = Progress().language() or language()
    return {"language": code, "words": translations(code, PANEL)}
