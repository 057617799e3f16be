"""Run by test_rootless as an unprivileged user: ``rootless_program.py FOLDER``; prints JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker

from tests.store import Store
from tests.volumes.conftest import IMAGE, bind, of_volume

Shell = Callable[..., str]


def refusal(shell: Shell, mounts: list[dict[str, Any]]) -> str:
    try:
        shell("true", mounts)
    except docker.errors.APIError as error:
        return str(error.explanation)
    return "not refused"


def can_write(shell: Shell, mounts: list[dict[str, Any]]) -> bool:
    return shell("touch /x/new 2>/dev/null && echo yes; true", mounts) == "yes"


def volumes(client: docker.DockerClient, shell: Shell) -> dict[str, Any]:
    shell("echo data > /x/file", [of_volume("kept")])
    found: dict[str, Any] = {"kept": shell("cat /x/file", [of_volume("kept", read_only=True)])}
    found["read only"] = not can_write(shell, [of_volume("kept", read_only=True)])
    user = client.containers.create(IMAGE, ["true"], mounts=[of_volume("kept"), of_volume("", "/own")])
    try:
        client.volumes.get("kept").remove()
    except docker.errors.APIError as error:
        found["in use"] = f"{error.status_code} {error.explanation.replace(user.id, 'ID')}"
    anonymous = next(mount["Name"] for mount in user.attrs["Mounts"] if mount["Destination"] == "/own")
    user.remove(v=True)
    found["anonymous gone"] = anonymous not in {volume.name for volume in client.volumes.list()}
    return found


def content(client: docker.DockerClient, shell: Shell, folder: Path) -> dict[str, Any]:
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN mkdir /x && echo image > /x/file && chmod 750 /x\n")
    client.images.build(path=str(context), tag="filled:1")
    look = "cat /x/file; stat -c %a /x"
    return {
        "content": shell(look, [of_volume("filled")], image="filled:1").split(),
        "nocopy": shell("ls /x", [of_volume("", NoCopy=True)], image="filled:1"),
    }


def options(client: docker.DockerClient, shell: Shell, folder: Path) -> dict[str, Any]:
    fill = "dd if=/dev/zero of=/x/big bs=1k count=100 2>/dev/null || echo full"
    look = f"grep ' /x ' /proc/mounts | cut -d' ' -f3; stat -c %a /x; {fill}"
    tmpfs = {"type": "tmpfs", "device": "tmpfs", "o": "size=64k,mode=700"}
    client.volumes.create("quick", driver_opts=tmpfs)
    (folder / "device").mkdir()
    (folder / "device/file").write_text("from the host")
    for name, words in (("bound", "bind"), ("bound-ro", "bind,ro")):
        client.volumes.create(name, driver_opts={"type": "none", "o": words, "device": str(folder / "device")})
    own = {"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 0o711}}
    return {
        "tmpfs volume": shell(look, [of_volume("quick")]).split(),
        "tmpfs volume again": shell("ls /x", [of_volume("quick")]),
        "tmpfs": shell(look, [own]).split(),
        "bound": shell("cat /x/file", [of_volume("bound")]),
        "bound read-only": not can_write(shell, [of_volume("bound-ro")]),
    }


def parts(shell: Shell) -> dict[str, Any]:
    shell("mkdir -p /x/a; echo deep > /x/a/file; ln -s /etc /x/out", [of_volume("parts")])
    return {
        "part": shell("cat /x/file", [of_volume("parts", Subpath="a")]),
        "part outside": refusal(shell, [of_volume("parts", Subpath="out")]),
        "part missing": refusal(shell, [of_volume("parts", Subpath="missing")]),
    }


def binds(shell: Shell, folder: Path) -> dict[str, Any]:
    (folder / "source").mkdir()
    (folder / "source/file").touch()
    return {
        "bind": shell("ls /x", [bind(folder / "source")]),
        "shared": refusal(shell, [bind(folder / "source", Propagation="shared")]),
        "bind missing": refusal(shell, [bind(folder / "missing")]),
    }


def leftovers(client: docker.DockerClient, shell: Shell) -> dict[str, Any]:
    for volume in client.volumes.list():
        if volume.name != "kept":
            volume.remove(force=True)
    shell("rm -f /x/*; dd if=/dev/zero of=/x/big bs=1k count=4", [of_volume("kept")])
    [usage] = client.df()["Volumes"]
    client.volumes.create("once")
    pruned = client.volumes.prune({"all": ["true"]})["VolumesDeleted"]
    return {"size": usage["UsageData"]["Size"], "pruned": sorted(pruned)}


def main(folder: Path) -> dict[str, Any]:
    store = Store(folder / "store")
    try:
        store.start()
        client = docker.DockerClient(base_url=store.host)

        def shell(script: str, mounts: list[dict[str, Any]], *, image: str = IMAGE) -> str:
            container = client.containers.create(image, ["sh", "-c", script], mounts=mounts, network_mode="none")
            try:
                container.start()
                container.wait()
                return str(container.logs().decode().strip())
            finally:
                container.remove(v=True)

        found = volumes(client, shell) | content(client, shell, folder) | options(client, shell, folder)
        found |= parts(shell) | binds(shell, folder)
        store.kill(signal.SIGKILL)
        store.start()
        found["kept after kill"] = shell("cat /x/file", [of_volume("kept")])
        found |= leftovers(client, shell)
        client.close()
        return found
    finally:
        store.end()


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
