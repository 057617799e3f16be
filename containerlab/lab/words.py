"""The language of labels, hints and explanations: a catalogue a language, keyed by the English words.

As with gettext the English text stands in the code, where a reader of the code wants it; ``messages/ko/`` has the
Korean beside it, a file for each part of the kit. A text that a catalogue lacks stays English: a lesson never fails for
want of a word. A test reads every call of ``say`` and ``Words`` in the package and holds the catalogues to it,
placeholders included.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable
from importlib import resources

from containerlab.errors import UsageError
from containerlab.lab.particles import settled

__all__ = ["LANGUAGES", "Words", "language", "say", "speak", "translations"]

LANGUAGES = {"en": "English", "ko": "한국어"}

_chosen: str | None = None


class Words(str):
    """English text that is to be said later, in the language of then: a mark for the catalogue, nothing more."""

    __slots__ = ()


def language() -> str:
    """The code of the language in use: what ``speak`` was told, else ``CONTAINERLAB_LANG``, else ``en``."""
    if _chosen is not None:
        return _chosen
    asked = os.environ.get("CONTAINERLAB_LANG", "en")
    return asked if asked in LANGUAGES else "en"


def speak(code: str) -> str:
    """Choose the language of this process; gives its own name. Raises UsageError for one that isn't there."""
    global _chosen
    if code not in LANGUAGES:
        raise UsageError(f"There is no language {code!r}.", hint=f"There are {', '.join(LANGUAGES)}.")
    _chosen = code
    return LANGUAGES[code]


def say(text: str, /, **values: object) -> str:
    """``text`` in the language in use, each ``{name}`` replaced by its value."""
    spoken = _catalogue(language()).get(text, text)
    return settled(spoken.format(**values)) if values else spoken


def translations(code: str, texts: Iterable[str]) -> dict[str, str]:
    """Those of ``texts`` that have a translation in the language ``code``, with it."""
    known = _catalogue(code)
    return {str(text): known[text] for text in texts if text in known}


@functools.cache
def _catalogue(code: str) -> dict[str, str]:
    if code == "en":
        return {}
    folder = resources.files("containerlab.lab").joinpath("messages", code)
    found: dict[str, str] = {}
    for file in folder.iterdir():
        found |= json.loads(file.read_text(encoding="utf-8"))
    return found
