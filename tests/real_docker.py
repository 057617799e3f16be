"""``python -m tests.real_docker [PYTEST ARGUMENTS]``: the client tests on a dockerd that has its bridge, as root.

Daemon and tests share a network namespace of their own, so that nothing of the host's network is touched. The daemon
gets the images that the tests run from an engine of ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import docker

from tests.dockerd import running_dockerd
from tests.store import Store

IMAGES = ("lab/busybox", "lab/python")
_INSIDE = "CONTAINERLAB_TEST_NETNS"


def main(arguments: list[str]) -> int:
    """pytest's exit code."""
    if os.environ.get(_INSIDE) is None:
        again = [sys.executable, "-m", "tests.real_docker", *arguments]
        return subprocess.run(["unshare", "--net", *again], env={**os.environ, _INSIDE: "1"}, check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with running_dockerd(bridge=True) as address:
        bring_images(address)
        command = [sys.executable, "-m", "pytest", *(arguments or ["tests/clients"])]
        return subprocess.run(command, env={**os.environ, "DOCKER_HOST": address}, check=False).returncode


def bring_images(address: str) -> None:
    """Give the daemon what lies in no registry."""
    with tempfile.TemporaryDirectory(prefix="cl-images-") as name:
        store = Store(Path(name) / "store")
        try:
            store.start()
            ours, theirs = docker.DockerClient(base_url=store.host), docker.DockerClient(base_url=address)
            for image in IMAGES:
                ours.images.pull(image, tag="latest")
                theirs.api.load_image(b"".join(ours.api.get_image(f"{image}:latest")))
            ours.close()
            theirs.close()
        finally:
            store.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
