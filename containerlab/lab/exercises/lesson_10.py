"""Lesson 10: Compose. What a project has is known by the labels that every Compose writes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import docker.errors

from containerlab.lab.exercises.lesson_06 import wait_for_health
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_PROJECT = "tea"
_IMAGE = "lab/busybox"
_LABEL = "com.docker.compose."
_KETTLES = 3


def _containers(client: Any, service: str, *, all: bool = False) -> list[dict[str, Any]]:
    filters = {"label": [f"{_LABEL}project={_PROJECT}", f"{_LABEL}service={service}"]}
    found: list[dict[str, Any]] = client.api.containers(all=all, filters=filters)
    return found


def _service_runs(service: str) -> Step:
    def look(client: Any) -> Missing | None:
        if _containers(client, service):
            return None
        if _containers(client, service, all=True):
            return Missing(
                f"{service} has ended",
                (
                    Words("The service {service} is there, but its program has ended."),
                    Words("`command: sleep 600` keeps it alive; `%compose logs {service}` tells what it said."),
                ),
                {"service": service},
            )
        return Missing(
            f"no {service}",
            (
                Words("The project tea has no service {service}."),
                Words("A file that begins with `name: tea` makes that project; `%%compose up` brings it up."),
            ),
            {"service": service},
        )

    return Step(Words("the service {service} runs"), look, {"service": service})


def _is_checked(client: Any) -> Missing | None:
    [stove, *_] = _containers(client, "stove")
    health = client.api.inspect_container(stove["Id"])["State"].get("Health")
    if health is None:
        return Missing(
            "no health check",
            (
                Words("stove has no health check."),
                Words('`healthcheck` with `test: "true"` and `interval: 1s` is one that always passes.'),
            ),
        )
    if health["Status"] != "healthy":
        return Missing(
            "not healthy",
            (Words("stove is {status}."), Words("Its check has to pass: exit code 0. An interval of 1 s is short.")),
            {"status": health["Status"]},
        )
    return None


def _waits_for_health(client: Any) -> Missing | None:
    [kettle, *_] = _containers(client, "kettle")
    waits = kettle["Labels"].get(f"{_LABEL}depends_on", "")
    conditions = dict(entry.split(":")[:2] for entry in waits.split(",") if ":" in entry)
    if conditions.get("stove") == "service_healthy":
        return None
    if "stove" in conditions or waits:
        return Missing(
            "it waits for the start",
            (
                Words("kettle waits for stove to be started, not to be healthy."),
                Words("The long form of `depends_on` has a `condition`: `service_healthy`."),
            ),
        )
    return Missing(
        "it doesn't wait",
        (Words("kettle doesn't wait for stove."), Words("`depends_on` says what has to be there before.")),
    )


def _three_kettles(client: Any) -> Missing | None:
    count = len(_containers(client, "kettle"))
    if count == _KETTLES:
        return None
    return Missing(
        "too few kettles" if count < _KETTLES else "too many kettles",
        (
            Words("There are {count} kettles, not {wanted}."),
            Words("`--scale SERVICE=N` for once, `replicas: N` under `deploy` in the file for good."),
        ),
        {"count": count, "wanted": _KETTLES},
    )


def _volumes(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.api.volumes(filters={"label": f"{_LABEL}project={_PROJECT}"})["Volumes"] or []
    return found


def _volume_is_there(client: Any) -> Missing | None:
    if _volumes(client):
        return None
    return Missing(
        "no volume",
        (
            Words("The project tea has no volume."),
            Words("Named volumes stand at the end of the file, under `volumes`; `down -v` removes them."),
        ),
    )


def _nothing_else_is_left(client: Any) -> Missing | None:
    left = client.api.containers(all=True, filters={"label": f"{_LABEL}project={_PROJECT}"})
    if not left:
        return None
    return Missing(
        "containers left",
        (
            Words("The project tea still has {count} containers."),
            Words("`down` removes them all; `stop` only stops them."),
        ),
        {"count": len(left)},
    )


def _create(client: Any, service: str, number: int, **options: Any) -> Any:
    labels = {
        f"{_LABEL}project": _PROJECT,
        f"{_LABEL}service": service,
        f"{_LABEL}container-number": str(number),
        f"{_LABEL}oneoff": "False",
        **options.pop("labels", {}),
    }
    return client.containers.run(
        _IMAGE,
        "sleep 600",
        detach=True,
        name=f"{_PROJECT}-{service}-{number}",
        labels=labels,
        network_mode="none",
        **options,
    )


def _solve_up(client: Any) -> None:
    check = {"test": ["CMD", "true"], "interval": 200_000_000}
    stove = _create(client, "stove", 1, healthcheck=check)
    wait_for_health(client, stove.id)
    _create(client, "kettle", 1, labels={f"{_LABEL}depends_on": "stove:service_healthy:false"})


def _solve_scale(client: Any) -> None:
    for number in range(1, _KETTLES + 1):
        _create(client, "kettle", number)


def _solve_volume(client: Any) -> None:
    client.volumes.create(f"{_PROJECT}_coal", labels={f"{_LABEL}project": _PROJECT, f"{_LABEL}volume": "coal"})


def _reset(client: Any) -> None:
    """What ``compose down -v`` would remove."""
    chosen = {"label": f"{_LABEL}project={_PROJECT}"}
    for container in client.api.containers(all=True, filters=chosen):
        with contextlib.suppress(docker.errors.NotFound):
            client.api.remove_container(container["Id"], force=True, v=True)
    for network in client.api.networks(filters=chosen):
        client.api.remove_network(network["Id"])
    for volume in _volumes(client):
        client.api.remove_volume(volume["Name"])


EXERCISES: Sequence[Exercise] = (
    Exercise(
        "10.1",
        Words("first the stove, then the kettle"),
        (
            _service_runs("stove"),
            Step(Words("stove is checked, and healthy"), _is_checked),
            _service_runs("kettle"),
            Step(Words("kettle waits until stove is healthy"), _waits_for_health),
        ),
        _solve_up,
        _reset,
    ),
    Exercise(
        "10.2",
        Words("three kettles"),
        (_service_runs("kettle"), Step(Words("there are three of them"), _three_kettles)),
        _solve_scale,
        _reset,
    ),
    Exercise(
        "10.3",
        Words("the coal stays"),
        (
            Step(Words("tea has a volume"), _volume_is_there),
            Step(Words("tea has no container any more"), _nothing_else_is_left),
        ),
        _solve_volume,
        _reset,
    ),
)
