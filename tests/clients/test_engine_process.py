"""The engine as a process: started by its clients, once; killed; idle; other users; reasons for a failure."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import docker
import pytest

from containerlab import client as lab_client
from containerlab import paths
from containerlab.errors import EngineUnreachable
from tests.waiting import eventually

IMAGE = "lab/busybox"


@pytest.fixture
def own(store, monkeypatch):
    """``connect()`` finds this test's store."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("CONTAINERLAB_HOST", raising=False)
    monkeypatch.setenv("CONTAINERLAB_STORE", str(store.folder))
    return store


def test_connect_starts_the_engine_in_a_session_without_a_terminal(own):
    assert lab_client.connect().ping()
    [pid] = own.pids()
    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    parent, session = int(status[1]), int(status[3])
    assert parent != os.getpid()
    assert session not in (os.getsid(0), pid)
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")


def test_the_starter_is_left_with_no_child(own):
    code = (
        "import os, sys; from containerlab.client import connect; connect().ping()\n"
        "try: os.waitpid(-1, os.WNOHANG); sys.exit(1)\n"
        "except ChildProcessError: pass"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_without_start_a_missing_engine_is_an_error(own):
    with pytest.raises(EngineUnreachable):
        lab_client.connect(start=False)
    assert own.pids() == []


def test_two_at_once_start_one_engine(own):
    code = "from containerlab.client import connect; print(connect().ping())"
    starters = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    assert [starter.communicate(timeout=60)[0] for starter in starters] == [b"True\n"] * 4
    assert len(own.pids()) == 1


def test_a_second_serve_leaves_quietly_with_its_own_code(own):
    own.start()
    command = [sys.executable, "-m", "containerlab", "serve", "--store", str(own.folder)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (3, b"")
    assert lab_client.connect().ping()


def test_a_second_serve_on_another_socket_says_why_nobody_answers_there(own, tmp_path):
    own.start()
    command = [sys.executable, "-m", "containerlab", "serve", "--store", str(own.folder)]
    command += ["--socket", str(tmp_path / "other.sock")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert done.returncode == 3
    assert f"another engine has the store {own.folder}" in done.stderr and own.host in done.stderr


def test_a_killed_engine_comes_back_and_its_container_ran_on(own):
    client = lab_client.connect()
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.3; done; exit 5"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
    pid = client.api.inspect_container(container.id)["State"]["Pid"]
    own.kill(signal.SIGKILL)
    assert Path(f"/proc/{pid}").exists()
    # The same client, as a notebook keeps it: its next request starts the engine again.
    assert client.containers.get(container.id).status == "running"
    assert client.api.inspect_container(container.id)["State"]["Pid"] == pid
    assert container.wait()["StatusCode"] == 5
    assert container.logs() == b"".join(b"%d\n" % n for n in range(1, 11))


def test_an_exit_while_no_engine_runs_is_known_afterwards(own):
    client = lab_client.connect()
    container = client.containers.run(IMAGE, ["sh", "-c", "sleep 1; echo late; exit 6"], detach=True)
    own.kill(signal.SIGKILL)
    time.sleep(1.5)
    assert container.wait()["StatusCode"] == 6
    assert container.logs() == b"late\n"
    container.reload()
    assert container.status == "exited"


def test_an_attached_stream_outlives_its_engine(own):
    client = lab_client.connect()
    container = client.containers.create(IMAGE, ["sh", "-c", "echo one; sleep 1; echo two"])
    stream = container.attach(stream=True, stdout=True, stderr=True)
    container.start()
    got = [next(stream)]
    own.kill(signal.SIGKILL)
    got += list(stream)
    assert b"".join(got) == b"one\ntwo\n"


def test_sigterm_ends_the_engine_and_spares_the_containers(own):
    client = lab_client.connect()
    container = client.containers.run(IMAGE, "sleep 1000", detach=True)
    own.kill(signal.SIGTERM)
    assert not paths.api_socket(own.folder).exists()
    container.reload()
    assert container.status == "running"


def test_sigterm_leaves_no_process_where_no_container_runs(own):
    client = lab_client.connect()
    client.containers.run(IMAGE, "true", name="kept")
    supervisor = json.loads((paths.run_folder(own.folder) / "supervisor.json").read_text())["pid"]
    assert Path(f"/proc/{supervisor}").exists()
    own.kill(signal.SIGTERM)
    assert eventually(lambda: not Path(f"/proc/{supervisor}").exists())
    container = client.containers.get("kept")
    assert container.attrs["State"]["ExitCode"] == 0
    container.start()
    assert container.wait()["StatusCode"] == 0


def test_an_idle_engine_ends_with_its_supervisor_and_one_in_use_stays(own):
    command = [sys.executable, "-m", "containerlab", "serve", "--store", str(own.folder), "--idle-exit", "0.5"]
    with subprocess.Popen(command, cwd="/") as engine:
        assert eventually(paths.api_socket(own.folder).exists)
        client = docker.DockerClient(base_url=own.host, version="1.43")
        container = client.containers.run(IMAGE, "sleep 2", detach=True)
        record = json.loads((paths.run_folder(own.folder) / "supervisor.json").read_text())
        time.sleep(1.2)
        assert engine.poll() is None
        container.wait()
        assert engine.wait(15) == 0
    assert eventually(lambda: not Path(f"/proc/{record['pid']}").exists())
    assert not paths.api_socket(own.folder).exists()


def test_a_stale_socket_is_replaced(own):
    own.start()
    own.kill(signal.SIGKILL)
    assert paths.api_socket(own.folder).exists()
    assert lab_client.connect().ping()


def test_the_reason_of_a_failed_start_reaches_the_caller(own):
    own.folder.mkdir(mode=0o700, parents=True)
    (own.folder / "db.sqlite").mkdir()
    with pytest.raises(EngineUnreachable, match="The engine could not start"):
        lab_client.connect()
    (own.folder / "db.sqlite").rmdir()


def test_folders_and_socket_are_the_owners_alone(own):
    own.start()
    run = paths.run_folder(own.folder)
    for path, mode in ((own.folder, 0o700), (run, 0o700), (run / "engine.sock", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode, path


@pytest.mark.root
def test_another_user_cannot_connect_nor_list_the_store(own):
    own.start()
    path = str(paths.api_socket(own.folder))
    child = os.fork()
    if child == 0:
        os.setresuid(12345, 12345, 12345)
        refusals = 0
        try:
            socket.socket(socket.AF_UNIX).connect(path)
        except PermissionError:
            refusals += 1
        try:
            list(own.folder.iterdir())
        except PermissionError:
            refusals += 1
        os._exit(refusals)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


def test_docker_host_wins_and_is_never_started(own, monkeypatch, tmp_path):
    monkeypatch.setenv("CONTAINERLAB_HOST", f"unix://{tmp_path}/lab.sock")
    assert lab_client.find_host() == f"unix://{tmp_path}/lab.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    assert lab_client.find_host() == f"unix://{tmp_path}/docker.sock"
    with pytest.raises(EngineUnreachable, match=r"docker\.sock"):
        lab_client.connect()
    assert own.pids() == []


def test_the_labs_own_routes_answer(own):
    client = lab_client.connect()
    assert "rung" in lab_client.lab_get(client, "/containerlab/host")
    client.containers.run(IMAGE, "true", remove=True)
    layers = lab_client.lab_get(client, "/containerlab/layers", image=[IMAGE])
    assert layers["bytes_on_disk"] > 0


def test_many_threads_share_one_client(own):
    client = lab_client.connect()
    answers: list[bytes] = []

    def run(number: int) -> None:
        answers.append(client.containers.run(IMAGE, f"echo {number}", remove=True))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [b"%d\n" % number for number in range(8)]
