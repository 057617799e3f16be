"""Filter values, moments, durations and signals: the small grammars of Docker's API."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime

import pytest

from containerlab.engine import clock
from containerlab.engine.clock import ZERO, ago, nanoseconds, rfc3339
from containerlab.engine.matching import check_names, label_matches, pattern_matches, seconds, word_matches
from containerlab.engine.moments import moment
from containerlab.engine.signals import parse_signal
from containerlab.errors import InvalidParameter


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("a", True), ("a=1", True), ("a=", False), ("a=1=2", False), ("b", False), ("e=", True), ("e", True), ("", False)],
)
def test_a_label_is_found_by_its_key_or_by_key_and_value(wanted: str, expected: bool) -> None:
    assert label_matches({"a": "1", "e": ""}, wanted) is expected


def test_a_label_s_value_may_hold_an_equals_sign() -> None:
    assert label_matches({"a": "1=2"}, "a=1=2")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("web1", True),
        ("eb", True),
        ("^web", True),
        ("b$", False),
        ("w.b", True),
        ("[", False),
        ("", True),
        ("db", False),
    ],
)
def test_a_name_is_found_by_a_regular_expression_anywhere_in_it(pattern: str, expected: bool) -> None:
    assert pattern_matches(pattern, "web1") is expected


def test_what_is_no_regular_expression_may_still_be_equal() -> None:
    assert pattern_matches("a[", "a[")


def test_a_word_is_itself_alone() -> None:
    assert word_matches("a", ["a", "b"])
    assert not word_matches("a", ["ab"])


def test_an_unknown_filter_is_refused_in_docker_s_words_with_those_that_there_are() -> None:
    check_names({"name": []}, ["name", "label"])
    with pytest.raises(InvalidParameter, match=r"^invalid filter 'nam'\n.*label, name"):
        check_names({"nam": []}, ["name", "label"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10s", 10), ("1h30m", 5400), ("1.5h", 5400), ("2m0.5s", 120.5), ("500ms", 0.5), ("1s1ms", 1.001), ("0s", 0)],
)
def test_a_go_duration_is_understood(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "10", "s", "1d", "1 h", "h1", "1h-", "1h 30m", "٣s", "1e3s"])
def test_what_is_no_go_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid duration"):
        seconds(text)


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1700000000", 1_700_000_000),
        ("1700000000.25", 1_700_000_000.25),
        ("-5", -5),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T22:13:20.250000000Z", 1_700_000_000.25),
        ("2023-11-14T22:13:20", 1_700_000_000),
        ("2023-11-14T22:13", 1_699_999_980),
        ("2023-11-14", 1_699_920_000),
    ],
)
def test_a_moment_is_seconds_or_rfc_3339(text: str, expected: float) -> None:
    assert moment(text) == pytest.approx(expected, abs=1e-6)


def test_a_moment_as_a_duration_lies_that_long_back() -> None:
    assert time.time() - moment("1h30m") == pytest.approx(5400, abs=5)


@pytest.mark.parametrize("text", ["", "nan", "inf", "1_0", "yesterday", "2023-13-01", "1e400", "--1"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        moment(text)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (0, ZERO),
        (1_700_000_000_000_000_000, "2023-11-14T22:13:20Z"),
        (1_700_000_000_000_000_006, "2023-11-14T22:13:20.000000006Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.120000000Z"),
    ],
)
def test_a_time_is_written_as_rfc_3339_with_nanoseconds(stamp: int, expected: str) -> None:
    assert rfc3339(stamp) == expected


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13:20.000000006Z", 1_700_000_000_000_000_006),
        ("2023-11-14T22:13:20.5Z", 1_700_000_000_500_000_000),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000_500_000_000),
        ("2023-11-14T22:13:20.1234567891Z", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20", 1_700_000_000_000_000_000),
        (ZERO, int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 10**9),
    ],
)
def test_rfc_3339_is_read_to_the_nanosecond(stamp: str, expected: int) -> None:
    assert nanoseconds(stamp) == expected


MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "expected"),
    # github.com/docker/go-units, HumanDuration
    [
        (-5, "Less than a second"),
        (0, "Less than a second"),
        (0.999, "Less than a second"),
        (1, "1 second"),
        (1.9, "1 second"),
        (2, "2 seconds"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (59 * MINUTE + 59, "59 minutes"),
        (60 * MINUTE, "About an hour"),
        (89 * MINUTE + 59, "About an hour"),
        (90 * MINUTE, "2 hours"),
        (47 * HOUR, "47 hours"),
        (47.5 * HOUR, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY - MINUTE, "1 years"),
        (730 * DAY, "2 years"),
        (3650 * DAY, "10 years"),
    ],
)
def test_a_duration_is_said_in_go_units_words(monkeypatch: pytest.MonkeyPatch, seconds: float, expected: str) -> None:
    now = 1_800_000_000_000_000_000
    monkeypatch.setattr(clock.time, "time_ns", lambda: now)
    assert ago(now - int(seconds * 10**9)) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("SIGKILL", 9),
        ("KILL", 9),
        ("kill", 9),
        ("sigkill", 9),
        ("9", 9),
        ("SIGTERM", 15),
        ("USR1", signal.SIGUSR1),
        ("WINCH", signal.SIGWINCH),
        ("IOT", signal.SIGABRT),
        ("RTMIN", signal.SIGRTMIN),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("RTMAX-1", signal.SIGRTMAX - 1),
        ("RTMAX", signal.SIGRTMAX),
        ("64", 64),
    ],
)
def test_a_signal_is_a_number_or_a_name_in_any_case(word: str, expected: int) -> None:
    assert parse_signal(word) == expected


@pytest.mark.parametrize(
    "word", ["0", "65", "-9", "SIG", "FOO", "SIGSIGKILL", "9 ", "RTMIN+16", "KILL,TERM", "²", "9.0"]
)
def test_what_is_no_signal_is_refused_in_docker_s_words(word: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^Invalid signal: "):
        parse_signal(word)


def test_no_word_is_the_default_signal() -> None:
    assert parse_signal("") == signal.SIGTERM
    assert parse_signal("", default=9) == 9
