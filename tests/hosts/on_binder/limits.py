"""On the rung proot: what can't be had is named."""

from __future__ import annotations

import subprocess
import sys

import docker
import pytest
from docker.models.containers import Container

from tests.hosts.on_binder.work import IMAGE
from tests.store import Store
from tests.waiting import eventually


def test_what_is_lost_is_named_when_a_container_is_made(client: docker.DockerClient) -> None:
    made = client.api.create_container(
        IMAGE,
        "true",
        host_config=client.api.create_host_config(
            mem_limit="64m", pids_limit=5, read_only=True, cap_add=["SYS_ADMIN"], tmpfs={"/t": ""}, network_mode="none"
        ),
    )
    said = "\n".join(made["Warnings"])
    for words in (
        "This host gives no namespaces",
        "--read-only can't be had",
        "--cap-add and --cap-drop can't be had",
        "--tmpfs /t can't be had",
        "--network none can't be had",
        "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
        "PIDs limit discarded.",
    ):
        assert words in said


def test_what_can_not_be_done_at_all_is_refused_by_name(client: docker.DockerClient, running: Container) -> None:
    with pytest.raises(docker.errors.APIError, match="no freezer cgroup can be had here"):
        running.pause()
    with pytest.raises(docker.errors.APIError, match="--runtime vm needs a mount namespace"):
        client.containers.create(IMAGE, "true", runtime="vm")


def test_doctor_tells_the_rung_and_what_it_costs() -> None:
    done = subprocess.run([sys.executable, "-m", "containerlab", "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "rung     proot" in done.stdout
    assert "processes kept apart: a program sees those of the host" in done.stdout
    assert "a seccomp filter around this process refuses user namespaces" in done.stdout


def test_every_record_has_its_files(store: Store, client: docker.DockerClient) -> None:
    assert client.api._result(client.api._get(f"{client.api.base_url}/containerlab/check"), json=True) == {
        "problems": [],
        "repaired": [],
    }
    # What was removed is cleared away in the background.
    eventually(lambda: list((store.folder / "tmp").iterdir()) == [], 20)
