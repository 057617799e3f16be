"""Debian's docker-compose (1.29) against the engine, or against the one that ``DOCKER_HOST`` names."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.clients.conftest import IMAGE, Answer
from tests.rungs import each_host_in_time as host

__all__ = ["host"]

pytestmark = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose isn't installed")

FILE = f"""
version: "3.8"
x-idle: &idle
  image: {IMAGE}
  command: ["sh", "-c", "echo up; trap exit TERM; while :; do sleep 0.1; done"]
services:
  db:
    <<: *idle
    volumes: ["data:/data", "/kept"]
    networks: {{back: {{aliases: [store]}}}}
  web:
    <<: *idle
    depends_on: [db]
    environment: {{STEP: "${{STEP:-1}}"}}
    ports: ["127.0.0.1::8000"]
    secrets: [word]
    networks: [back]
  tiny:
    build: .
    network_mode: none
networks:
  back:
volumes:
  data:
secrets:
  word: {{file: ./word.txt}}
"""
DOCKERFILE = f"""FROM {IMAGE}
CMD ["sh", "-c", "echo tiny; trap exit TERM; while :; do sleep 0.1; done"]
"""


class Compose:
    """The program, in a folder of its own whose name is the project's."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host, self.folder, self.project = host, folder, folder.name

    def __call__(self, *words: str, **variables: str) -> Answer:
        environment = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0", **variables}
        done = subprocess.run(
            ["docker-compose", "--ansi", "never", *words],
            cwd=self.folder, env=environment, input="", capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, **variables: str) -> str:
        """Standard output, stripped, of what must succeed."""
        answer = self(*words, **variables)
        assert answer.code == 0, answer
        return answer.out.strip()


@pytest.fixture
def compose(host: str) -> Iterator[Compose]:
    above = Path(tempfile.mkdtemp(prefix="cl-compose-", dir="/tmp"))
    above.chmod(0o755)  # an engine of another user reads the secret
    folder = above / f"t{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(FILE)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "word.txt").write_text("secret")
    made = Compose(host, folder)
    try:
        yield made
    finally:
        made("down", "-v", "-t", "0", "--rmi", "local", "--remove-orphans")
        shutil.rmtree(above)


def test_one_file_comes_up_with_its_names_labels_networks_and_volumes(
    compose: Compose, client: docker.DockerClient
) -> None:
    compose.ok("up", "-d", "--scale", "tiny=2")
    project = compose.project
    found = client.containers.list(filters={"label": f"com.docker.compose.project={project}"})
    assert sorted(container.name for container in found) == [
        f"{project}_{name}" for name in ("db_1", "tiny_1", "tiny_2", "web_1")
    ]
    labels = client.containers.get(f"{project}_tiny_2").labels
    assert labels["com.docker.compose.container-number"] == "2" and labels["com.docker.compose.oneoff"] == "False"
    network = client.networks.get(f"{project}_back")
    assert {entry["Name"] for entry in network.attrs["Containers"].values()} == {f"{project}_db_1", f"{project}_web_1"}
    assert client.volumes.get(f"{project}_data").attrs["Labels"]["com.docker.compose.volume"] == "data"
    assert compose.ok("port", "web", "8000").startswith("127.0.0.1:")
    assert compose.ok("exec", "-T", "web", "cat", "/run/secrets/word") == "secret"
    assert compose("exec", "-T", "web", "sh", "-c", "exit 3").code == 3


def test_a_changed_service_is_made_anew_with_its_anonymous_volume_and_the_others_stay(
    compose: Compose, client: docker.DockerClient
) -> None:
    compose.ok("up", "-d", "db", "web")
    compose.ok("exec", "-T", "db", "sh", "-c", "echo 1 > /kept/file; echo 2 > /data/file")
    before = {name: client.containers.get(f"{compose.project}_{name}_1").id for name in ("db", "web")}
    compose.ok("up", "-d", "-t", "1", "db", "web", STEP="2")
    after = {name: client.containers.get(f"{compose.project}_{name}_1").id for name in ("db", "web")}
    assert after["db"] == before["db"] and after["web"] != before["web"]
    compose.ok("up", "-d", "-t", "1", "--force-recreate", "db")
    assert client.containers.get(f"{compose.project}_db_1").id != before["db"]
    assert compose.ok("exec", "-T", "db", "cat", "/kept/file", "/data/file") == "1\n2"


def test_logs_stop_start_kill_and_rm(compose: Compose) -> None:
    compose.ok("up", "-d", "--scale", "tiny=2", "tiny")
    assert (
        sorted(line.partition("|")[2].strip() for line in compose.ok("logs", "--no-color").splitlines()[1:])
        == ["tiny"] * 2
    )
    assert "sleep 0.1" in compose.ok("top", "tiny")
    compose.ok("stop", "-t", "1", "tiny")
    assert "Exit 0" in compose.ok("ps", "-a")
    compose.ok("start", "tiny")
    compose.ok("restart", "-t", "1", "tiny")
    compose.ok("kill", "tiny")
    assert "Exit 137" in compose.ok("ps", "-a")
    compose.ok("rm", "-f", "tiny")
    assert compose.ok("ps", "-aq") == ""


def test_pause_and_unpause_or_why_not(compose: Compose) -> None:
    compose.ok("up", "-d", "tiny")
    if "no freezer cgroup can be had here" in compose("pause", "tiny").err:
        assert "Up" in compose.ok("ps")
        pytest.skip("needs a freezer cgroup")
    assert "Paused" in compose.ok("ps")
    compose.ok("unpause", "tiny")
    assert "Up" in compose.ok("ps")


@pytest.mark.namespaces
def test_run_is_a_container_of_its_own_on_the_same_network(compose: Compose, client: docker.DockerClient) -> None:
    compose.ok("up", "-d", "db", "web")
    short = compose.ok("run", "--rm", "-T", "-e", "WORD=said", "web", "sh", "-c", "echo $WORD; ping -c1 -W5 store")
    assert short.startswith("said") and "0% packet loss" in short
    assert compose("run", "--rm", "-T", "--no-deps", "tiny", "sh", "-c", "exit 4").code == 4
    assert len(client.containers.list(filters={"label": f"com.docker.compose.project={compose.project}"})) == 2


def test_the_service_that_is_watched_gives_the_exit_code(compose: Compose) -> None:
    (compose.folder / "docker-compose.yml").write_text(
        f"""
version: "3.8"
services:
  job: {{image: {IMAGE}, command: ["sh", "-c", "echo working; exit 5"], network_mode: none}}
  idle: {{image: {IMAGE}, init: true, command: [sleep, "60"], network_mode: none}}
"""
    )
    answer = compose("up", "-t", "1", "--exit-code-from", "job")
    assert answer.code == 5 and "working" in answer.out and "Aborting on container exit" in answer.out, answer


def test_down_leaves_data_and_down_v_does_not(compose: Compose, client: docker.DockerClient) -> None:
    compose.ok("up", "-d", "db")
    compose.ok("exec", "-T", "db", "sh", "-c", "echo kept > /data/file")
    compose.ok("down", "-t", "1")
    compose.ok("up", "-d", "db")
    assert compose.ok("exec", "-T", "db", "cat", "/data/file") == "kept"
    compose.ok("down", "-t", "1", "-v")
    assert compose.project not in " ".join(volume.name for volume in client.volumes.list())
    assert not client.networks.list(names=[f"{compose.project}_back"])
