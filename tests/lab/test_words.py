"""The catalogues hold every word that is said, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import containerlab
from containerlab.errors import UsageError
from containerlab.lab import words

PACKAGE = Path(containerlab.__file__).parent
PARTS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (PACKAGE / "lab/messages/ko").glob("*.json")
}
CATALOGUE: dict[str, str] = {english: korean for part in PARTS.values() for english, korean in part.items()}


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    words.speak("en")


def said() -> set[str]:
    """Every constant that the package hands to ``say`` or ``Words``."""
    return {
        call.args[0].value
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("say", "Words")
        if call.args and isinstance(call.args[0], ast.Constant)
    }


def test_every_word_has_its_korean_and_no_korean_is_left_over() -> None:
    assert said() == set(CATALOGUE)


def test_no_words_stand_in_two_parts() -> None:
    assert sum(map(len, PARTS.values())) == len(CATALOGUE)


def test_a_translation_has_the_same_places_for_values() -> None:
    for english, korean in CATALOGUE.items():
        assert set(re.findall(r"{\w*}", english)) == set(re.findall(r"{\w*}", korean)), english


def test_words_are_said_in_the_language_of_then() -> None:
    assert words.say("Hint") == "Hint"
    assert words.speak("ko") == "한국어"
    assert words.say("There are {ids}.", ids="1") == "있는 것은 1입니다."
    assert words.say("a text without a translation") == "a text without a translation"


def test_the_environment_chooses_where_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_chosen", None)
    monkeypatch.setenv("CONTAINERLAB_LANG", "ko")
    assert words.language() == "ko"
    monkeypatch.setenv("CONTAINERLAB_LANG", "tlh")
    assert words.language() == "en"


def test_an_unknown_language_names_the_known() -> None:
    with pytest.raises(UsageError, match="There is no language 'tlh'") as refusal:
        words.speak("tlh")
    assert "en, ko" in str(refusal.value)
