"""``volume-subpath``: one folder (or file) of a volume, and no link that leads out of it."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from tests.volumes.conftest import IMAGE, of_volume

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def _api(client: docker.DockerClient) -> None:
    if docker.utils.compare_version(client.version()["ApiVersion"], "1.45") > 0:
        pytest.skip("this Docker knows no subpath")


def test_a_part_of_a_volume_is_mounted_and_nothing_beside_it(run: Run, volume: str) -> None:
    run([of_volume(volume)], "mkdir -p /x/a/b; echo deep > /x/a/b/file; echo secret > /x/secret")
    part = [of_volume(volume, Subpath="a/b")]
    assert run(part, "ls -a /x; ls /x/..").split() == [".", "..", "file", *run([], "ls /").split(), "x"]
    run(part, "echo new > /x/file")
    assert run([of_volume(volume, read_only=True)], "cat /x/a/b/file") == "new"


def test_a_file_can_be_the_part(run: Run, volume: str) -> None:
    run([of_volume(volume)], "echo one > /x/file")
    assert run([of_volume(volume, "/etc/motd", Subpath="file")], "cat /etc/motd") == "one"


def test_a_part_is_filled_with_the_image_s_content_while_it_is_empty(run: Run, volume: str, content: str) -> None:
    run([of_volume(volume)], "mkdir /x/part")
    assert run([of_volume(volume, "/data", Subpath="part")], "cat /data/file", image=content) == "image"
    assert run([of_volume(volume)], "ls /x /x/part").split() == ["/x:", "part", "/x/part:", "deep", "file", "link"]


@pytest.mark.parametrize("target", ["/", "/etc", "..", "../..", "../../../../../../etc", "/proc/self/root"])
def test_a_link_that_leads_out_of_the_volume_is_not_followed(run: Run, volume: str, target: str) -> None:
    run([of_volume(volume)], f"ln -s {target} /x/out; mkdir /x/in; ln -s ../out /x/in/out")
    for subpath in ("out", "in/out", "out/etc"):
        with pytest.raises(docker.errors.APIError, match="path concatenation escapes the base directory"):
            run([of_volume(volume, Subpath=subpath)], "ls /x")


def test_a_link_that_stays_inside_is_followed(run: Run, volume: str) -> None:
    run([of_volume(volume)], "mkdir -p /x/a/b; echo here > /x/a/b/file; ln -s a/b /x/in; ln -s ../a /x/a/up")
    assert run([of_volume(volume, Subpath="in")], "cat /x/file") == "here"
    assert run([of_volume(volume, Subpath="a/up/b")], "cat /x/file") == "here"


def test_a_link_swapped_while_containers_start_never_shows_the_host(
    run: Run, client: docker.DockerClient, volume: str, name: str
) -> None:
    """The attack of CVE-2017-1002101: what was looked at is not what is mounted."""
    run([of_volume(volume)], "mkdir /x/real; echo inside > /x/real/hostname; ln -s /etc /x/link; cp -r /x/real /x/p")
    swap = "cd /x; while true; do mv p q; mv link p; mv p link; mv q p; done"
    client.containers.run(
        IMAGE, ["sh", "-c", swap], name=name, mounts=[of_volume(volume)], network_mode="none", detach=True
    )
    shown = set()
    for _ in range(40):
        try:
            shown.add(run([of_volume(volume, Subpath="p")], "cat /x/hostname"))
        except docker.errors.APIError:
            shown.add("refused")
    assert shown <= {"inside", "refused"}


def test_a_part_that_isn_t_there_is_said_so_at_the_start(client: docker.DockerClient, volume: str, name: str) -> None:
    made = client.containers.create(
        IMAGE, ["true"], name=name, mounts=[of_volume(volume, Subpath="missing")], network_mode="none"
    )
    where = client.volumes.get(volume).attrs["Mountpoint"]
    with pytest.raises(docker.errors.NotFound) as refused:
        made.start()
    path = f"{where}/missing"
    assert refused.value.explanation == f"cannot access path {path}: lstat {path}: no such file or directory"
    made.reload()
    assert (made.status, made.attrs["State"]["ExitCode"]) == ("created", 128)


@pytest.mark.parametrize("path", ["/etc", "..", "../x", "a/../../b"])
def test_a_part_outside_by_its_words_makes_no_container(run: Run, volume: str, path: str) -> None:
    with pytest.raises(docker.errors.APIError, match="subpath must be a relative path within the volume") as refused:
        run([of_volume(volume, Subpath=path)], "true")
    assert refused.value.status_code == 400


def test_an_anonymous_volume_has_no_parts(run: Run) -> None:
    with pytest.raises(docker.errors.APIError, match="must not set Subpath when using anonymous volumes"):
        run([of_volume("", Subpath="a")], "true")


def test_an_older_api_has_no_word_for_it(host: str, volume: str) -> None:
    old = docker.DockerClient(base_url=host, version="1.44")
    try:
        with pytest.raises(docker.errors.APIError, match=r"VolumeOptions\.Subpath needs API v1\.45 or newer"):
            old.containers.create(IMAGE, ["true"], mounts=[of_volume(volume, Subpath="a")])
    finally:
        old.close()
