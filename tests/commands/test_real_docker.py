"""The same verbs against dockerd: what the front ends say must not lean on our own engine's ways."""

from __future__ import annotations

import json
import shlex
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.build import BuildOptions, build
from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import Conflict, ContainerlabError, HostLacks, NoSuchContainer, StartFailed
from tests.commands.conftest import Kept
from tests.dockerd import running_dockerd

pytestmark = [pytest.mark.docker, pytest.mark.root]
BUSYBOX = Path("/bin/busybox")


@pytest.fixture(scope="module")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """A daemon of our own with ``lab/busybox`` in it, and no bridge; ended and swept away afterwards."""
    if not BUSYBOX.exists():
        pytest.skip("needs a static busybox")
    with running_dockerd() as address:
        client = docker.DockerClient(base_url=address)
        yield _with_busybox(client, tmp_path_factory.mktemp("busybox"))
        client.close()


def _with_busybox(client: docker.DockerClient, folder: Path) -> docker.DockerClient:
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    root = folder / "root.tar"
    with tarfile.open(root, "w") as archive:
        archive.add(BUSYBOX.resolve(), "bin/busybox")
        for applet in set(applets) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    client.api.import_image_from_file(str(root), repository="lab/busybox", tag="latest")
    return client


@pytest.fixture
def docker_verb(dockerd: docker.DockerClient, output: Kept) -> Callable[[str], Any]:
    return lambda line: invoke(shlex.split(line), Context(output=output, connect=lambda: dockerd))


Verb = Callable[[str], Any]
RUN = "run --network none"


def test_a_life_from_run_to_rm(docker_verb: Verb) -> None:
    assert docker_verb(f"{RUN} --rm lab/busybox sh -c 'echo hi; exit 3'").exit_code == 3
    docker_verb(f"{RUN} -d --name web lab/busybox sleep 100")
    assert docker_verb("exec web echo inside").stdout == "inside\n"
    assert [row["name"] for row in docker_verb("ps")] == ["web"]
    assert docker_verb("stop -t 0 web").lines == ["web"]
    assert docker_verb("inspect web -f '{{.State.ExitCode}}'").lines == ["137"]
    with pytest.raises(NoSuchContainer, match="Did you mean web"):
        docker_verb("logs webb")
    docker_verb("rm web")


@pytest.mark.parametrize(("command", "code"), [("nosuch", 127), ("/bin", 126)])
def test_start_failures(docker_verb: Verb, command: str, code: int) -> None:
    with pytest.raises(StartFailed) as caught:
        docker_verb(f"{RUN} --rm lab/busybox {command}")
    assert caught.value.exit_code == code


def test_a_builds_steps_are_read_from_its_text(dockerd: docker.DockerClient, output: Kept) -> None:
    context = Context(output=output, connect=lambda: dockerd)
    options = BuildOptions(dockerfile=b"FROM lab/busybox\nRUN echo one\n", network="none")
    assert [step["output"] for step in build(context, options).steps] == ["", "one\n"]
    assert [step["cached"] for step in build(context, options).steps] == [False, True]


def test_what_docker_has_no_route_for_is_one_error(docker_verb: Verb) -> None:
    docker_verb(f"{RUN} -d --name web lab/busybox sleep 100")
    for line in ("timeline web", "memory web"):
        with pytest.raises(HostLacks, match="not the kit's own"):
            docker_verb(line)
    docker_verb("rm -f web")


@pytest.fixture
def docker_cli(dockerd: docker.DockerClient, tmp_path: Path) -> Callable[[str], str]:
    """What Docker's own command line prints, on the same daemon."""
    socket_path = dockerd.api.get_adapter(dockerd.api.base_url).socket_path

    def run(line: str, stdin: str = "") -> str:
        return subprocess.run(
            ["docker", *shlex.split(line)], input=stdin, capture_output=True, text=True, check=True, timeout=30,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_HOST": f"unix://{socket_path}", "HOME": str(tmp_path)},
        ).stdout  # fmt: skip

    return run


def test_pause_update_and_port(docker_verb: Verb) -> None:
    docker_verb(f"{RUN} -d --name web lab/busybox sleep 100")
    try:
        assert docker_verb("pause web").lines == ["web"]
        with pytest.raises(Conflict, match="is already paused"):
            docker_verb("pause web")
        assert docker_verb("unpause web").lines == ["web"]
        assert docker_verb("update --pids-limit 50 web").lines == ["web"]
        with pytest.raises(ContainerlabError, match="Conflicting options: Nano CPUs and CPU Period cannot both be set"):
            docker_verb("update --cpus 1 --cpu-period 5000 web")
    finally:
        docker_verb("rm -f web")


def test_df_and_prune_tell_what_docker_tells(docker_verb: Verb, docker_cli: Callable[..., str], output: Kept) -> None:
    docker_verb(f"{RUN} -d --name web -v /data lab/busybox sleep 100")
    docker_verb("create --network none --name ended lab/busybox true")
    try:
        for form in ("{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}", "json"):
            ours = str(docker_verb(f"system df --format '{form}'")).splitlines()
            theirs = docker_cli(f"system df --format '{form}'").splitlines()
            read = json.loads if form == "json" else str
            assert [read(line) for line in ours] == [read(line) for line in theirs]
        ours = json.loads(str(docker_verb("system df -v --format json")))
        theirs = json.loads(docker_cli("system df -v --format json"))
        for kind, keys in (
            ("Images", ("ID", "Repository", "Tag", "Size", "SharedSize", "UniqueSize", "Containers")),
            ("Containers", ("ID", "Image", "Command", "LocalVolumes", "Names")),
            ("Volumes", ("Name", "Links", "Size")),
        ):
            told = [[[row[key] for key in keys] for row in side[kind]] for side in (ours, theirs)]
            assert told[0] == told[1]
        for line in (
            "container prune",
            "image prune",
            "image prune -a",
            "system prune",
            "system prune -a --filter label=x",
        ):
            output.out = b""
            docker_verb(line)
            assert output.out.decode().strip() == docker_cli(line, "n\n").strip()
        assert str(docker_verb("container prune -f --filter label=x")) == docker_cli(
            "container prune -f --filter label=x"
        ).rstrip("\n")
        assert len(docker_verb("system prune -f").containers) == 1
    finally:
        docker_verb("rm -fv web ended")


def test_ps_and_images_have_dockers_fields(docker_verb: Verb, docker_cli: Callable[..., str]) -> None:
    docker_verb(f"{RUN} -d --name web --label a.b=c -v /data lab/busybox sleep 100")
    try:
        for line in (
            "ps -a --format '{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.CreatedAt}} {{.State}} {{.Networks}}'",
            "ps --no-trunc --format '{{.ID}} {{.Label \"a.b\"}} {{.LocalVolumes}} {{.Ports}}'",
            "ps -l -q",
            "images --format '{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}} {{.Size}} {{.CreatedAt}}'",
            "images -q --format '{{.Repository}}'",
            "inspect --type container -f '{{.Name}} {{.State.Status}}' web",
            "container inspect -s -f '{{.SizeRw}}' web",
            "image inspect -f '{{.Id}}' lab/busybox",
            "port web",
        ):
            assert str(docker_verb(line)) == docker_cli(line).rstrip("\n"), line
    finally:
        docker_verb("rm -fv web")


def test_mounts_tells_what_a_real_docker_s_inspect_does(docker_verb: Verb) -> None:
    docker_verb(f"{RUN} -d --name mounted -v kept:/data -v /cache --tmpfs /fast:size=1m lab/busybox sleep 100")
    told = docker_verb("mounts mounted")
    assert [row["origin"] for row in told if row["places"] != ["/"]] == ["tmpfs", "volume", "anonymous"]
    assert [row["origin"] for row in told if row["places"] == ["/"]] == ["writable", "layer"]
    assert "the kernel" in str(told).splitlines()[-1]
    docker_verb("rm -f -v mounted")
    docker_verb("volume rm kept")
