"""Signal words as Docker takes them: ``SIGKILL``, ``kill``, ``9``."""

from __future__ import annotations

import signal

from containerlab.errors import InvalidParameter

__all__ = ["parse_signal"]

_REALTIME = {
    **{f"RTMIN+{n}": signal.SIGRTMIN + n for n in range(16)},
    **{f"RTMAX-{n}": signal.SIGRTMAX - n for n in range(15)},
}


def parse_signal(word: str, default: int = signal.SIGTERM) -> int:
    """The signal's number; ``default`` for an empty word. Raises InvalidParameter in Docker's words."""
    if not word:
        return default
    if word.isascii() and word.isdigit():
        number = int(word)
        if 1 <= number <= signal.SIGRTMAX:
            return number
        raise InvalidParameter(f"Invalid signal: {word}")
    bare = word.upper().removeprefix("SIG")
    if bare in _REALTIME:
        return _REALTIME[bare]
    try:
        return int(signal.Signals[f"SIG{bare}"])
    except KeyError:
        raise InvalidParameter(f"Invalid signal: {word}") from None
