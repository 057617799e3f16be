"""Lesson 6: the life of a container."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import docker.errors

from containerlab.lab.exercises.looking import container, container_is_there, image, is_running, remove_containers
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES", "wait_for_health"]

_IMAGE = "lab/busybox"
_ORPHAN_IMAGE = "orphaned:1"
_RESTARTS = 3


def _gives_up_after_three(client: Any) -> Missing | None:
    policy = container(client, "phoenix")["HostConfig"]["RestartPolicy"]  # type: ignore[index]
    name, count = policy["Name"] or "no", policy["MaximumRetryCount"]
    if (name, count) == ("on-failure", _RESTARTS):
        return None
    if name in ("always", "unless-stopped"):
        return Missing(
            "a policy without an end",
            (
                Words("Its restart policy is {name}, which never gives up."),
                Words("One policy takes a number: how often the engine may try again."),
            ),
            {"name": name},
        )
    return Missing(
        "another policy",
        (
            Words("Its restart policy is {name}, with {count} tries."),
            Words("`--restart` chooses it; `on-failure:N` tries again N times."),
        ),
        {"name": name, "count": count},
    )


def _was_started_three_times_more(client: Any) -> Missing | None:
    found: dict[str, Any] = container(client, "phoenix")  # type: ignore[assignment]
    if found["RestartCount"] == _RESTARTS:
        return None
    if found["State"]["Status"] == "exited" and found["State"]["ExitCode"] == 0:
        return Missing(
            "it didn't fail",
            (
                Words("Its program ended with 0: there was nothing to make up for."),
                Words("Let it end with another exit code: `sh -c 'exit 1'`."),
            ),
        )
    return Missing(
        "not yet three times",
        (
            Words("It was started again {count} times so far. Has its program ended?"),
            Words("The engine waits longer before each try. Give it a second, and check again."),
        ),
        {"count": found["RestartCount"]},
    )


def _solve_phoenix(client: Any) -> None:
    policy = {"Name": "on-failure", "MaximumRetryCount": _RESTARTS}
    made = client.containers.run(
        _IMAGE, ["sh", "-c", "exit 1"], detach=True, name="phoenix", restart_policy=policy, network_mode="none"
    )
    _wait(lambda: client.api.inspect_container(made.id)["RestartCount"] == _RESTARTS)


def _has_a_check(client: Any) -> Missing | None:
    found: dict[str, Any] = container(client, "patient")  # type: ignore[assignment]
    test = (found["Config"].get("Healthcheck") or {}).get("Test") or []
    if test and test[0] != "NONE":
        return None
    return Missing(
        "no health check",
        (
            Words("Nobody looks after its health: it has no health check."),
            Words("`--health-cmd` is the command that the engine runs inside, again and again."),
        ),
    )


def _is_healthy(client: Any) -> Missing | None:
    health = container(client, "patient")["State"]["Health"]  # type: ignore[index]
    if health["Status"] == "healthy":
        return None
    if health["Status"] == "unhealthy":
        said = (health["Log"] or [{"ExitCode": "?"}])[-1]["ExitCode"]
        return Missing(
            "unhealthy",
            (
                Words("It is unhealthy: the check ended with exit code {code}."),
                Words("Run the check by hand: `%container exec patient sh -c '…'`. Exit code 0 means well."),
            ),
            {"code": said},
        )
    return Missing(
        "not checked yet",
        (
            Words("Its health is {status}: no check has ended yet."),
            Words("The first check comes after one interval, 30 seconds. `--health-interval 1s` is faster."),
        ),
        {"status": health["Status"]},
    )


def _solve_patient(client: Any) -> None:
    check = {"test": ["CMD", "true"], "interval": 200_000_000}
    made = client.containers.run(
        _IMAGE, "sleep 600", detach=True, name="patient", healthcheck=check, network_mode="none"
    )
    wait_for_health(client, made.id)


def wait_for_health(client: Any, container_id: str) -> None:
    """Come back when the container is healthy, or after some seconds in any case."""
    _wait(lambda: client.api.inspect_container(container_id)["State"]["Health"]["Status"] == "healthy")


def _its_image_has_no_name(client: Any) -> Missing | None:
    found: dict[str, Any] = container(client, "orphan")  # type: ignore[assignment]
    asked = found["Config"]["Image"]
    if asked.startswith("sha256:") or found["Image"].removeprefix("sha256:").startswith(asked):
        return Missing(
            "made from an id",
            (
                Words("It was made from an id, not from a name."),
                Words("Give an image a name (`tag` or `build`), run that name, and then remove it."),
            ),
        )
    named = image(client, asked)
    if named is None or named["Id"] != found["Image"]:
        return None
    return Missing(
        "the name is still there",
        (
            Words("The name {name} is still there, and it still means the image of `orphan`."),
            Words("`rmi {name}` removes a name; while a container needs the image, it wants `-f`."),
        ),
        {"name": asked},
    )


def _solve_orphan(client: Any) -> None:
    client.api.tag(client.images.get(_IMAGE).id, "orphaned", "1")
    client.containers.run(_ORPHAN_IMAGE, "sleep 600", detach=True, name="orphan", network_mode="none")
    client.api.remove_image(_ORPHAN_IMAGE, force=True)


def _forget_orphan(client: Any) -> None:
    remove_containers("orphan")(client)
    with contextlib.suppress(docker.errors.NotFound):
        client.api.remove_image(_ORPHAN_IMAGE, force=True)


def _wait(done: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)


EXERCISES = (
    Exercise(
        "06.1",
        Words("a program that is started again"),
        (
            container_is_there("phoenix"),
            Step(Words("the engine gives up after three tries"), _gives_up_after_three),
            Step(Words("it was started three times more"), _was_started_three_times_more),
        ),
        _solve_phoenix,
        remove_containers("phoenix"),
    ),
    Exercise(
        "06.2",
        Words("alive, and well"),
        (
            container_is_there("patient"),
            is_running("patient"),
            Step(Words("it has a health check"), _has_a_check),
            Step(Words("it is healthy"), _is_healthy),
        ),
        _solve_patient,
        remove_containers("patient"),
    ),
    Exercise(
        "06.3",
        Words("a container that outlives its image's name"),
        (
            container_is_there("orphan"),
            is_running("orphan"),
            Step(Words("its image's name is gone"), _its_image_has_no_name),
        ),
        _solve_orphan,
        _forget_orphan,
    ),
)
