"""Words: the table of Docker's rules on quotes, escapes and variables."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerlab.build.dockerfile.words import WordError, expand, expand_heredoc, expand_words, unquote

VARIABLES = {"v": "value", "empty": "", "path": "/usr/local/lib/libc.so.6", "words": "two  words", "name": "a.b.c"}

TABLE = [
    ("plain", "plain"),
    ("$v", "value"),
    ("${v}", "value"),
    ("$v.x", "value.x"),
    ("${v}x", "valuex"),
    ("$vx", ""),
    ("$nothing", ""),
    ("a${nothing}b", "ab"),
    ("$", "$"),
    ("a$ b", "a$ b"),
    ("$$", ""),
    ("$1x", "x"),
    ("\\$v", "$v"),
    ("\\\\$v", "\\value"),
    ("\\a", "a"),
    ("a\\", "a"),
    ("'$v'", "$v"),
    ("'a\\b'", "a\\b"),
    ('"$v"', "value"),
    ('"\\$v"', "$v"),
    ('"a\\b"', "a\\b"),
    ('"a\\"b"', 'a"b'),
    ('"a\\\\b"', "a\\b"),
    ('"it\'s"', "it's"),
    ("a'b'\"c\"", "abc"),
    ("${v:-d}", "value"),
    ("${nothing:-d}", "d"),
    ("${empty:-d}", "d"),
    ("${empty-d}", ""),
    ("${nothing-d}", "d"),
    ("${nothing:-$v}", "value"),
    ("${nothing:-${also:-deep}}", "deep"),
    ("${nothing:-'a b'}", "a b"),
    ("${v:+d}", "d"),
    ("${nothing:+d}", ""),
    ("${empty:+d}", ""),
    ("${empty+d}", "d"),
    ("${v:?msg}", "value"),
    ("${path#*/}", "usr/local/lib/libc.so.6"),
    ("${path##*/}", "libc.so.6"),
    ("${path%/*}", "/usr/local/lib"),
    ("${path%%/*}", ""),
    ("${name#*.}", "b.c"),
    ("${name##*.}", "c"),
    ("${name%.*}", "a.b"),
    ("${name%%.*}", "a"),
    ("${name#?.}", "b.c"),
    ("${name#x}", "a.b.c"),
    ("${name/./-}", "a-b.c"),
    ("${name//./-}", "a-b-c"),
    ("${name//\\./-}", "a-b-c"),
    ("${name/b*/X}", "a.X"),
    ("${name/z/X}", "a.b.c"),
    ("${nothing/a/b}", ""),
]


@pytest.mark.parametrize(("text", "value"), TABLE)
def test_a_word_expands_by_dockers_rules(text: str, value: str) -> None:
    assert expand(text, VARIABLES.get) == value


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("${", "missing '}'", 0),
        ("a${v", "missing '}'", 1),
        ("${v:-x", "missing '}'", 6),
        ("${}", "bad substitution", 0),
        ("${:x}", "bad substitution", 0),
        ("${v^}", "unsupported modifier (^)", 0),
        ("${v:=x}", "unsupported modifier (:=)", 0),
        ("'a", "single-quote", 0),
        ('a"b', "double-quote", 1),
        ("${nothing:?must be set}", "nothing: must be set", 0),
        ("${empty:?}", "empty: is not allowed to be empty", 0),
        ("${nothing?}", "nothing: is not allowed to be unset", 0),
        ("${v/a", "missing '/'", 5),
    ],
)
def test_a_broken_word_says_what_and_where(text: str, message: str, offset: int) -> None:
    with pytest.raises(WordError) as caught:
        expand(text, VARIABLES.get)
    assert message in str(caught.value)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a  b", ["a", "b"]),
        ("$words", ["two", "words"]),
        ('"$words" x', ["two  words", "x"]),
        ("a\\ b", ["a b"]),
        ("'' x", ["", "x"]),
        ("$nothing", []),
        ("x$words", ["xtwo", "words"]),
    ],
)
def test_words_split_at_white_space_that_is_not_quoted(text: str, words: list[str]) -> None:
    assert expand_words(text, VARIABLES.get) == words


def test_the_escape_directive_changes_the_escape_character() -> None:
    assert expand("c:\\`$v`", VARIABLES.get, "`") == "c:\\$v"


def test_unquoting_leaves_variables_as_written() -> None:
    assert unquote("'a'\"$v\"${x:-y}") == "a$v${x:-y}"


def test_a_heredoc_keeps_its_quotes_and_takes_its_variables() -> None:
    assert expand_heredoc("say \"$v\" '${v}' \\$v \\n\n", VARIABLES.get) == "say \"value\" 'value' $v \\n\n"


def test_no_text_expands_without_bound() -> None:
    with pytest.raises(WordError, match="expands to more than"):
        expand("$v" * 1000, {"v": "x" * 5000}.get)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab$v{}:-+#%/?*'\"\\ \n", max_size=30))
def test_any_word_expands_or_is_refused_inside_its_bounds(text: str) -> None:
    try:
        expand(text, VARIABLES.get)
    except WordError as error:
        assert 0 <= error.offset <= len(text)
