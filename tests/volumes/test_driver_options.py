"""The driver ``local`` with options: a tmpfs, a folder of the host, and what it doesn't mount."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from tests.clients.conftest import Cli
from tests.volumes.conftest import IMAGE, of_volume

RUN = ("run", "--rm", "--network", "none")
TMPFS = ("--opt", "type=tmpfs", "--opt", "device=tmpfs")


@pytest.mark.ids
@pytest.mark.usefixtures("many_ids")
def test_a_tmpfs_volume_has_its_size_mode_and_owner_and_is_empty_when_nobody_uses_it(cli: Cli, volume: str) -> None:
    cli.ok("volume", "create", *TMPFS, "--opt", "o=size=64k,mode=0750,uid=5", volume)
    look = "stat -c '%a %u' /data; grep ' /data ' /proc/mounts | cut -d' ' -f3; echo kept > /data/file"
    assert cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "sh", "-c", look).splitlines() == ["750 5", "tmpfs"]
    assert cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "ls", "/data") == ""
    full = cli(*RUN, "-v", f"{volume}:/data", IMAGE, "dd", "if=/dev/zero", "of=/data/x", "bs=1k", "count=100")
    assert (full.code, "No space left on device" in full.err) == (1, True)


def test_containers_that_run_at_once_share_one_tmpfs_volume(cli: Cli, volume: str, name: str) -> None:
    cli.ok("volume", "create", *TMPFS, volume)
    write = "echo shared > /data/file; touch /ready; sleep 1000"
    cli.ok("run", "-d", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "sh", "-c", write)
    cli.ok("exec", name, "sh", "-c", "until test -e /ready; do sleep 0.05; done")
    for _ in range(2):  # the first of them that ends doesn't take it along
        assert cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "cat", "/data/file") == "shared"
    cli.ok("rm", "-f", name)
    assert cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "ls", "/data") == ""


def test_a_volume_that_is_a_folder_of_the_host(cli: Cli, volume: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("from the host\n")
    cli.ok("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", volume)
    assert cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "cat", "/data/hello") == "from the host"
    cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "touch", "/data/theirs")
    assert (tmp_path / "theirs").exists()
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    assert cli.ok("inspect", "-f", "{{range .Mounts}}{{.Source}}{{end}}", name) == cli.ok(
        "volume", "inspect", "-f", "{{.Mountpoint}}", volume
    )
    assert b"from the host" in cli.raw("cp", f"{name}:/data/hello", "-").stdout
    cli.ok("rm", name)
    cli.ok("volume", "rm", volume)
    assert (tmp_path / "hello").exists()


def test_a_bound_volume_that_is_read_only_can_t_be_written(cli: Cli, volume: str, tmp_path: Path) -> None:
    cli.ok("volume", "create", "-o", "type=none", "-o", "o=bind,ro", "-o", f"device={tmp_path}", volume)
    refused = cli(*RUN, "-v", f"{volume}:/data", IMAGE, "touch", "/data/x")
    assert (refused.code, "Read-only file system" in refused.err) == (1, True)
    assert not (tmp_path / "x").exists()


def test_a_bound_volume_takes_the_image_s_content_while_it_is_empty(
    run: Callable[..., str], client: docker.DockerClient, volume: str, content: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    options = {"type": "none", "o": "bind", "device": str(tmp_path)}
    client.volumes.create(volume, driver_opts=options)
    assert run([of_volume(volume, "/data")], "cat /data/file", image=content) == "image"
    # The image's owners keep the test's user from looking into its own folder: a container looks, and gives it back.
    look = "cat /seen/file && chown -R 0:0 /seen && chmod 755 /seen"
    assert run([{"Type": "bind", "Source": str(tmp_path), "Target": "/seen"}], look) == "image"


def test_a_folder_that_isn_t_there_is_said_so_at_the_start(cli: Cli, volume: str, name: str, tmp_path: Path) -> None:
    device = tmp_path / "missing"
    cli.ok("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={device}", volume)
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    answer = cli("start", name)
    where = cli.ok("volume", "inspect", "-f", "{{.Mountpoint}}", volume)
    assert answer.code == 1
    assert (
        f"error while mounting volume '{where}': failed to mount local volume: "
        f"mount {device}:{where}, flags: 0x1000: no such file or directory"
    ) in answer.err
    device.mkdir()
    cli.ok("start", "-a", name)


def test_an_option_that_the_file_system_doesn_t_know_is_said_so_at_the_start(cli: Cli, volume: str) -> None:
    cli.ok("volume", "create", *TMPFS, "-o", "o=bogus=1", volume)
    answer = cli(*RUN, "-v", f"{volume}:/data", IMAGE, "true")
    assert answer.code == 125
    assert re.search(
        r"failed to mount local volume: mount tmpfs:\S+/_data, data: bogus=1: invalid argument", answer.err
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("o=bind",), 'missing required option: "device"'),
        (("type=none",), 'missing required option: "device"'),
        (("device=/tmp",), 'missing required option: "type"'),
        (("o=bind", "device=/tmp"), 'missing required option: "type"'),
        (("foo=bar",), 'invalid option: "foo"'),
        (("size=10m",), "quota size requested but no quota support"),
    ],
)
def test_options_that_make_no_file_system(cli: Cli, volume: str, options: tuple[str, ...], said: str) -> None:
    answer = cli("volume", "create", *(word for option in options for word in ("-o", option)), volume)
    assert (answer.code, answer.err.strip()) == (1, f"Error response from daemon: create {volume}: {said}")
    assert volume not in cli.ok("volume", "ls", "-q").split()


def test_a_name_that_exists_is_given_back_as_it_is(cli: Cli, volume: str) -> None:
    cli.ok("volume", "create", volume)
    assert cli.ok("volume", "create", *TMPFS, "--label", "a=b", volume) == volume
    assert cli.ok("volume", "inspect", "-f", "{{json .Options}} {{json .Labels}}", volume) in ("null null", "{} {}")


def test_mount_makes_the_volume_with_options_and_labels(cli: Cli, volume: str) -> None:
    words = f"type=volume,src={volume},dst=/x,volume-label=of=test,volume-opt=type=tmpfs,volume-opt=device=tmpfs"
    filesystem = cli.ok(*RUN, "--mount", words, IMAGE, "sh", "-c", "grep ' /x ' /proc/mounts | cut -d' ' -f3")
    shown = cli.ok("volume", "inspect", "-f", "{{json .Options}} {{json .Labels}}", volume)
    assert filesystem == "tmpfs"
    assert shown == '{"device":"tmpfs","type":"tmpfs"} {"of":"test"}'


@pytest.mark.ours("Docker learns it at the first mount")
def test_a_server_s_file_system_is_refused_by_its_name(client: docker.DockerClient, volume: str) -> None:
    with pytest.raises(docker.errors.APIError, match="a volume of type nfs isn't carried out by this engine"):
        client.volumes.create(volume, driver_opts={"type": "nfs", "device": ":/x", "o": "addr=127.0.0.1"})
