"""Sizes, spans and moments in Docker's words, and in those that a notebook keeps."""

from __future__ import annotations

import time

import pytest

from containerlab.commands import formats


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0B"), (999, "999B"), (1000, "1kB"), (4_270_000, "4.27MB"), (25_300_000_000, "25.3GB")]
)
def test_size_has_three_digits_and_powers_of_1000(count: int, text: str) -> None:
    assert formats.size(count) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (125, "2 minutes"),
        (3600, "About an hour"),
        (7200, "2 hours"),
        (3 * 86400, "3 days"),
        (21 * 86400, "3 weeks"),
        (90 * 86400, "3 months"),
        (3 * 365 * 86400, "3 years"),
    ],
)
def test_duration_is_in_dockers_words(amount: float, text: str) -> None:
    assert formats.duration(amount) == text


def test_a_moment_is_told_in_classes_for_a_notebook() -> None:
    now = time.time()
    assert formats.ago(now - 7) == "7 seconds ago"
    assert formats.ago_calm(now - 7) == formats.ago_calm(now - 40) == "seconds ago"
    assert formats.ago_calm(now - 70) == "minutes ago"
    assert formats.ago(0) == "N/A"


@pytest.mark.parametrize(
    ("status", "calm"),
    [
        ("Up 3 seconds", "Up"),
        ("Up Less than a second", "Up"),
        ("Up 2 minutes (healthy)", "Up (healthy)"),
        ("Up 5 seconds (Paused)", "Up (Paused)"),
        ("Exited (137) 2 minutes ago", "Exited (137)"),
        ("Created", "Created"),
    ],
)
def test_a_status_loses_its_times_in_a_notebook(status: str, calm: str) -> None:
    assert formats.status_calm(status) == calm


def test_times_are_read_as_spans_moments_and_numbers() -> None:
    assert formats.parse_time("1700000000.5") == 1700000000.5
    assert formats.parse_time("2026-01-31T12:00:00Z") == formats.parse_time("2026-01-31T13:00:00+01:00")
    assert formats.parse_time("2026-01-31T12:00:00.123456789Z") == pytest.approx(1769860800.123456)
    assert formats.parse_time("1h30m") == pytest.approx(time.time() - 5400, abs=1)


@pytest.mark.parametrize("text", ["", "yesterday", "10 minutes", "m"])
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        formats.parse_time(text)


def test_a_long_command_is_cut_and_stays_in_quotes() -> None:
    assert formats.command_line("sleep 100") == '"sleep 100"'
    assert formats.command_line("x" * 30) == '"' + "x" * 19 + '…"'
    assert formats.command_line("x" * 30, None) == '"' + "x" * 30 + '"'
