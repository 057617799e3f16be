"""Signals across a clone: held back while it happens, and the kernel's own defaults for the program afterwards.

By the module below ``signal``, whose calls make an enum member of every number they give: 0.4 ms of a start.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]

from containerlab.runtime import syscalls

__all__ = ["blocked_signals", "reset_signals"]

_ALL = frozenset(_signal.valid_signals())
_DEFAULT = _signal.SIG_DFL
# libc's own, for its threads: Python can't name them, and whoever started us may have left them ignored.
_OF_LIBC = (32, 33)


class blocked_signals:
    """Holds signals back across a clone, until the child has dispositions of its own."""

    def __enter__(self) -> None:
        self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _ALL)

    def __exit__(self, *_: object) -> None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)


def reset_signals() -> None:
    """exec keeps ignored signals and the mask: Python ignores SIGPIPE and SIGXFSZ, which programs don't expect."""
    for number in _ALL:
        # None: a handler that Python hasn't set, as libc's own for its threads.
        if _signal.getsignal(number) not in (_DEFAULT, None):
            _signal.signal(number, _DEFAULT)
    for number in _OF_LIBC:
        syscalls.reset_signal(number)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
