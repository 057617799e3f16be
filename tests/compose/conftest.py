"""Projects against engines: ours as root and as somebody else, or the one that ``DOCKER_HOST`` names."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.commands.result import Result
from tests.clients.conftest import Answer, host, store
from tests.commands.conftest import Kept
from tests.rungs import RUNGS, RUNGS_IN_TIME, address

__all__ = ["host", "store"]

IMAGES = ("lab/busybox", "lab/python")
_SHOP = Path(__file__).with_name("shop")


@pytest.fixture(scope="session")
def loaded_host(host: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real Docker gets the images that our engine makes by itself."""
    client = docker.DockerClient(base_url=host)
    try:
        missing = []
        for image in IMAGES:
            try:
                client.images.get(image)
            except docker.errors.ImageNotFound:
                missing.append(image)
        if missing:
            from tests.store import Store

            own = Store(tmp_path_factory.mktemp("images") / "store")
            try:
                own.start()
                other = docker.DockerClient(base_url=own.host)
                for image in missing:
                    client.images.load(other.images.get(image).save(named=True))
                other.close()
            finally:
                own.end()
    finally:
        client.close()
    return host


def _engine(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("loaded_host")) if request.param == "root" else address(request)


@pytest.fixture(params=RUNGS)
def engine(request: pytest.FixtureRequest) -> str:
    """Its address."""
    return _engine(request)


@pytest.fixture(params=RUNGS_IN_TIME)
def engine_in_time(request: pytest.FixtureRequest) -> str:
    """The same, but root's alone where time is short."""
    return _engine(request)


class Project:
    """A folder with a Compose file, and the verbs of ``compose`` on it."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder, self.host, self.name = folder, host, folder.name
        self.client = docker.DockerClient(base_url=host)
        self.out, self.told = "", ""

    def write(self, text: str) -> None:
        (self.folder / "compose.yaml").write_text(text)

    def __call__(self, line: str) -> Result:
        """One verb, in this process; ``out`` and ``told`` are what it has written and said of its steps."""
        output = Kept()
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            return invoke(["compose", *shlex.split(line)], Context(output=output, connect=lambda: self.client))
        finally:
            os.chdir(before)
            self.out = (output.out + output.err).decode()
            self.told = "\n".join(output.notices)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """The program itself, for what a signal is to reach."""
        environment = {**os.environ, "DOCKER_HOST": self.host}
        return subprocess.Popen(
            [sys.executable, "-m", "containerlab", "compose", *words], cwd=self.folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def other(self, *words: str) -> Answer:
        """Debian's docker-compose on the same folder."""
        if shutil.which("docker-compose") is None:
            pytest.skip("docker-compose isn't installed")
        done = subprocess.run(
            ["docker-compose", "--ansi", "never", *words], cwd=self.folder, input="", text=True, capture_output=True,
            env={**os.environ, "DOCKER_HOST": self.host}, timeout=120, check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def containers(self) -> dict[str, Any]:
        """Names without the project's, and the containers."""
        found = self.client.containers.list(all=True, filters={"label": f"com.docker.compose.project={self.name}"})
        return {container.name.removeprefix(self.name)[1:]: container for container in found}

    def ids(self) -> dict[str, str]:
        return {name: container.id for name, container in self.containers().items()}

    def sweep(self) -> None:
        """Leave nothing, whatever has happened."""
        for container in self.containers().values():
            try:
                container.remove(force=True, v=True)
            except docker.errors.NotFound:
                pass
        chosen = {"label": f"com.docker.compose.project={self.name}"}
        for network in self.client.networks.list(filters=chosen):
            network.remove()
        for volume in self.client.volumes.list(filters=chosen):
            volume.remove(force=True)
        self.client.close()


@pytest.fixture
def project(engine: str) -> Iterator[Project]:
    yield from _project(engine)


@pytest.fixture
def lone_project(engine_in_time: str) -> Iterator[Project]:
    """For what changes little with the user: on root's engine alone where time is short."""
    yield from _project(engine_in_time)


def _project(host: str) -> Iterator[Project]:
    folder = Path(tempfile.mkdtemp(prefix="cl-compose-", dir="/tmp")) / f"c{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    folder.parent.chmod(0o755)  # an engine of another user reads it
    made = Project(folder, host)
    try:
        yield made
    finally:
        made.sweep()
        shutil.rmtree(folder.parent, ignore_errors=True)


@pytest.fixture
def shop(project: Project) -> Project:
    shutil.copytree(_SHOP, project.folder, dirs_exist_ok=True)
    return project
