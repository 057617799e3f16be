"""Detach keys: the sequence typed at a terminal that lets go of a container without ending it.

Docker's syntax (docker attach, "Override the detach sequence"): comma-separated, each a single character or
``ctrl-`` with a letter or one of ``@ [ \\ ] ^ _``. Without any: ctrl-p,ctrl-q.
"""

from __future__ import annotations

__all__ = ["DEFAULT_KEYS", "DetachKeys", "parse_keys"]

DEFAULT_KEYS = "ctrl-p,ctrl-q"


def parse_keys(text: str) -> bytes:
    """The bytes that the keys in ``text`` send. Raises ValueError."""
    return b"".join(_key(word) for word in (text or DEFAULT_KEYS).split(","))


def _key(word: str) -> bytes:
    if len(word) == 1 and word.isascii():
        return word.encode()
    if len(word) == 6 and word.startswith("ctrl-"):
        letter = word[5].upper()
        if "@" <= letter <= "_":
            return bytes([ord(letter) - 64])
    raise ValueError(f"{word!r} is no detach key: write a character, or ctrl- and a letter, as in {DEFAULT_KEYS}")


class DetachKeys:
    """Looks for the sequence in what is typed, also across reads."""

    def __init__(self, text: str) -> None:
        self._keys = parse_keys(text)
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What is to be passed on, and whether the sequence is complete. The beginning of a sequence is held back."""
        data = self._held + data
        end = data.find(self._keys)
        if end >= 0:
            self._held = b""
            return data[:end], True
        length = min(len(self._keys) - 1, len(data))
        while not data.endswith(self._keys[:length]):
            length -= 1
        self._held = data[len(data) - length :]
        return data[: len(data) - length], False
