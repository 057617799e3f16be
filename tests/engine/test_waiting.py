"""Waits on a container, restart policies, and work that goes on in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from containerlab.engine.background import Background
from containerlab.engine.models import RestartPolicy
from containerlab.engine.restart import Backoff, check_policy, should_restart
from containerlab.engine.waiters import Waiter, Waiters
from containerlab.errors import InvalidParameter


def answers(happen: Callable[[Waiters], None], *conditions: str, running: bool = True, exit_code: int = 0) -> list[Any]:
    """What each wait is answered with by what happens; None while it still waits."""

    async def main() -> list[Any]:
        waiters = Waiters()
        waiting = [waiters.add(condition, running=running, exit_code=exit_code) for condition in conditions]
        results = [asyncio.ensure_future(waiter.result()) for waiter in waiting]
        happen(waiters)
        await asyncio.sleep(0.01)
        found = [result.result()["StatusCode"] if result.done() else None for result in results]
        for result in results:
            result.cancel()
        return found

    return asyncio.run(main())


ALL = ("", "not-running", "next-exit", "removed")


def test_an_exit_answers_all_but_those_who_wait_for_the_removal() -> None:
    assert answers(lambda waiters: waiters.exited(3), *ALL) == [3, 3, 3, None]


def test_a_removal_answers_everyone() -> None:
    assert answers(lambda waiters: waiters.removed(3), *ALL) == [3, 3, 3, 3]


def test_not_running_is_answered_at_once_where_nothing_runs() -> None:
    assert answers(lambda waiters: None, *ALL, running=False, exit_code=5) == [5, 5, None, None]


def test_the_first_answer_stands() -> None:
    def both(waiters: Waiters) -> None:
        waiters.exited(1)
        waiters.removed(2)

    assert answers(both, *ALL) == [1, 1, 1, 2]


def test_an_unknown_condition_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="invalid condition: 'gone'"):
        answers(lambda waiters: None, "gone")


def test_a_wait_that_was_let_go_of_is_forgotten_and_the_others_are_answered() -> None:
    async def main() -> None:
        waiters = Waiters()
        kept, left = (waiters.add("next-exit", running=True, exit_code=0) for _ in range(2))
        left.close()
        left.close()
        assert len(waiters) == 1
        waiters.exited(7)
        assert await kept.result() == {"StatusCode": 7}
        assert len(waiters) == 0
        kept.close()

    asyncio.run(main())


def test_one_reader_s_end_does_not_end_the_wait() -> None:
    async def main() -> None:
        waiters = Waiters()
        waiter = waiters.add("removed", running=True, exit_code=0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiter.result(), 0.01)
        waiters.removed(0)
        assert await waiter.result() == {"StatusCode": 0}

    asyncio.run(main())


def test_an_answer_after_the_end_changes_nothing() -> None:
    async def main() -> None:
        waiter = Waiter(None, {"StatusCode": 1})
        waiter.complete({"StatusCode": 2})
        assert await waiter.result() == {"StatusCode": 1}
        waiter.close()

    asyncio.run(main())


# Restart policies.


@pytest.mark.parametrize(
    ("policy", "exit_code", "restarts", "expected"),
    [
        (RestartPolicy(), 1, 0, False),
        (RestartPolicy(name="no"), 1, 0, False),
        (RestartPolicy(name="always"), 0, 1000, True),
        (RestartPolicy(name="always"), 1, 0, True),
        (RestartPolicy(name="unless-stopped"), 0, 0, True),
        (RestartPolicy(name="on-failure"), 0, 0, False),
        (RestartPolicy(name="on-failure"), 1, 1000, True),
        (RestartPolicy(name="on-failure", maximum_retry_count=2), 1, 1, True),
        (RestartPolicy(name="on-failure", maximum_retry_count=2), 1, 2, False),
        (RestartPolicy(name="on-failure", maximum_retry_count=2), 0, 0, False),
    ],
)
def test_a_policy_decides_by_exit_code_and_count(
    policy: RestartPolicy, exit_code: int, restarts: int, expected: bool
) -> None:
    assert should_restart(policy, exit_code=exit_code, restarts=restarts, manually_stopped=False) is expected


@pytest.mark.parametrize("name", ["", "no", "always", "unless-stopped", "on-failure"])
def test_nothing_is_restarted_that_was_stopped_by_hand(name: str) -> None:
    assert not should_restart(RestartPolicy(name=name), exit_code=1, restarts=0, manually_stopped=True)


def test_the_wait_doubles_from_100_ms_to_a_minute() -> None:
    backoff = Backoff()
    waits = [backoff.after_run(0.5) for _ in range(13)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60, 60])


def test_a_run_of_ten_seconds_brings_the_wait_back_to_100_ms() -> None:
    backoff = Backoff()
    assert [backoff.after_run(seconds) for seconds in (0, 0, 9.9, 10, 0, 3600)] == pytest.approx(
        [0.1, 0.2, 0.4, 0.1, 0.2, 0.1]
    )


@pytest.mark.parametrize(
    ("policy", "auto_remove", "message"),
    [
        (RestartPolicy(name="sometimes"), False, "unknown policy 'sometimes'"),
        (RestartPolicy(name="Always"), False, "unknown policy 'Always'"),
        (RestartPolicy(name="on-failure", maximum_retry_count=-1), False, "maximum retry count cannot be negative"),
        (RestartPolicy(name="always", maximum_retry_count=1), False, "can only be used with 'on-failure'"),
        (RestartPolicy(maximum_retry_count=1), False, "can only be used with 'on-failure'"),
        (RestartPolicy(name="always"), True, "can't create 'AutoRemove' container with restart policy"),
    ],
)
def test_a_policy_that_can_t_be_is_refused_in_docker_s_words(
    policy: RestartPolicy, auto_remove: bool, message: str
) -> None:
    with pytest.raises(InvalidParameter, match=message):
        check_policy(policy, auto_remove=auto_remove)


@pytest.mark.parametrize("policy", [RestartPolicy(), RestartPolicy(name="no")])
def test_a_container_that_removes_itself_may_say_no(policy: RestartPolicy) -> None:
    check_policy(policy, auto_remove=True)


# Background.


def test_finish_waits_for_all_also_for_what_is_started_meanwhile() -> None:
    async def main() -> list[str]:
        background, done = Background(), []

        async def child() -> None:
            await asyncio.sleep(0.01)
            done.append("child")

        async def parent() -> None:
            await asyncio.sleep(0.01)
            background.spawn(child())
            done.append("parent")

        background.spawn(parent())
        assert len(background) == 1
        await background.finish()
        assert len(background) == 0
        return done

    assert asyncio.run(main()) == ["parent", "child"]


def test_finishing_nothing_ends_at_once() -> None:
    asyncio.run(Background().finish())


def test_work_that_fails_is_logged_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("the disk is full")

    async def main() -> None:
        background = Background()
        background.spawn(fail())
        await background.finish()
        await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "background work failed" in caplog.text
    assert "the disk is full" in caplog.text


def test_work_that_is_cancelled_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        background = Background()
        task = background.spawn(asyncio.sleep(60))
        await asyncio.sleep(0)
        task.cancel()
        await background.finish()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert not caplog.records
