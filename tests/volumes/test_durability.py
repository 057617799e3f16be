"""Data in a volume outlives the container, the engine and every process of the store, however these end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from containerlab import paths
from tests.store import Store
from tests.volumes.conftest import IMAGE, of_volume

pytestmark = pytest.mark.ours("kills the engine's processes")


@contextlib.contextmanager
def connected(store: Store) -> Iterator[docker.DockerClient]:
    store.start()
    client = docker.DockerClient(base_url=store.host)
    try:
        yield client
    finally:
        client.close()


def shell(client: docker.DockerClient, script: str, **options: object) -> str:
    said: bytes = client.containers.run(IMAGE, ["sh", "-c", script], network_mode="none", remove=True, **options)
    return said.decode().strip()


def supervisor(store: Store) -> int:
    record = json.loads((paths.run_folder(store.folder) / "supervisor.json").read_text())
    return int(record["pid"])


def mounted(store: Store) -> list[str]:
    """The store's volumes that are mounted in the namespace of its supervisor."""
    lines = Path(f"/proc/{supervisor(store)}/mountinfo").read_text().splitlines()
    return [line.split()[4].split("/")[-2] for line in lines if f"{store.folder}/volumes/" in line]


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z (" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_was_written_is_there_when_every_process_of_the_store_has_been_killed(store: Store) -> None:
    with connected(store) as client:
        client.volumes.create("kept", labels={"of": "test"})
        container = client.containers.run(
            IMAGE,
            ["sh", "-c", "echo data > /x/file; sync; touch /x/ready; sleep 1000"],
            mounts=[of_volume("kept")],
            network_mode="none",
            detach=True,
        )
        while container.exec_run(["test", "-e", "/x/ready"]).exit_code:
            time.sleep(0.02)
        first = supervisor(store)
    store.kill(signal.SIGKILL)
    end(first)
    with connected(store) as client:
        assert shell(client, "cat /x/file", mounts=[of_volume("kept")]) == "data"
        [volume] = client.volumes.list()
        assert (volume.name, volume.attrs["Labels"]) == ("kept", {"of": "test"})
        with pytest.raises(docker.errors.APIError, match="volume is in use"):
            volume.remove()
        container.remove(force=True)
        volume.remove()
    assert not list((store.folder / "volumes").iterdir())


def test_a_tmpfs_volume_is_shared_across_a_killed_engine_and_gone_with_its_last_user(store: Store) -> None:
    with connected(store) as client:
        client.volumes.create("quick", driver_opts={"type": "tmpfs", "device": "tmpfs"})
        options = {"mounts": [of_volume("quick")], "network_mode": "none"}
        script = "echo data > /x/file; touch /x/ready; sleep 1000"
        container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True, **options)
        while container.exec_run(["test", "-e", "/x/ready"]).exit_code:
            time.sleep(0.02)
        assert mounted(store) == ["quick"]
    store.kill(signal.SIGKILL)
    with connected(store) as client:
        assert shell(client, "cat /x/file", mounts=[of_volume("quick")]) == "data"
        client.containers.get(container.id).remove(force=True)
        assert mounted(store) == []
        assert shell(client, "ls /x", mounts=[of_volume("quick")]) == ""


def test_a_volume_s_mount_is_known_again_where_a_link_leads_to_the_store(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    store = Store(tmp_path / "link" / "store")
    try:
        with connected(store) as client:
            client.volumes.create("quick", driver_opts={"type": "tmpfs", "device": "tmpfs"})
            options = {"mounts": [of_volume("quick")], "network_mode": "none"}
            script = "echo data > /x/file; touch /x/ready; sleep 1000"
            container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True, **options)
            while container.exec_run(["test", "-e", "/x/ready"]).exit_code:
                time.sleep(0.02)
        store.kill(signal.SIGKILL)
        with connected(store) as client:
            assert shell(client, "cat /x/file", mounts=[of_volume("quick")]) == "data"
    finally:
        store.end()


@pytest.mark.root
def test_what_is_mounted_below_a_bound_folder_is_no_volume_s(store: Store, tmp_path: Path) -> None:
    inner = tmp_path / "device" / "other" / "inner"
    inner.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(inner)], check=True)
    try:
        with connected(store) as client:
            bound = {"type": "none", "o": "rbind", "device": str(tmp_path / "device")}
            client.volumes.create("bound", driver_opts=bound)
            client.volumes.create("other", driver_opts={"type": "tmpfs", "device": "tmpfs"})
            client.containers.run(
                IMAGE, ["sleep", "1000"], mounts=[of_volume("bound")], network_mode="none", detach=True
            )
            found = client.api.request("GET", f"{client.api.base_url}/containerlab/check").json()
            assert found["problems"] == []
    finally:
        store.end()
        subprocess.run(["umount", str(inner)], check=True)


def test_two_that_name_a_new_volume_at_once_share_it(store: Store) -> None:
    with connected(store) as client, ThreadPoolExecutor(8) as pool:

        def ask(at: int) -> str:
            own = docker.APIClient(base_url=store.host, version="1.43")
            try:
                own.create_volume(f"new{at // 8}")
                return str(own.create_volume(f"new{at // 8}")["Name"])
            finally:
                own.close()

        assert list(pool.map(ask, range(160))) == [f"new{at // 8}" for at in range(160)]
        assert len(client.volumes.list()) == 20


def test_a_mount_that_a_killed_engine_left_for_nobody_is_let_go(store: Store) -> None:
    with connected(store) as client:
        client.volumes.create("quick", driver_opts={"type": "tmpfs", "device": "tmpfs"})
        container = client.containers.run(
            IMAGE, ["sleep", "1000"], mounts=[of_volume("quick")], network_mode="none", detach=True
        )
        pid = client.api.inspect_container(container.id)["State"]["Pid"]
    store.kill(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    with connected(store) as client:
        assert container.id in {found.id for found in client.containers.list(all=True)}
        assert mounted(store) == []


def test_a_bound_folder_s_files_are_never_removed_with_the_volume(store: Store, tmp_path: Path) -> None:
    device = tmp_path / "precious"
    device.mkdir()
    (device / "file").write_text("mine")
    with connected(store) as client:
        volume = client.volumes.create("bound", driver_opts={"type": "none", "o": "bind", "device": str(device)})
        container = client.containers.run(
            IMAGE, ["sleep", "1000"], mounts=[of_volume("bound")], network_mode="none", detach=True
        )
        assert mounted(store) == ["bound"]
    store.kill(signal.SIGKILL)
    with connected(store) as client:
        client.containers.get(container.id).remove(force=True)
        client.api.remove_volume(volume.name)
    assert (device / "file").read_text() == "mine"
    assert not list((store.folder / "volumes").iterdir())


def test_a_volume_whose_folder_is_gone_is_found_and_made_whole_as_far_as_it_can_be(store: Store) -> None:
    with connected(store) as client:
        volume = client.volumes.create("hollow")
        Path(volume.attrs["Mountpoint"]).rmdir()

        def asked(method: str) -> dict[str, list[str]]:
            answer = client.api.request(method, f"{client.api.base_url}/containerlab/check")
            found: dict[str, list[str]] = answer.json()
            return found

        assert asked("GET")["problems"] == ["volume hollow: its folder is missing"]
        mended = asked("POST")
        assert mended["repaired"] == ["made the folder of the volume hollow anew: what it held is lost"]
        assert mended["problems"] == []
        assert shell(client, "echo new > /x/file; cat /x/file", mounts=[of_volume("hollow")]) == "new"
