"""On the rung proot: programs, signals, exit codes, execs, terminals."""

from __future__ import annotations

import os
import signal

import docker
import pytest
from docker.models.containers import Container

from tests.hosts.on_binder.work import IMAGE, exit_code, processes, sh
from tests.waiting import eventually


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
