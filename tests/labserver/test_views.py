"""What the panel shows of Docker's lists."""

from __future__ import annotations

import pytest

from containerlab.labserver import views

CONTAINER = {
    "Id": "abc",
    "Names": ["/web"],
    "Image": "nginx",
    "State": "running",
    "Status": "Up 5 seconds",
    "Ports": [],
}


def test_a_port_that_is_published_for_ipv4_and_ipv6_is_shown_once() -> None:
    ports = [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 5353, "Type": "udp"},
        {"PrivatePort": 443, "Type": "tcp"},
    ]
    shown = views.container({**CONTAINER, "Ports": ports})["ports"]
    assert [(port["port"], port["inside"], port["protocol"]) for port in shown] == [
        (5353, 53, "udp"),
        (8080, 80, "tcp"),
    ]


@pytest.mark.parametrize(
    ("status", "exit_code", "health"),
    [
        ("Up 5 seconds", None, None),
        ("Up 2 hours (healthy)", None, "healthy"),
        ("Up 1 second (health: starting)", None, "starting"),
        ("Up 2 hours (Paused)", None, None),
        ("Exited (137) 2 hours ago", 137, None),
        ("Created", None, None),
    ],
)
def test_of_the_status_the_words_that_last_are_shown(status: str, exit_code: int | None, health: str | None) -> None:
    shown = views.container({**CONTAINER, "Status": status})
    assert (shown["exit_code"], shown["health"]) == (exit_code, health)


def test_an_image_without_a_name_has_no_tags() -> None:
    assert views.image({"Id": "sha256:1", "RepoTags": None, "Size": 3}) == {"id": "sha256:1", "tags": [], "size": 3}
    assert views.image({"Id": "sha256:1", "RepoTags": ["<none>:<none>"], "Size": 3})["tags"] == []
