"""docker-py drives the engine: the same library that the notebooks stand on."""

from __future__ import annotations

import io
import threading
import time

import docker
import pytest

IMAGE = "lab/busybox"


def test_run_returns_what_was_printed(client):
    assert client.containers.run(IMAGE, "echo hi", remove=True) == b"hi\n"


def test_a_failed_run_raises_with_code_and_stderr(client):
    with pytest.raises(docker.errors.ContainerError) as caught:
        client.containers.run(IMAGE, ["sh", "-c", "echo why >&2; exit 3"], remove=True)
    assert caught.value.exit_status == 3
    assert caught.value.stderr == b"why\n"


def test_an_unknown_image_is_image_not_found(client):
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get("lab/nothing-of-this-name")


def test_an_unknown_container_is_not_found(client):
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("nobody-here")


def test_fifty_execs_lose_nothing(client, name):
    container = client.containers.run(IMAGE, "sleep 1000", detach=True, name=name)
    answers = [container.exec_run(["echo", f"number {n}"]) for n in range(50)]
    assert [(answer.exit_code, answer.output) for answer in answers] == [(0, b"number %d\n" % n) for n in range(50)]


def test_exec_keeps_the_streams_apart_when_asked(client, name):
    container = client.containers.run(IMAGE, "sleep 1000", detach=True, name=name)
    code, (out, err) = container.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True)
    assert (code, out, err) == (4, b"o\n", b"e\n")


def test_exec_inspect_and_resize(client, name):
    container = client.containers.run(IMAGE, "sleep 1000", detach=True, name=name)
    made = client.api.exec_create(container.id, ["sh", "-c", "sleep 0.5; stty size"], tty=True)
    stream = client.api.exec_start(made["Id"], tty=True, stream=True)
    client.api.exec_resize(made["Id"], height=41, width=99)
    assert b"41 99" in b"".join(stream)
    shown = client.api.exec_inspect(made["Id"])
    assert (shown["ExitCode"], shown["Running"]) == (0, False)


def test_logs_as_a_stream(client, name):
    container = client.containers.run(
        IMAGE, ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"], detach=True, name=name
    )
    assert b"".join(container.logs(stream=True, follow=True)) == b"1\n2\n3\n"


def test_wait_and_state(client, name):
    container = client.containers.run(IMAGE, ["sh", "-c", "exit 9"], detach=True, name=name)
    assert container.wait()["StatusCode"] == 9
    container.reload()
    assert container.status == "exited"
    assert container.attrs["State"]["ExitCode"] == 9


def test_attach_socket_carries_input_and_half_close(client, name):
    container = client.containers.create(IMAGE, "cat", stdin_open=True, name=name)
    sock = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    container.start()
    sock._sock.sendall(b"through the socket\n")
    import socket as sockets

    sock._sock.shutdown(sockets.SHUT_WR)
    got = b""
    while chunk := sock.read(4096):
        got += chunk
    assert b"through the socket\n" in got
    assert container.wait()["StatusCode"] == 0


def test_events_are_seen_live(client, name):
    seen, stream = [], client.events(decode=True, filters={"container": name})
    thread = threading.Thread(target=lambda: seen.extend(event["Action"] for event in stream))
    thread.start()
    time.sleep(0.2)
    client.containers.run(IMAGE, "true", name=name)
    deadline = time.monotonic() + 10
    while "die" not in seen and time.monotonic() < deadline:
        time.sleep(0.05)
    stream.close()
    thread.join(10)
    assert [action for action in seen if action in ("create", "start", "die")] == ["create", "start", "die"]


@pytest.mark.namespaces
def test_stats_count_what_passes_each_interface(client, name):
    container = client.containers.run(IMAGE, "sleep 1000", name=name, detach=True)
    gateway = client.api.inspect_container(name)["NetworkSettings"]["Gateway"]
    before = container.stats(stream=False)["networks"]
    assert list(before) == ["eth0"]
    assert container.exec_run(["ping", "-c", "1", gateway]).exit_code == 0
    after = container.stats(stream=False)["networks"]["eth0"]
    for way in ("rx", "tx"):
        assert after[f"{way}_packets"] > before["eth0"][f"{way}_packets"]
        assert after[f"{way}_bytes"] >= before["eth0"][f"{way}_bytes"] + 64
        assert after[f"{way}_errors"] == 0


def test_stats_of_what_is_on_no_network_have_no_networks(client, name):
    container = client.containers.run(IMAGE, "sleep 1000", name=name, detach=True, network_mode="none")
    assert "networks" not in container.stats(stream=False)


@pytest.mark.counted
def test_stats_once(client, name):
    container = client.containers.run(IMAGE, "sleep 1000", detach=True, name=name)
    stats = container.stats(stream=False)
    assert stats["pids_stats"]["current"] == 1
    assert stats["memory_stats"]["usage"] > 0
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] >= stats["precpu_stats"]["cpu_usage"]["total_usage"]


def test_build_from_a_dockerfile_object(client, name):
    dockerfile = f"FROM {IMAGE}\nRUN echo {name}\nCMD echo from py\n"
    image, messages = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=f"{name}:1", rm=True)
    try:
        assert f"{name}\n" in [message.get("stream") for message in messages]
        assert client.containers.run(f"{name}:1", remove=True) == b"from py\n"
        assert f"{name}:1" in image.tags
    finally:
        client.images.remove(f"{name}:1", force=True)


def test_a_failed_build_raises_with_the_messages(client):
    with pytest.raises(docker.errors.BuildError) as caught:
        client.images.build(fileobj=io.BytesIO(f"FROM {IMAGE}\nRUN exit 5\n".encode()), rm=True)
    assert "returned a non-zero code: 5" in caught.value.msg


def test_a_conflict_is_409(client, name):
    client.containers.create(IMAGE, "true", name=name)
    with pytest.raises(docker.errors.APIError) as caught:
        client.containers.create(IMAGE, "true", name=name)
    assert caught.value.status_code == 409


def test_starting_twice_is_no_error_and_stopping_twice_neither(client, name):
    container = client.containers.run(IMAGE, "sleep 1000", detach=True, name=name)
    container.start()
    container.stop(timeout=0)
    container.stop(timeout=0)
    container.reload()
    assert container.status == "exited"


@pytest.mark.ours("Docker gives no hints")
def test_a_network_that_is_not_there_is_not_said_to_be_none(client):
    with pytest.raises(docker.errors.NotFound) as refusal:
        client.networks.get("nope")
    assert refusal.value.explanation == "network nope not found"
    with pytest.raises(docker.errors.NotFound, match="Did you mean bridge"):
        client.networks.get("brige")
