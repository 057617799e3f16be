"""On the rung proot: what a container changes, builds, copies, volumes, folders."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import docker
from docker.models.containers import Container

from tests.hosts.on_binder.work import IMAGE, archive, build, entries_of, exit_code, sh
from tests.store import Store


def test_diff_commit_and_export_tell_what_was_changed(client: docker.DockerClient, running: Container) -> None:
    running.exec_run(["sh", "-c", "mkdir /new; echo x > /new/file; rm /bin/yes; chmod 600 /etc/passwd"])
    assert {(each["Path"], each["Kind"]) for each in running.diff()} == {
        ("/bin", 0),
        ("/bin/yes", 2),
        ("/etc", 0),
        ("/etc/passwd", 0),
        ("/new", 1),
        ("/new/file", 1),
    }
    running.commit("committed", "1")
    said = client.containers.run("committed:1", ["sh", "-c", "cat /new/file; test -e /bin/yes; echo $?"], remove=True)
    assert said == b"x\n1\n"
    names = {entry.name for entry in entries_of(running.export())}
    assert "new/file" in names
    assert "bin/yes" not in names


def test_an_archive_says_that_a_file_was_removed_and_that_root_has_the_rest(client: docker.DockerClient) -> None:
    built = build(client, f"FROM {IMAGE}\nRUN rm /bin/yes && mkdir /d && echo > /d/f && chmod 400 /d/f\n")
    entries = []
    with tarfile.open(fileobj=io.BytesIO(b"".join(built.save()))) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.isfile() and member.name.startswith("blobs/") else None
            content = file.read() if file is not None else b""
            if content[257:262] == b"ustar":
                with tarfile.open(fileobj=io.BytesIO(content)) as layer:
                    entries += layer.getmembers()
    found = {entry.name: entry for entry in entries}
    assert "bin/.wh.yes" in found
    assert (found["d/f"].uid, found["d/f"].gid, found["d/f"].mode) == (0, 0, 0o400)


def test_a_build_with_every_step(client: docker.DockerClient) -> None:
    dockerfile = f"""FROM {IMAGE} AS first
RUN mkdir /out && echo one > /out/one && echo two > /out/two
FROM {IMAGE}
COPY --from=first /out /in
RUN rm /in/one && echo three > /in/three && ln -s three /in/link
WORKDIR /in
RUN rm -r /in/two && cat link > copy
USER 7
CMD ["sh", "-c", "id -u; ls"]
"""
    built = build(client, dockerfile)
    assert client.containers.run(built, remove=True).split() == [b"7", b"copy", b"link", b"three"]


def test_what_a_run_mounts_is_a_copy_but_a_cache_lasts(
    store: Store, client: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("file\n")
    (tmp_path / "Dockerfile").write_text(f"""FROM {IMAGE} AS a
RUN echo stage > /s
FROM {IMAGE}
RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=secret,id=k,required \\
    --mount=from=a,target=/m,rw --mount=target=/ctx,rw \\
    cat /m/s /run/secrets/k /ctx/file > /mounted; echo > /c/x; echo > /t/x; echo > /ctx/file; echo > /m/s
RUN --mount=type=cache,target=/c ls /c > /cached; ls -d /c /t /m /ctx > /left; true
""")
    (tmp_path / "k").write_text("key\n")
    words = [sys.executable, "-m", "containerlab", "build", "-t", "mounts:1", "--secret", f"id=k,src={tmp_path}/k"]
    environment = {**os.environ, "DOCKER_HOST": store.host}
    done = subprocess.run([*words, tmp_path], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = client.containers.run("mounts:1", ["sh", "-c", "cat /mounted /cached /left; ls /"], remove=True).decode()
    assert said.split()[:4] == ["stage", "key", "file", "x"]
    assert not {"c", "t", "m", "ctx"} & set(said.split()[4:])
    assert (tmp_path / "file").read_text() == "file\n"
    assert not list(Path("/dev/shm").glob("containerlab-*"))


def test_the_same_files_make_the_same_layer_again(client: docker.DockerClient) -> None:
    dockerfile = f"FROM {IMAGE}\nARG SOURCE_DATE_EPOCH\nRUN echo a > /a; rm /bin/yes\n"
    ids = {build(client, dockerfile, nocache=True, buildargs={"SOURCE_DATE_EPOCH": "1"}).id for _ in range(2)}
    assert len(ids) == 1


def test_cp_both_ways_also_into_a_volume_and_before_the_first_start(client: docker.DockerClient) -> None:
    container = client.containers.create(IMAGE, ["cat", "/in", "/data/in"], volumes={"vol": {"bind": "/data"}})
    for place in ("/", "/data"):
        assert container.put_archive(place, archive({"in": f"{place}\n".encode()}))
    container.start()
    assert exit_code(container) == 0
    assert container.logs() == b"/\n/data\n"
    stream, status = container.get_archive("/data/in")
    assert status["size"] == 6
    assert [entry.name for entry in entries_of(stream)] == ["in"]


def test_a_volume_is_shared_and_begins_with_the_images_content(client: docker.DockerClient) -> None:
    assert "passwd" in sh(client, "echo v > /etc/own; ls /etc", volumes={"etc": {"bind": "/etc"}})
    assert sh(client, "cat /mnt/own", volumes={"etc": {"bind": "/mnt", "mode": "ro"}}) == "v\n"


def test_a_folder_of_the_host_is_bound(client: docker.DockerClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("host\n")
    assert sh(client, "cat /m/file; echo c > /m/new", volumes={str(tmp_path): {"bind": "/m"}}) == "host\n"
    assert (tmp_path / "new").read_text() == "c\n"


def test_a_tmpfs_is_empty_at_each_start(client: docker.DockerClient) -> None:
    script = "ls /scratch; touch /scratch/x"
    container = client.containers.create(IMAGE, ["sh", "-c", script], tmpfs={"/scratch": ""})
    for _ in range(2):
        container.start()
        container.wait()
    assert container.logs() == b""
