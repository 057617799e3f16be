"""Namespaces as the kernel tells them, and what a container takes while one watches."""

from __future__ import annotations

import docker
import pytest

from containerlab.errors import HostLacks, UsageError
from containerlab.lab.namespaces import Resident, draw_namespaces, namespaces
from containerlab.lab.usage import Limits, Sample, draw_usage, usage


def test_a_container_shares_what_it_was_told_to(client: docker.DockerClient, name: str) -> None:
    client.containers.run("lab/busybox", "sleep 600", detach=True, name=name, network_mode="host")
    figure = namespaces(client, name)
    here, there = figure.to_dict()["this notebook"], figure.to_dict()[name]
    assert here["net"] == there["net"]
    assert all(here[kind] != there[kind] for kind in ("pid", "mnt", "uts", "ipc"))
    assert "shares net" in figure.summary


def test_only_a_process_is_in_namespaces(client: docker.DockerClient, name: str) -> None:
    client.containers.create("lab/busybox", "true", name=name)
    with pytest.raises(UsageError, match="doesn't run"):
        namespaces(client, name)


def test_who_shares_a_namespace_has_its_letter() -> None:
    figure = draw_namespaces(
        [
            Resident("host", {"pid": 1, "net": 2}),
            Resident("a-1", {"pid": 3, "net": 2}),
            Resident("b-1", {"pid": 3, "net": None}),
        ]
    )
    rows = {row[0]: row[2:] for row in figure.table.rows}
    assert rows == {"pid": ("A", "B", "B"), "net": ("A", "A", "can't be seen")}


@pytest.mark.counted
def test_a_busy_container_is_seen_at_its_limit(client: docker.DockerClient, name: str) -> None:
    client.containers.run(
        "lab/busybox",
        ["sh", "-c", "while :; do :; done"],
        detach=True,
        name=name,
        network_mode="none",
        nano_cpus=200_000_000,
    )
    figure = usage(client, name, seconds=1.0)
    seen = figure.to_dict()
    assert seen["samples"] >= 3 and seen["pids"] >= 1
    assert (figure.table.rows[1][0], figure.table.rows[1][2]) == ("processors", "0.2")


def test_nothing_is_drawn_of_what_nobody_counts(client: docker.DockerClient, name: str) -> None:
    client.containers.create("lab/busybox", "true", name=name)
    with pytest.raises(HostLacks, match=f"Nobody counts what {name} takes"):
        usage(client, name, seconds=0.1)
    with pytest.raises(docker.errors.NotFound):
        usage(client, "nobody-here", seconds=0.1)


def test_a_limit_that_is_far_away_is_told_but_not_drawn() -> None:
    samples = [Sample(0.0, 1_000_000, 0.0, 1), Sample(0.1, 2_000_000, 0.05, 2)]
    figure = draw_usage("calm", samples, Limits(memory=4_000_000, pids=4096))
    assert figure.to_dict() == {"samples": 2, "memory": 2_000_000, "cpus": 0.5, "pids": 2}
    words = [text.get_text() for axes in figure.canvas.axes for text in axes.texts]
    assert "limit 4 MB" in words and "limit 4096" not in words
    assert figure.table.rows[2] == ("processes", "2", "4096")


def test_many_containers_are_lines_and_their_namespaces_have_names_beyond_z() -> None:
    residents = [Resident(f"web-{number}", {"pid": number, "net": number // 2}) for number in range(60)]
    figure = draw_namespaces(residents)
    words = [text.get_text() for axes in figure.canvas.axes for text in axes.texts]
    assert figure.table.rows[0][-1] == "BH" and {"web-59", "Z", "AA", "BH"} <= set(words)
    assert figure.canvas.get_figwidth() < 12 and words.count("A") == 2, "who shares a namespace stands in one box"
