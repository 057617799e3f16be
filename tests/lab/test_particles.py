"""A Korean particle follows the sound of the name that a message got."""

from __future__ import annotations

import pytest

from containerlab.lab import words
from containerlab.lab.particles import settled


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("컨테이너을(를)", "컨테이너를"),
        ("볼륨을(를)", "볼륨을"),
        ("shop이(가)", "shop이"),
        ("helper은(는)", "helper는"),
        ("lab/busybox을(를)", "lab/busybox를"),
        ("notes:1은(는)", "notes:1은"),
        ("front이(가)", "front가"),
        ("web과(와) db은(는)", "web과 db는"),
        ("vm이(가)", "vm이"),
        ("file을(를)", "file을"),
        ("cache을(를)", "cache를"),
        ("`sleep 600`이(가) 돌고", "`sleep 600`이 돌고"),
    ],
)
def test_the_last_sound_decides(written: str, read: str) -> None:
    assert settled(written) == read


@pytest.mark.parametrize("word", ["unit", "root", "book", "loop"])
def test_where_spelling_does_not_tell_both_stay(word: str) -> None:
    assert settled(f"{word}이(가)") == f"{word}이(가)"


def test_text_without_a_pair_stays_as_it_is() -> None:
    assert settled("Remove shop? 이(가) alone") == "Remove shop? 이(가) alone"


def test_messages_are_settled_once_they_have_their_values() -> None:
    words.speak("ko")
    try:
        assert words.say("{name} runs", name="shop") == "shop이 실행 중이다"
        assert words.say("{name} runs", name="helper") == "helper가 실행 중이다"
    finally:
        words.speak("en")
