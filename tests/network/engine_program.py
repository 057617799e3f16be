"""An engine on a host with a world of the test's own: ``python tests/network/engine_program.py FOLDER UID``, as root.

The host's place is taken by a network namespace with an outside behind it (``outside.Outside``), in which the engine
runs as that user. Prints JSON.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import docker

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from tests.network.outside import Outside
from tests.store import Store

IMAGE = "lab/busybox"
SECONDS = 20
ASK = f"wget -qO- http://{Outside.ADDRESS}/"


def scenario(folder: Path) -> dict[str, object]:
    """What containers, builds and the engine's restart make of the way out."""
    store = Store(folder / "store")
    found: dict[str, object] = {}
    try:
        store.start()
        client = docker.DockerClient(base_url=store.host, version="1.43")

        def run(command: str, **options: object) -> str:
            try:
                return client.containers.run(IMAGE, ["sh", "-c", command], remove=True, **options).decode().strip()
            except docker.errors.ContainerError as error:
                return f"exit {error.exit_status}"

        client.networks.create("lab")
        client.networks.create("shut", internal=True)
        for name in ("bridge", "lab", "shut"):
            found[f"{name} web"] = run(ASK, network=name)
            found[f"{name} name"] = run("nslookup -type=a example.test | grep -c 198.51.100.99", network=name)
        found["nobody"] = run("wget -qO- http://nobody.test/", network="lab")
        found["none"] = run(ASK, network_mode="none")
        for network in ("", "--network=none"):
            found[f"RUN {network}"] = build(client, network)
        serve = "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w"
        web = client.containers.run(
            IMAGE, ["sh", "-c", serve], detach=True, name="web", network="lab", ports={"80/tcp": None}
        )
        web.reload()
        port = int(web.ports["80/tcp"][0]["HostPort"])
        box = client.containers.run(IMAGE, ["sh", "-c", f"while :; do {ASK}; sleep 0.1; done"], detach=True)
        log = store.folder / "containers" / box.id / f"{box.id}-json.log"
        wait_for(lambda: log.exists() and log.stat().st_size > 0)
        found["started again"] = leads_out_again(log)
        store.kill()
        before = log.stat().st_size
        wait_for(lambda: log.stat().st_size > before)
        slirps = ways_out()
        found["a port while no engine runs"] = fetch(port)
        store.start()
        found["a port after a restart"] = fetch(port)
        found["a name after a restart"] = run("wget -qO- http://web/", network="lab")
        found["after a restart"] = run(ASK, network="lab")
        found["the same"] = ways_out() == slirps and len(slirps) == 1
        found["started again by another engine"] = leads_out_again(log)
        client.close()
    finally:
        store.end()
    wait_for(lambda: not ways_out())
    return found


def leads_out_again(log: Path) -> bool:
    """Once the way out was killed; nobody starts a container. Whether what runs has reached the world by a new one."""
    killed = ways_out()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: ways_out() and not set(ways_out()) & set(killed))
    before = log.read_bytes().count(b"outside")
    wait_for(lambda: log.read_bytes().count(b"outside") > before)
    return len(killed) == 1


def build(client: docker.DockerClient, network: str) -> str:
    dockerfile = f"FROM {IMAGE}\nRUN {network} {ASK} > /got && grep -q $(hostname -i) /etc/hosts\n"
    try:
        image, _ = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), rm=True)
    except docker.errors.BuildError as error:
        return str(error).rpartition(": ")[2]
    return str(client.containers.run(image.id, ["cat", "/got"], remove=True).decode().strip())


def fetch(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=SECONDS) as answer:
        return str(answer.read().decode().strip())


def ways_out() -> list[int]:
    """The processes of slirp4netns in this network namespace that still live."""
    here, found = Path("/proc/self/ns/net").readlink(), []
    for entry in Path("/proc").iterdir():
        try:
            named = entry.name.isdigit() and (entry / "comm").read_text() == "slirp4netns\n"
            if named and (entry / "ns/net").readlink() == here and ") Z" not in (entry / "stat").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def main(folder: Path, uid: int) -> None:
    syscalls.unshare(c.CLONE_NEWNS | c.CLONE_NEWNET)
    syscalls.mount("none", "/", "", c.MS_REC | c.MS_PRIVATE)
    # Forked before the outside's threads are there; what it prints is this program's output.
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        if uid:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        print(json.dumps(scenario(folder)), flush=True)
        os._exit(0)
    outside = Outside(folder)
    with outside.web():
        os.write(writer, b"1")
        _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
