"""Fields of a file to the model: short and long forms, units, and what one field says for another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from containerlab.compose import model
from containerlab.compose.model import BlobUse, Dependency, Healthcheck, Mount, Port
from containerlab.compose.select import select
from containerlab.errors import ComposeError
from tests.compose.projects import loaded, loaded_files, service, write


@pytest.mark.parametrize(
    ("short", "ports"),
    [
        ("80", [Port(target=80)]),
        ("8080:80", [Port(target=80, published="8080")]),
        ("8080:80/udp", [Port(target=80, published="8080", protocol="udp")]),
        ("127.0.0.1:8080:80", [Port(target=80, published="8080", host_ip="127.0.0.1")]),
        ("127.0.0.1::80", [Port(target=80, host_ip="127.0.0.1")]),
        ("[::1]:8080:80", [Port(target=80, published="8080", host_ip="::1")]),
        ("::1:8080:80", [Port(target=80, published="8080", host_ip="::1")]),
        ("3000-3001", [Port(target=3000), Port(target=3001)]),
        ("90-91:80-81", [Port(target=80, published="90"), Port(target=81, published="91")]),
        ("8000-8010:80", [Port(target=80, published="8000-8010")]),
    ],
)
def test_ports_in_short_form(short: str, ports: list[Port]) -> None:
    assert service(f"ports: ['{short}']").ports == tuple(ports)


def test_ports_in_long_form() -> None:
    web = service(
        "ports: [{target: 80, published: 8000-8010, host_ip: 127.0.0.1, protocol: UDP, mode: host, name: web}]"
    )
    assert web.ports == (
        Port(target=80, published="8000-8010", host_ip="127.0.0.1", protocol="udp", mode="host", name="web"),
    )


@pytest.mark.parametrize(
    ("written", "mount"),
    [
        ("/anon", Mount(type="volume", target="/anon", short=True)),
        ("data:/d", Mount(type="volume", source="data", target="/d", short=True)),
        ("data:/d:ro,nocopy", Mount(type="volume", source="data", target="/d", read_only=True, nocopy=True, short=True)),
        ("./a/../b:/b", Mount(type="bind", source="/lab/b", target="/b", create_host_path=True, short=True)),
        ("../up:/b/", Mount(type="bind", source="/up", target="/b", create_host_path=True, short=True)),
        ("~/n:/n", Mount(type="bind", source="/home/student/n", target="/n", create_host_path=True, short=True)),
        ("/etc:/e:rslave,Z,rw", Mount(type="bind", source="/etc", target="/e", propagation="rslave", selinux="Z", create_host_path=True, short=True)),
        ("{type: volume, source: data, target: /d, volume: {nocopy: true, subpath: s}}", Mount(type="volume", source="data", target="/d", nocopy=True, subpath="s")),
        ("{type: bind, source: ./b, target: /b, bind: {create_host_path: false}}", Mount(type="bind", source="/lab/b", target="/b")),
        ("{type: bind, source: ./b, target: /b, read_only: 'yes'}", Mount(type="bind", source="/lab/b", target="/b", read_only=True, create_host_path=True)),
        ("{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 01777}}", Mount(type="tmpfs", target="/t", tmpfs_size=1 << 20, tmpfs_mode=0o1777)),
    ],
)  # fmt: skip
def test_volumes(written: str, mount: Mount) -> None:
    written = written if written.startswith("{") else f"'{written}'"
    project = loaded(f"services: {{web: {{image: x, volumes: [{written}]}}}}\nvolumes: {{data: }}\n")
    assert project.services["web"].volumes == (mount,)


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ("command: sh -c 'echo \"a b\"' c", "command", ("sh", "-c", 'echo "a b"', "c")),
        ("command: []", "command", ()),
        ("command: ''", "command", ()),
        ("command:", "command", None),
        ("entrypoint: [a, '']", "entrypoint", ("a", "")),
        ("environment: [A=1, B=, 'C=x=y']", "environment", {"A": "1", "B": "", "C": "x=y"}),
        ("environment: {A: 1, B: true, C: 1.50, D: , E: ''}", "environment", {"A": "1", "B": "true", "C": "1.5", "D": None, "E": ""}),
        ("environment: [HOME, NONE]", "environment", {"HOME": "/home/student", "NONE": None}),
        ("labels: [a, b=1]", "labels", {"a": "", "b": "1"}),
        ("expose: [80, '81-82/udp']", "expose", ("80", "81-82/udp")),
        ("dns: 10.0.0.1", "dns", ("10.0.0.1",)),
        ("tmpfs: /run:size=1m", "tmpfs", ("/run:size=1m",)),
        ("extra_hosts: {a: 10.0.0.1, b: ['::1', 10.0.0.2]}", "extra_hosts", ("a:10.0.0.1", "b:::1", "b:10.0.0.2")),
        ("extra_hosts: ['a=10.0.0.1', 'b:[::1]']", "extra_hosts", ("a:10.0.0.1", "b:::1")),
        ("group_add: [audio, 1000]", "group_add", ("audio", "1000")),
        ("sysctls: [net.core.somaxconn=1024]", "sysctls", {"net.core.somaxconn": "1024"}),
        ("stop_grace_period: 1m30s", "stop_grace_period", 90 * 10**9),
        ("stop_grace_period: 1.5h", "stop_grace_period", 5400 * 10**9),
        ("stop_grace_period: 10ms", "stop_grace_period", 10**7),
        ("stop_grace_period: 1d", "stop_grace_period", 86400 * 10**9),
        ("shm_size: 64m", "shm_size", 64 << 20),
        ("shm_size: 1.5gb", "shm_size", 3 << 29),
        ("shm_size: 65536", "shm_size", 65536),
        ("memswap_limit: -1", "memswap_limit", -1),
        ("cpus: '0.5'", "cpus", 0.5),
        ("cpuset: 0", "cpuset", "0"),
        ("pids_limit: -1", "pids_limit", -1),
        ("init: true", "init", True),
        ("attach: false", "attach", False),
        ("restart: no", "restart", "no"),
        ("restart: on-failure:3", "restart", "on-failure:3"),
        ("pull_policy: if_not_present", "pull_policy", "missing"),
        ("cgroup: host", "cgroup", "host"),
        ("x-mine: {a: [1]}\ntty: on", "tty", True),
    ],
)  # fmt: skip
def test_a_field_s_value(fields: str, name: str, value: Any) -> None:
    assert getattr(service(fields), name) == value


@pytest.mark.parametrize(
    ("written", "health"),
    [
        ("{test: curl x}", Healthcheck(test=("CMD-SHELL", "curl x"))),
        (
            "{test: [CMD, a, b], interval: 5s, retries: '3'}",
            Healthcheck(test=("CMD", "a", "b"), interval=5 * 10**9, retries=3),
        ),
        ("{disable: true}", Healthcheck(test=("NONE",), disable=True)),
        ("{test: [NONE]}", Healthcheck(test=("NONE",), disable=True)),
        ("{start_period: 1m, start_interval: 500ms}", Healthcheck(start_period=60 * 10**9, start_interval=5 * 10**8)),
    ],
)
def test_healthchecks(written: str, health: Healthcheck) -> None:
    assert service(f"healthcheck: {written}").healthcheck == health


def test_dependencies_said_and_implied() -> None:
    project = loaded(
        """
        services:
          a: {image: x}
          b: {image: x}
          c: {image: x}
          d: {image: x}
          web:
            image: x
            depends_on: {a: {condition: service_healthy, restart: true}}
            links: [a, "b:alias"]
            volumes_from: ["c:ro", "container:other"]
            network_mode: "service:d"
            pid: "service:d"
        """
    )
    web = project.services["web"]
    assert web.depends_on == {
        "a": Dependency(condition="service_healthy", restart=True),
        "b": Dependency(restart=True),
        "c": Dependency(),
        "d": Dependency(restart=True),
    }
    assert web.links == {"a": ("a",), "b": ("alias",)} and web.networks == {}


def test_deploy_speaks_for_the_older_fields() -> None:
    web = service(
        """
        deploy:
          replicas: 2
          labels: [a=b]
          resources: {limits: {cpus: 0.5, memory: 50M, pids: 9}, reservations: {memory: 20M}}
          restart_policy: {condition: on-failure, max_attempts: 3}
        """
    )
    assert (web.scale, web.cpus, web.mem_limit, web.pids_limit, web.mem_reservation) == (2, 0.5, 50 << 20, 9, 20 << 20)
    assert web.restart == "on-failure:3" and web.deploy and web.deploy.labels == {"a": "b"} and web.labels == {}


def test_the_default_network_is_there_where_it_is_used() -> None:
    project = loaded("services: {a: {image: x}, b: {image: x, networks: [n]}}\nnetworks: {n: }")
    assert project.networks["default"].name == "lab_default" and list(project.services["a"].networks) == ["default"]
    assert "default" not in loaded("services: {b: {image: x, networks: [n]}}\nnetworks: {n: }").networks
    named = loaded("services: {a: {image: x}}\nnetworks: {default: {name: other, external: true}}").networks["default"]
    assert named.external and named.name == "other"


def test_resources_are_named_after_the_project_unless_they_have_a_name_or_are_another_s() -> None:
    project = loaded(
        "services: {}\nvolumes: {a: , b: {name: bee}, c: {external: true}, d: {external: {name: dee}}, x-e: }\n"
    )
    assert {key: volume.name for key, volume in project.volumes.items()} == {
        "a": "lab_a",
        "b": "bee",
        "c": "c",
        "d": "dee",
        "x-e": "lab_x-e",  # below a section every name is a name
    }


def test_a_volume_that_binds_a_folder_has_its_path_from_the_project() -> None:
    project = loaded(
        "services: {}\nvolumes: {v: {driver_opts: {type: none, o: bind, device: ./d}}, w: {driver_opts: {device: ./d}}}"
    )
    assert project.volumes["v"].driver_opts["device"] == "/lab/d"
    assert project.volumes["w"].driver_opts["device"] == "./d"


def test_networks() -> None:
    network = loaded(
        """
        services: {}
        networks:
          n:
            driver: bridge
            internal: true
            enable_ipv6: true
            attachable: true
            driver_opts: {mtu: 1400}
            labels: [a=b]
            ipam: {driver: default, options: {k: v}, config: [{subnet: 10.0.0.0/24, ip_range: 10.0.0.128/25, gateway: 10.0.0.1, aux_addresses: {h: 10.0.0.9}}]}
        """
    ).networks["n"]
    pool = model.IpamPool(
        subnet="10.0.0.0/24", ip_range="10.0.0.128/25", gateway="10.0.0.1", aux_addresses={"h": "10.0.0.9"}
    )
    assert network == model.Network(
        name="lab_n", driver="bridge", internal=True, enable_ipv6=True, attachable=True, driver_opts={"mtu": "1400"},
        labels={"a": "b"}, ipam_driver="default", ipam_options={"k": "v"}, ipam=(pool,),
    )  # fmt: skip


def test_secrets_and_configs(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
                services:
                  web:
                    image: x
                    secrets: [a, {source: b, target: sub/b, uid: "1", mode: 0440}, {source: c, target: /abs, mode: "0400"}]
                    configs: [d, {source: e, target: /etc/e}]
                    build: {context: ., secrets: [a]}
                secrets: {a: {file: ./a.txt}, b: {environment: B}, c: {external: true, name: cee}}
                configs: {d: {content: "v=${V}"}, e: {file: e.conf}}
                """
        },
    )
    project = loaded_files(tmp_path, "compose.yaml", environ={"V": "1"})
    web = project.services["web"]
    assert web.secrets == (
        BlobUse(source="a", target="/run/secrets/a"),
        BlobUse(source="b", target="/run/secrets/sub/b", uid="1", mode=0o440),
        BlobUse(source="c", target="/abs", mode=0o400),
    )
    assert [use.target for use in web.configs] == ["/d", "/etc/e"]
    assert web.build and web.build.secrets == (BlobUse(source="a", target="a"),)
    assert project.secrets["a"].file == str(tmp_path / "a.txt") and project.secrets["b"].environment == "B"
    assert project.secrets["c"].name == "cee" and project.configs["d"].content == "v=1"


def test_builds() -> None:
    build = service("build: ./src").build
    assert build == model.Build(context="/lab/src", dockerfile="Dockerfile")
    build = service(
        "build: {dockerfile_inline: 'FROM x', args: [HOME, NONE, A=1], extra_hosts: [h=10.0.0.1], tags: [t]}"
    ).build
    assert build == model.Build(
        context="/lab", dockerfile_inline="FROM x", args={"A": "1", "HOME": "/home/student"}, extra_hosts=("h:10.0.0.1",), tags=("t",)
    )  # fmt: skip


def test_env_files_lie_below_the_environment_and_later_ones_above_earlier(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
                services:
                  web:
                    image: x
                    env_file: [one.env, {path: two.env}, {path: none.env, required: false}, {path: raw.env, format: raw}]
                    environment: {C: own}
                """,
            "one.env": "A=1\nB=1\nC=1\nD=$A-$CALLER\n",
            "two.env": "B=2\n",
            "raw.env": "R='$A'\n",
        },
    )
    web = loaded_files(tmp_path, "compose.yaml", environ={"CALLER": "c"}).services["web"]
    assert web.environment == {"A": "1", "B": "2", "C": "own", "D": "1-c", "R": "'$A'"}


def test_labels_may_come_from_a_file(tmp_path: Path) -> None:
    write(tmp_path, {"c.yaml": "services: {web: {image: x, label_file: l, labels: {b: own}}}", "l": "a=1\nb=2\n"})
    assert loaded_files(tmp_path, "c.yaml").services["web"].labels == {"a": "1", "b": "own"}


_PROFILES = """
services:
  web: {image: x}
  debug: {image: x, profiles: [debug], depends_on: [tool, web]}
  tool: {image: x, profiles: [debug, tools], volumes: [v:/v]}
  docs: {image: x, profiles: [docs], env_file: none.env}
volumes: {v: }
"""


@pytest.mark.parametrize(
    ("given", "environ", "names"),
    [
        ([], {}, ["web"]),
        (["tools"], {}, ["tool", "web"]),
        ([], {"COMPOSE_PROFILES": "debug,none"}, ["debug", "tool", "web"]),
        (["tools"], {"COMPOSE_PROFILES": "debug"}, ["tool", "web"]),
    ],
)
def test_profiles_turn_services_on(given: list[str], environ: dict[str, str], names: list[str]) -> None:
    assert sorted(loaded(_PROFILES, profiles=given, environ=environ).services) == names


def test_a_file_that_a_service_names_is_missed_once_the_service_runs() -> None:
    project = loaded(_PROFILES)
    with pytest.raises(ComposeError, match=r"env file /lab/none.env not found"):
        select(project, ["docs"])
    with pytest.raises(ComposeError, match=r"env file /lab/none.env not found"):
        loaded(_PROFILES, profiles=["*"])


def test_a_service_that_is_named_is_turned_on_with_what_it_needs_and_uses() -> None:
    project = loaded(_PROFILES)
    chosen = select(project, ["debug"])
    assert sorted(chosen.services) == ["debug", "tool", "web"] and list(chosen.volumes) == ["v"]
    assert sorted(select(project, ["web"]).services) == ["web"] and select(project).volumes == {}
    alone = select(project, ["debug"], dependencies=False)
    assert list(alone.services) == ["debug"] and alone.services["debug"].depends_on == {}
    with pytest.raises(ComposeError, match="no such service: wbe") as raised:
        select(project, ["wbe"])
    assert raised.value.hint == 'Did you mean "web"?'


def test_a_dependency_that_is_not_required_may_be_off() -> None:
    text = "services: {web: {image: x, depends_on: {db: {condition: service_started, required: false}}}, db: {image: x, profiles: [p]}}"
    assert loaded(text).services["web"].depends_on == {}
    assert list(loaded(text, profiles=["p"]).services["web"].depends_on) == ["db"]


def test_places_say_where_each_part_is_written() -> None:
    project = loaded("services:\n  web:\n    image: x\n    ports:\n      - 80\n      - 81-82\n")
    assert str(project.places["services.web"]) == "compose.yaml:2:3"
    assert str(project.places["services.web.ports[2]"]) == "compose.yaml:6:9"


def test_the_old_version_is_taken_with_a_warning() -> None:
    project = loaded("version: '2.4'\nservices: {web: {image: x}}\n")
    assert project.warnings == (
        "compose.yaml: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion",
    )
