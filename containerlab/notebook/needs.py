"""``%%needs WORD``: a cell that says what it asks of the host.

Where the host has it the line is taken away before IPython reads the cell, so that the cell is run as any other, with
its own outputs and errors, and may be a cell magic's itself. Else the magic runs, and shows a note in the cell's place.
"""

from __future__ import annotations

from typing import Any

from containerlab.client import connect
from containerlab.errors import ContainerlabError

__all__ = ["LINE", "take_line_away"]

LINE = "%%needs "


def take_line_away(lines: list[str]) -> list[str]:
    """One of IPython's input transformers (``input_transformers_cleanup``): the lines to run."""
    if not lines or not lines[0].startswith(LINE):
        return lines
    return lines if _lacks(lines[0].removeprefix(LINE)) else lines[1:]


def _lacks(words: str) -> bool:
    """Without an engine to ask the cell runs, and says by itself what is wrong."""
    from containerlab.lab.needs import lacks  # late: pictures and all come with it

    client: Any = None
    try:
        client = connect()
        return bool(lacks(client, words))
    except ContainerlabError:
        return client is not None  # a word that is no need: the magic says so
    finally:
        if client is not None:
            client.close()
