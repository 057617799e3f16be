"""Plans carried out by hands that only take notes."""

from __future__ import annotations

import threading

import pytest

from containerlab.compose.apply import apply
from containerlab.compose.steps import Await, Deed, MakeNetwork, MakeVolume, Plan


def test_what_needs_nothing_of_each_other_goes_together() -> None:
    plan = Plan()
    plan.add(MakeNetwork("a"))
    plan.add(MakeNetwork("b"))
    both = threading.Barrier(2)
    apply(plan, lambda deed: both.wait(20))


def test_what_needs_another_comes_after_it() -> None:
    plan, done = Plan(), []
    first = plan.add(MakeNetwork("a"))
    second = plan.add(MakeVolume("b"), {first})
    plan.add(MakeNetwork("c"), {first, second})
    apply(plan, lambda deed: done.append(deed.key))
    assert done == ["a", "b", "c"]


def test_after_a_failure_nothing_new_begins_and_it_is_raised() -> None:
    plan, done = Plan(), []
    first = plan.add(MakeNetwork("bad"))
    plan.add(MakeVolume("never"), {first})

    def do(deed: MakeNetwork) -> None:
        done.append(deed.key)
        raise ValueError(deed.key)

    with pytest.raises(ValueError, match="bad"):
        apply(plan, do)
    assert done == ["bad"]


def test_no_more_go_together_than_is_said() -> None:
    plan = Plan()
    for key in "abcdef":
        plan.add(MakeNetwork(key))
    inside, most, lock = 0, 0, threading.Lock()

    def do(deed: MakeNetwork) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.005)
        with lock:
            inside -= 1

    apply(plan, do, parallel=2)
    assert most == 2


def test_however_many_wait_what_they_wait_for_is_done() -> None:
    """A hundred waits from the beginning, and the one step that they all wait for needs the first of them."""
    plan, done = Plan(), threading.Event()
    ready = plan.add(Await("ready", "service_healthy", ("ready",)))
    for number in range(100):
        plan.add(Await(f"s{number}", "service_healthy", (f"s{number}",)))
    plan.add(MakeNetwork("last"), {ready})

    def do(deed: Deed) -> None:
        if isinstance(deed, MakeNetwork):
            done.set()
        elif deed.service != "ready":
            assert done.wait(20)

    apply(plan, do, parallel=2)
    assert done.is_set()
