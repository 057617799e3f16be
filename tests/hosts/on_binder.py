"""Run by test_binder in a Binder-like host: everything that a class does, on the rung proot."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import nbformat
import pytest
from docker.models.containers import Container
from nbclient import NotebookClient

from containerlab import paths
from tests.store import Store
from tests.waiting import eventually

if os.environ.get("CONTAINERLAB_TEST_HOST") != "binder":
    pytest.skip("for a Binder-like host (tests/hosts/binder.py)", allow_module_level=True)

IMAGE = "lab/busybox"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("proot") / "store")
    made.start()
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def client(store: Store) -> Iterator[docker.DockerClient]:
    store.start()
    made = docker.DockerClient(base_url=store.host)
    yield made
    for container in made.containers.list(all=True):
        container.remove(force=True)
    made.close()


@pytest.fixture
def running(client: docker.DockerClient) -> Container:
    container = client.containers.run(IMAGE, ["sleep", "300"], detach=True)
    return container


def sh(client: docker.DockerClient, script: str, **options: object) -> str:
    """What a shell in a new container says."""
    return client.containers.run(IMAGE, ["sh", "-c", script], remove=True, **options).decode()


def processes(words: str) -> list[int]:
    """The processes of this host, which is ours alone, whose command line has ``words``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words in line:
                found.append(int(entry.name))
    return found


def exit_code(container: Container) -> int:
    return int(container.wait(timeout=30)["StatusCode"])


# -- processes ---------------------------------------------------------------------------------------------


def test_a_container_sees_its_image_and_is_root_in_it(client: docker.DockerClient) -> None:
    said = sh(
        client,
        "id -u; pwd; echo $A; cat /etc/hostname; test -e /home/jovyan; echo $?",
        environment={"A": "b"},
        hostname="box",
    )
    assert said.split() == ["0", "/", "b", "box", "1"]


def test_a_working_directory_is_made_and_a_user_is_imitated(client: docker.DockerClient) -> None:
    assert sh(client, "pwd; id -u; id -g; touch /f; echo $HOME", user="5:6", working_dir="/some/where").split() == [
        "/some/where",
        "5",
        "6",
        "/",
    ]


@pytest.mark.parametrize("code", [0, 3, 255])
def test_an_exit_code_is_the_programs(client: docker.DockerClient, code: int) -> None:
    assert exit_code(client.containers.run(IMAGE, ["sh", "-c", f"exit {code}"], detach=True)) == code


def test_a_signal_of_its_own_is_128_and_its_number(client: docker.DockerClient) -> None:
    assert exit_code(client.containers.run(IMAGE, ["sh", "-c", "kill -USR1 $$"], detach=True)) == 138


def test_a_program_that_is_not_there_is_refused_in_dockers_words(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.APIError, match=r'exec: "nosuch": executable file not found in \$PATH'):
        client.containers.run(IMAGE, ["nosuch"])
    with pytest.raises(docker.errors.APIError, match=r'exec: "/etc": permission denied'):
        client.containers.run(IMAGE, ["/etc"])


def test_stop_and_kill_reach_the_program(client: docker.DockerClient) -> None:
    trap = "trap 'echo got; exit 4' TERM; echo ready; while :; do sleep 0.05; done"
    container = client.containers.run(IMAGE, ["sh", "-c", trap], detach=True)
    eventually(lambda: b"ready" in container.logs(), 10)
    container.stop(timeout=10)
    assert exit_code(container) == 4
    assert container.logs() == b"ready\ngot\n"
    other = client.containers.run(IMAGE, ["sleep", "300"], detach=True)
    other.kill()
    assert exit_code(other) == 137


def test_nothing_of_a_container_outlives_its_program(client: docker.DockerClient) -> None:
    script = "(sleep 4321 &) ; sleep 4321 & setsid sleep 4321 & exec setsid sh -c 'sleep 4321 & exit 3'"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
    assert exit_code(container) in (0, 3)
    eventually(lambda: not processes("sleep 4321"), 10)


def test_nothing_of_a_container_outlives_a_proot_that_is_killed(client: docker.DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "4322"], detach=True)
    eventually(lambda: len(processes("sleep 4322")) >= 3, 10)  # proot, the init, the program
    container.reload()
    os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)
    assert exit_code(container) == 137
    eventually(lambda: not processes("sleep 4322"), 10)


def test_exec_is_in_the_same_root_and_ends_with_it(running: Container) -> None:
    code, said = running.exec_run(["sh", "-c", "echo here > /mark; cat /mark; exit 5"])
    assert (code, said) == (5, b"here\n")
    running.exec_run(["sleep", "4323"], detach=True)
    eventually(lambda: bool(processes("sleep 4323")), 10)
    running.kill()
    eventually(lambda: not processes("sleep 4323"), 10)


def test_a_terminal(client: docker.DockerClient) -> None:
    script = "test -t 0 && test -t 1 && stty size"
    container = client.containers.create(IMAGE, ["sh", "-c", script], tty=True)
    container.start()
    assert exit_code(container) == 0, container.logs()


def test_what_a_loader_would_obey_reaches_the_program_alone(client: docker.DockerClient) -> None:
    assert sh(client, "echo $LD_PRELOAD $X", environment={"LD_PRELOAD": "/no.so", "X": "y"}) == "/no.so y\n"


def test_top_shows_the_programs_and_no_tracer(running: Container) -> None:
    eventually(lambda: [row[-1] for row in running.top()["Processes"] or []] == ["sleep 300"], 10)


# -- life --------------------------------------------------------------------------------------------------


def test_a_container_keeps_its_files_over_a_restart(running: Container) -> None:
    running.exec_run(["sh", "-c", "echo kept > /kept"])
    running.restart(timeout=1)
    assert running.exec_run(["cat", "/kept"])[1] == b"kept\n"


def test_containers_of_one_image_share_no_file(client: docker.DockerClient) -> None:
    assert sh(client, "echo spoilt > /etc/passwd; rm /bin/yes; echo x >> /bin/busybox; echo done") == "done\n"
    assert sh(client, "head -c 4 /etc/passwd; test -e /bin/yes && echo there").startswith("root")


def test_a_spare_root_is_ready_for_the_next_container_and_goes_with_the_image(
    store: Store, client: docker.DockerClient
) -> None:
    built = _build(client, f"FROM {IMAGE}\nRUN echo mine > /mine\n")
    client.containers.run(built, ["true"], remove=True)
    found = "layers/*/spare/rootfs/mine"
    eventually(lambda: bool(list(store.folder.glob(found))), 20)
    (spare,) = (path.parents[1] for path in store.folder.glob(found))
    inode = (spare / "rootfs/etc").stat().st_ino
    container = client.containers.create(built, ["sh", "-c", "stat -c %i /etc; cat /mine; echo > /etc/passwd"])
    container.start()
    assert exit_code(container) == 0
    assert container.logs().decode().split() == [str(inode), "mine"]
    assert [each["Path"] for each in container.diff()] == ["/etc", "/etc/passwd"]
    eventually(spare.exists, 20)
    assert (spare / "rootfs/etc/passwd").read_text()[:4] == "root"
    container.remove()
    client.images.remove(built.id)
    assert not spare.exists()


def test_containers_live_on_when_the_engine_is_killed(store: Store, client: docker.DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sh", "-c", "sleep 2; echo end; exit 6"], detach=True)
    store.kill()
    store.start()
    again = docker.DockerClient(base_url=store.host)
    found = again.containers.get(container.id)
    assert exit_code(found) == 6
    assert found.logs() == b"end\n"
    again.close()


def test_containers_end_when_the_supervisor_is_killed(store: Store, client: docker.DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "4324"], detach=True)
    eventually(lambda: bool(processes("sleep 4324")), 10)
    record = paths.run_folder(store.folder) / "supervisor.json"
    os.kill(int(re.findall(r'"pid": (\d+)', record.read_text())[0]), signal.SIGKILL)
    eventually(lambda: not processes("sleep 4324"), 30)
    store.start()
    again = docker.DockerClient(base_url=store.host)
    assert again.containers.get(container.id).attrs["State"]["ExitCode"] == 137
    again.close()


# -- files -------------------------------------------------------------------------------------------------


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
    names = {entry.name for entry in _tar(running.export())}
    assert "new/file" in names
    assert "bin/yes" not in names


def test_an_archive_says_that_a_file_was_removed_and_that_root_has_the_rest(client: docker.DockerClient) -> None:
    built = _build(client, f"FROM {IMAGE}\nRUN rm /bin/yes && mkdir /d && echo > /d/f && chmod 400 /d/f\n")
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
    built = _build(client, dockerfile)
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
    ids = {_build(client, dockerfile, nocache=True, buildargs={"SOURCE_DATE_EPOCH": "1"}).id for _ in range(2)}
    assert len(ids) == 1


def test_cp_both_ways_also_into_a_volume_and_before_the_first_start(client: docker.DockerClient) -> None:
    container = client.containers.create(IMAGE, ["cat", "/in", "/data/in"], volumes={"vol": {"bind": "/data"}})
    for place in ("/", "/data"):
        assert container.put_archive(place, _archive({"in": f"{place}\n".encode()}))
    container.start()
    assert exit_code(container) == 0
    assert container.logs() == b"/\n/data\n"
    stream, status = container.get_archive("/data/in")
    assert status["size"] == 6
    assert [entry.name for entry in _tar(stream)] == ["in"]


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


# -- network -----------------------------------------------------------------------------------------------


def test_names_of_a_network_lead_to_the_shared_loopback(client: docker.DockerClient) -> None:
    network = client.networks.create("lab")
    try:
        web = client.containers.run(IMAGE, ["sleep", "300"], name="web", network="lab", detach=True)
        said = sh(client, "cat /etc/hosts", network="lab")
        assert re.search(r"^127\.0\.0\.1\tweb ", said, re.MULTILINE)
        assert "web" not in sh(client, "cat /etc/hosts")
        later = client.containers.run(IMAGE, ["sleep", "300"], name="later", network="lab", detach=True)
        assert b"later" in web.exec_run(["cat", "/etc/hosts"])[1]
        for container in (web, later):
            container.remove(force=True)
    finally:
        network.remove()


def test_a_published_port_is_passed_on_where_its_number_differs(client: docker.DockerClient) -> None:
    script = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port=18081)"
    container = client.containers.run("lab/python", ["python3", "-c", script], ports={"18081/tcp": 18080}, detach=True)
    assert container.client.api.port(container.id, 18081) == [{"HostIp": "127.0.0.1", "HostPort": "18080"}]
    for port in (18080, 18081):
        eventually(lambda port=port: b"200 OK" in _get(port), 30)
    container.kill()
    eventually(lambda: not _get(18080), 10)


# -- lessons -------------------------------------------------------------------------------------------------

# The others have cells that need namespaces and don't yet say so in a note of their own.
LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("0[1-6]-*.ipynb"))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_to_its_end(store: Store, lesson: Path) -> None:
    """Its outputs are this host's; a cell that needs a virtual machine may fail, and says why."""
    store.start()
    notebook = nbformat.read(lesson, as_version=4)
    environment = {**os.environ, "CONTAINERLAB_STORE": str(store.folder), "CONTAINERLAB_PROGRESS": "final"}
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(env=environment)
    shown = nbformat.writes(notebook)
    assert "This host gives no namespaces" in shown


# -- what can't be had ---------------------------------------------------------------------------------------


def test_what_is_lost_is_named_when_a_container_is_made(client: docker.DockerClient) -> None:
    made = client.api.create_container(
        IMAGE,
        "true",
        host_config=client.api.create_host_config(
            mem_limit="64m", pids_limit=5, read_only=True, cap_add=["SYS_ADMIN"], tmpfs={"/t": ""}, network_mode="none"
        ),
    )
    said = "\n".join(made["Warnings"])
    for words in (
        "This host gives no namespaces",
        "--read-only can't be had",
        "--cap-add and --cap-drop can't be had",
        "--tmpfs /t can't be had",
        "--network none can't be had",
        "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
        "PIDs limit discarded.",
    ):
        assert words in said


def test_what_can_not_be_done_at_all_is_refused_by_name(client: docker.DockerClient, running: Container) -> None:
    with pytest.raises(docker.errors.APIError, match="no freezer cgroup can be had here"):
        running.pause()
    with pytest.raises(docker.errors.APIError, match="--runtime vm needs a mount namespace"):
        client.containers.create(IMAGE, "true", runtime="vm")


def test_doctor_tells_the_rung_and_what_it_costs() -> None:
    done = subprocess.run([sys.executable, "-m", "containerlab", "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "rung     proot" in done.stdout
    assert "processes kept apart: a program sees those of the host" in done.stdout
    assert "a seccomp filter around this process refuses user namespaces" in done.stdout


def test_every_record_has_its_files(store: Store, client: docker.DockerClient) -> None:
    assert client.api._result(client.api._get(f"{client.api.base_url}/containerlab/check"), json=True) == {
        "problems": [],
        "repaired": [],
    }
    # What was removed is cleared away in the background.
    eventually(lambda: list((store.folder / "tmp").iterdir()) == [], 20)


def _build(client: docker.DockerClient, dockerfile: str, **options: object) -> docker.models.images.Image:
    return client.images.build(fileobj=_archive({"Dockerfile": dockerfile.encode()}), custom_context=True, **options)[0]


def _archive(files: dict[str, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    out.seek(0)
    return out


def _tar(pieces: Iterator[bytes]) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        return archive.getmembers()


def _get(port: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100)
    except OSError:
        return b""
