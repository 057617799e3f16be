"""On the rung proot: containers, their roots and their engine over restarts and kills."""

from __future__ import annotations

import os
import re
import signal

import docker
from docker.models.containers import Container

from containerlab import paths
from tests.hosts.on_binder.work import IMAGE, build, exit_code, processes, sh
from tests.store import Store
from tests.waiting import eventually


def test_a_container_keeps_its_files_over_a_restart(running: Container) -> None:
    running.exec_run(["sh", "-c", "echo kept > /kept"])
    running.restart(timeout=1)
    assert running.exec_run(["cat", "/kept"])[1] == b"kept\n"


def test_containers_of_one_image_share_no_file(client: docker.DockerClient) -> None:
    assert sh(client, "echo spoilt > /etc/passwd; rm /bin/yes; echo x >> /bin/busybox; echo done") == "done\n"
    assert sh(client, "head -c 4 /etc/passwd; test -e /bin/yes && echo there").startswith("root")


def test_a_spare_root_is_ready_for_the_next_container_and_goes_with_the_image(
    store: Store, client: docker.DockerClient
) -> None:
    built = build(client, f"FROM {IMAGE}\nRUN echo mine > /mine\n")
    client.containers.run(built, ["true"], remove=True)
    found = "layers/*/spare/rootfs/mine"
    eventually(lambda: bool(list(store.folder.glob(found))), 20)
    (spare,) = (path.parents[1] for path in store.folder.glob(found))
    inode = (spare / "rootfs/etc").stat().st_ino
    container = client.containers.create(built, ["sh", "-c", "stat -c %i /etc; cat /mine; echo > /etc/passwd"])
    container.start()
    assert exit_code(container) == 0
    assert container.logs().decode().split() == [str(inode), "mine"]
    assert [each["Path"] for each in container.diff()] == ["/etc", "/etc/passwd"]
    eventually(spare.exists, 20)
    assert (spare / "rootfs/etc/passwd").read_text()[:4] == "root"
    container.remove()
    client.images.remove(built.id)
    assert not spare.exists()


def test_containers_live_on_when_the_engine_is_killed(store: Store, client: docker.DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sh", "-c", "sleep 2; echo end; exit 6"], detach=True)
    store.kill()
    store.start()
    again = docker.DockerClient(base_url=store.host)
    found = again.containers.get(container.id)
    assert exit_code(found) == 6
    assert found.logs() == b"end\n"
    again.close()


def test_containers_end_when_the_supervisor_is_killed(store: Store, client: docker.DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "4324"], detach=True)
    eventually(lambda: bool(processes("sleep 4324")), 10)
    record = paths.run_folder(store.folder) / "supervisor.json"
    os.kill(int(re.findall(r'"pid": (\d+)', record.read_text())[0]), signal.SIGKILL)
    eventually(lambda: not processes("sleep 4324"), 30)
    store.start()
    again = docker.DockerClient(base_url=store.host)
    assert again.containers.get(container.id).attrs["State"]["ExitCode"] == 137
    again.close()
