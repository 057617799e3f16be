"""Lesson 8: networking."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import docker.errors

from containerlab.lab.exercises.looking import container, container_is_there, is_running, remove_containers
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_IMAGE = "lab/busybox"


def _networks(client: Any, name: str) -> set[str]:
    shown: dict[str, Any] = container(client, name)  # type: ignore[assignment]
    return set(shown["NetworkSettings"]["Networks"] or {})


def _published(client: Any, name: str) -> dict[str, list[dict[str, str]]]:
    """The container's ports that are published, such as ``80/tcp``."""
    shown: dict[str, Any] = container(client, name)  # type: ignore[assignment]
    return {port: ends for port, ends in (shown["NetworkSettings"]["Ports"] or {}).items() if ends}


def _network_is_there(name: str) -> Step:
    def look(client: Any) -> Missing | None:
        try:
            client.api.inspect_network(name)
        except docker.errors.NotFound:
            return Missing(
                f"no network {name}",
                (Words("There is no network named {name}."), Words("`%container network create {name}`")),
                {"name": name},
            )
        return None

    return Step(Words("a network named {name}"), look, {"name": name})


def _is_on(name: str, network: str) -> Step:
    def look(client: Any) -> Missing | None:
        found = _networks(client, name)
        if network in found:
            return None
        return Missing(
            f"{name} is not on {network}",
            (
                Words("{name} is not on {network}, but on: {found}."),
                Words("`run --network {network} …`, or `network connect {network} {name}` while it is there already."),
            ),
            {"name": name, "network": network, "found": ", ".join(sorted(found))},
        )

    return Step(Words("{name} is on {network}"), look, {"name": name, "network": network})


def _front_is_open(client: Any) -> Missing | None:
    published = _published(client, "front")
    if "80/tcp" in published:
        return None
    return Missing(
        "another port is published" if published else "front publishes nothing",
        (
            Words("front publishes {ports}, not port 80.") if published else Words("front publishes no port."),
            Words("`-p 80` publishes port 80 at a free port of the host. It is said when the container is made."),
        ),
        {"ports": ", ".join(sorted(published))},
    )


def _back_is_closed(client: Any) -> Missing | None:
    published = _published(client, "back")
    if not published:
        return None
    return Missing(
        "back is open too",
        (
            Words("back publishes {ports}: everybody on this machine gets in."),
            Words("On a network of their own containers reach each other without `-p`."),
        ),
        {"ports": ", ".join(sorted(published))},
    )


def _run(client: Any, name: str, network: str, **options: Any) -> None:
    client.containers.run(_IMAGE, "sleep 600", detach=True, name=name, network=network, **options)


def _solve_web(client: Any) -> None:
    client.networks.create("web")
    _run(client, "front", "web", ports={"80/tcp": None})
    _run(client, "back", "web")


def _strangers(client: Any) -> Missing | None:
    both = _networks(client, "north") & _networks(client, "south")
    if not both:
        return None
    return Missing(
        "north and south meet",
        (
            Words("north and south are both on {networks}, where they reach each other."),
            Words("Only messenger stands in both rooms: `network disconnect` unplugs a cable."),
        ),
        {"networks": ", ".join(sorted(both))},
    )


def _solve_messenger(client: Any) -> None:
    for network, name in (("up", "north"), ("down", "south")):
        client.networks.create(network)
        _run(client, name, network)
    _run(client, "messenger", "up")
    client.networks.get("down").connect("messenger")


def _has_no_way_out(client: Any) -> Missing | None:
    shown: dict[str, Any] = container(client, "hermit")  # type: ignore[assignment]
    mode = shown["HostConfig"]["NetworkMode"]
    if mode == "none":
        return None
    if mode == "host":
        return Missing(
            "the host's network",
            (
                Words("hermit has the host's whole network: it could go everywhere."),
                Words("`host` leaves the network namespace out; which mode leaves it empty?"),
            ),
        )
    return Missing(
        "a network is left",
        (Words("hermit is on a network: {networks}."), Words("`--network none` plugs no cable in.")),
        {"networks": ", ".join(sorted(_networks(client, "hermit")))},
    )


def _solve_hermit(client: Any) -> None:
    client.containers.run(_IMAGE, "sleep 600", detach=True, name="hermit", network_mode="none")


def _remove(containers: tuple[str, ...], networks: tuple[str, ...]) -> Callable[[Any], None]:
    def reset(client: Any) -> None:
        remove_containers(*containers)(client)
        for name in networks:
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_network(name)

    return reset


EXERCISES = (
    Exercise(
        "08.1",
        Words("one door, and none behind it"),
        (
            _network_is_there("web"),
            *(step(name) for name in ("front", "back") for step in (container_is_there, is_running)),
            _is_on("front", "web"),
            _is_on("back", "web"),
            Step(Words("port 80 of front is published"), _front_is_open),
            Step(Words("back publishes nothing"), _back_is_closed),
        ),
        _solve_web,
        _remove(("front", "back"), ("web",)),
    ),
    Exercise(
        "08.2",
        Words("a messenger between two rooms"),
        (
            _network_is_there("up"),
            _network_is_there("down"),
            *(step(name) for name in ("north", "south", "messenger") for step in (container_is_there, is_running)),
            _is_on("north", "up"),
            _is_on("south", "down"),
            _is_on("messenger", "up"),
            _is_on("messenger", "down"),
            Step(Words("north and south are on no network together"), _strangers),
        ),
        _solve_messenger,
        _remove(("north", "south", "messenger"), ("up", "down")),
    ),
    Exercise(
        "08.3",
        Words("a container without a cable"),
        (container_is_there("hermit"), is_running("hermit"), Step(Words("no network leads out"), _has_no_way_out)),
        _solve_hermit,
        remove_containers("hermit"),
    ),
)
