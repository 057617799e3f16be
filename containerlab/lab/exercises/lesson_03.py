"""Lesson 3: namespaces and cgroups."""

from __future__ import annotations

from typing import Any

from containerlab.lab.exercises.looking import container, container_is_there, is_running, remove_containers
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_IMAGE = "lab/busybox"
_MEMORY = 64 * 1024 * 1024
_CPUS = 500_000_000  # billionths of a processor
_PIDS = 20


def _host_config(client: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = container(client, name)["HostConfig"]  # type: ignore[index]
    return found


def _sees_no_host_process(client: Any) -> Missing | None:
    for name in ("inner", "outer"):
        if _host_config(client, name)["PidMode"] == "host":
            return Missing(
                "the host's processes",
                (
                    Words("{name} sees the host's processes."),
                    Words("`--pid host` is more than was asked for: `--pid` can also name a container."),
                ),
                {"name": name},
            )
    return None


def _outer_sees_inner(client: Any) -> Missing | None:
    mode = _host_config(client, "outer")["PidMode"]
    inner: dict[str, Any] = container(client, "inner")  # type: ignore[assignment]
    if mode.startswith("container:") and mode.removeprefix("container:") in (inner["Id"], "inner"):
        return None
    if _host_config(client, "inner")["PidMode"].startswith("container:"):
        return Missing(
            "the wrong way round",
            (
                Words("It is the other way round: inner was run in the PID namespace of outer."),
                Words("Run inner first, without `--pid`, and outer with `--pid container:inner`."),
            ),
        )
    return Missing(
        "a PID namespace of its own",
        (
            Words("outer has a PID namespace of its own, and sees itself alone."),
            Words("`--pid` says whose it shall be: `--pid container:inner`."),
        ),
    )


def _solve_pair(client: Any) -> None:
    client.containers.run(_IMAGE, "sleep 600", detach=True, name="inner", network_mode="none")
    client.containers.run(
        _IMAGE, "sleep 600", detach=True, name="outer", network_mode="none", pid_mode="container:inner"
    )


def _limit(key: str, wanted: int, what: str, option: str) -> Step:
    """The step that asks for one limit, under its name in ``HostConfig``."""

    def look(client: Any) -> Missing | None:
        given = _host_config(client, "modest").get(key) or 0
        if given == wanted:
            return None
        return Missing(
            f"another {key}",
            (
                Words("{what}: it was given {given}, {wanted} were asked for."),
                Words("The option for it is `{option}`."),
            ),
            {"what": what, "given": given, "wanted": wanted, "option": option},
        )

    return Step(Words("its limit: {what}"), look, {"what": what})


def _solve_modest(client: Any) -> None:
    client.containers.run(
        _IMAGE,
        "sleep 600",
        detach=True,
        name="modest",
        network_mode="none",
        mem_limit=_MEMORY,
        nano_cpus=_CPUS,
        pids_limit=_PIDS,
    )


def _has_the_hosts_network(client: Any) -> Missing | None:
    mode = _host_config(client, "open")["NetworkMode"]
    if mode == "host":
        return None
    return Missing(
        "another network",
        (
            Words("Its network is {mode}, not the host's."),
            Words("One of the values of `--network` leaves the network namespace out."),
        ),
        {"mode": mode},
    )


def _shares_nothing_else(client: Any) -> Missing | None:
    config = _host_config(client, "open")
    modes = {"--pid": "PidMode", "--ipc": "IpcMode", "--uts": "UTSMode", "--userns": "UsernsMode"}
    shared = [option for option, key in modes.items() if config.get(key) == "host"]
    if config.get("Privileged"):
        shared.append("--privileged")
    if not shared:
        return None
    return Missing(
        "more than the network",
        (
            Words("It shares more than the network with the host."),
            Words("Leave these out: {options}."),
        ),
        {"options": ", ".join(shared)},
    )


def _solve_open(client: Any) -> None:
    client.containers.run(_IMAGE, "sleep 600", detach=True, name="open", network_mode="host")


EXERCISES = (
    Exercise(
        "03.1",
        Words("one that watches another"),
        (
            container_is_there("inner"),
            is_running("inner"),
            container_is_there("outer"),
            is_running("outer"),
            Step(Words("neither sees the host's processes"), _sees_no_host_process),
            Step(Words("outer sees inner's"), _outer_sees_inner),
        ),
        _solve_pair,
        remove_containers("outer", "inner"),
    ),
    Exercise(
        "03.2",
        Words("a modest container"),
        (
            container_is_there("modest"),
            _limit("Memory", _MEMORY, "memory", "-m 64m"),
            _limit("NanoCpus", _CPUS, "cpu", "--cpus 0.5"),
            _limit("PidsLimit", _PIDS, "pids", "--pids-limit 20"),
        ),
        _solve_modest,
        remove_containers("modest"),
    ),
    Exercise(
        "03.3",
        Words("one wall fewer"),
        (
            container_is_there("open"),
            is_running("open"),
            Step(Words("it has the host's network"), _has_the_hosts_network),
            Step(Words("it shares nothing else with the host"), _shares_nothing_else),
        ),
        _solve_open,
        remove_containers("open"),
    ),
)
