"""What a lesson's cell asks of the host, and what stands in its place where the host can't give it (``%%needs``)."""

from __future__ import annotations

from typing import Any

import docker.errors

from containerlab.client import connect, lab_get
from containerlab.errors import UsageError
from containerlab.lab.note import Note
from containerlab.lab.words import Words, say

__all__ = ["NEEDS", "instead", "lacks", "shares_everything"]

NEEDS = {
    "namespaces": Words(
        "This cell needs namespaces, and this host lets nobody make any: what it would show can't be seen here. "
        "The rest of the lesson works."
    ),
    "network": Words(
        "This cell needs a network of each container's own, and on this host all share one: the interfaces are the "
        "host's, every name leads to 127.0.0.1, and two programs can't listen on one port. "
        "The rest of the lesson works."
    ),
}
"""Each need, and the note in the place of a cell that has it."""


def lacks(client: Any, line: str) -> str:
    """Of the needs that ``line`` names, the first that this host can't meet; empty where it meets them all.

    Raises UsageError for a word that is no need.
    """
    words = line.split()
    for word in words or [""]:
        if word not in NEEDS:
            raise UsageError(say("%%needs {word}: there is no such need.", word=word), hint=", ".join(NEEDS))
    return words[0] if shares_everything(client) else ""


def instead(line: str) -> Note:
    """The note for a cell that wants what ``line`` names. Raises UsageError as :func:`lacks`."""
    lacking = lacks(connect(), line)
    return Note(say(NEEDS[lacking or line.split()[0]]))


def shares_everything(client: Any) -> bool:
    """Whether containers have no namespaces here: a rung of this kit's own engine, no other knows the question."""
    try:
        return bool(lab_get(client, "/containerlab/host")["rung"] == "proot")
    except docker.errors.NotFound:
        return False
