"""``config``: what is printed is the same project again; hashes follow what containers are made of; docker-compose 1.29 reads
our corpus of files as we do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from containerlab.compose import config
from containerlab.compose.load import load, load_tree
from containerlab.compose.model import Project, Service
from tests.compose.projects import ENVIRON, loaded, loaded_files, write
from tests.compose.test_errors import BROKEN, whole

_CORPUS = Path(__file__).with_name("corpus")
_FILES = sorted(_CORPUS.glob("*.yaml"))
_ENVIRON = {**ENVIRON, "PASSWORD": "x", "PORT": "5432", "BLANK": "", "CONNECTIONS": "20", "FROM_CALLER": "hello"}

needs_docker_compose = pytest.mark.skipif(
    not shutil.which("docker-compose"), reason="docker-compose 1.29 isn't installed"
)


def _ours(file: Path) -> Project:
    return load([file], project_name="corpus", profiles=["*"], environ=_ENVIRON)


def _again(text: str) -> Project:
    return load(None, body=text, project_name="corpus", project_directory=_CORPUS, profiles=["*"], environ={**ENVIRON})


def _comparable(service: Service) -> Service:
    """Without how a mount was written, and what order mounts stand in (docker-compose sorts those that were merged)."""
    mounts = [msgspec.structs.replace(mount, short=False) for mount in service.volumes]
    return msgspec.structs.replace(service, volumes=tuple(sorted(mounts, key=lambda mount: mount.target)))


def _services(project: Project) -> dict[str, Service]:
    return {name: _comparable(service) for name, service in project.services.items()}


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_what_is_printed_is_the_same_project(file: Path) -> None:
    first = _ours(file)
    for text in (config.as_yaml(first), config.as_json(first)):
        again = _again(text)
        assert _services(again) == _services(first)
        assert (again.networks, again.volumes, again.secrets, again.configs) == (
            first.networks, first.volumes, first.secrets, first.configs
        )  # fmt: skip
        hashes = {name: config.service_hash(first, service) for name, service in first.services.items()}
        assert {name: config.service_hash(again, service) for name, service in again.services.items()} == hashes
    assert config.as_yaml(_again(config.as_yaml(first))) == config.as_yaml(first)


_READER = """
import json, sys
from compose.cli.command import get_config_from_options
from compose.config.serialize import serialize_config

def read(file):
    try:
        return serialize_config(get_config_from_options(".", {"--file": [file]}))
    except Exception as error:
        return "not read: %s" % error

print(json.dumps({file: read(file) for file in sys.argv[1:]}))
"""


def _docker_compose(files: list[Path]) -> dict[str, str]:
    """What docker-compose 1.29's ``config`` prints of each file; one process for all, since each start costs half a second."""
    read = subprocess.run(
        ["/usr/bin/python3", "-c", _READER, *map(str, files)],
        env={**_ENVIRON, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(read.stdout))


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """By the path of each file of the corpus."""
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose 1.29 isn't installed")
    return _docker_compose(_FILES)


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_docker_compose_reads_the_file_as_we_do(file: Path, printed: dict[str, str]) -> None:
    theirs, ours = _again(printed[str(file)]), _ours(file)
    assert _services(theirs) == _services(ours)
    assert (theirs.networks, theirs.volumes, theirs.secrets, theirs.configs) == (
        ours.networks, ours.volumes, ours.secrets, ours.configs
    )  # fmt: skip


def test_docker_compose_reads_what_we_print(printed: dict[str, str], tmp_path: Path) -> None:
    """But for what it has no word for: a project's name, ``required`` of a dependency, a long port's address."""
    kept = ["gated", "volumes", "limits", "profiles", "scaled", "anchors", "extends"]
    for name in kept:
        document = yaml.safe_load(config.as_yaml(_ours(_CORPUS / f"{name}.yaml")))
        del document["name"]
        for service in document["services"].values():
            for other in service.get("depends_on", {}).values():
                del other["required"]
        write(tmp_path, {f"{name}.yaml": yaml.safe_dump(document)})
    theirs = _docker_compose([tmp_path / f"{name}.yaml" for name in kept])
    for name in kept:
        assert _services(_again(theirs[str(tmp_path / f"{name}.yaml")])) == _services(_ours(_CORPUS / f"{name}.yaml"))


# What we refuse in a file and docker-compose 1.29 doesn't; some of it the engine refuses later, some is never carried out.
_TAKEN_BY_DOCKER_COMPOSE = (
    "already defined at line 4", "additional properties 'web' not allowed", "invalid size", 'invalid duration "30"', "invalid hostPort",
    "invalid IP address", "missing property 'target'", "unknown option fast", "mount path must be absolute", "'volume', 'bind', 'tmpfs'",
    "bind options are not for", "confusing device mapping", "unknown policy", "invalid restart policy", "no closing quotation",
    "missing IP", "must be a container's name", "undefined network", "undefined secret", "undefined config", "can't set",
    "must be greater than or equal to 0", "already mounted", "already in use",
)  # fmt: skip


def test_docker_compose_refuses_what_we_refuse(printed: dict[str, str], tmp_path: Path) -> None:
    rows = [(tmp_path / f"{number}.yaml", row[0], row[4]) for number, row in enumerate(BROKEN)]
    write(tmp_path, {path.name: whole(text) for path, text, _ in rows})
    theirs = _docker_compose([path for path, _, _ in rows])
    taken = [said for path, _, said in rows if not theirs[str(path)].startswith("not read: ")]
    assert [said for said in taken if not any(known in said for known in _TAKEN_BY_DOCKER_COMPOSE)] == []
    assert len(taken) < len(rows) / 3


def test_the_text_is_as_docker_compose_prints_it() -> None:
    project = loaded(
        """
        services:
          web:
            profiles: [p]
            image: "x:1"
            command: echo $$HOME
            environment: {B: "yes", A: 1}
            ports: ["127.0.0.1:8080:80"]
            volumes: ["./d:/d:ro", "v:/v"]
            depends_on: [db]
            mem_limit: 64m
            stop_grace_period: 90s
          db: {image: d}
        volumes: {v: }
        """,
        profiles=["p"],
    )
    assert config.as_yaml(project) == _PRINTED


_PRINTED = """\
name: lab
services:
  db:
    image: d
    networks:
      default: null
  web:
    profiles:
      - p
    command:
      - echo
      - $$HOME
    depends_on:
      db:
        condition: service_started
        required: true
    environment:
      A: "1"
      B: "yes"
    image: x:1
    mem_limit: "67108864"
    networks:
      default: null
    ports:
      - mode: ingress
        host_ip: 127.0.0.1
        target: 80
        published: "8080"
        protocol: tcp
    stop_grace_period: 1m30s
    volumes:
      - type: bind
        source: /lab/d
        target: /d
        read_only: true
        bind: {}
      - type: volume
        source: v
        target: /v
        volume: {}
networks:
  default:
    name: lab_default
    ipam: {}
volumes:
  v:
    name: lab_v
"""


def test_json_is_the_same_with_commands_that_are_not_said() -> None:
    printed = json.loads(config.as_json(loaded("services: {web: {image: x, command: [$$]}, db: {image: d}}")))
    assert printed["services"]["web"]["command"] == ["$$"] and printed["services"]["web"]["entrypoint"] is None
    assert printed["services"]["db"]["command"] is None


@pytest.mark.parametrize(
    "text", ["y", "no", "0x10", "1_0", "1.5", "", "~", "a: b", "# c", "a\nb\n", " x ", "1e3", "é", "null", "22:22"]
)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    first = loaded(f"services: {{web: {{image: x, environment: {{A: {json.dumps(text)}}}}}}}")
    printed = config.as_yaml(first)
    assert loaded(printed).services["web"].environment == {"A": text}
    assert yaml.safe_load(printed)["services"]["web"]["environment"]["A"] == text


def _hash(fields: str, more: str = "") -> str:
    project = loaded(f"services: {{web: {{image: x, {fields}}}}}\n{more}\nvolumes: {{v: {{labels: {{l: a}}}}}}\n")
    return config.service_hash(project, project.services["web"])


def test_a_hash_is_the_same_for_the_same_containers() -> None:
    base = _hash("environment: {A: 1, B: 2}, ports: ['80:80'], volumes: ['v:/v']")
    assert len(base) == 64
    assert base == _hash(
        "volumes: [{type: volume, source: v, target: /v}], ports: [{target: 80, published: 80}], environment: [B=2, A=1]"
    )
    assert base == _hash(
        "environment: {A: 1, B: 2}, ports: ['80:80'], volumes: ['v:/v'], scale: 3, pull_policy: never, x-a: 1"
    )


@pytest.mark.parametrize(
    "other", ["environment: {A: 2}", "environment: {A: }", "command: x", "deploy: {labels: {a: b}}", "restart: always"]
)
def test_a_hash_changes_with_what_containers_are_made_of(other: str) -> None:
    assert _hash("environment: {A: 1}") != _hash(other)


def test_a_hash_changes_with_a_network_s_definition() -> None:
    assert _hash("networks: [n]", "networks: {n: }") != _hash("networks: [n]", "networks: {n: {internal: true}}")
    assert _hash("networks: [n]", "networks: {n: }") == _hash(
        "networks: [n]", "networks: {n: , other: {internal: true}}"
    )


def test_images_are_those_that_are_named_and_those_that_are_built() -> None:
    assert config.images(loaded("services: {a: {image: x}, b: {build: .}, c: {image: x, build: .}}")) == ["lab-b", "x"]


def test_variables_can_be_left_in(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "c.yaml": "services: {web: {image: '$A', ports: ['${P}:80'], command: 'echo $$x'}}",
            "d.yaml": "services: {web: {scale: '${N}'}}",
        },
    )
    name, tree = load_tree([tmp_path / "c.yaml", tmp_path / "d.yaml"], project_name="lab", environ=ENVIRON)
    printed = yaml.safe_load(config.raw(name, tree))
    assert printed == {
        "name": "lab",
        "services": {"web": {"image": "$A", "ports": ["${P}:80"], "command": "echo $$x", "scale": "${N}"}},
    }
    whole = loaded_files(tmp_path, "c.yaml", "d.yaml", environ={"A": "a", "P": "1", "N": "2"})
    assert whole.services["web"].scale == 2
