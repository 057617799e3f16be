"""The forms of a mount and their options, each said in its own words: ``-v``, ``--mount``, ``--tmpfs``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from tests.clients.conftest import Cli
from tests.volumes.conftest import IMAGE, bind, of_volume

RUN = ("run", "--rm", "--network", "none")


@pytest.mark.parametrize("words", [("-v", "{}:/x"), ("--mount", "type=bind,source={},target=/x")])
def test_a_bind_shows_the_host_s_files_and_writes_them(cli: Cli, tmp_path: Path, words: tuple[str, str]) -> None:
    (tmp_path / "in").write_text("host")
    option = (words[0], words[1].format(tmp_path))
    assert cli.ok(*RUN, *option, IMAGE, "sh", "-c", "cat /x/in; echo container > /x/out") == "host"
    assert (tmp_path / "out").read_text() == "container\n"


@pytest.mark.parametrize("words", [("-v", "{}:/x:ro"), ("--mount", "type=bind,src={},dst=/x,readonly")])
def test_a_read_only_bind_can_t_be_written(cli: Cli, tmp_path: Path, words: tuple[str, str]) -> None:
    answer = cli(*RUN, words[0], words[1].format(tmp_path), IMAGE, "touch", "/x/file")
    assert (answer.code, "Read-only file system" in answer.err) == (1, True)


def test_v_makes_a_source_that_isn_t_there_and_mount_doesn_t(cli: Cli, tmp_path: Path) -> None:
    cli.ok(*RUN, "-v", f"{tmp_path}/made/deep:/x", IMAGE, "touch", "/x/file")
    assert (tmp_path / "made/deep/file").exists()
    answer = cli(*RUN, "--mount", f"type=bind,src={tmp_path}/missing,dst=/x", IMAGE, "true")
    said = f'invalid mount config for type "bind": bind source path does not exist: {tmp_path}/missing'
    assert (answer.code, said in answer.err) == (125, True)
    assert not (tmp_path / "missing").exists()


def test_a_file_is_mounted_onto_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert cli.ok(*RUN, "-v", f"{tmp_path}/file:/etc/passwd:ro", IMAGE, "cat", "/etc/passwd") == "mine"


@pytest.mark.parametrize(("source", "target"), [("file", "/tmp"), ("folder", "/bin/busybox")])
def test_a_file_over_a_folder_and_a_folder_over_a_file_are_refused(
    cli: Cli, tmp_path: Path, source: str, target: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    answer = cli(*RUN, "-v", f"{tmp_path}/{source}:{target}", IMAGE, "true")
    said = "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists"
    # The image of a real Docker may have no /tmp: then there is nothing in the way.
    assert (answer.code, said in answer.err) == (125, True) or (source == "file" and answer.code == 0)


def test_two_mounts_at_one_place_are_refused(cli: Cli, volume: str, tmp_path: Path) -> None:
    for other in (("-v", f"{tmp_path}:/data"), ("--tmpfs", "/data"), ("--mount", "type=tmpfs,dst=/data/../data/")):
        answer = cli("create", "--network", "none", "-v", f"{volume}:/data", *other, IMAGE, "true")
        assert (answer.code, "Duplicate mount point: /data" in answer.err) == (1, True)


def test_one_volume_at_two_places_is_one_volume(cli: Cli, volume: str) -> None:
    mounts = ("-v", f"{volume}:/a", "-v", f"{volume}:/b:ro")
    assert cli.ok(*RUN, *mounts, IMAGE, "sh", "-c", "echo same > /a/file; cat /b/file") == "same"
    assert cli(*RUN, *mounts, IMAGE, "touch", "/b/x").code == 1


@pytest.mark.parametrize(
    "option", [("--tmpfs", "/t:size=64k,mode=700"), ("--mount", "type=tmpfs,dst=/t,tmpfs-size=64k,tmpfs-mode=700")]
)
def test_a_tmpfs_has_size_and_mode_and_docker_s_own_options(cli: Cli, option: tuple[str, str]) -> None:
    look = "grep ' /t ' /proc/mounts | cut -d' ' -f3,4; stat -c %a /t; dd if=/dev/zero of=/t/x bs=1k count=100"
    answer = cli(*RUN, *option, IMAGE, "sh", "-c", look)
    (filesystem, options), (mode,) = (line.split() for line in answer.out.splitlines()[:2])
    assert (filesystem, mode, answer.code) == ("tmpfs", "700", 1)
    assert {"nosuid", "nodev", "noexec", "size=64k"} <= set(options.split(","))
    assert "No space left on device" in answer.err


def test_a_tmpfs_that_says_nothing_is_for_everybody_and_goes_with_the_container(cli: Cli, name: str) -> None:
    script = "ls /t; touch /t/x"
    cli.ok("create", "--network", "none", "--name", name, "--mount", "type=tmpfs,dst=/t", IMAGE, "sh", "-c", script)
    assert cli.ok("start", "-a", name) == cli.ok("start", "-a", name) == ""
    assert cli.ok(*RUN, "--mount", "type=tmpfs,dst=/t", IMAGE, "stat", "-c", "%a", "/t") == "1777"


def test_an_unknown_tmpfs_option_is_named(cli: Cli) -> None:
    answer = cli(*RUN, "--tmpfs", "/t:bogus=1", IMAGE, "true")
    assert (answer.code, 'invalid tmpfs option ["bogus" "1"]' in answer.err) == (125, True)


def test_a_volume_s_content_is_there_for_another_container_at_the_same_time(cli: Cli, volume: str, name: str) -> None:
    write = "while true; do date +%s%N > /data/now; sleep 0.05; done"
    cli.ok("run", "-d", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "sh", "-c", write)
    wait = "until test -s /data/now; do sleep 0.05; done; echo seen > /data/reply"
    cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "sh", "-c", wait)
    assert cli.ok("exec", name, "cat", "/data/reply") == "seen"


def test_nocopy_by_mount_leaves_an_anonymous_volume_empty(run: Callable[..., str], content: str) -> None:
    assert run([of_volume("", "/data", NoCopy=True)], "ls /data", image=content) == ""
    assert run([of_volume("", "/data")], "ls /data", image=content).split() == ["deep", "file", "link"]


def test_a_volume_that_holds_something_keeps_it(run: Callable[..., str], volume: str, content: str) -> None:
    run([of_volume(volume)], "touch /x/own")
    assert run([of_volume(volume, "/data")], "ls /data", image=content) == "own"


def test_volumes_from_takes_no_propagation_nor_copy_mode(cli: Cli, volume: str, name: str) -> None:
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    for mode in ("bogus", "shared", "nocopy"):
        answer = cli(*RUN, "--volumes-from", f"{name}:{mode}", IMAGE, "true")
        assert (answer.code, f"invalid mode: {mode}" in answer.err) == (125, True)


def test_volume_events_say_who_mounts_where(client: docker.DockerClient, cli: Cli, volume: str, name: str) -> None:
    container = cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data:ro", IMAGE, "true")
    since = client.info()["SystemTime"]
    cli.ok("start", "-a", name)
    cli.ok("rm", name)
    until = client.info()["SystemTime"]
    told = client.events(since=_seconds(since), until=_seconds(until) + 1, filters={"volume": [volume]}, decode=True)
    assert [(event["Action"], event["Actor"]["Attributes"]) for event in told if event["Action"] != "create"] == [
        (
            "mount",
            {
                "container": container,
                "destination": "/data",
                "driver": "local",
                "propagation": "",
                "read/write": "false",
            },
        ),
        ("unmount", {"container": container, "driver": "local"}),
    ]


def _seconds(moment: str) -> int:
    import datetime

    return int(datetime.datetime.fromisoformat(moment[:19] + "+00:00").timestamp())


def test_bind_forms_are_checked_before_anything_is_made(cli: Cli, tmp_path: Path) -> None:
    for words, said in (
        (f"type=bind,src={tmp_path},dst=/x,bind-propagation=bogus", "invalid propagation mode: bogus"),
        ("type=bogus,dst=/x", "mount type unknown"),
    ):
        answer = cli(*RUN, "--mount", words, IMAGE, "true")
        assert (answer.code, said in answer.err) == (125, True)


def test_a_mount_below_a_read_only_bind_is_what_the_api_s_version_says(host: str, tmp_path: Path) -> None:
    """Since API 1.44 a read-only bind is so all the way down; a real Docker before it has no word for that."""
    (tmp_path / "below").mkdir()
    old = docker.DockerClient(base_url=host, version="1.41")
    try:
        mounts = [bind(tmp_path, read_only=True), {"Type": "tmpfs", "Target": "/x/below"}]
        command = ["sh", "-c", "touch /x/below/file && echo written"]
        done = old.containers.run(IMAGE, command, mounts=mounts, network_mode="none", remove=True)
    finally:
        old.close()
    assert done == b"written\n"
