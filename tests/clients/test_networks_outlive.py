"""What of networks, names and ports outlives an engine that is killed, and a helper that is."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import docker

from tests.clients.conftest import IMAGE
from tests.clients.networking import SECONDS, SERVE, fetch
from tests.store import Store


def test_what_outlives_an_engine_that_is_killed(store: Store) -> None:
    """The port answers while no engine runs; names, ports and addresses are the next engine's; nothing is left."""
    store.start()
    client = docker.DockerClient(base_url=store.host)
    client.networks.create("lab")
    web = client.containers.run(
        IMAGE, ["sh", "-c", SERVE, "hello"], detach=True, name="web", network="lab", ports={"80": None}
    )
    gone = client.containers.run(IMAGE, "sleep 1000", detach=True, network="lab")
    web.reload()
    port = int(web.ports["80/tcp"][0]["HostPort"])
    assert fetch(port) == "hello"
    gone.reload()
    doomed = gone.attrs["State"]["Pid"]
    before = web.attrs["NetworkSettings"]["Networks"]["lab"]["IPAddress"]
    store.kill()
    os.kill(doomed, signal.SIGKILL)
    assert fetch(port) == "hello"
    store.start()
    client = docker.DockerClient(base_url=store.host)
    assert client.containers.run(IMAGE, "wget -qO- http://web/", network="lab", remove=True) == b"hello\n"
    web = client.containers.get("web")
    assert web.attrs["NetworkSettings"]["Networks"]["lab"]["IPAddress"] == before
    assert list(client.networks.get("lab").attrs["Containers"]) == [web.id]
    client.close()


def _helpers(store: Store) -> list[int]:
    from containerlab import paths

    wanted = str(paths.run_folder(store.folder)).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"containerlab.network.helper" in words and wanted in words:
                    found.append(int(entry.name))
    return found


def test_a_helper_that_is_killed_is_started_again_and_ends_with_the_engine(store: Store) -> None:
    store.start()
    client = docker.DockerClient(base_url=store.host)
    web = client.containers.run(IMAGE, ["sh", "-c", SERVE, "hello"], detach=True, name="web", ports={"80": None})
    web.reload()
    port = int(web.ports["80/tcp"][0]["HostPort"])
    assert fetch(port) == "hello"
    (helper,) = _helpers(store)
    os.kill(helper, signal.SIGKILL)
    assert fetch(port) == "hello"
    assert _helpers(store) != [helper]
    web.remove(force=True)
    client.close()
    store.end()
    deadline = time.monotonic() + SECONDS
    while _helpers(store):
        assert time.monotonic() < deadline
        time.sleep(0.05)
