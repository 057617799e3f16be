"""Bind propagation: what is mounted on one side of a bind later, and whether the other side sees it.

Each test mounts a tmpfs of its own on the host, shared or private, and unmounts it again.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from tests.clients.conftest import Cli, host
from tests.volumes.conftest import IMAGE, bind

__all__ = ["host"]  # root's: what root mounts after an unprivileged engine began is nothing to that one

pytestmark = pytest.mark.root
RUN = ("run", "--rm", "--network", "none")


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A shared tmpfs of the host, with a folder ``sub`` in it; unmounted with all that came below it."""
    place = tmp_path / "shared"
    (place).mkdir()
    mount("-t", "tmpfs", "tmpfs", str(place))
    try:
        mount("--make-shared", str(place))
        (place / "sub").mkdir()
        yield place
    finally:
        subprocess.run(["umount", "-R", str(place)], check=True)


@pytest.fixture
def waiting(client: docker.DockerClient, name: str) -> Iterator[Callable[..., docker.models.containers.Container]]:
    """``waiting(propagation, source)``: a container that runs with that bind at /x."""

    def made(propagation: str, source: Path) -> docker.models.containers.Container:
        options = {"Propagation": propagation} if propagation else {}
        return client.containers.run(
            IMAGE,
            ["sleep", "1000"],
            name=name,
            mounts=[bind(source, **options)],
            network_mode="none",
            cap_add=["SYS_ADMIN"],
            security_opt=["seccomp=unconfined"],
            detach=True,
        )

    yield made
    with contextlib.suppress(docker.errors.NotFound):
        client.api.remove_container(name, force=True)


def inside(container: docker.models.containers.Container, script: str) -> str:
    code, said = container.exec_run(["sh", "-c", script])
    assert code == 0, said
    return str(said.decode().strip())


@pytest.mark.parametrize(
    ("propagation", "comes_in", "goes_out"),
    [
        ("", False, False),
        ("private", False, False),
        ("rprivate", False, False),
        ("slave", True, False),
        ("rslave", True, False),
        ("shared", True, True),
        ("rshared", True, True),
    ],
)
def test_a_mount_goes_where_the_propagation_lets_it(
    waiting: Callable[..., docker.models.containers.Container],
    shared: Path,
    propagation: str,
    comes_in: bool,
    goes_out: bool,
) -> None:
    container = waiting(propagation, shared)
    (shared / "in").mkdir()
    mount("-t", "tmpfs", "tmpfs", str(shared / "in"))
    (shared / "in/file").write_text("from the host")
    assert (inside(container, "ls /x/in") == "file") is comes_in  # the folder is there either way
    inside(container, "mkdir /x/out; mount -t tmpfs tmpfs /x/out; touch /x/out/file")
    assert (shared / "out/file").exists() is goes_out


def test_what_a_container_mounts_in_a_shared_bind_stays_when_it_ends(
    waiting: Callable[..., docker.models.containers.Container], shared: Path
) -> None:
    container = waiting("rshared", shared)
    inside(container, "mount -t tmpfs tmpfs /x/sub; touch /x/sub/file")
    container.remove(force=True)
    assert (shared / "sub/file").exists()


@pytest.mark.parametrize("propagation", ["slave", "rslave", "shared", "rshared"])
def test_a_private_mount_s_propagation_is_refused_in_docker_s_words(
    cli: Cli, shared: Path, tmp_path: Path, propagation: str
) -> None:
    mount("--make-private", str(shared))
    (tmp_path / "link").symlink_to(shared / "sub")
    for source in (shared / "sub", tmp_path / "link"):
        answer = cli(*RUN, "-v", f"{source}:/x:{propagation}", IMAGE, "true")
        kind = "shared mount" if "shared" in propagation else "shared or slave mount"
        assert f"path {source} is mounted on {shared} but it is not a {kind}" in answer.err
        assert answer.code == 125


def test_a_slave_of_the_host_s_can_be_a_container_s_slave_and_is_not_shared(cli: Cli, shared: Path) -> None:
    mount("--make-slave", str(shared))
    mount("--make-private", str(shared))
    other = shared / "sub"
    mount("--bind", str(other), str(other))
    mount("--make-shared", str(other))
    mount("--bind", str(other), str(shared.parent))
    try:
        mount("--make-slave", str(shared.parent))
        assert cli(*RUN, "-v", f"{shared.parent}:/x:slave", IMAGE, "true").code == 0
        answer = cli(*RUN, "-v", f"{shared.parent}:/x:shared", IMAGE, "true")
        assert f"is mounted on {shared.parent} but it is not a shared mount" in answer.err
    finally:
        subprocess.run(["umount", str(shared.parent)], check=True)


def test_a_bind_takes_what_is_mounted_below_along_unless_asked_not_to(
    client: docker.DockerClient, run: Callable[..., str], shared: Path
) -> None:
    mount("-t", "tmpfs", "tmpfs", str(shared / "sub"))
    (shared / "sub/file").touch()
    assert run([bind(shared)], "ls /x/sub") == "file"
    assert run([bind(shared, NonRecursive=True)], "ls /x/sub") == ""


def test_a_read_only_bind_of_a_tree_is_read_only_below_since_api_1_44(host: str, shared: Path) -> None:
    mount("-t", "tmpfs", "tmpfs", str(shared / "sub"))
    newest = docker.DockerClient(base_url=host)
    known = docker.utils.compare_version(newest.api.api_version, "1.44") <= 0
    old = docker.DockerClient(base_url=host, version="1.41")

    def writes_below(client: docker.DockerClient, **options: bool) -> bool:
        mounts = [bind(shared, read_only=True, **options)]
        script = [
            "sh",
            "-c",
            "touch /x/file 2>/dev/null && echo top; touch /x/sub/file 2>/dev/null && echo below; true",
        ]
        said = client.containers.run(IMAGE, script, mounts=mounts, network_mode="none", remove=True)
        assert b"top" not in said
        return b"below" in said

    try:
        assert writes_below(old)
        if known:
            assert not writes_below(newest)
            assert not writes_below(newest, ReadOnlyForceRecursive=True)
            assert writes_below(newest, ReadOnlyNonRecursive=True)
            with pytest.raises(docker.errors.APIError, match=r"ReadOnlyForceRecursive needs API v1\.44 or newer"):
                writes_below(old, ReadOnlyForceRecursive=True)
    finally:
        old.close()
        newest.close()


def test_a_host_s_read_only_mount_stays_read_only(run: Callable[..., str], shared: Path) -> None:
    mount("-o", "remount,ro", str(shared))
    script = "touch /x/file 2>/dev/null && echo written; mount -o remount,rw /x 2>/dev/null; touch /x/file 2>&1"
    with pytest.raises(docker.errors.ContainerError, match="Read-only file system"):
        run([bind(shared)], script)


def test_what_is_mounted_on_the_host_long_after_the_engine_began_is_shown_also_to_a_copy(
    cli: Cli, shared: Path, name: str
) -> None:
    """Where nothing propagates (as in a container whose root is private) a bind still shows what is there today."""
    mount("--make-private", str(shared))
    mount("-t", "tmpfs", "tmpfs", str(shared / "sub"))
    (shared / "sub/file").write_text("late")
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{shared}/sub:/x", IMAGE, "cat", "/x/file")
    assert b"late" in cli.raw("cp", f"{name}:/x/file", "-").stdout
    assert cli.ok("start", "-a", name) == "late"
    assert b"late" in cli.raw("cp", f"{name}:/x/file", "-").stdout


def test_a_source_that_is_gone_at_the_start_is_made_again_or_named_as_its_option_has_it(
    cli: Cli, client: docker.DockerClient, name: str, tmp_path: Path
) -> None:
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{tmp_path}/gone:/x", IMAGE, "ls", "-d", "/x")
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)  # Docker makes it now alone
    assert cli.ok("start", "-a", name) == "/x"
    assert (tmp_path / "gone").is_dir()
    client.api.remove_container(name)
    mount = f"type=bind,src={tmp_path}/gone,dst=/x"
    cli.ok("create", "--network", "none", "--name", name, "--mount", mount, IMAGE, "true")
    (tmp_path / "gone").rmdir()
    answer = cli("start", name)
    said = f'invalid mount config for type "bind": bind source path does not exist: {tmp_path}/gone'
    assert (answer.code, said in answer.err) == (1, True)


@pytest.mark.ours("Docker's runtime is runc, which has tests of its own")
def test_no_descriptor_of_a_bind_is_left_in_the_container(
    waiting: Callable[..., docker.models.containers.Container], client: docker.DockerClient, shared: Path
) -> None:
    binds = [bind(shared, f"/x{at}") for at in range(12)]
    said = client.containers.run(IMAGE, ["ls", "/proc/self/fd"], mounts=binds, network_mode="none", remove=True)
    # ls itself opens the directory that it lists, as 3.
    assert said.split() == [b"0", b"1", b"2", b"3"]
    container = waiting("rslave", shared)
    assert inside(container, "ls /proc/self/fd; ls -C /proc/1/fd").split() == ["0", "1", "2", "3", "0", "1", "2"]
