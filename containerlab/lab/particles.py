"""Korean particles that go by the sound before them: 을 or 를, 이 or 가, 은 or 는, 과 or 와.

A catalogue can't know which a name wants, and writes both, as forms do: ``{name}을(를)``. Once the name stands there,
its last sound decides. Latin words are read as Korean reads them (``shop`` 숍, ``box`` 박스); where spelling doesn't
tell (``unit`` 유닛, ``root`` 루트), both stay.
"""

from __future__ import annotations

import re

__all__ = ["settled"]

_PAIR = re.compile(r"([가-힣A-Za-z0-9])([`'\"’”)\]]*)(을\(를\)|이\(가\)|은\(는\)|과\(와\))")
_WORD = re.compile(r"[A-Za-z]+$")
_LONGEST_WORD = 64
_FIRST_HANGUL, _FINALS = 0xAC00, 28
_DIGITS_WITH_FINAL = "013678"
"""영, 일, 삼, 육, 칠, 팔; and the zero of ten, a hundred, a thousand: 십, 백, 천."""
_LETTERS_WITH_FINAL = "lmnr"
"""엘, 엠, 엔, 알: of what is spelled out, such as ``db`` 디비 or ``vm`` 브이엠."""
_READ_WITH_FINAL = re.compile(r"(?:[lmn]|ng|ck|[lmn]e|(?<![aeiou])[aeiou](?:b|c|pp?))$")
_READ_WITHOUT = re.compile(r"(?:[aiouwydfhjqrsvxz]|(?<![lmn])e|(?<!n)g|[^aeiou][kpt])$")


def settled(text: str) -> str:
    """``text`` with one particle of each pair whose word tells which: ``shop이(가)`` is ``shop이``."""
    return _PAIR.sub(_choose, text)


def _choose(pair: re.Match[str]) -> str:
    with_final, without = pair[3][0], pair[3][2]
    word = _WORD.search(pair.string, max(0, pair.end(1) - _LONGEST_WORD), pair.end(1))
    ends = _closes(word[0].lower() if word else pair[1])
    return pair[0] if ends is None else pair[1] + pair[2] + (with_final if ends else without)


def _closes(word: str) -> bool | None:
    """Whether ``word``, a character or a Latin word, is read with a consonant last; None if spelling doesn't tell."""
    last = word[-1]
    if last.isdigit():
        return last in _DIGITS_WITH_FINAL
    if "가" <= last <= "힣":
        return (ord(last) - _FIRST_HANGUL) % _FINALS != 0
    if not re.search("[aeiouy]", word):
        return last in _LETTERS_WITH_FINAL
    if _READ_WITH_FINAL.search(word):
        return True
    return False if _READ_WITHOUT.search(word) else None
