"""The IPython extension: ``%container``, ``%compose``, ``%%dockerfile``, ``%check``, ``%%needs``; and completion."""

from __future__ import annotations

__all__ = ["load", "unload"]

from typing import Any

from containerlab.notebook.completion import IDENTIFIER, container_matcher
from containerlab.notebook.magics import ContainerMagics
from containerlab.notebook.needs import take_line_away


def load(shell: Any) -> None:
    """Add the magics and the completion to a shell; loading again replaces them."""
    unload(shell)
    shell.register_magics(ContainerMagics(shell))
    shell.Completer.custom_matchers.append(container_matcher)
    shell.input_transformers_cleanup.append(take_line_away)


def unload(shell: Any) -> None:
    """Take both away again."""
    magics = shell.magics_manager.magics
    ours = ("container", "check", "dockerfile", "compose", "needs")
    for kind, name in ((kind, name) for kind in ("line", "cell") for name in ours):
        magics[kind].pop(name, None)
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if getattr(matcher, "matcher_identifier", "") != IDENTIFIER]
    transformers = shell.input_transformers_cleanup
    transformers[:] = [each for each in transformers if getattr(each, "__name__", "") != take_line_away.__name__]
