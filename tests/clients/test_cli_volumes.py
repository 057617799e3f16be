"""Volumes, by the real command line: named and anonymous, their content, their users, their end."""

from __future__ import annotations

import json
import uuid

import pytest

IMAGE = "lab/busybox"
RUN = ("run", "--rm", "--network", "none")


@pytest.fixture
def volume(cli):
    """A volume name of the test's own, removed at the end."""
    chosen = f"v{uuid.uuid4().hex[:10]}"
    yield chosen
    cli("volume", "rm", "-f", chosen)


@pytest.fixture
def content(cli, tmp_path):
    """An image with a file at /data."""
    tag = f"t{uuid.uuid4().hex[:10]}:1"
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN mkdir /data && echo image > /data/file && chown 7:8 /data\n"
    )
    cli.ok("build", "-t", tag, str(tmp_path))
    yield tag
    cli("rmi", "-f", tag)


def test_what_is_written_into_a_volume_stays(cli, volume):
    cli.ok("volume", "create", "--label", "of=test", volume)
    cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "sh", "-c", "echo kept > /data/file")
    assert cli.ok(*RUN, "-v", f"{volume}:/data:ro", IMAGE, "cat", "/data/file") == "kept"
    assert cli(*RUN, "-v", f"{volume}:/data:ro", IMAGE, "touch", "/data/x").code != 0
    [shown] = json.loads(cli.ok("volume", "inspect", volume))
    assert (shown["Name"], shown["Driver"], shown["Scope"]) == (volume, "local", "local")
    assert shown["Labels"] == {"of": "test"}


def test_run_makes_a_named_volume_that_is_not_there(cli, volume):
    cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "true")
    assert volume in cli.ok("volume", "ls", "-q").split()


def test_a_new_volume_begins_with_the_images_content(cli, volume, content):
    look = "cat /data/file; stat -c '%u:%g' /data"
    assert cli.ok(*RUN, "-v", f"{volume}:/data", content, "sh", "-c", look).splitlines() == ["image", "7:8"]
    cli.ok(*RUN, "-v", f"{volume}:/data", content, "sh", "-c", "echo changed > /data/file")
    assert cli.ok(*RUN, "-v", f"{volume}:/data", content, "cat", "/data/file") == "changed"


def test_nocopy_leaves_it_empty(cli, volume, content):
    assert cli.ok(*RUN, "-v", f"{volume}:/data:nocopy", content, "ls", "/data") == ""
    cli.ok("volume", "rm", volume)
    mount = f"type=volume,src={volume},dst=/data,volume-nocopy"
    assert cli.ok(*RUN, "--mount", mount, content, "ls", "/data") == ""


def test_a_volume_in_use_is_not_removed(cli, volume, name):
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    answer = cli("volume", "rm", volume)
    assert answer.code == 1
    assert "volume is in use" in answer.err
    assert cli.ok("volume", "ls", "-q", "-f", "dangling=true", "-f", f"name={volume}") == ""
    cli.ok("rm", name)
    assert cli.ok("volume", "ls", "-q", "-f", "dangling=true", "-f", f"name={volume}") == volume
    assert cli.ok("volume", "rm", volume) == volume


def test_an_anonymous_volume_outlives_its_container_unless_asked(cli, name):
    def anonymous() -> str:
        return cli.ok("inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", name)

    cli.ok("create", "--network", "none", "--name", name, "-v", "/data", IMAGE, "true")
    first = anonymous()
    cli.ok("rm", name)
    assert first in cli.ok("volume", "ls", "-q").split()
    cli.ok("volume", "rm", first)
    cli.ok("create", "--network", "none", "--name", name, "-v", "/data", IMAGE, "true")
    second = anonymous()
    cli.ok("rm", "-v", name)
    assert second not in cli.ok("volume", "ls", "-q").split()


def test_an_auto_removed_container_takes_its_anonymous_volumes_along(cli, volume):
    before = set(cli.ok("volume", "ls", "-q").split())
    cli.ok(*RUN, "-v", "/data", "-v", f"{volume}:/named", IMAGE, "true")
    assert set(cli.ok("volume", "ls", "-q").split()) - before == {volume}


def test_volumes_from_another_container(cli, volume, name):
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    cli.ok(*RUN, "--volumes-from", name, IMAGE, "sh", "-c", "echo shared > /data/file")
    assert cli.ok(*RUN, "--volumes-from", f"{name}:ro", IMAGE, "cat", "/data/file") == "shared"
    assert cli(*RUN, "--volumes-from", f"{name}:ro", IMAGE, "touch", "/data/x").code != 0


def test_a_volume_that_is_a_folder_of_the_host(cli, volume, tmp_path):
    (tmp_path / "hello").write_text("from the host\n")
    options = ("-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}")
    cli.ok("volume", "create", *options, volume)
    assert cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "cat", "/data/hello") == "from the host"
    cli.ok("volume", "rm", volume)
    assert (tmp_path / "hello").exists()


def test_prune_takes_what_nobody_uses(cli, volume, name):
    cli.ok("create", "--network", "none", "--name", name, "-v", "/data", IMAGE, "true")
    anonymous = cli.ok("inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", name)
    cli.ok("volume", "create", volume)
    assert anonymous not in cli.ok("volume", "prune", "-f")
    cli.ok("rm", name)
    assert anonymous in cli.ok("volume", "prune", "-f")


@pytest.mark.parametrize("bad", ["a", "-x", "a/b", "..", "a b", "x" * 300])
def test_a_name_that_cannot_be(cli, bad):
    assert cli("volume", "create", "--", bad).code != 0


def test_unknown_volumes_and_drivers_are_named(cli, volume):
    assert "no such volume" in cli("volume", "inspect", "nothing-of-this-name").err.lower()
    assert "nosuch" in cli("volume", "create", "-d", "nosuch", volume).err


@pytest.mark.ours("Docker learns it at the first mount")
def test_a_volume_that_could_never_be_mounted_is_refused_when_it_is_made(cli, volume):
    assert cli("volume", "create", "-o", "type=nfs", "-o", "device=:/x", volume).code != 0
