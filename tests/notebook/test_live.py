"""A live table: read until it is stopped, or until its container has gone."""

from __future__ import annotations

import time

import pytest

from containerlab.commands.result import Column, Table
from containerlab.errors import NoSuchContainer
from containerlab.notebook import live
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_EVERY_SECONDS", 0.01)


def test_it_returns_at_once_reads_again_and_stops_by_its_button() -> None:
    count = 0

    def read() -> Table:
        nonlocal count
        count += 1
        return Table([Column("n", "READING")], [{"n": count}])

    widget = live.show_live(read, 60)
    picture, button = widget.children
    assert eventually(lambda: count > 3)
    assert "READING" in picture.value
    button.click()
    assert eventually(lambda: button.disabled)
    assert picture.value.endswith("<p>Stopped.</p>")
    after = count
    time.sleep(0.1)
    assert count == after
    assert " at 0x" not in repr(widget)


def test_it_ends_with_its_container() -> None:
    def read() -> Table:
        raise NoSuchContainer("web")

    picture, button = live.show_live(read, 60).children
    assert eventually(lambda: button.disabled)
    assert "No such container: web" in picture.value


def test_it_ends_when_time_is_up() -> None:
    picture, button = live.show_live(lambda: Table([Column("n", "N")], []), 0.05).children
    assert eventually(lambda: button.disabled)
    assert "Stopped" in picture.value
