"""The real command line moves images and containers as tars: save, load, import, export, commit."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import tarfile
import time
import uuid
from pathlib import Path

import pytest

IMAGE = "lab/busybox"


@pytest.fixture
def tag(cli):
    """An image name of the test's own, removed at the end."""
    chosen = f"t{uuid.uuid4().hex[:10]}:1"
    yield chosen
    cli("rmi", "-f", chosen)


def names(tar: Path | bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar if isinstance(tar, bytes) else tar.read_bytes())) as opened:
        return [member.name for member in opened]


def read(tar: Path, name: str) -> bytes:
    with tarfile.open(tar) as opened:
        file = opened.extractfile(name)
        assert file is not None
        return file.read()


def output(cli, *words: str) -> bytes:
    """Standard output as bytes of a command that must succeed."""
    done = subprocess.run([cli.program, *words], env=cli.environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(cli, tag: str, name: str) -> str:
    """An image of one more layer; its id."""
    cli.ok("run", "--name", name, "--network", "none", IMAGE, "sh", "-c", f"echo {tag} > /mark; ln /mark /twin")
    cli.ok("commit", "-c", 'CMD ["cat", "/mark"]', name, tag)
    cli.ok("rm", name)
    return cli.ok("inspect", "-f", "{{.Id}}", tag)


def test_save_and_load_give_the_same_image(cli, tag, name, tmp_path):
    image = made(cli, tag, name)
    layers = cli.ok("inspect", "-f", "{{json .RootFS.Layers}}", tag)
    saved = tmp_path / "saved.tar"
    cli.ok("save", "-o", str(saved), tag)
    cli.ok("rmi", tag)
    assert f"Loaded image: {tag}" in cli.ok("load", "-i", str(saved))
    assert cli.ok("inspect", "-f", "{{.Id}}", tag) == image
    assert cli.ok("inspect", "-f", "{{json .RootFS.Layers}}", tag) == layers
    assert cli.ok("run", "--rm", "--network", "none", tag) == tag


def test_the_manifest_names_config_layers_and_tags(cli, tag, name, tmp_path):
    made(cli, tag, name)
    saved = tmp_path / "saved.tar"
    saved.write_bytes(output(cli, "save", tag))
    [entry] = json.loads(read(saved, "manifest.json"))
    assert entry["RepoTags"] == [tag]
    assert len(entry["Layers"]) == len(json.loads(read(saved, entry["Config"]))["rootfs"]["diff_ids"])
    assert set(entry["Layers"]) <= set(names(saved))
    repository, _, version = tag.partition(":")
    assert version in json.loads(read(saved, "repositories"))[repository]


def test_several_images_and_all_tags_of_a_repository(cli, tag, tmp_path):
    repository = tag.partition(":")[0]
    cli.ok("tag", IMAGE, tag)
    cli.ok("tag", IMAGE, f"{repository}:2")
    saved = tmp_path / "saved.tar"
    cli.ok("save", "-o", str(saved), repository, IMAGE)
    [entry] = json.loads(read(saved, "manifest.json"))
    assert set(entry["RepoTags"]) == {tag, f"{repository}:2", f"{IMAGE}:latest"}
    cli.ok("rmi", tag, f"{repository}:2")
    told = cli.ok("load", "-i", str(saved))
    assert all(f"Loaded image: {each}" in told for each in entry["RepoTags"])
    cli.ok("rmi", f"{repository}:2")


def test_an_image_saved_by_id_loads_without_a_name(cli, tag, name, tmp_path):
    image = made(cli, tag, name)
    saved = tmp_path / "saved.tar"
    cli.ok("save", "-o", str(saved), image)
    cli.ok("rmi", tag)
    assert f"Loaded image ID: {image}" in cli.ok("load", "-i", str(saved))
    cli.ok("rmi", image)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_load_takes_a_compressed_archive(cli, tag, name, pack):
    made(cli, tag, name)
    saved = output(cli, "save", tag)
    cli.ok("rmi", tag)
    assert f"Loaded image: {tag}" in cli.ok("load", stdin=pack(saved))


def test_a_quiet_load_only_says_what_was_loaded(cli, tag, name):
    made(cli, tag, name)
    saved = output(cli, "save", tag)
    cli.ok("rmi", tag)
    assert cli.ok("load", "-q", stdin=saved) == f"Loaded image: {tag}"


def test_a_broken_archive_is_refused_and_leaves_nothing(cli, tag, name):
    made(cli, tag, name)
    saved = output(cli, "save", tag)
    cli.ok("rmi", tag)
    assert cli("load", stdin=saved[: len(saved) // 2]).code == 1
    assert cli("image", "inspect", tag).code == 1


def test_a_client_that_leaves_in_the_middle_of_a_load_leaves_nothing(cli, tag, name):
    made(cli, tag, name)
    saved = output(cli, "save", tag)
    cli.ok("rmi", tag)
    with cli.running("load") as process:
        process.stdin.write(saved[: len(saved) // 2])
        process.stdin.flush()
        time.sleep(0.2)
        process.kill()
    assert cli("image", "inspect", tag).code == 1
    assert f"Loaded image: {tag}" in cli.ok("load", stdin=saved)


def test_a_reader_that_leaves_in_the_middle_of_a_save_ends_it(cli):
    for words in (("save", IMAGE), ("export", "nobody-here")):
        with cli.running(*words) as process:
            process.stdout.read(10_000)
            process.kill()
    assert cli.ok("version", "--format", "{{.Server.Os}}") == "linux"


def test_saving_an_unknown_image_is_an_error(cli, tmp_path):
    answer = cli("save", "-o", str(tmp_path / "none.tar"), "lab/nothing-of-this-name")
    assert answer.code == 1
    assert "nothing-of-this-name" in answer.err


def test_export_has_the_whole_root_of_a_stopped_container(cli, name):
    script = "mkdir /made; echo x > /made/file; rm /etc/passwd; mkfifo /made/pipe"
    cli.ok("run", "--name", name, "--network", "none", "-v", "/data", IMAGE, "sh", "-c", f"{script}; echo y > /data/y")
    listed = [each.rstrip("/") for each in names(output(cli, "export", name))]
    assert {"made/file", "made/pipe", "bin/busybox", "data"} <= set(listed)
    assert "etc/passwd" not in listed
    assert "data/y" not in listed
    assert len(listed) == len(set(listed))


def test_export_of_a_running_container_shows_none_of_its_mounts(cli, name, tmp_path):
    (tmp_path / "bound").mkdir(exist_ok=True)
    (tmp_path / "bound/outside").write_text("of the host")
    bind = f"{tmp_path / 'bound'}:/bound"
    script = "echo up > /up; ln -s / /out; touch /ready; sleep 1000"
    cli.ok("run", "-d", "--name", name, "--network", "none", "-v", bind, IMAGE, "sh", "-c", script)
    deadline = time.monotonic() + 10
    while cli("exec", name, "test", "-e", "/ready").code and time.monotonic() < deadline:
        time.sleep(0.05)
    listed = [each.rstrip("/") for each in names(output(cli, "export", name))]
    assert {"up", "out", "bound", "proc", "sys", "dev"} <= set(listed)
    assert not [each for each in listed if each.startswith(("proc/", "sys/", "bound/", "out/"))]


@pytest.mark.ids
def test_import_of_an_export_is_an_image_with_the_changes(cli, tag, name):
    cli.ok("run", "--name", name, "--network", "none", IMAGE, "sh", "-c", "echo kept > /kept")
    exported = output(cli, "export", name)
    words = ("-c", 'CMD ["cat", "/kept"]', "-c", "ENV A=1 B=$A", "-c", "EXPOSE 80/tcp 53/udp", "-c", "USER nobody")
    more = ("-c", "LABEL k=v", "-c", "WORKDIR /tmp/x", "-c", "VOLUME /v", "-m", "by hand")
    image = cli.ok("import", *words, *more, "-", tag, stdin=gzip.compress(exported))
    assert image == cli.ok("inspect", "-f", "{{.Id}}", tag)
    config = json.loads(cli.ok("inspect", "-f", "{{json .Config}}", tag))
    assert (config["Cmd"], config["Env"], config["User"]) == (["cat", "/kept"], ["A=1", "B="], "nobody")
    assert set(config["ExposedPorts"]) == {"80/tcp", "53/udp"}
    assert (config["Labels"], config["WorkingDir"]) == ({"k": "v"}, "/tmp/x")
    assert set(config["Volumes"]) == {"/v"}
    assert cli.ok("history", "--format", "{{.Comment}}", tag) == "by hand"
    assert cli.ok("run", "--rm", "--network", "none", tag) == "kept"


@pytest.mark.parametrize("change", ["RUN true", "FROM scratch", "COPY a b", "ENV", "EXPOSE nowhere"])
def test_a_change_that_is_none_is_refused(cli, tag, name, change):
    cli.ok("create", "--name", name, "--network", "none", IMAGE, "true")
    assert cli("commit", "-c", change, name, tag).code == 1
    assert cli("import", "-c", change, "-", tag, stdin=bytes(1024)).code == 1
    assert cli("image", "inspect", tag).code == 1


def test_commit_keeps_what_the_container_is(cli, tag, name):
    options = ("-e", "FROM_RUN=1", "-l", "own=yes", "-w", "/tmp", "-u", "root")
    cli.ok("run", "--name", name, "--network", "none", *options, IMAGE, "sh", "-c", "rm -r /home; echo $FROM_RUN > /f")
    image = cli.ok("commit", "-m", "a word", "-a", "Ada", "-c", "LABEL more=too", "-c", "CMD cat /f", name, tag)
    [shown] = json.loads(cli.ok("image", "inspect", tag))
    assert (shown["Id"], shown["Author"], shown["Comment"]) == (image, "Ada", "a word")
    config = shown["Config"]
    assert "FROM_RUN=1" in config["Env"]
    assert config["Labels"]["own"] == "yes" and config["Labels"]["more"] == "too"
    assert (config["WorkingDir"], config["User"]) == ("/tmp", "root")
    assert config["Cmd"] == ["/bin/sh", "-c", "cat /f"]
    assert cli.ok("run", "--rm", "--network", "none", tag) == "1"
    assert cli("run", "--rm", "--network", "none", tag, "test", "-e", "/home").code == 1
    assert "echo $FROM_RUN" in cli.ok("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag).splitlines()[0]


def test_commit_leaves_the_container_its_layer(cli, tag, name):
    cli.ok("run", "--name", name, "--network", "none", IMAGE, "sh", "-c", "echo again >> /log; cat /log")
    cli.ok("commit", name, tag)
    assert cli.ok("start", "-a", name) == "again\nagain"
    assert cli.ok("run", "--rm", "--network", "none", tag, "cat", "/log") == "again"


def test_a_commit_without_changes_makes_no_layer(cli, tag, name):
    cli.ok("run", "--name", name, "--network", "none", IMAGE, "true")
    cli.ok("commit", name, tag)
    assert cli.ok("inspect", "-f", "{{json .RootFS.Layers}}", tag) == cli.ok(
        "inspect", "-f", "{{json .RootFS.Layers}}", IMAGE
    )


@pytest.mark.parametrize("options", [(), ("--pause=false",)], ids=["paused", "live"])
@pytest.mark.counted
def test_commit_of_a_running_container(cli, tag, name, options):
    script = "echo up > /up; i=0; while :; do i=$((i+1)); echo $i > /busy; done"
    cli.ok("run", "-d", "--name", name, "--network", "none", IMAGE, "sh", "-c", script)
    deadline = time.monotonic() + 10
    while cli("exec", name, "test", "-e", "/busy").code and time.monotonic() < deadline:
        time.sleep(0.05)
    cli.ok("commit", *options, name, tag)
    assert cli.ok("inspect", "-f", "{{.State.Status}}", name) == "running"
    assert cli.ok("run", "--rm", "--network", "none", tag, "cat", "/up") == "up"


def test_events_tell_of_it(cli, tag, name):
    begin = str(time.time())
    image = made(cli, tag, name)
    saved = output(cli, "save", tag)
    cli.ok("load", stdin=saved)
    told = cli.ok("events", "--since", begin, "--until", str(time.time() + 0.1), "--format", "{{json .}}").splitlines()
    events = [json.loads(line) for line in told]
    [commit] = [event for event in events if event["Action"] == "commit"]
    assert commit["Actor"]["Attributes"]["imageID"] == image
    assert {"save", "load"} <= {event["Action"] for event in events if event["Actor"]["ID"] == image}
