"""What ``-m`` is of a virtual machine: its kernel's memory, which QEMU's own use doesn't lessen."""

from __future__ import annotations

import shutil

import docker
import pytest

pytestmark = [pytest.mark.ours, pytest.mark.vm]


def test_a_machine_gets_the_memory_it_is_promised(client: docker.DockerClient) -> None:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU isn't here")
    said = client.containers.run(
        "lab/busybox", "grep MemTotal /proc/meminfo", runtime="vm", mem_limit="128m", remove=True
    )
    assert 64 << 10 < int(said.split()[1]) <= 128 << 10
