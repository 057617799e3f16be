"""Lesson 1: your first container."""

from __future__ import annotations

import time
from typing import Any

from containerlab.lab.exercises.looking import container, container_is_there, is_running, remove_containers
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_IMAGE = "lab/busybox"
_TERMINATED = 128 + 15  # SIGTERM, signal(7)
_KILLED = 128 + 9
_CHILD_SECONDS = 10.0


def _sees_itself_alone(client: Any) -> Missing | None:
    for name in ("left", "right"):
        mode = container(client, name)["HostConfig"]["PidMode"]  # type: ignore[index]
        if mode not in ("", "private"):
            return Missing(
                "a shared PID namespace",
                (
                    Words("{name} sees more processes than its own."),
                    Words("{name} was run with `--pid {mode}`. Without that it has a PID namespace of its own."),
                ),
                {"name": name, "mode": mode},
            )
    return None


def _solve_two(client: Any) -> None:
    for name in ("left", "right"):
        client.containers.run(_IMAGE, "sleep 600", detach=True, name=name, network_mode="none")


def _is_called_kitchen(client: Any) -> Missing | None:
    found: dict[str, Any] = container(client, "kitchen")  # type: ignore[assignment]
    if found["HostConfig"]["UTSMode"] == "host":
        return Missing(
            "the host's UTS namespace",
            (
                Words("It has the host's name, because it shares the host's UTS namespace."),
                Words("Leave out `--uts host`: a host name of one's own needs a UTS namespace of one's own."),
            ),
        )
    name = found["Config"]["Hostname"]
    if name == "kitchen":
        return None
    return Missing(
        "another host name",
        (
            Words("Inside, its host name is {name}."),
            Words("`--name` is what the engine calls it. What the program inside sees is set by another option."),
            Words("`%container run --hostname kitchen …`"),
        ),
        {"name": name},
    )


def _solve_kitchen(client: Any) -> None:
    client.containers.run(_IMAGE, "sleep 600", detach=True, name="kitchen", hostname="kitchen", network_mode="none")


def _has_ended(client: Any) -> Missing | None:
    status = container(client, "polite")["State"]["Status"]  # type: ignore[index]
    if status == "exited":
        return None
    return Missing(
        "polite hasn't ended",
        (Words("It hasn't ended yet: its state is {status}."), Words("`stop polite` asks its first process to end.")),
        {"status": status},
    )


def _ended_by_term(client: Any) -> Missing | None:
    found: dict[str, Any] = container(client, "polite")  # type: ignore[assignment]
    code = found["State"]["ExitCode"]
    values: dict[str, object] = {"code": code}
    if code == _KILLED:
        return Missing(
            "killed in the end",
            (
                Words("Its exit code is {code}: it didn't heed TERM, so it was killed."),
                Words("The kernel gives a PID 1 no signal that it hasn't asked for. Who else could be PID 1?"),
                Words("`--init` puts a small first process in front, which passes the signal on."),
            ),
            values,
        )
    words = " ".join(found["Config"]["Cmd"] or [])
    if code == _TERMINATED and "exit 143" not in words and "kill" not in words:
        return None
    if code == _TERMINATED:
        return Missing(
            "a made-up exit code",
            (
                Words("The exit code is right, but the program says it by itself. Let a signal end it."),
                Words("A plain `sleep` will do, with `--init`, and `stop` from outside."),
            ),
        )
    return Missing(
        "another exit code",
        (
            Words("Its exit code is {code}, not 143."),
            Words("143 is 128 + 15, and signal 15 is TERM: which verb sends it?"),
        ),
        values,
    )


def _solve_polite(client: Any) -> None:
    polite = client.containers.run(_IMAGE, "sleep 600", detach=True, name="polite", init=True, network_mode="none")
    # Before the first process has a program below it, it doesn't pass TERM on yet.
    deadline = time.monotonic() + _CHILD_SECONDS
    while len(polite.top()["Processes"]) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    polite.stop()


EXERCISES = (
    Exercise(
        "01.1",
        Words("two containers that don't see each other"),
        (
            container_is_there("left"),
            is_running("left"),
            container_is_there("right"),
            is_running("right"),
            Step(Words("each sees only its own processes"), _sees_itself_alone),
        ),
        _solve_two,
        remove_containers("left", "right"),
    ),
    Exercise(
        "01.2",
        Words("a host name of its own"),
        (container_is_there("kitchen"), Step(Words("inside, its host name is kitchen"), _is_called_kitchen)),
        _solve_kitchen,
        remove_containers("kitchen"),
    ),
    Exercise(
        "01.3",
        Words("a program that ends when it is asked to"),
        (
            container_is_there("polite"),
            Step(Words("it has ended"), _has_ended),
            Step(Words("TERM ended it: exit code 143"), _ended_by_term),
        ),
        _solve_polite,
        remove_containers("polite"),
    ),
)
