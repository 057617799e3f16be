"""Which verbs ``compose`` has, by section, and where each is: imported when it is asked for.

What reads YAML, builds and pulls would be a third of the time that ``compose ps`` takes.
"""

from __future__ import annotations

__all__ = ["SECTIONS", "verb_command"]

from importlib import import_module

import click

SECTIONS: dict[str, dict[str, str]] = {
    "Bring it up, take it down": {
        "up": "up", "down": "lifecycle", "create": "up", "start": "lifecycle", "stop": "lifecycle",
        "restart": "lifecycle", "scale": "lifecycle", "kill": "lifecycle", "rm": "lifecycle", "pause": "lifecycle",
        "unpause": "lifecycle",
    },
    "See what it does": {
        "ps": "look", "logs": "logs", "top": "look", "port": "look", "events": "look", "wait": "lifecycle",
        "ls": "look",
    },
    "Run something in it": {"exec": "exec", "run": "run"},
    "Files and images": {
        "config": "configuration", "build": "images", "pull": "images", "images": "images", "version": "look",
    },
}  # fmt: skip
"""Section: verb: its module."""


def verb_command(name: str) -> click.Command | None:
    """The verb of that name, ``NAME_command`` of its module; None where there is none."""
    for verbs in SECTIONS.values():
        if name in verbs:
            found = getattr(import_module(f"containerlab.commands.compose.{verbs[name]}"), f"{name}_command")
            assert isinstance(found, click.Command)
            return found
    return None
