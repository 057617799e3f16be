"""What an engine makes of what it finds: killed supervisors, another boot, half-written starts, leftovers, policies."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from containerlab import client as lab_client
from containerlab import paths
from tests.waiting import eventually

IMAGE = "lab/busybox"


@pytest.fixture
def own(store, monkeypatch):
    """``connect()`` finds this test's store."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("CONTAINERLAB_HOST", raising=False)
    monkeypatch.setenv("CONTAINERLAB_STORE", str(store.folder))
    return store


def state_of(client: docker.DockerClient, name: str) -> dict:
    return client.api.inspect_container(name)["State"]


def supervisor_pid(store) -> int:
    return json.loads((paths.run_folder(store.folder) / "supervisor.json").read_text())["pid"]


def change_state(store, container_id: str, change: Callable[[dict], None]) -> None:
    """Write another state into the database of an engine that doesn't run."""
    database = sqlite3.connect(store.folder / "db.sqlite")
    [[kept]] = database.execute("SELECT state FROM containers WHERE id = ?", (container_id,)).fetchall()
    state = json.loads(kept)
    change(state)
    database.execute("UPDATE containers SET state = ? WHERE id = ?", (json.dumps(state).encode(), container_id))
    database.commit()
    database.close()


def end_supervisor(store) -> None:
    """Kill the supervisor of an engine that doesn't run, as the end of the machine would; its containers with it."""
    pid = supervisor_pid(store)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for victim in (pid, *map(int, children)):
        os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_killed_supervisor_ends_its_containers_and_they_are_recorded_so(own):
    client = lab_client.connect()
    plain = client.containers.run(IMAGE, "sleep 1000", detach=True, network_mode="none")
    again = client.containers.run(
        IMAGE, "sleep 1000", detach=True, network_mode="none", restart_policy={"Name": "always"}
    )
    pids = [state_of(client, container.id)["Pid"] for container in (plain, again)]
    os.kill(supervisor_pid(own), signal.SIGKILL)
    assert eventually(lambda: state_of(client, plain.id)["Status"] == "exited")
    state = state_of(client, plain.id)
    assert (state["ExitCode"], state["Error"]) == (137, "supervisor lost")
    assert eventually(lambda: state_of(client, again.id)["Status"] == "running")
    assert state_of(client, again.id)["Pid"] not in pids
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert client.containers.run(IMAGE, "echo well", remove=True, network_mode="none") == b"well\n"


def test_after_another_boot_what_ran_has_exited_and_a_reused_pid_is_spared(own):
    client = lab_client.connect()
    container = client.containers.run(IMAGE, "sleep 1000", detach=True, network_mode="none")
    always = client.containers.create(IMAGE, "sleep 1000", network_mode="none", restart_policy={"Name": "always"})
    always.start()
    always.stop(timeout=0)
    own.kill()
    end_supervisor(own)
    with subprocess.Popen(["sleep", "1000"]) as bystander:
        try:
            for each in (container, always):
                change_state(own, each.id, lambda state: state.update(boot_id="another", pid=bystander.pid))
            client = lab_client.connect()
            assert state_of(client, container.id)["ExitCode"] == 255
            assert state_of(client, container.id)["Status"] == "exited"
            assert bystander.poll() is None
            # Stopped by hand, and yet: what always means once the machine is up again.
            assert eventually(lambda: state_of(client, always.id)["Status"] == "running")
        finally:
            bystander.kill()


def test_a_start_that_was_never_written_down_is_found(own):
    client = lab_client.connect()
    container = client.containers.run(IMAGE, ["sh", "-c", "sleep 2; exit 4"], detach=True, network_mode="none")
    pid = state_of(client, container.id)["Pid"]
    own.kill()

    def forget(state: dict) -> None:
        state.update(status="created", pid=0, starttime=0, started_at=0)

    change_state(own, container.id, forget)
    state = state_of(client, container.id)
    assert (state["Status"], state["Pid"]) == ("running", pid)
    assert container.wait()["StatusCode"] == 4


def test_an_auto_removed_container_that_ended_unseen_is_gone(own):
    client = lab_client.connect()
    container = client.containers.run(IMAGE, "sleep 0.3", detach=True, auto_remove=True, network_mode="none")
    own.kill()
    time.sleep(0.8)
    assert client.containers.list(all=True) == []
    assert not (own.folder / "containers" / container.id).exists()


def test_leftovers_of_a_crash_are_swept(own):
    client = lab_client.connect()
    kept = client.containers.create(IMAGE, "true", network_mode="none")
    own.kill()
    left = own.folder / "containers" / ("a" * 64)
    (left / "upper" / "deep").mkdir(parents=True)
    removed = own.folder / "tmp" / "removed-x"
    removed.mkdir()
    assert client.containers.list(all=True) == [kept]
    assert not left.exists() and not removed.exists()


def test_system_check_finds_what_is_missing_and_repair_mends_it(own):
    client = lab_client.connect()
    client.containers.create(IMAGE, "true", network_mode="none")

    def check(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "containerlab", "system", "check", "--store", str(own.folder), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (check().returncode, check().stderr) == (0, "")
    stranger = own.folder / "containers" / ("b" * 64)
    stranger.mkdir()
    found = check()
    assert found.returncode == 1 and "b" * 64 in found.stderr
    mended = check("--repair")
    assert (mended.returncode, mended.stderr) == (0, "")
    assert not stranger.exists()
    own.kill()
    assert check().returncode == 0


def test_on_failure_counts_its_restarts_and_gives_up(own):
    client = lab_client.connect()
    policy = {"Name": "on-failure", "MaximumRetryCount": 2}
    container = client.containers.run(
        IMAGE, ["sh", "-c", "echo run; exit 3"], detach=True, network_mode="none", restart_policy=policy
    )
    assert eventually(lambda: state_of(client, container.id)["Status"] == "exited")
    assert client.api.inspect_container(container.id)["RestartCount"] == 2
    assert state_of(client, container.id)["ExitCode"] == 3
    assert container.logs() == b"run\n" * 3


def test_stop_ends_a_restart_policy_and_start_takes_it_up_again(own):
    client = lab_client.connect()
    container = client.containers.run(
        IMAGE, "true", detach=True, network_mode="none", restart_policy={"Name": "unless-stopped"}
    )
    assert eventually(lambda: client.api.inspect_container(container.id)["RestartCount"] >= 2)
    container.stop(timeout=0)
    count = client.api.inspect_container(container.id)["RestartCount"]
    time.sleep(1)
    assert client.api.inspect_container(container.id)["RestartCount"] == count
    assert state_of(client, container.id)["Status"] == "exited"
    container.start()
    assert eventually(lambda: client.api.inspect_container(container.id)["RestartCount"] >= 1)


def test_a_restart_that_an_engine_was_waiting_for_is_made_by_the_next(own):
    client = lab_client.connect()
    container = client.containers.run(
        IMAGE, "true", detach=True, network_mode="none", restart_policy={"Name": "always"}
    )
    assert eventually(lambda: state_of(client, container.id)["Restarting"])
    own.kill()
    before = client.api.inspect_container(container.id)["RestartCount"]
    assert eventually(lambda: client.api.inspect_container(container.id)["RestartCount"] > before)


def test_an_image_in_use_outlives_its_removal_by_force(own):
    client = lab_client.connect()
    client.images.build(fileobj=_dockerfile(f"FROM {IMAGE}\nRUN echo kept > /file\n"), tag="used:1", rm=True)
    container = client.containers.create("used:1", "cat /file", network_mode="none")
    with pytest.raises(docker.errors.APIError, match="must force"):
        client.images.remove("used:1")
    client.images.remove("used:1", force=True)
    assert client.images.list("used") == []
    container.start()
    container.wait()
    assert container.logs() == b"kept\n"
    container.remove()
    client.images.prune({"dangling": True})
    layers = lab_client.lab_get(client, "/containerlab/check")
    assert layers["problems"] == []


def _dockerfile(text: str):
    return io.BytesIO(text.encode())
